/** VIPs on the real tools: a network behind a gateway as outside, guests of one network, real packets. */
import { legName, routerLeg, routerNetns, routerPort } from '@skerry/contract'
import { nftables } from '@skerry/host'
import type { Reconciler } from '@skerry/reconcile'
import { requireOrSkip } from '@skerry/testkit'
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest'
import { inventory } from '../src/inventory.ts'
import { legMac } from '../src/vips/plan-leg.ts'
import { legMark, VIP_TABLE } from '../src/vips/rules.ts'
import { type Guest, Lab, OUTSIDE_IP } from './lab.ts'
import { address, ask, flow, serve } from './talk.ts'
import { Desired, forward, newUuid, routerSpec, vipSpec } from './world.ts'

// events, not times: the ceiling is only there for a stuck run
vi.setConfig({ testTimeout: 60_000, hookTimeout: 60_000 })

const lab = new Lab()
const desired = new Desired()
const router = newUuid()
const l3 = newUuid()
const bridges = { lan: `skbra${lab.suffix}`, pub: `skbrp${lab.suffix}` }
const at = { routerUuid: router, l3NetworkUuid: l3, bridge: bridges.pub }
const vips = { eip: newUuid(), ports: newUuid(), second: newUuid() }
const GATEWAY = '198.51.100.1'
/** Behind the gateway. */
const FAR = '192.0.2.77'
const FARTHER = '192.0.2.78'
const netns = routerNetns(router)
const ONE = '10.10.0.10'
const TWO = '10.10.0.11'
let loop: Reconciler
let one: Guest
let two: Guest
let far: Guest

async function ready(): Promise<void> {
  await loop.pass()
  expect(lab.faults).toEqual([])
  const faulty = loop.statuses().filter((s) => s.condition !== 'Ready' && s.condition !== 'Gone')
  expect(faulty.map((s) => s.error ?? s.condition)).toEqual([])
}
const transactions = async () => (await lab.host.exec.run('nft', ['list', 'ruleset'], { timeoutMs: 10_000, netns })).stdout

const ports = [
  forward(ONE, { vipPortStart: 80, vipPortEnd: 80, privatePortStart: 8080 }),
  forward(ONE, { vipPortStart: 9000, vipPortEnd: 9002, privatePortStart: 9000 }),
  forward(TWO, { vipPortStart: 9100, vipPortEnd: 9102, privatePortStart: 9000, allowedCidr: `${FAR}/32` }),
]
const eip = (guestIp: string) => vipSpec(at, 20, { eip: { guestIp } })

