/** The calls that take or give secrets, one after another, on any site. What they need of it is made here and removed again. */
import { createSite, issueUser } from '@skerry/bus'
import type { Row } from '@skerry/contract'
import type { Canaries } from './canary.ts'
import { coveredOfAccounts } from './secret-accounts.ts'
import type { Attack, Dialect, Journey } from './secret-attack.ts'
import { certificateJourneys, coveredOfCertificates } from './secret-certificate.ts'
import { coveredOfTunnels, tunnelJourneys } from './secret-ipsec.ts'
import { type Answer, apiNamed, newUuid, type Sent, sentFor, sha512 } from './zstack-client.ts'

/** Which parameters of which APIs the journeys below fill with canaries. A test compares it with the contract. */
export const covered: Readonly<Record<string, readonly string[]>> = {
  AddKVMHost: ['password'],
  UpdateKVMHost: ['password'],
  AddImageStoreBackupStorage: ['password'],
  AddSftpBackupStorage: ['password'],
  UpdateSftpBackupStorage: ['password'],
  UpdateImageStoreBackupStorage: ['password'],
  LogInByAccount: ['password', 'verifyCode'],
  LogIn: ['password', 'verifyCode'],
  LogOut: ['sessionUuid'],
  ValidateSession: ['sessionUuid'],
  RenewSession: ['sessionUuid'],
  EnrolAgent: ['token'],
  CreateAccessKey: ['AccessKeySecret'],
  SubmitLongJob: ['jobData'],
  ...coveredOfAccounts,
  ...coveredOfTunnels,
  ...coveredOfCertificates,
}

/** Answers that are secrets: asked for below, and searched for in everything else. */
export const given: Readonly<Record<string, readonly string[]>> = { CreateAgentToken: ['token'], IssueBusCredentials: ['creds'] }

export interface Ground {
  attack: Attack
  canaries: Canaries
  adminPassword: string
  managementIp: string
  /** a folder that an image store may have, and one that an agent refuses */
  folder: string
  refused: string
  /** a storage server that lets anybody in; absent: there is none */
  storageServer?: string
}

const dialects: readonly Dialect[] = ['zstack', 'own']
const inventoryOf = (answer: Answer) => answer.body?.['inventory'] as Row | undefined

async function made(g: Ground, api: string, params: Row): Promise<string> {
  const answer = await g.attack.call('zstack', apiNamed(api), params)
  const inventory = inventoryOf(answer)
  if (!inventory) throw new Error(`${api} answered ${answer.status}: ${answer.text.slice(0, 500)}`)
  return inventory['uuid'] as string
}

/** Hosts and image stores: added, changed, deleted. `while_` runs while both are there. */
export async function resourceJourneys(
  g: Ground,
  meanwhile: (ids: { host: string; zone: string; cluster: string }) => Promise<void>,
) {
  const { attack, managementIp, folder, refused } = g
  const zone = await made(g, 'CreateZone', { name: 'canaries' })
  const cluster = await made(g, 'CreateCluster', { name: 'canaries', zoneUuid: zone, hypervisorType: 'KVM' })
  const addHost: Journey = {
    api: 'AddKVMHost',
    secret: 'password',
    params: { name: 'host', clusterUuid: cluster, managementIp, username: 'root' },
  }
  const addStore: Journey = {
    api: 'AddImageStoreBackupStorage',
    secret: 'password',
    params: { name: 'images', hostname: managementIp, url: folder, username: 'root' },
  }
  for (const dialect of dialects) {
    await attack.badly(dialect, addHost, { name: 'nowhere', managementIp: '192.0.2.250' })
    const host = (await attack.well(dialect, addHost))['uuid'] as string
    const update: Journey = { api: 'UpdateKVMHost', secret: 'password', params: { uuid: host, username: 'other' } }
    await attack.badly(dialect, update)
    await attack.well(dialect, update)
    await attack.well(dialect, update)
    await attack.badly(dialect, addStore, { name: 'refused', url: refused })
    const store = (await attack.well(dialect, addStore))['uuid'] as string
    const move: Journey = {
      ...{ api: 'UpdateImageStoreBackupStorage', secret: 'password', params: { uuid: store, username: 'other' } },
    }
    await attack.badly(dialect, move)
    await attack.well(dialect, move)
    await attack.ask(dialect, '/hosts', 'password')
    await attack.ask(dialect, '/backup-storage', 'password')
    await serverJourneys(g, dialect)
    await tunnelJourneys(g, dialect, zone)
    await certificateJourneys(g, dialect)
    if (dialect === 'own') await meanwhile({ host, zone, cluster })
    await attack.call(dialect, apiNamed('DeleteBackupStorage'), { uuid: store })
    await attack.call(dialect, apiNamed('DeleteHost'), { uuid: host })
  }
}

