/** Flat routers on the real tools: two hosts on one wire, each serving its own guests, with a gateway and a public network of others. */
import { randomBytes } from 'node:crypto'
import { routerNetns, routerPort, tapName } from '@skerry/contract'
import { nftables } from '@skerry/host'
import type { Reconciler } from '@skerry/reconcile'
import { requireOrSkip } from '@skerry/testkit'
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest'
import { inventory } from '../src/inventory.ts'
import { bridgeTable, METADATA_IP } from '../src/routers/flat.ts'
import { lanMac } from '../src/routers/plan-links.ts'
import { routerDir } from '../src/routers/service.ts'
import { type Guest, Lab } from './lab.ts'
import { address, ask, flow, serve } from './talk.ts'
import { Desired, flatSpec, leaseSpec, metadataSpec, newUuid, vipSpec } from './world.ts'

// events, not times: the ceiling is only there for a stuck run
vi.setConfig({ testTimeout: 60_000, hookTimeout: 60_000 })

const DHCP_IP = '10.10.0.2'
const GATEWAY = '10.10.0.1'
const OUTER = '198.51.100.1'
/** Behind the public network's gateway. */
const FAR = '192.0.2.77'
const EIP = '198.51.100.20'

/** One host: its router, and what it wants. Two of one machine can't have one router's name, so each has its own. */
class Side {
  readonly lab = new Lab()
  readonly desired = new Desired()
  readonly router = newUuid()
  readonly bridge = `skbra${this.lab.suffix}`
  readonly pub = `skbrp${this.lab.suffix}`
  readonly agentUuid = newUuid()
  loop!: Reconciler

  async up(): Promise<void> {
    await this.lab.up()
    await this.lab.bridge(this.bridge)
    await this.lab.bridge(this.pub)
    this.desired.put('router', this.router, flatSpec(this.bridge))
    this.loop = this.lab.loop(this.desired)
  }
  async ready(): Promise<void> {
    await this.loop.pass()
    expect(this.lab.faults).toEqual([])
    const faulty = this.loop.statuses().filter((s) => s.condition !== 'Ready' && s.condition !== 'Gone')
    expect(faulty.map((s) => s.error ?? s.condition)).toEqual([])
  }
  guest = (n: number) => this.lab.guest(`v${n}`, this.bridge, tapName(nicOf(n)))
  put(...numbers: number[]): void {
    for (const n of numbers) {
      this.desired.put('lease', nicOf(n), leaseSpec(this.router, n))
      this.desired.put('metadata', nicOf(n), metadataSpec(this.router, n, { instanceId: nicOf(n) }))
    }
  }
  eip(n: number): void {
    const at = { routerUuid: this.router, l3NetworkUuid: publicL3, bridge: this.pub }
    const flat = { tap: tapName(nicOf(n)), gateway: GATEWAY, agentUuid: this.agentUuid }
    this.desired.put('vip', vip, vipSpec(at, 20, { eip: { guestIp: leaseSpec('', n).ip }, flat }))
  }
  async rules(): Promise<string> {
    const list = async (netns?: string) =>
      (await this.lab.host.exec.run('nft', ['list', 'ruleset'], { timeoutMs: 10_000, ...(netns ? { netns } : {}) })).stdout
    return (await list()) + (await list(routerNetns(this.router)))
  }
}

const run = randomBytes(4).toString('hex')
const nicOf = (n: number) => `${n.toString(16).padStart(2, '0')}${run}${'0'.repeat(22)}`
const vip = newUuid()
const publicL3 = newUuid()
const near = new Side()
const away = new Side()
let one: Guest
let two: Guest
let three: Guest
let far: Guest

const macOf = (n: number) => leaseSpec('', n).mac
/** What it is told there; '' where nobody answers, or there is no such thing. */
const read = (guest: Guest, path: string, seconds = 15) =>
  guest.run('curl', ['-sf', '-m', String(seconds), '--path-as-is', `http://${METADATA_IP}${path}`], [0, 7, 22, 28])
/** MACs that answer for an address. */
async function answering(guest: Guest, ip: string): Promise<string[]> {
  const said = await guest.run('busybox', ['arping', '-c', '2', '-w', '15', '-I', 'eth0', ip], [0, 1])
  return [...new Set([...said.matchAll(/\[([0-9a-f:]{17})\]/g)].map((found) => found[1]!))]
}
const join = (side: Side, name: string, bridge: string) =>
  near.lab.real.ip.at(side.lab.hostNs).links.set(name, { master: bridge, up: true })
/** A wire between the bridges of the two hosts. */
async function wire(name: string, bridgeOf: (side: Side) => string): Promise<void> {
  await near.lab.real.ip.at(near.lab.hostNs).links.add({ kind: 'veth', name, peer: { name, netns: away.lab.hostNs } })
  for (const side of [near, away]) await join(side, name, bridgeOf(side))
}

