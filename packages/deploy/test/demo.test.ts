/** The demo against a controller that is a table of rows: what it asks for, once and only once. */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type Row, SkerryError } from '@skerry/contract'
import { files } from '@skerry/host'
import { apiNamed, type Client, UnreachableError } from '@skerry/sdk'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { demoAddresses } from '../src/demo/addresses.ts'
import { waitForLogin } from '../src/demo/answer.ts'
import { findHello, makeHello } from '../src/demo/hello.ts'
import { type DemoInputs, ensureGround, ensureNetwork } from '../src/demo/resources.ts'
import { startStopped, stopGuests } from '../src/demo/stopped.ts'
import { layoutOf } from '../src/layout.ts'
import { failureText, table } from '../src/show.ts'

let root: string
beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), 'skerry-demo-'))
})
afterEach(() => rm(root, { recursive: true, force: true }))

interface Fake {
  client: Client
  calls: string[]
  rows: Map<string, Row[]>
}

/** Checks parameters by the contract; attaches and makes rows. */
function fakeController(refuse: (api: string) => boolean = () => false): Fake {
  const rows = new Map<string, Row[]>([
    ['networkServiceProvider', [{ uuid: 'e'.repeat(32), networkServiceTypes: ['DHCP', 'DNS', 'SNAT'] }]],
  ])
  const calls: string[] = []
  let next = 1
  const of = (resource: string) => rows.get(resource) ?? rows.set(resource, []).get(resource)!
  const call = async (name: string, params: Row) => {
    calls.push(name)
    if (refuse(name)) throw new SkerryError('illegal-state', `no ${name}`)
    const { api, resource } = apiNamed(name)
    api.params.parse(params)
    // what hangs below a zone carries its uuid, given or derived
    const row: Row = { uuid: String(next++).padStart(32, '0'), state: 'Running', zoneUuid: of('zone')[0]?.['uuid'], ...params }
    const at = of(resource.name)
    if (api.method === 'POST' && 'name' in params) at.push(row)
    if (name === 'AttachPrimaryStorageToCluster') of('primaryStorage')[0]!['attachedClusterUuids'] = [params['clusterUuid']]
    if (name === 'AttachBackupStorageToZone') of('backupStorage')[0]!['attachedZoneUuids'] = [params['zoneUuid']]
    if (name === 'AttachL2NetworkToCluster') of('l2Network')[0]!['attachedClusterUuids'] = [params['clusterUuid']]
    if (name === 'AttachNetworkServiceToL3Network') {
      const types = Object.values(params['networkServices'] as Record<string, string[]>).flat()
      of('l3Network')[0]!['networkServices'] = types.map((networkServiceType) => ({ networkServiceType }))
    }
    if (name === 'StopVmInstance' || name === 'StartVmInstance') {
      const vm = at.find(({ uuid }) => uuid === params['uuid'])!
      vm['state'] = name === 'StopVmInstance' ? 'Stopped' : 'Running'
    }
    return { inventory: row }
  }
  const query = async (resource: string, { q = [] }: { q?: readonly string[] } = {}) => {
    const holds = (row: Row) =>
      q.every((condition) => {
        const [, field = '', op, value = ''] = /^([\w.]+)(\?=|!=|=)(.*)$/.exec(condition)!
        if (field.includes('.')) return true
        return op === '?=' ? value.split(',').includes(String(row[field])) : (String(row[field]) === value) === (op === '=')
      })
    return { inventories: of(resource).filter(holds) }
  }
  return { client: { call, query } as unknown as Client, calls, rows }
}

const inputs = (client: Client): DemoInputs => ({
  client,
  managementIp: '127.0.0.1',
  primaryPath: '/srv/site/primary',
  imagesPath: '/srv/site/images',
  cidr: '10.0.137.0/24',
})

const KEY = 'ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIGM5YmU3 guests'

async function demo(client: Client, asked?: 'tiny' | 'debian'): Promise<Row> {
  const { backupStorage, ...ground } = await ensureGround(inputs(client))
  const l3NetworkUuid = await ensureNetwork(inputs(client), { ...ground, backupStorage })
  const { kind, vm } = await findHello(client, asked)
  const guest = { path: '/srv/site/cache/skerry-guest.qcow2', sha256: 'a'.repeat(64) }
  return vm ?? (await makeHello({ client, kind, guest, publicKey: KEY, backupStorage, l3NetworkUuid }))
}

test('makes everything with parameters that the contract accepts, and a second run asks for nothing', async () => {
  const { client, calls } = fakeController()
  const first = await demo(client)
  expect(calls).toContain('CreateVmInstance')
  const made = calls.length
  expect((await demo(client))['uuid']).toBe(first['uuid'])
  expect(calls.slice(made)).toEqual([])
})

test('is of the guest that is asked for, takes the key, and says who logs in', async () => {
  const { client, rows } = fakeController()
  const vm = await demo(client, 'debian')
  expect(vm['systemTags']).toEqual(['hostname::hello', `sshkey::${KEY}`])
  expect(rows.get('image')).toMatchObject([{ name: 'debian', userTags: ['ssh-user::debian'] }])
  expect(rows.get('instanceOffering')).toMatchObject([{ cpuNum: 2, memorySize: 1024 ** 3 }])
})

test('gives a guest without an ssh server no key', async () => {
  const { client, rows } = fakeController()
  expect(await demo(client)).not.toHaveProperty('systemTags')
  expect(rows.get('image')![0]).not.toHaveProperty('userTags')
})