/** Storage servers: one where nobody answers, and one that is there. */
async function serverJourneys({ attack, storageServer }: Ground, dialect: Dialect): Promise<void> {
  const params = { name: 'server', hostname: storageServer ?? '127.0.0.9', sshPort: 9, url: '/srv/images', username: 'root' }
  const add: Journey = { api: 'AddSftpBackupStorage', secret: 'password', params }
  await attack.badly(dialect, add, { name: 'nobody', hostname: '127.0.0.9' })
  if (storageServer === undefined) return
  const uuid = (await attack.well(dialect, add))['uuid'] as string
  const update: Journey = { api: 'UpdateSftpBackupStorage', secret: 'password', params: { uuid, username: 'other' } }
  await attack.badly(dialect, update)
  await attack.well(dialect, update)
  await attack.ask(dialect, '/backup-storage/sftp', 'password')
  await attack.call(dialect, apiNamed('ReconnectSftpBackupStorage'), { uuid })
  await attack.call(dialect, apiNamed('DeleteBackupStorage'), { uuid })
}

/** Both calls by which an account logs in. */
const names = (name: string) =>
  [
    [apiNamed('LogInByAccount'), { accountName: name }],
    [apiNamed('LogIn'), { username: name, loginType: 'account' }],
  ] as const

/** Logging in and out, well and badly. Leaves no session behind. */
export async function sessionJourneys({ attack, canaries, adminPassword }: Ground): Promise<void> {
  const login = apiNamed('LogInByAccount')
  const hashed = canaries.made('what stands for the password of admin', sha512(adminPassword))
  for (const dialect of dialects) {
    for (const [i, password] of [canaries.value('wrong'), { no: canaries.value('text') }, canaries.plain().repeat(40)].entries())
      for (const [api, who] of names(`nobody${i}`))
        await attack.call(dialect, api, { ...who, password, verifyCode: canaries.plain() })
    await attack.send(dialect, sentFor(login, { accountName: { no: 'name' }, password: hashed }))
    await attack.send(dialect, sentFor(login, { accountName: 'admin', password: `${hashed}0` }))
    const answer = await attack.send(dialect, sentFor(login, { accountName: 'admin', password: hashed }), {}, sessionOf)
    const session = canaries.made('a session', sessionOf(answer)!)
    const again = { username: 'admin', loginType: 'account', password: hashed }
    const another = sessionOf(await attack.send(dialect, sentFor(apiNamed('LogIn'), again), {}, sessionOf))
    await attack.send(dialect, sentFor(apiNamed('LogOut'), { sessionUuid: canaries.made('another session', another!) }))
    const as = { Authorization: `OAuth ${session}` }
    await attack.send(dialect, { method: 'GET', path: '/accounts' }, as)
    await attack.ask(dialect, '/accounts', 'sessions.uuid', false)
    await attack.call(dialect, apiNamed('CreateZone'), { name: 'by a session' }, { ...as, 'X-Job-UUID': newUuid() })
    for (const sessionUuid of [session, canaries.plain(), canaries.value('no session')])
      await attack.send(dialect, sentFor(apiNamed('ValidateSession'), { sessionUuid }))
    for (const sessionUuid of [canaries.plain(), canaries.value('no session')])
      await attack.send(dialect, sentFor(apiNamed('RenewSession'), { sessionUuid }), as)
    await attack.send(dialect, sentFor(apiNamed('RenewSession'), { sessionUuid: session }), as, sessionOf)
    await attack.send(dialect, { method: 'GET', path: `/accounts/sessions/${canaries.plain()}/no-such-verb` })
    for (const sessionUuid of [canaries.plain(), canaries.value('no session'), session, session])
      await attack.send(dialect, sentFor(apiNamed('LogOut'), { sessionUuid }), as)
    await attack.send(dialect, { method: 'GET', path: '/zones' }, as)
  }
}

const sessionOf = (answer: Answer) => inventoryOf(answer)?.['uuid'] as string | undefined
const tokenOf = (answer: Answer) => answer.body?.['token'] as string | undefined

