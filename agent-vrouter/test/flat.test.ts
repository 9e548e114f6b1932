/** Flat routers on a fake host: what is made, moved and taken away, and what is left alone; cases of what guests are told. */
import { readdirSync, readFileSync } from 'node:fs'
import { routerNetns, routerPort, tapName } from '@skerry/contract'
import { lighttpdFiles, type NftElement } from '@skerry/host'
import { converge } from '@skerry/reconcile'
import { beforeEach, describe, expect, test } from 'vitest'
import { digestOf, filesOf } from '../src/metadata/content.ts'
import type { MetadataHave, RouterView } from '../src/metadata/have.ts'
import { plan } from '../src/metadata/plan.ts'
import { METADATA_READERS } from '../src/routers/flat.ts'
import { ROUTER_TABLE } from '../src/routers/rules.ts'
import { routerDir } from '../src/routers/service.ts'
import { AT, bridge, type FakeSite, fakeSite, STATE } from './fake-site.ts'
import { flatSpec, leaseSpec, metadataSpec, newUuid, vipSpec } from './world.ts'

let site: FakeSite
const router = 'd'.repeat(32)
const pub = 'skbrpublic00000'
const nics = ['1'.repeat(32), '2'.repeat(32)] as const
const dir = routerDir(STATE, router)
const flat = (set: 'ports' | 'gates' | 'asks') =>
  site.host.nft.at().elements({ family: 'bridge', table: 'skerry_vrouter', name: set, kind: 'set' })
const readers = () =>
  site.host.nft
    .at(routerNetns(router))
    .elements({ ...ROUTER_TABLE, table: ROUTER_TABLE.name, name: METADATA_READERS, kind: 'set' })
const pairs = (...all: [string, string][]): NftElement[] => all.map((concat) => ({ concat }))
const read = (n: number, path: string) => site.host.files.read(`${lighttpdFiles(dir).root}/10.10.0.${n}/${path}`)

function put(...numbers: (10 | 11)[]): void {
  for (const n of numbers) {
    site.desired.put('lease', nics[n - 10]!, leaseSpec(router, n))
    site.desired.put('metadata', nics[n - 10]!, metadataSpec(router, n, { instanceId: nics[n - 10]! }))
  }
}
const eip = (n: 10 | 11, vip: string, agentUuid = 'a'.repeat(32)) =>
  site.desired.put(
    'vip',
    vip,
    vipSpec({ routerUuid: router, l3NetworkUuid: 'e'.repeat(32), bridge: pub }, 20, {
      ...{ eip: { guestIp: `10.10.0.${n}` }, flat: { tap: tapName(nics[n - 10]!), gateway: '10.10.0.1', agentUuid } },
    }),
  )

const toldOf = (nic: string) => site.loop.statuses().find(({ noun, uuid }) => noun === 'metadata' && uuid === nic)

beforeEach(async () => {
  site = await fakeSite()
  await site.host.ip.at().links.add({ kind: 'bridge', name: pub })
  site.desired.put('router', router, flatSpec(bridge))
  put(10, 11)
})