describe.runIf(
  requireOrSkip('flat routers on real tools', {
    root: true,
    programs: ['ip', 'nft', 'dnsmasq', 'lighttpd', 'conntrack', 'busybox', 'curl'],
  }),
)('flat routers', () => {
  beforeAll(async () => {
    near.lab.elsewhere.add(routerNetns(away.router))
    away.lab.elsewhere.add(routerNetns(near.router))
    for (const side of [near, away]) await side.up()
    await wire('wire0', (side) => side.bridge)
    await wire('wire1', (side) => side.pub)
    ;[one, two, three] = [await near.guest(10), await near.guest(11), await away.guest(12)]
    const gateway = await near.lab.guest('gw', near.bridge)
    far = await near.lab.guest('f', near.pub)
    await address(gateway, `${GATEWAY}/24`)
    await gateway.run('ip', ['addr', 'add', '203.0.113.50/32', 'dev', 'lo'])
    await address(far, `${OUTER}/24`)
    await far.run('ip', ['addr', 'add', `${FAR}/32`, 'dev', 'lo'])
    near.put(10, 11)
    away.put(12)
    near.eip(10)
    await Promise.all([
      serve(near.lab, one, 'one', [8080]),
      serve(away.lab, three, 'three', [8080]),
      serve(near.lab, far, 'far', [7000]),
      serve(near.lab, gateway, 'gateway', [7000]),
    ])
  })
  afterAll(async () => {
    for (const side of [near, away]) await side.lab.down([side.router])
  })

  test('are made in one pass, and a second one touches nothing', async () => {
    for (const side of [near, away]) {
      await side.ready()
      const before = await side.rules()
      await side.ready()
      expect(await side.rules()).toBe(before)
    }
    expect(near.loop.statuses().find((s) => s.noun === 'metadata')?.observed).toEqual({ served: true })
  })

  test("each answers its own host's guests, with their own gateway, and nobody else's", async () => {
    const said = 'router=10.10.0.1 dns=192.0.2.53 domain=net1.internal'
    expect(await one.dhcp(macOf(10))).toBe(`GOT ip=10.10.0.10 ${said} host=vm-10 lease=3600`)
    expect(await two.dhcp(macOf(11))).toContain('GOT ip=10.10.0.11')
    expect(await three.dhcp(macOf(12))).toContain('GOT ip=10.10.0.12')
    // one address on both hosts, and each guest hears one of them
    expect(await answering(one, DHCP_IP)).toEqual([lanMac(near.router)])
    expect(await answering(three, DHCP_IP)).toEqual([lanMac(away.router)])
    // a guest that the other host knows too is still its own host's
    near.put(12)
    await near.ready()
    await away.lab.host.dnsmasq.stop(routerDir(away.lab.stateDir, away.router))
    expect(await three.dhcp(macOf(12))).toBeUndefined()
    for (const noun of ['lease', 'metadata'] as const) near.desired.bury(noun, nicOf(12))
    await near.ready()
    await away.ready()
    expect(await three.dhcp(macOf(12))).toContain('GOT ip=10.10.0.12')
  })

  test('a guest reads what it is told, and nothing of others', async () => {
    expect(await read(one, '/latest/user-data')).toBe('#!/bin/sh\n# vm-10\n')
    expect(await read(one, '/2009-04-04/meta-data/instance-id')).toBe(nicOf(10))
    expect(await read(one, '/latest/meta-data/')).toBe('instance-id\nhostname\nlocal-hostname\nlocal-ipv4\nmac\n')
    expect(await read(three, '/nocloud/user-data')).toBe('#!/bin/sh\n# vm-12\n')
    expect(await read(one, '/10.10.0.11/latest/user-data')).toBe('')
    expect(await read(one, '/../10.10.0.11/latest/user-data')).toBe('')
    // under the address of a neighbour, which comes from another MAC
    await two.run('ip', ['link', 'set', 'eth0', 'down'])
    await one.run('ip', ['addr', 'replace', '10.10.0.11/32', 'dev', 'eth0'])
    await one.run('ip', ['route', 'replace', `${METADATA_IP}/32`, 'dev', 'eth0', 'src', '10.10.0.11'])
    expect(await read(one, '/latest/user-data', 2)).toBe('')
    await one.run('ip', ['route', 'replace', `${METADATA_IP}/32`, 'via', DHCP_IP])
    await one.run('ip', ['addr', 'del', '10.10.0.11/32', 'dev', 'eth0'])
    expect(await two.dhcp(macOf(11))).toContain('GOT ip=10.10.0.11')
  })

  test('what a guest is told changes with its document, and the server is not started anew for it', async () => {
    const running = () => near.lab.host.lighttpd.running(routerDir(near.lab.stateDir, near.router))
    const before = await running()
    const { ip } = leaseSpec('', 11)
    near.desired.put('metadata', nicOf(11), metadataSpec(near.router, 11, { sshKeys: ['ssh-ed25519 AAAA x'], userData: null }))
    await near.ready()
    expect(await read(two, '/latest/meta-data/public-keys/0/openssh-key')).toBe('ssh-ed25519 AAAA x\n')
    expect(await read(two, '/latest/meta-data/local-ipv4')).toBe(ip)
    expect(await read(two, '/latest/user-data')).toBe('')
    expect(await running()).toEqual(before)
  })

  test('an EIP leads in and out; who has none keeps the gateway of the network', async () => {
    expect(await ask(far, EIP, 8080, FAR)).toBe(`one 8080 ${FAR}`)
    expect(await ask(one, FAR, 7000)).toBe(`far 7000 ${EIP}`)
    expect(await ask(two, '203.0.113.50', 7000)).toBe('gateway 7000 10.10.0.11')
    expect(await answering(two, GATEWAY)).toHaveLength(1)
    expect(await answering(two, GATEWAY)).not.toContain(lanMac(near.router))
    // within the network nothing goes through the router
    expect(await ask(one, '10.10.0.12', 8080)).toBe('three 8080 10.10.0.10')
    // and to itself, by its public address
    expect(await ask(one, EIP, 8080)).toMatch(/^one 8080 /)
  })

  test('connections live on while others change, and while the agent starts anew', async () => {
    const [into, out] = [await flow(near.lab, far, EIP, 8080), await flow(near.lab, one, FAR, 7000)]
    near.put(13)
    await near.ready()
    near.loop = near.lab.loop(near.desired)
    const before = await inventory({ host: near.lab.host, stateDir: near.lab.stateDir, hostTable: 'skerry_vrouter' })
    await near.ready()
    const daemons = (items: typeof before) => items.filter(({ kind }) => kind === 'dnsmasq' || kind === 'lighttpd')
    expect(daemons(before)).toHaveLength(2)
    const after = await inventory({ host: near.lab.host, stateDir: near.lab.stateDir, hostTable: 'skerry_vrouter' })
    expect(daemons(after)).toEqual(daemons(before))
    await into.alive()
    await out.alive()
    into.close()
    out.close()
  })

  test('what dies or is taken away comes back', async () => {
    const { lab, router, bridge } = near
    const dir = routerDir(lab.stateDir, router)
    for (const daemon of [await lab.host.dnsmasq.running(dir), await lab.host.lighttpd.running(dir)]) {
      expect(await lab.host.process.signal(daemon!, 'SIGKILL')).toBe(true)
      expect(await lab.host.process.waitGone(daemon!, 10_000)).toBe(true)
    }
    await lab.host.nft.at().apply(nftables.dropTable(bridgeTable('skerry_vrouter')))
    await near.ready()
    expect(await one.dhcp(macOf(10))).toContain('GOT ip=10.10.0.10')
    expect(await read(one, '/latest/meta-data/mac')).toBe(macOf(10))
    expect(await answering(three, DHCP_IP)).toEqual([lanMac(away.router)])
    expect(await ask(one, FAR, 7000)).toBe(`far 7000 ${EIP}`)
    // all that is in the namespace goes with it, and its server is left behind there
    await lab.real.ip.netns.del(routerNetns(router))
    await near.ready()
    expect(await one.dhcp(macOf(10))).toContain('GOT ip=10.10.0.10')
    expect(await read(one, '/latest/meta-data/mac')).toBe(macOf(10))
    expect(await ask(far, EIP, 8080, FAR)).toBe(`one 8080 ${FAR}`)
    // a bridge that agent-kvm makes anew
    const links = lab.real.ip.at(lab.hostNs).links
    await links.del(bridge)
    await near.loop.pass()
    await lab.bridge(bridge)
    for (const name of ['wire0', tapName(nicOf(10)), tapName(nicOf(11)), `tg${lab.suffix}gw`]) await join(near, name, bridge)
    await near.ready()
    expect(await one.dhcp(macOf(10))).toContain('GOT ip=10.10.0.10')
    expect(await ask(far, EIP, 8080, FAR)).toBe(`one 8080 ${FAR}`)
  })

  test('an EIP goes with its guest to another host, and old connections do not', async () => {
    const old = await flow(near.lab, far, EIP, 8080)
    near.desired.bury('vip', vip)
    await near.ready()
    away.eip(12)
    await away.ready()
    await old.dead()
    old.close()
    expect(await ask(far, EIP, 8080, FAR)).toBe(`three 8080 ${FAR}`)
    expect(await ask(three, FAR, 7000)).toBe(`far 7000 ${EIP}`)
    // the guest that had it asks again who its gateway is, at the latest when what it knows is old
    await one.run('ip', ['neigh', 'flush', 'dev', 'eth0'])
    expect(await ask(one, '203.0.113.50', 7000)).toBe('gateway 7000 10.10.0.10')
  })

  test('with its last document nothing is left', async () => {
    for (const side of [near, away]) {
      side.desired.bury('vip', vip)
      for (const n of [10, 11, 12, 13]) for (const noun of ['lease', 'metadata'] as const) side.desired.bury(noun, nicOf(n))
      side.desired.bury('router', side.router)
      await side.ready()
      expect(await inventory({ host: side.lab.host, stateDir: side.lab.stateDir, hostTable: 'skerry_vrouter' })).toEqual([])
      expect(await side.lab.host.nft.at().table(bridgeTable('skerry_vrouter'))).toBeUndefined()
      const links = (await side.lab.host.ip.at().links.list()).map(({ name }) => name)
      expect(links).not.toContain(routerPort(side.router))
    }
  })
})
