/** The agent's modules on the real tools: guests that ask by DHCP, a server outside, damage by hand. */
import { once } from 'node:events'
import { setTimeout as sleep } from 'node:timers/promises'
import { routerNetns, routerPort, routerUplink } from '@skerry/contract'
import { nftables } from '@skerry/host'
import { converge, type Reconciler } from '@skerry/reconcile'
import { requireOrSkip } from '@skerry/testkit'
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest'
import { inventory } from '../src/inventory.ts'
import { purgeVrouter } from '../src/purge.ts'
import { routerDir } from '../src/routers/service.ts'
import { type Guest, Lab, OUTSIDE_IP } from './lab.ts'
import { Desired, leaseSpec, newUuid, routerSpec } from './world.ts'

// events, not times: the ceiling is only there for a stuck run
vi.setConfig({ testTimeout: 60_000, hookTimeout: 60_000 })

const lab = new Lab()
const desired = new Desired()
const A = newUuid()
const B = newUuid()
const bridges = { a: `skbra${lab.suffix}`, b: `skbrb${lab.suffix}` }
const nic = { one: newUuid(), two: newUuid(), other: newUuid() }
const specA = routerSpec(bridges.a)
const specB = routerSpec(bridges.b, {
  uplink: { hostIp: '169.254.64.5', routerIp: '169.254.64.6', prefixLen: 30 },
  domain: 'net2.internal',
})
const macs = { one: '02:00:00:00:00:0a', two: '02:00:00:00:00:0b' }
const ports = () => ({ host: lab.host, stateDir: lab.stateDir, hostTable: 'skerry_vrouter' })
let loop: Reconciler
let guest: Guest
let other: Guest
let hostTables: string

async function ready(): Promise<void> {
  await loop.pass()
  expect(lab.faults).toEqual([])
  const ours = loop.statuses().filter((s) => [A, B, ...Object.values(nic)].includes(s.uuid))
  expect(ours.filter((s) => s.condition !== 'Ready' && s.condition !== 'Gone').map((s) => s.error ?? s.condition)).toEqual([])
}
const pidOf = async (router: string) => (await lab.host.dnsmasq.running(routerDir(lab.stateDir, router)))?.pid
const mine = async () =>
  (await inventory(ports())).filter((i) => [A, B].some((uuid) => JSON.stringify(i).includes(uuid.slice(0, 11))))
const ids = async () => (await mine()).map((i) => `${i.kind} ${i.id}`).sort()
const ruleset = async () => (await lab.host.exec.run('nft', ['list', 'ruleset'], { timeoutMs: 10_000 })).stdout

