/** Canaries in the passwords of accounts and users. Leaves nothing behind. */
import { ADMIN_ACCOUNT, type Row } from '@skerry/contract'
import type { Dialect } from './secret-attack.ts'
import type { Ground } from './secret-journeys.ts'
import { type Answer, apiNamed, newUuid, sentFor, sha512 } from './zstack-client.ts'

/** Which parameters of which APIs are filled with canaries here. */
export const coveredOfAccounts: Readonly<Record<string, readonly string[]>> = {
  CreateAccount: ['password'],
  UpdateAccount: ['password', 'oldPassword'],
  CreateUser: ['password'],
  UpdateUser: ['password', 'oldPassword'],
  LogInByUser: ['password'],
}

const inventoryOf = (answer: Answer) => (answer.body?.['inventory'] ?? {}) as Row
const sessionOf = (answer: Answer) => inventoryOf(answer)['uuid'] as string | undefined

async function login({ attack, canaries }: Ground, dialect: Dialect, params: Row): Promise<void> {
  const api = apiNamed('LogInByUser')
  for (const password of [canaries.value('wrong'), { no: canaries.value('text') }])
    await attack.call(dialect, api, { ...params, password })
  const answer = await attack.send(dialect, sentFor(api, params), {}, sessionOf)
  const session = sessionOf(answer)
  if (session === undefined) throw new Error(`a user could not log in: ${answer.text}`)
  canaries.made('a session of a user', session)
  await attack.send(dialect, sentFor(apiNamed('LogOut'), { sessionUuid: session }))
}

/** Made, refused, shown as a plan, changed with a right and a wrong old password, deleted. */
async function lifeOf(g: Ground, dialect: Dialect, noun: 'Account' | 'User'): Promise<void> {
  const { attack, canaries } = g
  const [create, update] = [apiNamed(`Create${noun}`), apiNamed(`Update${noun}`)]
  const hash = () => canaries.made('what stands for a password', sha512(newUuid()))
  const [password, another] = [hash(), hash()]
  const name = `canary${newUuid()}`
  const hook = { 'X-Web-Hook': attack.hookUrl }
  for (const bad of [canaries.value('no hash'), { no: canaries.value('text') }, [canaries.value('in a list')], `${password}0`])
    await attack.call(dialect, create, { name, password: bad }, hook)
  const plan = sentFor(create, { name, password })
  if (dialect === 'own') await attack.send('own', { ...plan, path: `${plan.path}?dryRun=true` })
  const { uuid } = inventoryOf(await attack.call(dialect, create, { name, password }, hook))
  if (typeof uuid !== 'string') throw new Error(`no ${noun} was made`)
  await attack.call(dialect, create, { name, password: hash() }, hook)
  await attack.call(dialect, update, { uuid, password: another, oldPassword: hash() }, hook)
  await attack.call(dialect, update, { uuid, password: another, oldPassword: canaries.value('no hash') }, hook)
  await attack.call(dialect, update, { uuid, password: another, oldPassword: password }, hook)
  const jobName = `APICreate${noun}Msg`
  const jobData = JSON.stringify({ name: `${name}-later`, password: hash() })
  await attack.call(dialect, apiNamed('SubmitLongJob'), { jobName, jobData }, hook)
  await attack.ask(dialect, noun === 'User' ? '/accounts/users' : '/accounts', 'passwordHash')
  if (noun === 'User') await login(g, dialect, { accountUuid: ADMIN_ACCOUNT, userName: name, password: another })
  await attack.call(dialect, apiNamed(`Delete${noun}`), { uuid })
}

export async function accountJourneys(g: Ground): Promise<void> {
  for (const dialect of ['zstack', 'own'] as const)
    for (const noun of ['Account', 'User'] as const) await lifeOf(g, dialect, noun)
}
