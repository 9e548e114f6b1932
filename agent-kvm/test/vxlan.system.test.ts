/** VXLAN as the module of agent-kvm makes it: three hosts as namespaces on one switch, a guest of each as a namespace, packets between them. */
import { randomBytes } from 'node:crypto'
import { bridgeName, type kvmDesired, vxlanName } from '@skerry/contract'
import { execInNetns, realExec, realHost } from '@skerry/host'
import { requireOrSkip } from '@skerry/testkit'
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest'
import { applyBridge } from '../src/bridges/apply.ts'
import { observeBridges } from '../src/bridges/observe.ts'
import { planBridges, reportBridge } from '../src/bridges/plan.ts'

vi.setConfig({ testTimeout: 60_000, hookTimeout: 60_000 })

const here = requireOrSkip('VXLAN between hosts', { root: true, programs: ['ip', 'bridge', 'ping'] })
const exec = realExec()
const { ip } = realHost()
const uuid = 'c'.repeat(32)
const run = randomBytes(3).toString('hex')
const hosts = [1, 2, 3] as const
type Which = (typeof hosts)[number]
const host = (n: Which) => `skx${run}h${n}`
const guest = (n: Which) => `skx${run}g${n}`
const vtep = (n: Which) => `192.0.2.${n}`
const SWITCH = `skx${run}sw`
const generation = { incarnation: 1, seq: 1 }

/** One pass: what it changed, and what it then says. */
async function pass(n: Which, peers: readonly Which[] | 'buried') {
  const ports = {
    host: realHost({ exec: execInNetns(exec, host(n)) }),
    memory: { facts: () => ({}), setFacts: async () => undefined },
  }
  const vxlan = { vni: 100, vtepIp: vtep(n), port: 4789, peers: peers === 'buried' ? [] : peers.map(vtep) }
  const spec: kvmDesired.BridgeSpec = { name: bridgeName(uuid), physicalInterface: null, mtu: null, vxlan }
  const want = peers === 'buried' ? [] : [{ uuid, generation, facts: {}, spec }]
  const buried = new Map(peers === 'buried' ? [[uuid, { uuid, generation, facts: {}, spec: undefined }]] : [])
  const wantedOf = (noun: string) => (noun === 'bridge' ? want : [])
  const context = { bootId: 'boot', nowMs: 0, wanted: [], buried, wantedOf, buriedOf: () => [] }
  const changes = planBridges(want, await observeBridges(ports, context), context)
  for (const change of changes) await applyBridge(ports, change)
  const [seen] = await observeBridges(ports, context)
  return { ops: changes.map((change) => change.op), report: reportBridge(want[0], seen) }
}

const reaches = async (from: Which, to: Which) => {
  const argv = ['-c', '1', '-W', '1', '-M', 'do', '-s', '1422', `10.0.0.${to}`]
  return (await exec.run('ping', argv, { timeoutMs: 10_000, netns: guest(from), okCodes: [0, 1] })).code === 0
}
const flood = (n: Which) => ip.at(host(n)).flood.list(vxlanName(uuid))

describe.skipIf(!here)('VXLAN between three hosts', () => {
  beforeAll(async () => {
    await ip.netns.add(SWITCH)
    await ip.at(SWITCH).links.add({ kind: 'bridge', name: 'br0' })
    await ip.at(SWITCH).links.set('br0', { up: true })
    for (const n of hosts) {
      await ip.netns.add(host(n))
      await ip.at(SWITCH).links.add({ kind: 'veth', name: `port${n}`, peer: { name: 'nic0', netns: host(n) } })
      await ip.at(SWITCH).links.set(`port${n}`, { master: 'br0', up: true })
      await ip.at(host(n)).links.set('nic0', { up: true })
      await ip.at(host(n)).addresses.add('nic0', `${vtep(n)}/24`)
      const others = hosts.filter((other) => other !== n)
      expect((await pass(n, others)).ops).toEqual(['create', 'ipv6-off', 'uplink', 'flood'])
      await ip.netns.add(guest(n))
      await ip.at(host(n)).links.add({ kind: 'veth', name: 'sktp0', peer: { name: 'eth0', netns: guest(n) } })
      await ip.at(host(n)).links.set('sktp0', { master: bridgeName(uuid), up: true })
      await ip.at(guest(n)).links.set('eth0', { up: true, mtu: 1450 })
      await ip.at(guest(n)).addresses.add('eth0', `10.0.0.${n}/24`)
    }
  })
  afterAll(async () => {
    for (const name of [...hosts.flatMap((n) => [guest(n), host(n)]), SWITCH]) await ip.netns.del(name)
  })

  test('guests of all three talk, in packets as large as 1450 allows, and another pass touches nothing', async () => {
    for (const [from, to] of [
      [1, 2],
      [2, 3],
      [3, 1],
    ] as const)
      await vi.waitFor(async () => expect(await reaches(from, to)).toBe(true))
    const again = await pass(1, [2, 3])
    expect(again).toMatchObject({ ops: [], report: { condition: 'Ready', observed: { uplink: vxlanName(uuid) } } })
    expect((await ip.at(host(1)).links.get(vxlanName(uuid)))?.mtu).toBe(1450)
  })

  test('what was changed by hand is put right', async () => {
    const { flood: entries, links } = ip.at(host(1))
    await entries.del(vxlanName(uuid), vtep(2))
    await entries.add(vxlanName(uuid), '192.0.2.77')
    await links.set(vxlanName(uuid), { master: null })
    expect((await pass(1, [2, 3])).ops).toEqual(['uplink', 'flood'])
    expect(await flood(1)).toEqual([vtep(2), vtep(3)])
    await vi.waitFor(async () => expect(await reaches(1, 2)).toBe(true))
  })

  test('a host that goes takes its entries away, and the others talk on', async () => {
    for (const [n, peers] of [
      [1, [2]],
      [2, [1]],
    ] as const)
      expect((await pass(n, peers)).ops).toEqual(['flood'])
    expect([await flood(1), await flood(2)]).toEqual([[vtep(2)], [vtep(1)]])
    await ip.at(host(3)).links.del('sktp0')
    expect((await pass(3, 'buried')).ops).toEqual(['unlink', 'remove'])
    expect((await ip.at(host(3)).links.list()).map((link) => link.name).sort()).toEqual(['lo', 'nic0'])
    await vi.waitFor(async () => expect(await reaches(1, 2)).toBe(true))
  })

  test('a host without the address says so and changes nothing', async () => {
    await ip.at(host(2)).addresses.del('nic0', `${vtep(2)}/24`)
    const { ops, report } = await pass(2, [1])
    expect(ops).toEqual([])
    expect(report).toMatchObject({ condition: 'Failed', error: { message: expect.stringContaining(`no address ${vtep(2)}`) } })
  })
})
