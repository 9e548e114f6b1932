/** How simulated machines misbehave: latency and failures of the fakes' operations, as a person set them. */
import { type MachineBehaviour, SkerryError } from '@skerry/contract'
import { type FakeHost, fakeHost } from '@skerry/host'
import { type FakeLibvirt, fakeLibvirt } from '@skerry/libvirt'
import { isAgentsOwn } from './machine/machine.ts'

const GIB = 1024 ** 3

/** A server of today, and room for ten guests of the demo's size and more. */
export const ORDINARY: MachineBehaviour = {
  latencyMs: 0,
  fail: {},
  cpuCount: 64,
  memoryBytes: 256 * GIB,
  diskBytes: 4096 * GIB,
}

/** Everything that can be slow or fail, by the names that the fakes themselves use. */
export function knownOperations(): string[] {
  const { ip, nft, bridge, dnsmasq, qemuImg, files, facts, process, exec } = fakeHost()
  const scope = ip.at()
  const tools = { bridge, dnsmasq, qemuImg, files, facts, process, exec, nft: nft.at() }
  const nested = { 'ip.netns': ip.netns, 'ip.links': scope.links, 'ip.addresses': scope.addresses, 'ip.routes': scope.routes }
  const named = Object.entries({ ...tools, ...nested, 'ip.sysctl': scope.sysctl }).flatMap(([port, tool]) =>
    Object.entries(tool)
      .filter(([, member]) => typeof member === 'function')
      .map(([name]) => `${port}.${name}`),
  )
  return [
    ...named,
    ...fakeLibvirt()
      .operations()
      .map((op) => `libvirt.${op}`),
  ].sort()
}

const isPattern = (text: string) => text === '*' || text.endsWith('.*')
const covers = (pattern: string, op: string) => pattern === '*' || op.startsWith(pattern.slice(0, -1))

/** Throws `invalid-argument` for a name that covers no operation: a typing error would otherwise never fail. */
export function checkOperations(names: readonly string[]): void {
  const known = knownOperations()
  for (const name of names) {
    if (isPattern(name) ? known.some((op) => covers(name, op)) : known.includes(name)) continue
    throw new SkerryError('invalid-argument', `no port has an operation ${name}`, { operation: name, operations: known })
  }
}

/** The chance that was set for the operation itself, else for the longest pattern that covers it. */
export function chanceOf(fail: MachineBehaviour['fail'], op: string): number {
  const exact = fail[op]
  if (exact !== undefined) return exact
  const [best] = Object.keys(fail)
    .filter((pattern) => isPattern(pattern) && covers(pattern, op))
    .sort((a, b) => b.length - a.length)
  return best === undefined ? 0 : fail[best]!
}

export interface MisbehavePorts {
  /** in [0, 1) */
  random(): number
  sleep(ms: number): Promise<void>
}

/** From now on the fakes do as `behaviour` says, asked at each operation. What an agent keeps for itself is never touched. */
export function misbehave(
  { host, libvirt }: { host: FakeHost; libvirt: FakeLibvirt },
  behaviour: () => MachineBehaviour,
  { random, sleep }: MisbehavePorts,
): void {
  const fails = (op: string) => {
    const chance = chanceOf(behaviour().fail, op)
    return chance > 0 && random() < chance
  }
  host.faults.before = (op, [first]) => {
    if (typeof first === 'string' && isAgentsOwn(first)) return
    const { latencyMs } = behaviour()
    const failMaybe = () => {
      if (fails(op)) host.faults.failNext(op)
    }
    if (latencyMs > 0) return sleep(latencyMs).then(failMaybe)
    failMaybe()
  }
  libvirt.before = (op) => {
    const { latencyMs } = behaviour()
    const failMaybe = () => {
      if (fails(`libvirt.${op}`)) libvirt.failOn(op, undefined, { times: 1 })
    }
    if (latencyMs > 0) return sleep(latencyMs).then(failMaybe)
    failMaybe()
    return undefined
  }
}