describe('a flat router', () => {
  test('converges in one round, kept to its host before it joins its bridge', async () => {
    const ops: string[] = []
    for (const noun of ['router', 'metadata']) {
      const module = site.modules.find((one) => one.noun === noun)!
      const { first, second } = await converge(module, site.desired, { ...AT, others: site.modules.slice(0, 2) })
      ops.push(...first.map(({ op }) => op))
      expect(second).toEqual([])
    }
    expect(ops.indexOf('flat.make')).toBeLessThan(ops.indexOf('port.attach'))
    expect(await flat('ports')).toEqual([routerPort(router)])
    expect(await flat('gates')).toEqual(pairs([routerPort(router), '10.10.0.1']))
    const lan = site.host.network.in(routerNetns(router)).addresses.filter(({ dev }) => dev === 'lan0')
    expect(lan.map(({ cidr }) => cidr)).toEqual(['10.10.0.2/24', '169.254.169.254/32', '10.10.0.1/32'])
    const conf = await site.host.files.read(`${dir}/dnsmasq.conf`)
    expect(conf).toContain('listen-address=10.10.0.2\n')
    expect(conf).toContain('option:router,10.10.0.1\n')
    expect(conf).toContain('option:dns-server,192.0.2.53\n')
    expect(conf).toContain('classless-static-route,169.254.169.254/32,10.10.0.2,0.0.0.0/0,10.10.0.1\n')
  })

  test('that is as wanted is only read', async () => {
    eip(10, newUuid())
    await site.pass()
    const writes = site.watchWrites()
    await site.pass()
    expect(writes).toEqual([])
  })

  test('tells each guest its own, and lets nobody else read it', async () => {
    await site.pass()
    const { mac, ip } = leaseSpec(router, 10)
    expect(await readers()).toContainEqual({ concat: [mac, ip] })
    expect(await read(10, 'latest/meta-data/instance-id')).toBe(nics[0])
    expect(await read(11, 'latest/user-data')).toBe('#!/bin/sh\n# vm-11\n')
    site.desired.bury('metadata', nics[1])
    await site.pass()
    expect(await readers()).toEqual(pairs([mac, ip]))
    expect(await read(11, 'latest/user-data')).toBeUndefined()
    expect(await site.host.lighttpd.running(dir)).toBeDefined()
    site.desired.bury('metadata', nics[0])
    await site.pass()
    expect(await site.host.lighttpd.running(dir)).toBeUndefined()
  })

  test('has a server again that has died, or that was left behind in a namespace that is gone', async () => {
    await site.pass()
    const first = await site.host.lighttpd.running(dir)
    site.host.processTable.kill(first!.pid)
    await site.pass()
    const second = await site.host.lighttpd.running(dir)
    expect(second?.pid).toBeGreaterThan(first!.pid)
    await site.host.ip.netns.del(routerNetns(router))
    await site.pass()
    const third = await site.host.lighttpd.running(dir)
    expect(third?.pid).toBeGreaterThan(second!.pid)
    expect(site.host.network.in(routerNetns(router)).pids).toContain(third?.pid)
    site.host.reboot()
    for (const name of [bridge, pub]) await site.host.ip.at().links.add({ kind: 'bridge', name })
    await site.pass()
    expect(await site.host.lighttpd.running(dir)).toBeDefined()
    expect(await readers()).toHaveLength(2)
  })

  test('tells that its server does not start, and starts it again', async () => {
    site.host.faults.failNext('lighttpd.start')
    await site.pass()
    expect(toldOf(nics[0])?.condition).not.toBe('Ready')
    site.later(3_600_000)
    await site.pass()
    expect(site.loop.statuses().map(({ condition }) => condition)).toEqual(site.loop.statuses().map(() => 'Ready'))
    expect(await site.host.lighttpd.running(dir)).toBeDefined()
  })

  test('stands in for the gateway of who has an EIP, as long as he has one', async () => {
    const [one, two] = ['7'.repeat(32), '8'.repeat(32)]
    const ask = (n: 10 | 11): [string, string] => [tapName(nics[n - 10]!), '10.10.0.1']
    eip(10, one)
    await site.pass()
    expect(await flat('asks')).toEqual(pairs(ask(10)))
    // another one of the same guest wants it too
    eip(10, two)
    site.desired.bury('vip', one)
    await site.pass()
    expect(await flat('asks')).toEqual(pairs(ask(10)))
    eip(11, two)
    await site.pass()
    expect(await flat('asks')).toEqual(pairs(ask(11)))
    // somebody flushes the table
    await site.host.nft.at().apply([{ delete: { table: { family: 'bridge', name: 'skerry_vrouter' } } }])
    await site.pass()
    expect(await flat('asks')).toEqual(pairs(ask(11)))
    expect(await flat('ports')).toEqual([routerPort(router)])
    site.desired.bury('vip', two)
    await site.pass()
    expect(await flat('asks')).toEqual([])
    const rules = await site.host.routing.at(routerNetns(router)).list()
    expect(rules.filter(({ source }) => source !== undefined)).toEqual([])
  })

  test('has another MAC in a public network than its like on other hosts', async () => {
    const macs = []
    for (const agentUuid of ['a'.repeat(32), 'b'.repeat(32)]) {
      site = await fakeSite()
      await site.host.ip.at().links.add({ kind: 'bridge', name: pub })
      site.desired.put('router', router, flatSpec(bridge))
      eip(10, '7'.repeat(32), agentUuid)
      await site.pass()
      macs.push(site.host.network.in(routerNetns(router)).links.find(({ name }) => name.startsWith('pub'))?.mac)
    }
    expect(new Set(macs).size).toBe(2)
  })

  test('leaves nothing behind, and nothing of others', async () => {
    await site.pass()
    const other = 'c'.repeat(32)
    site.desired.put('router', other, flatSpec(bridge))
    await site.pass()
    for (const nic of nics) for (const noun of ['lease', 'metadata'] as const) site.desired.bury(noun, nic)
    site.desired.bury('router', router)
    await site.pass()
    expect(await flat('ports')).toEqual([routerPort(other)])
    site.desired.bury('router', other)
    await site.pass()
    expect(await site.host.nft.at().tables()).toEqual([])
    expect(await site.items()).toEqual([])
  })

  test('whose address is in none of its networks is refused', async () => {
    site.desired.put('router', router, flatSpec(bridge, { flat: { dhcpIp: '10.99.0.2', metadata: true, eip: false } }))
    await site.pass()
    expect(site.statusOf(router)).toMatchObject({ condition: 'Refused', error: { code: 'invalid-document' } })
    expect(toldOf(nics[0])?.condition).toBe('Failed')
  })
})

