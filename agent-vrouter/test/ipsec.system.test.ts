/** Tunnels on the real tools: our router, and a strongSwan that isn't ours behind a gateway, with two networks; real packets. */
import { join } from 'node:path'
import { routerNetns } from '@skerry/contract'
import type { Reconciler } from '@skerry/reconcile'
import { requireOrSkip, StockPeer, type StockPeerConfig } from '@skerry/testkit'
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest'
import { ipsecVerbs } from '../src/commands/ipsec.ts'
import { charonDir } from '../src/ipsec/records.ts'
import { type Guest, Lab, OUTSIDE_IP } from './lab.ts'
import { Desired, ipsecSpec, newUuid, routerSpec, vipSpec } from './world.ts'

// events, not times: the ceiling is only there for a stuck run
vi.setConfig({ testTimeout: 60_000, hookTimeout: 60_000 })

const lab = new Lab()
const desired = new Desired()
const [router, l3, tunnel, vip] = [newUuid(), newUuid(), newUuid(), newUuid()]
const bridges = { lan: `skbra${lab.suffix}`, pub: `skbrp${lab.suffix}` }
const at = { routerUuid: router, l3NetworkUuid: l3 }
const PEER = '192.0.2.77'
const VIP = '198.51.100.30'
const GUEST = '10.10.0.10'
const [FAR_ONE, FAR_TWO] = ['10.20.0.1', '10.30.0.1']
/** What configuration files, shells and C strings stumble over. */
const KEY = `it's "s3cret" \\ # {}\n$x\u0000y`
const ALGORITHMS = 'aes256-sha256-ecp256'
const spec = (change: Parameters<typeof ipsecSpec>[1] = {}) => ipsecSpec(at, change)
let keys = 0

let loop: Reconciler
let guest: Guest
let far: Guest
let peer: StockPeer

const status = () => loop.statuses().find((s) => s.uuid === tunnel)
/** As the agent does: a pass whenever something is signalled, here as long as it isn't so yet. */
async function until(check: () => void | Promise<void>): Promise<void> {
  await vi.waitFor(
    async () => {
      await loop.pass()
      expect([...lab.faults, ...lab.ipsec.faults]).toEqual([])
      await check()
    },
    { interval: 200 },
  )
}
const isNow = (state: string, cause: unknown = null) =>
  until(() => expect(status()?.observed).toMatchObject({ status: state, cause }))
/** Packets that came back of two. */
async function pings(from: Guest, to: string, source?: string): Promise<number> {
  const out = await from.run(
    'busybox',
    ['ping', '-c', '2', '-i', '0.2', '-W', '1', ...(source ? ['-I', source] : []), to],
    [0, 1],
  )
  return Number(/(\d+) packets received/.exec(out)?.[1])
}
const verb = (name: string) => {
  const found = ipsecVerbs({ host: lab.host, stateDir: lab.stateDir, keeper: lab.ipsec.keeper }).find((one) => one.verb === name)!
  return found.run({ uuid: tunnel, input: {} } as never) as Promise<Record<string, number>>
}
const peerIs = (change: Partial<StockPeerConfig> = {}) =>
  peer.start({
    ...{ remote: VIP, key: KEY, proposal: ALGORITHMS, espProposal: ALGORITHMS },
    ...{ localCidrs: ['10.20.0.0/24', '10.30.0.0/24'], remoteCidrs: ['10.10.0.0/24'] },
    ...change,
  })
const wanted = (change: Parameters<typeof ipsecSpec>[1] = {}, key = KEY) => {
  const keyUuid = `${++keys}`.padStart(32, '0')
  lab.ipsec.keys.set(tunnel, { keyUuid, key })
  desired.put('ipsec', tunnel, spec({ keyUuid, ...change }))
}
/** What comes to a namespace for the peer's networks without a tunnel. */
const counting = (netns: string) =>
  lab.real.exec.run('nft', ['-f', '-'], {
    ...{ timeoutMs: 10_000, netns },
    input: `table inet open {
      chain c { type filter hook prerouting priority 0; iifname "eth0" ip daddr 10.20.0.0/24 counter
      }
    }`,
  })
const counted = async (netns: string) =>
  (await lab.real.exec.run('nft', ['list', 'table', 'inet', 'open'], { timeoutMs: 10_000, netns })).stdout
const inside = async (...argv: [string, ...string[]]) =>
  (await lab.host.exec.run(argv[0], argv.slice(1), { timeoutMs: 10_000, netns: routerNetns(router), okCodes: [0, 1] })).stdout

