/** The agent's modules and loop over a fake host. */
import type { InventoryItem } from '@skerry/contract'
import { type FakeHost, fakeHost } from '@skerry/host'
import { type AnyModule, createReconciler, type Reconciler } from '@skerry/reconcile'
import { expect } from 'vitest'
import { vrouterModules } from '../src/build.ts'
import { inventory } from '../src/inventory.ts'
import { keysOfTests } from './keys.ts'
import { Desired } from './world.ts'

export const STATE = '/var/lib/skerry/agent-vrouter'
export const AT = { bootId: 'b', nowMs: 1_700_000_000_000 }
export const bridge = 'skbr0123456789a'

export interface FakeSite {
  host: FakeHost
  desired: Desired
  ipsec: ReturnType<typeof keysOfTests>
  modules: [AnyModule, AnyModule, AnyModule]
  loop: Reconciler
  /** With their keys, as the controller tells them. */
  certificates: Map<string, string>
  items(): Promise<InventoryItem[]>
  statusOf(uuid: string): ReturnType<Reconciler['statuses']>[number] | undefined
  /** The first one starts the loop. */
  pass(): Promise<void>
  /** Time that goes by before the next pass. */
  later(ms: number): void
  /** From now on: every call to the host that isn't a read. */
  watchWrites(): string[]
}

export async function fakeSite(): Promise<FakeSite> {
  const host = fakeHost()
  await host.files.makeDir(STATE, 0o711)
  await host.ip.at().links.add({ kind: 'bridge', name: bridge })
  const desired = new Desired()
  const faults: unknown[] = []
  let monotonicMs = 0
  const ipsec = keysOfTests(() => ({ host, stateDir: STATE }), 100)
  const certificates = new Map<string, string>()
  const certificate = async (uuid: string) => certificates.get(uuid) ?? ''
  const modules = vrouterModules({ host, stateDir: STATE, hostTable: 'skerry_vrouter', ipsec, certificate }) as [
    AnyModule,
    AnyModule,
    AnyModule,
  ]
  const loop = createReconciler({
    modules,
    ledger: desired,
    clock: { now: () => AT.nowMs },
    timers: { set: () => undefined, clear: () => undefined, nowMs: () => monotonicMs },
    bootId: 'b',
    onStatus: () => undefined,
    onFault: (error) => faults.push(error),
    intervalMs: 1e9,
  })
  return {
    host,
    desired,
    ipsec,
    modules,
    loop,
    certificates,
    items: () => inventory({ host, stateDir: STATE, hostTable: 'skerry_vrouter' }),
    statusOf: (uuid) => loop.statuses().find((s) => s.uuid === uuid),
    async pass() {
      loop.start()
      await loop.pass()
      expect(faults).toEqual([])
    },
    later: (ms) => void (monotonicMs += ms),
    watchWrites() {
      const writes: string[] = []
      const reads = /\.(list|read|get|table|tables|elements|running|leases|stat|readAt|pids|view)$/
      host.faults.before = (op) => void (reads.test(op) || writes.push(op))
      return writes
    },
  }
}
