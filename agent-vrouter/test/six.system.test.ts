/** IPv6 on the real tools: advertisements, DHCPv6 by MAC, names, and guests whose kernel makes its own address. */
import { join } from 'node:path'
import { routerNetns } from '@skerry/contract'
import { converge, type Reconciler } from '@skerry/reconcile'
import { requireOrSkip } from '@skerry/testkit'
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest'
import { routerDir } from '../src/routers/service.ts'
import { type Guest, Lab } from './lab.ts'
import { Desired, leaseSpec, newUuid, routerSpec } from './world.ts'

// events, not times: the ceiling is only there for a stuck run
vi.setConfig({ testTimeout: 60_000, hookTimeout: 60_000 })

const lab = new Lab()
const desired = new Desired()
const stateful = newUuid()
const own = newUuid()
const nics = [newUuid(), newUuid(), newUuid()] as const
const MAC = '02:00:00:00:00:0a'
const OTHER_MAC = '02:00:00:00:00:0b'
const bridges = { stateful: `skbrf${lab.suffix}`, own: `skbrs${lab.suffix}` }
const statefulSpec = routerSpec(bridges.stateful, {
  uplink: null,
  v6: [{ cidr: 'fd00:10::/64', gateway: 'fd00:10::1', mode: 'Stateful-DHCP' }],
})
const ownSpec = routerSpec(bridges.own, {
  ...{ uplink: null, mtu: 1400 },
  v6: [{ cidr: 'fd00:11::/64', gateway: 'fd00:11::1', mode: 'SLAAC' }],
})
let loop: Reconciler
let guest: Guest
let self: Guest

async function ready(): Promise<void> {
  await loop.pass()
  expect(lab.faults).toEqual([])
  const ours = loop.statuses().filter((s) => [stateful, own, ...nics].includes(s.uuid))
  expect(ours.filter((s) => s.condition !== 'Ready' && s.condition !== 'Gone').map((s) => s.error ?? s.condition)).toEqual([])
}
const pidOf = async (router: string) => (await lab.host.dnsmasq.running(routerDir(lab.stateDir, router)))?.pid