describe.runIf(
  requireOrSkip('IPsec on real tools', { root: true, programs: ['ip', 'nft', 'conntrack', 'charon-systemd', 'swanctl'] }),
)('IPsec', () => {
  beforeAll(async () => {
    await lab.up()
    await lab.bridge(bridges.lan)
    await lab.bridge(bridges.pub)
    ;[guest, far] = [await lab.guest('a', bridges.lan), await lab.guest('f', bridges.pub)]
    for (const [one, cidr] of [
      [guest, `${GUEST}/24`],
      [far, '198.51.100.1/24'],
    ] as const) {
      await one.run('ip', ['addr', 'add', cidr, 'dev', 'eth0'])
      await one.run('ip', ['link', 'set', 'eth0', 'up'])
    }
    await guest.run('ip', ['route', 'add', 'default', 'via', '10.10.0.1'])
    for (const ip of [PEER, FAR_ONE, FAR_TWO]) await far.run('ip', ['addr', 'add', `${ip}/24`, 'dev', 'lo'])
    await lab.outsideServer()
    peer = new StockPeer({ netns: far.netns, dir: join(lab.root, 'peer'), address: PEER })
    await peerIs()
    desired.put('router', router, routerSpec(bridges.lan, { services: { dhcp: false, dns: false, snat: true } }))
    desired.put('vip', vip, vipSpec({ ...at, bridge: bridges.pub }, 30))
    wanted()
    loop = lab.loop(desired)
  })
  afterAll(async () => {
    await peer.stop()
    await lab.down([router])
  })

  test('two networks are carried both ways, beside SNAT, and a second pass touches nothing', async () => {
    await isNow('Connected')
    expect(await pings(guest, FAR_ONE)).toBe(2)
    expect(await pings(guest, FAR_TWO)).toBe(2)
    // the peer sees the guest under its own address
    expect(await pings(far, GUEST, FAR_ONE)).toBe(2)
    expect(await guest.run('busybox', ['nc', OUTSIDE_IP, '8080'])).toContain('203.0.113.1')
    const before = await inside('nft', 'list', 'ruleset')
    const asked = lab.ipsec.asked()
    await loop.pass()
    expect(await inside('nft', 'list', 'ruleset')).toBe(before)
    expect([asked, lab.ipsec.asked()]).toEqual([1, 1])
    const { bytesIn, packetsOut, ikeVersion } = await verb('counters')
    expect([bytesIn! > 0, packetsOut! >= 4, ikeVersion]).toEqual([true, true, 2])
  })

  test('traffic goes on while both sides rekey', async () => {
    const flow = lab.inside(guest.netns, ['busybox', 'ping', '-i', '0.05', FAR_ONE])
    let text = ''
    flow.stdout?.on('data', (data) => (text += data))
    const count = () => text.split('\n').filter((line) => line.includes('seq=')).length
    const more = async () => {
      const from = count()
      await vi.waitFor(() => expect(count()).toBeGreaterThan(from + 5))
    }
    await more()
    await peer.swanctl('--rekey', '--child', 'net0')
    await more()
    await peer.swanctl('--rekey', '--ike', 'site')
    await more()
    flow.kill('SIGKILL')
    const seqs = [...text.matchAll(/seq=(\d+)/g)].map((m) => Number(m[1]))
    expect(seqs.at(-1)! - seqs[0]! + 1 - seqs.length).toBeLessThanOrEqual(1)
    await isNow('Connected')
  })

  test('an agent that begins anew finds it running and asks for nothing', async () => {
    const pid = (await lab.host.charon.running(charonDir(lab.stateDir, router)))!.pid
    loop = lab.loop(desired)
    await isNow('Connected')
    expect((await lab.host.charon.running(charonDir(lab.stateDir, router)))!.pid).toBe(pid)
    expect(lab.ipsec.asked()).toBe(1)
    expect(await pings(guest, FAR_TWO)).toBe(2)
  })

  test('a peer that dies and comes back is connected again, and meanwhile nothing leaves in the open', async () => {
    await peer.kill()
    await verb('reconnect')
    const open = [lab.outsideNs, far.netns]
    for (const netns of open) await counting(netns)
    expect(await pings(guest, FAR_ONE)).toBe(0)
    for (const netns of open) expect(await counted(netns)).toContain('packets 0 ')
    await peerIs()
    await isNow('Connected')
    expect(await pings(guest, FAR_ONE)).toBe(2)
  })

  test('with another key the state says so, and the right one mends it', async () => {
    wanted({}, 'another')
    await isNow('Disconnected', expect.stringContaining('the keys or the ids of the two sides differ'))
    wanted()
    await isNow('Connected')
    expect(await pings(guest, FAR_TWO)).toBe(2)
  })

  test('IKEv1 carries each pair of networks by itself', async () => {
    await peerIs({ version: 1 })
    wanted({ ikeVersion: 'ikev1' })
    await isNow('Connected')
    expect(await pings(guest, FAR_ONE)).toBe(2)
    expect(await pings(guest, FAR_TWO)).toBe(2)
    expect((await verb('counters'))['ikeVersion']).toBe(1)
  })

  test('the key is in no file of ours and no command line; a tombstone takes all along', async () => {
    const files = await lab.host.exec.run('grep', ['-rlF', 's3cret', lab.stateDir], { timeoutMs: 10_000, okCodes: [0, 1] })
    expect(files.stdout).toBe('')
    expect((await lab.host.process.list()).filter((p) => p.cmdline.join(' ').includes('s3cret'))).toEqual([])
    desired.bury('ipsec', tunnel)
    await until(() => expect(status()?.condition).toBe('Gone'))
    expect(await lab.host.charon.running(charonDir(lab.stateDir, router))).toBeUndefined()
    expect(await inside('nft', 'list', 'tables')).not.toContain('skerry_ipsec')
    expect(await inside('ip', 'rule')).not.toContain(`from ${VIP}`)
  })
})
