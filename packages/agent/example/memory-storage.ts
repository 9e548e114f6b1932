/** A whole agent of a third party: storage whose pools are in memory. It has to be told what is wanted, and needs nothing else. */
import { type AgentParts, defineCommand, startAgent } from '@skerry/agent'
import { storageCommands, storageDesired } from '@skerry/contract'
import type { AnyModule, Change, Module } from '@skerry/reconcile'

interface Pool {
  uuid: string
  path: string
}
type PoolChange = (Change & { op: 'pool.make'; path: string }) | (Change & { op: 'pool.remove' })

const SIZE_BYTES = 2 ** 30
const room = { totalBytes: SIZE_BYTES, availableBytes: SIZE_BYTES, usedBytes: 0 }

export function memoryStorage(): AgentParts {
  const pools = new Map<string, Pool>()
  const poolModule: Module<storageDesired.PoolSpec, Pool, PoolChange> = {
    ...storageDesired.pool,
    observe: async () => [...pools.values()],
    // Pure: what is wanted and is not there, and what a tombstone names. Nothing else may be removed.
    plan: (want, have, { buried }) => [
      ...have.filter(({ uuid }) => buried.has(uuid)).map(({ uuid }): PoolChange => ({ uuid, op: 'pool.remove' })),
      ...want
        .filter(({ uuid, spec }) => have.find((one) => one.uuid === uuid)?.path !== spec.path)
        .map(({ uuid, spec }): PoolChange => ({ uuid, op: 'pool.make', path: spec.path })),
    ],
    apply: async (change) => {
      if (change.op === 'pool.remove') pools.delete(change.uuid)
      else pools.set(change.uuid, { uuid: change.uuid, path: change.path })
    },
    report: (_want, have) => ({ condition: have ? 'Ready' : 'Working', observed: have ? room : {} }),
  }
  const forget = defineCommand({
    noun: 'storage',
    verb: 'forget',
    ...storageCommands.forget,
    run: async ({ uuid }) => ({ removed: pools.delete(uuid) }),
  })
  return {
    modules: [poolModule as AnyModule],
    commands: [forget],
    inventory: async () => [...pools.values()].map(({ uuid, path }) => ({ kind: 'pool', id: path, owner: uuid, facts: {} })),
  }
}

// Run as a program: --controller, --token-file, --management-ip, --state-dir as every agent.
if (process.argv[1]?.endsWith('memory-storage.ts')) await startAgent({ kind: 'storage', build: memoryStorage })