test('stays what it is: a run that asks for nothing keeps it, one that asks for another says what to do', async () => {
  const { client, calls } = fakeController()
  await demo(client, 'debian')
  expect((await findHello(client, undefined)).kind).toBe('debian')
  const made = calls.length
  await demo(client)
  await expect(demo(client, 'tiny')).rejects.toMatchObject({
    code: 'conflict',
    details: { remedy: expect.stringContaining('destroy vm hello') },
  })
  expect(calls.slice(made)).toEqual([])
})

test('a login is waited for, and what was in the way is told', async () => {
  let now = 0
  const said: string[] = []
  const asked: (readonly string[])[] = []
  const answers = [
    { code: 255, stdout: '', stderr: '10.0.0.7:22: connection refused\nmore' },
    { code: 0, stdout: 'Linux\n', stderr: '' },
  ]
  const ports = { sleep: async (ms: number) => void (now += ms), nowMs: () => now, say: (text: string) => void said.push(text) }
  const cli = async (args: readonly string[]) => {
    asked.push(args)
    return answers.shift() ?? { code: 255, stdout: '', stderr: 'no' }
  }
  expect(await waitForLogin({ ...ports, cli }, 'hello')).toBe('Linux')
  expect(said).toEqual(['boots, 0 s', 'boots, 3 s (10.0.0.7:22: connection refused)'])
  expect(asked[0]!.slice(0, 2)).toEqual(['ssh', 'hello'])
  await expect(waitForLogin({ ...ports, cli }, 'hello')).rejects.toMatchObject({
    code: 'deadline-exceeded',
    details: { last: 'no' },
  })
})

test('goes on where an earlier run failed', async () => {
  let broken = true
  const { client, calls } = fakeController((api) => broken && api === 'AddImage')
  await expect(demo(client)).rejects.toThrow('no AddImage')
  broken = false
  await demo(client)
  expect(calls.filter((api) => api === 'CreateZone')).toHaveLength(1)
  expect(calls.filter((api) => api === 'CreateVmInstance')).toHaveLength(1)
})

test('guests that down stopped are started again, those that a person stopped are not', async () => {
  const { client, rows } = fakeController()
  const vm = (n: number, state: string): Row => ({ uuid: String(n).repeat(32), name: `vm${n}`, state })
  rows.set('vmInstance', [vm(1, 'Running'), vm(2, 'Stopped'), vm(3, 'Running')])
  const ports = { files: files(), layout: layoutOf(root), client }
  await stopGuests(ports, '127.0.0.1', () => undefined)
  expect(rows.get('vmInstance')!.map((row) => row['state'])).toEqual(['Stopped', 'Stopped', 'Stopped'])
  expect(await startStopped(ports, () => undefined)).toBe(2)
  expect(rows.get('vmInstance')!.map((row) => row['state'])).toEqual(['Running', 'Stopped', 'Running'])
  expect(await startStopped(ports, () => undefined)).toBe(0)
})

test('a second down keeps what the first one stopped, and one guest that cannot be stopped hides no other', async () => {
  const { client, rows } = fakeController()
  rows.set('vmInstance', [{ uuid: '1'.repeat(32), name: 'a', state: 'Running' }])
  const ports = { files: files(), layout: layoutOf(root), client }
  await stopGuests(ports, '127.0.0.1', () => undefined)
  await stopGuests(ports, '127.0.0.1', () => undefined)
  expect(JSON.parse((await files().read(ports.layout.stopped))!)).toEqual({ vms: ['1'.repeat(32)] })
  const failing = fakeController((api) => api === 'StopVmInstance')
  failing.rows.set(
    'vmInstance',
    [1, 2].map((n) => ({ uuid: String(n).repeat(32), name: `vm${n}`, state: 'Running' })),
  )
  await expect(stopGuests({ ...ports, client: failing.client }, '127.0.0.1', () => undefined)).rejects.toThrow('2 of 2 guests')
})

test('addresses of the demo follow from its network', () => {
  expect(demoAddresses('10.0.137.0/24')).toEqual({
    gateway: '10.0.137.1',
    startIp: '10.0.137.10',
    endIp: '10.0.137.250',
    netmask: '255.255.255.0',
  })
  expect(demoAddresses('192.168.7.77/29')).toEqual({
    gateway: '192.168.7.73',
    startIp: '192.168.7.74',
    endIp: '192.168.7.78',
    netmask: '255.255.255.248',
  })
  expect(() => demoAddresses('10.0.0.0/31')).toThrow('between /8 and /29')
})

test('a failure names what failed, why, and what helps', () => {
  const cause = new SkerryError('host-command-failed', 'nft ended with code 1', { stderr: 'Operation not permitted' })
  const text = failureText(
    new SkerryError('not-ready', 'agent-vrouter is not ready', { remedy: 'look at its log', log: 'line' }, { cause }),
  )
  expect(text.split('\n')).toEqual([
    'failed: agent-vrouter is not ready',
    '  what helps: look at its log',
    '  the end of its log:',
    '    line',
    '  because: nft ended with code 1',
    '    Operation not permitted',
  ])
  expect(failureText(new UnreachableError('http://127.0.0.1:1', new Error('refused')))).toContain('nobody answers')
})

test('columns of the table line up', () => {
  expect(
    table([
      ['VM', 'STATE'],
      ['hello', 'Running'],
    ]),
  ).toBe('VM     STATE\nhello  Running')
})