test('what a guest is told is there in the forms that clients ask for, with its keys, and without user data where there is none', () => {
  const spec = metadataSpec(router, 10, {
    instanceId: nics[0],
    sshKeys: ['ssh-ed25519 A a', 'ssh-rsa B b'],
    hostname: null,
    userData: null,
  })
  const files = filesOf(spec)
  expect(files['latest/index']).toBe('meta-data/\n')
  expect(files['latest/meta-data/public-keys/index']).toBe('0=key-0\n1=key-1\n')
  expect(files['latest/meta-data/public-keys/1/openssh-key']).toBe('ssh-rsa B b\n')
  expect(files['latest/meta-data/hostname']).toBe('vm-11111111')
  expect(files['latest/user-data']).toBeUndefined()
  expect(JSON.parse(files['nocloud/meta-data']!)).toEqual({
    ...{ 'instance-id': nics[0], 'local-hostname': 'vm-11111111', 'public-keys': spec.sshKeys },
  })
})

interface Given {
  /** Numbers of guests. */
  want: number[]
  made: number[]
  buried?: number[]
  /** What is not as what was made wants it. */
  except?: Partial<RouterView>
  /** `<op> <guest>` */
  changes: string[]
}
const uuidOf = (n: number) => String(n).repeat(16)
const generation = { incarnation: 1, seq: 1 }
const folder = new URL('../src/metadata/cases/', import.meta.url)
describe('metadata', () => {
  test.each(readdirSync(folder).map((file) => file.replace('.json', '')))('%s', (name) => {
    const given = JSON.parse(readFileSync(new URL(`${name}.json`, folder), 'utf8')) as Given
    const specOf = (n: number) => metadataSpec(router, n, { instanceId: uuidOf(n) })
    const made = (n: number) => ({ router, mac: specOf(n).mac, ip: specOf(n).ip, digest: digestOf(specOf(n)) })
    const view: RouterView = {
      ...{ uuid: router, netns: true, unseen: null, server: given.made.length > 0 ? 'running' : 'absent' },
      readers: given.made.map((n) => ({ mac: made(n).mac, ip: made(n).ip })),
      folders: given.made.map((n) => made(n).ip),
      ...given.except,
    }
    const have = [...new Set([...given.want, ...given.made])].map(
      (n): MetadataHave => ({ uuid: uuidOf(n), made: given.made.includes(n) ? [made(n)] : [], routers: [view] }),
    )
    const want = given.want.map((n) => ({ uuid: uuidOf(n), generation, facts: {}, spec: specOf(n) }))
    const buried = new Map(
      (given.buried ?? []).map((n) => [uuidOf(n), { uuid: uuidOf(n), generation, spec: undefined, facts: {} }]),
    )
    expect(plan(want, have, { buried }).map(({ op, uuid }) => `${op} ${uuid.slice(0, 2)}`)).toEqual(given.changes)
  })
})