describe.runIf(requireOrSkip('VIPs on real tools', { root: true, programs: ['ip', 'nft', 'dnsmasq', 'conntrack'] }))(
  'VIPs',
  () => {
    beforeAll(async () => {
      await lab.up()
      await lab.bridge(bridges.lan)
      await lab.bridge(bridges.pub)
      ;[one, two, far] = [await lab.guest('a', bridges.lan), await lab.guest('b', bridges.lan), await lab.guest('f', bridges.pub)]
      await address(one, `${ONE}/24`, '10.10.0.1')
      await address(two, `${TWO}/24`, '10.10.0.1')
      await address(far, `${GATEWAY}/24`)
      for (const ip of [FAR, FARTHER]) await far.run('ip', ['addr', 'add', `${ip}/32`, 'dev', 'lo'])
      await Promise.all([
        serve(lab, one, 'one', [8080, 9000, 9001, 9002]),
        serve(lab, two, 'two', [8080, 9000, 9001, 9002]),
        serve(lab, far, 'far', [7000]),
      ])
      await lab.outsideServer()
      desired.put('router', router, routerSpec(bridges.lan, { services: { dhcp: false, dns: false, snat: true } }))
      desired.put('vip', vips.eip, eip(ONE))
      desired.put('vip', vips.ports, vipSpec(at, 21, { portForwarding: ports }))
      loop = lab.loop(desired)
    })
    afterAll(() => lab.down([router]))

    test('is made in one pass, and a second one touches nothing', async () => {
      await ready()
      const before = await transactions()
      await ready()
      expect(await transactions()).toBe(before)
      expect(loop.statuses().find((s) => s.uuid === vips.eip)?.observed).toEqual({ address: true, leg: true })
    })

    test('an EIP leads in and out, a guest without one leaves by SNAT', async () => {
      expect(await ask(far, '198.51.100.20', 8080, FAR)).toBe(`one 8080 ${FAR}`)
      expect(await ask(one, FAR, 7000)).toBe('far 7000 198.51.100.20')
      // of the public network itself, without the gateway
      expect(await ask(one, GATEWAY, 7000)).toBe('far 7000 198.51.100.20')
      expect(await ask(two, OUTSIDE_IP, 8080)).toBe('203.0.113.1')
      expect(await far.run('busybox', ['ping', '-c', '2', '-W', '2', '198.51.100.20'])).toContain(' 0% packet loss')
    })

    test('ports are forwarded: moved ones, ranges, and only for who is allowed; the forwarding guest itself leaves by SNAT', async () => {
      expect(await ask(far, '198.51.100.21', 80, FARTHER)).toBe(`one 8080 ${FARTHER}`)
      expect(await ask(far, '198.51.100.21', 9002)).toBe(`one 9002 ${GATEWAY}`)
      expect(await ask(far, '198.51.100.21', 9101, FAR)).toBe(`two 9001 ${FAR}`)
      expect(await ask(far, '198.51.100.21', 9101, FARTHER)).toBeUndefined()
      expect(await ask(far, '198.51.100.21', 9003)).toBeUndefined()
      expect(await ask(two, OUTSIDE_IP, 8080)).toBe('203.0.113.1')
    })

    test('guests of the network reach VIPs, too (hairpin)', async () => {
      expect(await ask(two, '198.51.100.21', 80)).toBe('one 8080 10.10.0.1')
      expect(await ask(one, '198.51.100.21', 9000)).toBe('one 9000 10.10.0.1')
      expect(await ask(two, '198.51.100.20', 8080)).toBe('one 8080 10.10.0.1')
    })

    test('connections survive changes of other rules and VIPs; those of a rule that goes end, and its port can be had at once', async () => {
      const [byEip, byPort, moved] = [
        await flow(lab, far, '198.51.100.20', 8080),
        await flow(lab, far, '198.51.100.21', 9000),
        await flow(lab, far, '198.51.100.21', 80),
      ]
      desired.put('vip', vips.second, vipSpec(at, 22, { eip: { guestIp: TWO } }))
      desired.put('vip', vips.ports, vipSpec(at, 21, { portForwarding: [ports[1]!, forward(TWO, { privatePortStart: 8080 })] }))
      await ready()
      expect(await ask(far, '198.51.100.21', 80)).toBe(`two 8080 ${GATEWAY}`)
      expect(await ask(two, FAR, 7000)).toBe('far 7000 198.51.100.22')
      await byEip.alive()
      await byPort.alive()
      await moved.dead()
      for (const open of [byEip, byPort, moved]) open.close()
    })

    test('an EIP that is given to another guest leads no connection to the old one', async () => {
      const [old, out] = [await flow(lab, far, '198.51.100.20', 8080), await flow(lab, one, FAR, 7000)]
      desired.bury('vip', vips.eip)
      desired.bury('vip', vips.second)
      await ready()
      const again = newUuid()
      desired.put('vip', again, eip(TWO))
      await ready()
      expect(await ask(far, '198.51.100.20', 8080)).toBe(`two 8080 ${GATEWAY}`)
      expect(await ask(two, FAR, 7000)).toBe('far 7000 198.51.100.20')
      await Promise.all([old.dead(), out.dead()])
      for (const open of [old, out]) open.close()
      desired.bury('vip', again)
      desired.put('vip', vips.eip, eip(ONE))
      await ready()
      expect(await ask(far, '198.51.100.20', 8080)).toBe(`one 8080 ${GATEWAY}`)
    })

    test('damage is repaired, and what is not ours stays', async () => {
      const stranger = { family: 'ip' as const, name: 'stranger' }
      await lab.host.nft.at(netns).apply([nftables.addTable(stranger)])
      const mark = String(legMark(l3))
      const inside = lab.host.ip.at(netns)
      const checks = async () => {
        await ready()
        expect(await ask(far, '198.51.100.20', 8080, FAR)).toBe(`one 8080 ${FAR}`)
        expect(await ask(one, FAR, 7000)).toBe('far 7000 198.51.100.20')
      }
      await inside.routes.del({ dst: 'default', table: mark })
      await lab.host.routing.at(netns).del({ priority: 1001, mark: legMark(l3), table: mark })
      await inside.addresses.del(legName(l3), '198.51.100.20/32')
      await inside.addresses.add(legName(l3), '198.51.100.99/32')
      await checks()
      expect((await inside.addresses.list()).map((a) => a.cidr)).not.toContain('198.51.100.99/32')
      await lab.host.nft.at(netns).apply([{ flush: { map: { ...atTable, name: 'eip_guests' } } }])
      await checks()
      await lab.host.nft.at(netns).apply(nftables.dropTable(VIP_TABLE))
      await checks()
      await lab.host.ip.at().links.del(routerLeg(router, l3))
      await checks()
      expect(await lab.host.nft.at(netns).table(stranger)).toBeDefined()
      expect((await inside.links.get(legName(l3)))?.mac).toBe(legMac(router, l3))
    })

    test('a router that is made anew while bytes flow through an EIP loses no connection', async () => {
      const [into, out] = [await flow(lab, far, '198.51.100.20', 8080), await flow(lab, one, FAR, 7000)]
      await lab.real.ip.netns.del(netns)
      await ready()
      await Promise.all([into.alive(), out.alive()])
      for (const open of [into, out]) open.close()
    })

    test('a network that is not on this host is told, and takes nothing else along', async () => {
      desired.put(
        'vip',
        vips.second,
        vipSpec({ ...at, l3NetworkUuid: newUuid(), bridge: 'skbrnone' }, 30, { eip: { guestIp: TWO } }),
      )
      await loop.pass()
      const status = loop.statuses().find((s) => s.uuid === vips.second)
      expect(status).toMatchObject({ condition: 'Failed', error: { code: 'host-command-failed' } })
      expect(status?.error?.message).toContain('skbrnone')
      expect(await ask(far, '198.51.100.20', 8080)).toBe(`one 8080 ${GATEWAY}`)
      desired.bury('vip', vips.second)
      await ready()
    })

    test('tombstones leave the router as it was before it had VIPs', async () => {
      desired.bury('vip', vips.eip)
      desired.bury('vip', vips.ports)
      await ready()
      expect((await lab.host.ip.at().links.list()).map((link) => link.name)).not.toContain(routerLeg(router, l3))
      expect((await lab.host.routing.at(netns).list()).map((rule) => rule.priority)).not.toContain(1001)
      expect(
        (await inventory({ host: lab.host, stateDir: lab.stateDir, hostTable: 'skerry_vrouter' })).filter(
          (i) => i.kind === 'vip',
        ),
      ).toEqual([])
      expect(await ask(one, OUTSIDE_IP, 8080)).toBe('203.0.113.1')
      expect((await lab.host.ip.at().links.get(routerPort(router)))?.master).toBe(bridges.lan)
    })
  },
)

const atTable = { family: VIP_TABLE.family, table: VIP_TABLE.name }
