/**
 * Runs in the lab. `cases`: what every host port does with VLANs, on the real kernel. `wire`: two hosts as namespaces on one wire, each
 * with the bridges of two VLANs as agent-kvm makes them, and a guest of each as a namespace; says what it saw as JSON.
 */
import { applyBridge, observeBridges, planBridges } from '@skerry/agent-kvm/bridges'
import { bridgeName, type kvmDesired } from '@skerry/contract'
import { bridges, execInNetns, realExec, realHost } from '@skerry/host'
import { vlanCases, vlanWorld } from '@skerry/host/vlan-cases'

const exec = realExec()
const outside = realHost()
const TIMEOUT_MS = 60_000

async function cases(): Promise<unknown> {
  const passed: string[] = []
  for (const [name, run] of Object.entries(vlanCases)) {
    const netns = `c${passed.length}`
    await outside.ip.netns.add(netns)
    const world = { bridge: bridges(outside.ip, netns), scope: outside.ip.at(netns) }
    await vlanWorld(world)
    await run(world)
    passed.push(name)
  }
  return passed
}

const networks = { red: 'a'.repeat(32), blue: 'b'.repeat(32) }
const spec = (uuid: string, vlan: number): kvmDesired.BridgeSpec => ({
  ...{ name: bridgeName(uuid), physicalInterface: 'nic0', mtu: null, vlan },
})

/** One pass of the agent's module: what it changed. */
async function pass(netns: string, o: { want?: Record<string, number>; buried?: string[] }): Promise<string[]> {
  const ports = {
    host: realHost({ exec: execInNetns(exec, netns) }),
    memory: { facts: () => ({}), setFacts: async () => undefined },
  }
  const generation = { incarnation: 1, seq: 1 }
  const want = Object.entries(o.want ?? {}).map(([uuid, vlan]) => ({ uuid, generation, facts: {}, spec: spec(uuid, vlan) }))
  const buried = new Map((o.buried ?? []).map((uuid) => [uuid, { uuid, generation, facts: {}, spec: undefined }]))
  const wantedOf = (noun: string) => (noun === 'bridge' ? want : [])
  const context = { bootId: 'boot', nowMs: 0, wanted: [], buried, wantedOf, buriedOf: () => [] }
  const changes = planBridges(want, await observeBridges(ports, context), context)
  for (const change of changes) await applyBridge(ports, change)
  return changes.map((change) => change.op)
}

/** A guest of that host on that network. */
async function guest(host: string, color: keyof typeof networks, address: string): Promise<string> {
  const name = `${host}-${color}`
  await outside.ip.netns.add(name)
  const port = `sktp${color}`
  await outside.ip.at(host).links.add({ kind: 'veth', name: port, peer: { name: 'eth0', netns: name } })
  await outside.ip.at(host).links.set(port, { master: bridgeName(networks[color]), up: true })
  await outside.ip.at(name).links.set('eth0', { up: true })
  await outside.ip.at(name).addresses.add('eth0', address)
  return name
}

async function reaches(from: string, address: string, tries = 1): Promise<boolean> {
  for (let n = 0; n < tries; n++) {
    const { code } = await exec.run('ping', ['-c', '1', '-W', '2', address], {
      ...{ timeoutMs: TIMEOUT_MS, netns: from, okCodes: [0, 1] },
    })
    if (code === 0) return true
  }
  return false
}

async function wire(): Promise<unknown> {
  const { ip } = outside
  for (const host of ['h1', 'h2']) await ip.netns.add(host)
  await ip.at('h1').links.add({ kind: 'veth', name: 'nic0', peer: { name: 'nic0', netns: 'h2' } })
  await ip.at('h1').addresses.add('nic0', '192.0.2.1/24')
  await ip.at('h2').addresses.add('nic0', '192.0.2.2/24')
  // somebody else's VLAN of the same interface
  await ip.at('h1').links.add({ kind: 'vlan', name: 'nic0.30', link: 'nic0', vid: 30, alias: 'of the person' })
  const want = { [networks.red]: 10, [networks.blue]: 20 }
  const made = [await pass('h1', { want }), await pass('h2', { want })]
  const again = [await pass('h1', { want }), await pass('h2', { want })]
  const red = await guest('h1', 'red', '10.0.0.1/24')
  await guest('h2', 'red', '10.0.0.2/24')
  // the same addresses' network on the other VLAN: only the tag keeps them apart
  await guest('h2', 'blue', '10.0.0.3/24')
  const blue = await guest('h1', 'blue', '10.0.0.4/24')
  const talks = {
    same: (await reaches(red, '10.0.0.2', 5)) && (await reaches(blue, '10.0.0.3', 5)),
    other: await reaches(red, '10.0.0.3'),
    hosts: await reaches('h1', '192.0.2.2', 5),
  }
  const changed = await pass('h1', { want: { ...want, [networks.red]: 11 } })
  const apart = await reaches(red, '10.0.0.2')
  await pass('h2', { want: { ...want, [networks.red]: 11 } })
  const together = await reaches(red, '10.0.0.2', 5)
  await ip.netns.del(red)
  await ip.netns.del(blue)
  await ip.at('h1').links.set('nic0.20', { master: null, up: false })
  const mended = await pass('h1', { want: { ...want, [networks.red]: 11 } })
  const removed = await pass('h1', { buried: Object.values(networks) })
  const left = (await ip.at('h1').links.list()).filter((link) => link.kind !== null && link.kind !== 'veth')
  return { made, again, talks, changed, apart, together, mended, removed, left: left.map(({ name, alias }) => ({ name, alias })) }
}

process.stdout.write(`${JSON.stringify({ cases: await cases(), wire: await wire() })}\n`)