/** What else gives credentials, and enrolment: tokens that are good, used, wrong; an agent that comes and is removed again. */
export async function enrolmentJourneys({ attack, canaries }: Ground, o: { issuesCredentials?: boolean } = {}): Promise<void> {
  const enrol = apiNamed('EnrolAgent')
  const { account } = await createSite()
  const { publicKey } = await issueUser({ accountSeed: account.seed, kind: 'controller' })
  const sound = { kind: 'kvm', machineId: newUuid(), managementIp: '192.0.2.99', version: '0.1.0', publicKey, sealKey: 'x' }
  const ask = (params: Row) => attack.send('own', sentFor(enrol, params), { Authorization: '' })
  const answer = await attack.send('own', sentFor(apiNamed('CreateAgentToken'), {}), {}, tokenOf)
  const token = canaries.made('an enrolment token', tokenOf(answer)!)
  const credsOf = ({ body }: Answer) => body?.['creds'] as string | undefined
  const escaped = (a: Answer) => JSON.stringify(credsOf(a))?.slice(1, -1)
  const issued = await attack.send('own', sentFor(apiNamed('IssueBusCredentials'), {}), {}, escaped)
  const seed = /\bSU[A-Z2-7]{56}\b/.exec(credsOf(issued) ?? '')?.[0]
  if (seed) canaries.made('the seed of bus credentials', seed)
  else if (o.issuesCredentials) throw new Error(`no credentials were issued: ${issued.text}`)
  await ask({ ...sound, token: canaries.plain() })
  await ask({ ...sound, token: canaries.value('too long').repeat(20) })
  await ask({ ...sound, token: { no: canaries.value('text') } })
  await ask({ ...sound, token, machineId: 'no machine' })
  await ask({ ...sound, token, publicKey: 'no key' })
  const granted = await ask({ ...sound, token })
  if (granted.status !== 200) throw new Error(`enrolment answered ${granted.status}: ${granted.text}`)
  await ask({ ...sound, token, publicKey: 'U'.repeat(56) })
  await attack.call('own', apiNamed('DeleteAgent'), { uuid: granted.body?.['uuid'] })
}

/** Tokens of consoles, asked for in both dialects, and of tunnels; and wrong ones. The VM must be running, its network have a router. */
export async function consoleJourneys({ attack, canaries }: Ground, vm: string): Promise<void> {
  const tokenIn = (answer: Answer) => inventoryOf(answer)?.['token'] as string | undefined
  const waiting = (sent: Sent) => attack.send('own', { ...sent, path: `${sent.path}?wait=30s` }, {}, tokenIn)
  const sent = sentFor(apiNamed('RequestConsoleAccess'), { vmInstanceUuid: vm })
  const own = await waiting(sent)
  const job = newUuid()
  await attack.send('zstack', sent, { 'X-Job-UUID': job })
  const polled = await attack.poll(job, tokenIn)
  const tunnel = await waiting(sentFor(apiNamed('RequestTunnel'), { vmInstanceUuid: vm, port: 22 }))
  const told = [own, polled, tunnel].map((answer) => canaries.made('a token of a console or tunnel', tokenIn(answer)!))
  for (const token of [...told, canaries.plain()]) {
    for (const at of ['consoles', 'tunnels']) {
      await attack.send('own', { method: 'GET', path: `/${at}/${token}` })
      await attack.send('own', { method: 'GET', path: `/${at}/${token}/x` })
    }
  }
}

/** Where the bytes of an image go: told when it is added and while it is uploaded, and used; and wrong ones. */
export async function uploadJourneys({ attack, canaries }: Ground, backupStorage: string): Promise<void> {
  const add = apiNamed('AddImage')
  const params = { name: 'sent', url: 'upload://x.qcow2', format: 'qcow2', backupStorageUuids: [backupStorage] }
  const tokenIn = ({ text }: Answer) => /[0-9a-f]{32}_[A-Za-z0-9_-]{32}/.exec(text)?.[0]
  const own = await attack.send('own', { ...sentFor(add, params), path: '/images?wait=30s' }, {}, tokenIn)
  const job = newUuid()
  await attack.send('zstack', sentFor(add, params), { 'X-Job-UUID': job })
  const polled = await attack.poll(job, tokenIn)
  for (const answer of [own, polled]) {
    const uuid = String(inventoryOf(answer)!['uuid'])
    const token = canaries.made('the token of an upload', tokenIn(answer)!)
    canaries.made('its secret', token.slice(-32))
    for (const dialect of dialects)
      await attack.send(dialect, sentFor(apiNamed('GetUploadImageJobDetails'), { imageId: uuid }), {}, tokenIn)
    for (const path of [`/uploads/${token}`, `/uploads/${token}x`, `/uploads/${token}/x`, `/uploads/${canaries.plain()}`]) {
      await attack.send('own', { method: 'GET', path })
      await attack.send('own', { method: 'PATCH', path, body: 'no image' }, { 'Upload-Offset': '0', 'Upload-Length': '8' })
    }
    await attack.send('zstack', { method: 'GET', path: `/uploads/${token}` })
    await attack.call('own', apiNamed('CancelImageUpload'), { uuid })
    await attack.call('own', apiNamed('DeleteImage'), { uuid })
  }
}
