/** Canaries in access keys and in the calls inside long jobs. Leaves nothing behind but what ended. */
import { ADMIN_ACCOUNT, type Row } from '@skerry/contract'
import type { Dialect } from './secret-attack.ts'
import type { Ground } from './secret-journeys.ts'
import { sendSigned } from './signed.ts'
import { type Answer, apiNamed, newUuid, sentFor } from './zstack-client.ts'

const dialects: readonly Dialect[] = ['zstack', 'own']
const who = { accountUuid: ADMIN_ACCOUNT, userUuid: ADMIN_ACCOUNT }
const inventoryOf = (answer: Answer) => (answer.body?.['inventory'] ?? {}) as Row
const secretIn = (answer: Answer) => inventoryOf(answer)['AccessKeySecret'] as string | undefined
/** As it stands in the JSON text. */
const escapedIn = (answer: Answer) => JSON.stringify(secretIn(answer))?.slice(1, -1)

/** Keys with secrets of our own and of the controller's: made, refused, used well and badly, deleted. `url`: of the controller. */
export async function accessKeyJourneys(g: Ground, url: string): Promise<void> {
  const { attack, canaries } = g
  const create = apiNamed('CreateAccessKey')
  for (const dialect of dialects) {
    const make = async (params: Row): Promise<{ answer: Answer; secret: string }> => {
      const sent = sentFor(create, { ...who, ...params })
      const job = newUuid()
      if (dialect === 'zstack') await attack.send('zstack', sent, { 'X-Job-UUID': job })
      const answer =
        dialect === 'zstack'
          ? await attack.poll(job, escapedIn)
          : await attack.send('own', { ...sent, path: `${sent.path}?wait=30s` }, {}, escapedIn)
      return { answer, secret: secretIn(answer)! }
    }
    await refusedKeys(g, dialect)
    const given = canaries.value('of a key')
    const keys = [await make({ AccessKeySecret: given }), await make({})]
    canaries.made('a secret that the controller made', keys[1]!.secret)
    if (keys[0]!.secret !== given) throw new Error('a key has another secret than it was given')
    await attack.ask(dialect, '/accesskeys', 'AccessKeySecret')
    await attack.ask(dialect, '/accounts', 'accessKeys.AccessKeySecret', false)
    for (const { answer, secret } of keys) {
      const { uuid, AccessKeyID } = inventoryOf(answer) as { uuid: string; AccessKeyID: string }
      const path = dialect === 'zstack' ? '/zstack/v1/zones' : '/v1/zones'
      for (const AccessKeySecret of [secret, canaries.value('wrong')])
        for (const zone of ['UTC', 'Mars'])
          attack.hear('a signed request', (await sendSigned(url, { AccessKeyID, AccessKeySecret }, { path, zone })).text)
      await attack.call(dialect, apiNamed('CreateAccessKey'), {
        ...who,
        AccessKeyID,
        AccessKeySecret: canaries.value('taken id'),
      })
      await attack.call(dialect, apiNamed('ChangeAccessKeyState'), { uuid, stateEvent: 'disable' })
      await attack.call(dialect, apiNamed('DeleteAccessKey'), { uuid })
    }
  }
}

/** Keys that are not made: the answer to one that is made tells its secret. */
async function refusedKeys({ attack, canaries }: Ground, dialect: Dialect): Promise<void> {
  const create = apiNamed('CreateAccessKey')
  const secret = () => canaries.value('of a key that is not made')
  const bad: Row[] = [
    { AccessKeySecret: secret().repeat(2_000) },
    { AccessKeySecret: { inside: secret() } },
    { AccessKeySecret: [secret()] },
    { AccessKeySecret: secret(), AccessKeyID: secret() },
    { AccessKeySecret: secret(), userUuid: newUuid() },
    { AccessKeySecret: secret(), accountUuid: newUuid() },
  ]
  for (const params of bad) await attack.call(dialect, create, { ...who, ...params }, { 'X-Web-Hook': attack.hookUrl })
  const sent = sentFor(create, { ...who, AccessKeySecret: secret() })
  for (const Authorization of [`OAuth ${newUuid()}`, `ZStack ${canaries.plain()}:x`])
    await attack.send(dialect, sent, { Authorization })
  await attack.send(dialect, { ...sent, body: sent.body!.slice(0, -2) })
  if (dialect === 'own') await attack.send('own', { ...sent, path: `${sent.path}?dryRun=true` })
}

/** Calls with a secret inside the text of a long job: well, as a plan, with a parameter too few, as no JSON. */
export async function longJobJourneys(g: Ground, addHost: Row): Promise<void> {
  const { attack, canaries } = g
  const submit = apiNamed('SubmitLongJob')
  const jobName = 'APIAddKVMHostMsg'
  const data = (more: Row) => JSON.stringify({ ...addHost, session: { uuid: canaries.value('a session inside') }, ...more })
  for (const dialect of dialects) {
    const good = data({ password: canaries.value('in a long job') })
    const hook = { 'X-Web-Hook': attack.hookUrl }
    for (const jobData of [
      good,
      data({ password: canaries.value('too few'), clusterUuid: null }),
      data({ password: { no: canaries.value('text') } }),
      data({ password: canaries.value('nowhere'), managementIp: '192.0.2.250' }),
      good.slice(0, -3),
      `"${canaries.value('text')}"`,
    ]) {
      const answer = await attack.call(dialect, submit, { jobName, jobData }, hook)
      const { uuid } = inventoryOf(answer)
      if (typeof uuid === 'string') await settled(g, dialect, uuid)
      else if (jobData === good) throw new Error(`a long job was not submitted: ${answer.text}`)
    }
    await attack.call(dialect, submit, { jobName: canaries.plain(), jobData: good })
    await attack.ask(dialect, '/longjobs', 'jobResult.password', false)
    const plan = sentFor(submit, { jobName, jobData: good })
    if (dialect === 'own') await attack.send('own', { ...plan, path: `${plan.path}?dryRun=true` })
  }
}

/** Waits for its end, undoes what it made, and tries to run it again: its secret is not kept for that. */
async function settled({ attack }: Ground, dialect: Dialect, uuid: string): Promise<void> {
  for (let tries = 0; tries < 3_000; tries++) {
    const { body } = await attack.send(dialect, { method: 'GET', path: `/longjobs/${uuid}` })
    const [row] = (body?.['inventories'] ?? []) as Row[]
    if (!/Succeeded|Failed|Canceled/.test(String(row?.['state']))) {
      await new Promise((resolve) => setTimeout(resolve, 10))
      continue
    }
    const again = await attack.call(dialect, apiNamed('RerunLongJob'), { uuid })
    if (again.status < 400) throw new Error(`a long job ran again without its secret: ${again.text}`)
    const made = (JSON.parse(String(row?.['jobResult'])) as { inventory?: Row }).inventory
    if (made) await attack.call(dialect, apiNamed('DeleteHost'), { uuid: made['uuid'] })
    return
  }
  throw new Error(`long job ${uuid} did not end`)
}