/** Its link comes up with that MAC; resolves when its own link-local address may be used. */
async function up(of: Guest, mac: string): Promise<void> {
  const { links } = lab.real.ip.at(of.netns)
  await links.set('eth0', { up: false, mac })
  await links.set('eth0', { up: true })
  await vi.waitFor(async () =>
    expect(await of.run('ip', ['-6', 'addr', 'show', 'dev', 'eth0'])).toMatch(/fe80:\S+ scope link(?! tentative)/),
  )
}
/** The address that a real DHCPv6 client is given; undefined: none. `release`: gives it back. */
async function dhcp6(of: Guest, seconds = 10): Promise<string | undefined> {
  const files = { lf: join(lab.root, `${of.netns}.leases`), pf: join(lab.root, `${of.netns}.pid`) }
  await lab.host.files.remove(files.lf)
  const argv = [
    String(seconds),
    'dhclient',
    '-6',
    '-1',
    '-v',
    '-D',
    'LL',
    '-sf',
    '/bin/true',
    '-cf',
    '/dev/null',
    '-lf',
    files.lf,
    '-pf',
    files.pf,
  ]
  await of.run('timeout', [...argv, 'eth0'], [0, 2, 124])
  await of.run(
    'timeout',
    ['5', 'dhclient', '-6', '-x', '-lf', files.lf, '-pf', files.pf, '-sf', '/bin/true', 'eth0'],
    [0, 1, 2, 124],
  )
  return /iaaddr (\S+) \{/.exec((await lab.host.files.read(files.lf)) ?? '')?.[1]
}
const routesOf = (of: Guest) => of.run('ip', ['-6', 'route', 'show', 'dev', 'eth0'])

describe.runIf(
  requireOrSkip('agent-vrouter and IPv6 on real tools', {
    root: true,
    programs: ['ip', 'nft', 'dnsmasq', 'busybox', 'dhclient'],
  }),
)('agent-vrouter and IPv6', () => {
  beforeAll(async () => {
    await lab.up()
    await lab.bridge(bridges.stateful)
    await lab.bridge(bridges.own)
    guest = await lab.guest('f', bridges.stateful)
    self = await lab.guest('s', bridges.own)
    desired.put('router', stateful, statefulSpec)
    desired.put('router', own, ownSpec)
    desired.put('lease', nics[0], leaseSpec(stateful, 10, { ip6: 'fd00:10::77' }))
    desired.put('lease', nics[1], leaseSpec(own, 10, { ip6: 'fd00:11::ff:fe00:a' }))
  })
  afterAll(() => lab.down([stateful, own]))

  test('converges in one round, and a second pass changes nothing', async () => {
    const [routers, leases] = lab.modules()
    const at = { bootId: 'b', nowMs: Date.now() }
    expect((await converge(routers, desired, { ...at, others: [leases] })).second).toEqual([])
    expect((await converge(leases, desired, { ...at, others: [routers] })).second).toEqual([])
    loop = lab.loop(desired)
    await ready()
    const addresses = await lab.real.ip.at(routerNetns(stateful)).addresses.list()
    expect(addresses.map(({ cidr }) => cidr)).toContain('fd00:10::1/64')
  })

  test('a client of DHCPv6 gets the address of its MAC, and an unknown one none', async () => {
    await up(guest, MAC)
    expect(await dhcp6(guest)).toBe('fd00:10::77')
    const stranger = await lab.guest('x', bridges.stateful)
    await up(stranger, '02:00:00:00:00:99')
    expect(await dhcp6(stranger, 3)).toBeUndefined()
  })

  test('a guest of the same network has its IPv4 address beside it', async () => {
    expect(await guest.dhcp(MAC)).toContain('ip=10.10.0.10 router=10.10.0.1')
  })

  test('an address is free for another MAC as soon as its lease is buried', async () => {
    desired.bury('lease', nics[0])
    desired.put('lease', nics[2], leaseSpec(stateful, 10, { mac: OTHER_MAC, ip6: 'fd00:10::77' }))
    await ready()
    await up(guest, OTHER_MAC)
    expect(await dhcp6(guest)).toBe('fd00:10::77')
  })

  test('another address reaches a guest that asks again, and dnsmasq goes on', async () => {
    const before = await pidOf(stateful)
    desired.put('lease', nics[2], leaseSpec(stateful, 10, { mac: OTHER_MAC, ip6: 'fd00:10::78' }))
    await loop.pass() // finds the old address leased to no line any more
    await ready()
    expect(await dhcp6(guest)).toBe('fd00:10::78')
    expect(await pidOf(stateful)).toBeDefined()
    expect(before).toBeDefined()
  })

  test('a kernel makes its own address of the prefix, without a way out that there is not', async () => {
    await lab.real.ip.at(self.netns).sysctl.write('net/ipv6/conf/eth0/addr_gen_mode', 0)
    await up(self, MAC)
    await vi.waitFor(async () =>
      expect(await self.run('ip', ['-6', 'addr', 'show', 'dev', 'eth0'])).toMatch(/fd00:11::ff:fe00:a\/64 scope global dynamic/),
    )
    expect(await routesOf(self)).toContain('fd00:11::/64')
    expect(await routesOf(self)).not.toContain('default')
    expect(await lab.real.ip.at(self.netns).sysctl.read('net/ipv6/conf/eth0/mtu')).toBe('1400')
    await vi.waitFor(async () =>
      expect(await self.run('busybox', ['ping', '-6', '-c', '1', '-W', '2', 'fd00:11::1'], [0, 1])).toContain(' 0% packet loss'),
    )
  })

  test('names have both addresses', async () => {
    const ask = (type: string) => self.run('busybox', ['nslookup', `-type=${type}`, 'vm-10.net1.internal', 'fd00:11::1'], [0, 1])
    expect(await ask('aaaa')).toContain('fd00:11::ff:fe00:a')
    expect(await ask('a')).toContain('10.10.0.10')
  })

  test('a router that lost its address by hand has it again, and one without IPv6 has none', async () => {
    const { addresses } = lab.real.ip.at(routerNetns(own))
    await addresses.del('lan0', 'fd00:11::1/64')
    await ready()
    expect((await addresses.list()).map(({ cidr }) => cidr)).toContain('fd00:11::1/64')
    const { v6: _gone, ...four } = ownSpec
    desired.put('lease', nics[1], leaseSpec(own, 10))
    desired.put('router', own, four)
    await ready()
    expect((await addresses.list()).filter(({ cidr, scope }) => cidr.includes(':') && scope === 'global')).toEqual([])
    expect(await lab.host.files.read(`${routerDir(lab.stateDir, own)}/dnsmasq.conf`)).not.toContain('enable-ra')
  })

  test('tombstones remove everything', async () => {
    for (const uuid of nics) desired.bury('lease', uuid)
    for (const uuid of [stateful, own]) desired.bury('router', uuid)
    await ready()
    expect(await lab.host.files.list(`${lab.stateDir}/routers`)).toEqual([])
  })
})