describe.runIf(requireOrSkip('agent-vrouter on real tools', { root: true, programs: ['ip', 'nft', 'dnsmasq', 'busybox'] }))(
  'agent-vrouter',
  () => {
    beforeAll(async () => {
      await lab.up()
      await lab.bridge(bridges.a)
      await lab.bridge(bridges.b)
      hostTables = await ruleset()
      guest = await lab.guest('a', bridges.a)
      other = await lab.guest('b', bridges.b)
      desired.put('router', A, specA)
      desired.put('router', B, specB) // the same network once more: nothing of the two may meet
      desired.put('lease', nic.one, leaseSpec(A, 10))
      desired.put('lease', nic.other, leaseSpec(B, 10))
    })
    afterAll(() => lab.down([A, B]))

    test('converges in one round on real tools, and a second pass changes nothing', async () => {
      const [routers, leases] = lab.modules()
      const at = { bootId: 'b', nowMs: Date.now() }
      expect((await converge(routers, desired, { ...at, others: [leases] })).second).toEqual([])
      expect((await converge(leases, desired, { ...at, others: [routers] })).second).toEqual([])
      loop = lab.loop(desired)
      await ready()
    })

    test('a guest gets the address of its MAC, with router, DNS and domain; an unknown MAC gets nothing', async () => {
      const got = await guest.dhcp(macs.one)
      expect(got).toBe('GOT ip=10.10.0.10 router=10.10.0.1 dns=10.10.0.1 domain=net1.internal host=vm-10 lease=3600')
      expect(await (await lab.guest('x', bridges.a)).dhcp('02:00:00:00:00:99')).toBeUndefined()
    })

    test('the lease is told', async () => {
      await ready()
      const { observed } = loop.statuses().find((s) => s.uuid === nic.one) ?? {}
      expect(observed).toMatchObject({ leased: true })
      const leftMs = Number(observed?.['expiresAt']) - Date.now()
      expect(leftMs).toBeGreaterThan(3_400_000)
      expect(leftMs).toBeLessThan(3_601_000)
    })

    test('names resolve at the router, and only those of its own network', async () => {
      const ask = (name: string) => guest.run('busybox', ['nslookup', name, '10.10.0.1'], [0, 1])
      expect(await ask('vm-10.net1.internal')).toContain('10.10.0.10')
      expect(await ask('vm-10.net2.internal')).not.toContain('10.10.0.10')
    })

    test('a guest reaches a server outside, which sees the host; the other network does so at the same time', async () => {
      expect(await other.dhcp(macs.one)).toContain('ip=10.10.0.10')
      for (const g of [guest, other])
        expect(await g.run('busybox', ['ping', '-c', '2', '-W', '2', OUTSIDE_IP])).toContain(' 0% packet loss')
      await lab.outsideServer()
      for (const g of [guest, other]) expect(await g.run('busybox', ['nc', '-w', '3', OUTSIDE_IP, '8080'])).toBe('203.0.113.1\n')
    })

    test('the router forwards to the name servers of its network, which may name private addresses', async () => {
      const argv = [
        '-k',
        '-C',
        '/dev/null',
        '--no-resolv',
        '--pid-file=',
        '--bind-interfaces',
        `--listen-address=${OUTSIDE_IP}`,
        '--local=/example.test/',
        '--address=/www.example.test/192.168.7.7',
      ]
      const server = lab.inside(lab.outsideNs, ['dnsmasq', ...argv])
      desired.put('router', B, { ...specB, dns: [OUTSIDE_IP] })
      await ready()
      expect(await other.dhcp(macs.one)).toContain('dns=10.10.0.1 ')
      expect(await other.run('busybox', ['nslookup', '-type=a', 'www.example.test', '10.10.0.1'], [0, 1])).toContain(
        '192.168.7.7',
      )
      server.kill('SIGKILL')
      desired.put('router', B, specB)
      await ready()
    })

    test('nothing from outside reaches a guest', async () => {
      await lab.real.ip.at(lab.outsideNs).routes.replace({ dst: '10.10.0.0/24', via: '203.0.113.1', dev: 'eth0' })
      const { stdout } = await lab.real.exec.run('busybox', ['ping', '-c', '1', '-W', '1', '10.10.0.10'], {
        timeoutMs: 5_000,
        netns: lab.outsideNs,
        okCodes: [0, 1],
      })
      expect(stdout).toContain('100% packet loss')
    })

    test('HTTP to a guest works from the namespace of its router', async () => {
      await lab.host.files.write(`${lab.root}/index.html`, 'hello\n')
      lab.inside(guest.netns, ['busybox', 'httpd', '-f', '-p', '80', '-h', lab.root])
      await sleep(300)
      const { stdout } = await lab.real.exec.run('busybox', ['wget', '-q', '-O', '-', 'http://10.10.0.10/index.html'], {
        timeoutMs: 5_000,
        netns: routerNetns(A),
      })
      expect(stdout).toBe('hello\n')
    })

    test('a restarted agent adopts dnsmasq: same pid, no write', async () => {
      const before = await pidOf(A)
      expect(before).toBeDefined()
      loop = lab.loop(desired)
      await ready()
      expect(await pidOf(A)).toBe(before)
    })

    test('dnsmasq killed by -9 is back after one pass and still knows its leases', async () => {
      const before = (await pidOf(A)) as number
      process.kill(before, 'SIGKILL')
      await vi.waitFor(async () => expect(await pidOf(A)).toBeUndefined())
      await ready()
      expect(await pidOf(A)).not.toBe(before)
      expect(await guest.dhcp(macs.one)).toContain('ip=10.10.0.10')
    })

    test('an address is free for another MAC as soon as its lease is buried', async () => {
      desired.bury('lease', nic.one)
      desired.put('lease', nic.two, leaseSpec(A, 10, { mac: macs.two, hostname: 'vm-new' }))
      await ready()
      expect((await mine()).filter((i) => i.kind === 'dhcp-lease' && i.id.startsWith(A))).toEqual([])
      expect(await guest.dhcp(macs.one)).toBeUndefined()
      expect(await guest.dhcp(macs.two)).toContain('ip=10.10.0.10')
      expect((await mine()).filter((i) => i.kind === 'dhcp-lease' && i.id.startsWith(A))).toMatchObject([
        { id: `${A}/10.10.0.10`, owner: nic.two, facts: { mac: macs.two } },
      ])
    })

    test('an established TCP connection survives a new lease and a change of SNAT sources', async () => {
      const echo = lab.inside(lab.outsideNs, ['busybox', 'nc', '-l', '-p', '9000', '-e', 'cat'])
      await sleep(300)
      const client = lab.inside(guest.netns, ['busybox', 'nc', OUTSIDE_IP, '9000'])
      const say = async (text: string) => {
        client.stdin?.write(text)
        const [data] = await once(client.stdout as NodeJS.ReadableStream, 'data')
        expect(String(data)).toBe(text)
      }
      await say('one\n')
      desired.put('lease', nic.one, leaseSpec(A, 11, { mac: macs.one }))
      desired.put('router', A, { ...specA, cidrs: [...specA.cidrs, { cidr: '10.11.0.0/24', gateway: '10.11.0.1' }] })
      await ready()
      await say('two\n')
      expect(await ids()).toContain(`snat ${A}/10.11.0.0/24`)
      client.kill('SIGKILL')
      echo.kill('SIGKILL')
    })

    test('guests of a second range get its gateway', async () => {
      desired.put('lease', nic.one, leaseSpec(A, 11, { mac: macs.one, ip: '10.11.0.11' }))
      await ready()
      const second = await lab.guest('s', bridges.a)
      expect(await second.dhcp(macs.one)).toContain('ip=10.11.0.11 router=10.11.0.1 ')
      expect(await guest.run('busybox', ['ping', '-c', '1', '-W', '2', '10.11.0.11'])).toContain(' 0% packet loss')
      desired.put('lease', nic.one, leaseSpec(A, 11, { mac: macs.one }))
      desired.put('router', A, specA)
      await loop.pass() // finds the old address leased to no line any more
      await ready()
    })

    test.each([
      ['its namespace', () => lab.real.ip.netns.del(routerNetns(A))],
      ['its port', () => lab.host.ip.at().links.del(routerPort(A))],
      ['its uplink', () => lab.host.ip.at().links.del(routerUplink(A))],
      ['its gateway address', () => lab.real.ip.at(routerNetns(A)).addresses.del('lan0', '10.10.0.1/24')],
      ['its uplink address', () => lab.real.ip.at(routerNetns(A)).addresses.del('up0', '169.254.64.2/30')],
      ['its default route', () => lab.real.ip.at(routerNetns(A)).routes.del({ dst: 'default' })],
      ['its place on the bridge', () => lab.host.ip.at().links.set(routerPort(A), { master: null })],
      [
        'a rule of its table',
        () => lab.host.nft.at(routerNetns(A)).apply([nftables.flushChain({ family: 'inet', table: 'skerry', name: 'input' })]),
      ],
      [
        'an SNAT source',
        () =>
          lab.host.nft.at(routerNetns(A)).apply([
            nftables.deleteElements({
              family: 'inet',
              table: 'skerry',
              name: 'snat_sources',
              elem: [nftables.prefix('10.10.0.0/24')],
            }),
          ]),
      ],
      [
        'its place in the host table',
        () => lab.host.nft.at().apply([nftables.flushSet({ family: 'inet', table: 'skerry_vrouter', name: 'uplinks' })]),
      ],
      ['the host table', () => lab.host.nft.at().apply(nftables.dropTable({ family: 'inet', name: 'skerry_vrouter' }))],
      ['forwarding on the host', () => lab.host.ip.at().sysctl.write('net/ipv4/ip_forward', 0)],
      ['its hosts file', () => lab.host.files.remove(`${routerDir(lab.stateDir, A)}/hosts`)],
      ['its pid file', () => lab.host.files.remove(`${routerDir(lab.stateDir, A)}/pid`)],
    ])('a router that lost %s by hand works again after one pass', async (_what, damage) => {
      const before = await ids()
      const others = await pidOf(B)
      await damage()
      await ready()
      expect(await ids()).toEqual(before)
      expect(await guest.dhcp(macs.two)).toContain('ip=10.10.0.10')
      expect(await guest.run('busybox', ['ping', '-c', '2', '-W', '2', OUTSIDE_IP], [0, 1])).toContain(' 0% packet loss')
      expect(await pidOf(B)).toBe(others)
    })

    test("somebody else's forward chain with policy drop is told, and not changed", async () => {
      const table = { family: 'ip', name: 'filter' } as const
      const chain = {
        family: 'ip',
        table: 'filter',
        name: 'FORWARD',
        type: 'filter',
        hook: 'forward',
        prio: 0,
        policy: 'drop',
      } as const
      await lab.host.nft.at().apply([nftables.addTable(table), nftables.addChain(chain)])
      await loop.pass()
      expect(loop.statuses().find((s) => s.uuid === A)?.observed).toMatchObject({ forwardDrop: true })
      expect(await ruleset()).toContain('policy drop')
      await lab.host.nft.at().apply(nftables.dropTable(table))
      await loop.pass()
      expect(loop.statuses().find((s) => s.uuid === A)?.observed).toMatchObject({ forwardDrop: false })
    })

    test('tombstones remove everything, and the tables of the host are as before', async () => {
      for (const [noun, uuid] of [
        ['lease', nic.one],
        ['lease', nic.two],
        ['lease', nic.other],
        ['router', A],
      ] as const)
        desired.bury(noun, uuid)
      await ready()
      expect(await ids()).toEqual((await ids()).filter((id) => id.includes(B.slice(0, 11))))
      expect(await other.run('busybox', ['ping', '-c', '1', '-W', '2', OUTSIDE_IP])).toContain(' 0% packet loss')
      desired.bury('router', B)
      await ready()
      expect(await mine()).toEqual([])
      expect(await ruleset()).toBe(hostTables)
      expect(await lab.host.files.list(`${lab.stateDir}/routers`)).toEqual([])
    })

    test('purge takes what is left without a controller, and gives forwarding back', async () => {
      desired.put('router', A, specA)
      await ready()
      await purgeVrouter(ports())
      expect(await mine()).toEqual([])
      expect(await ruleset()).toBe(hostTables)
      expect(await lab.host.ip.at().sysctl.read('net/ipv4/ip_forward')).toBe('0')
    })
  },
)
