/** What agents are asked for when they are heard again. */
import type { Bus } from '@skerry/bus'
import { type Heartbeat, SkerryError, subjects } from '@skerry/contract'
import type { Graph } from '@skerry/graph'
import { expect, test } from 'vitest'
import { AgentBook } from '../src/agents/book.ts'
import type { Syncer } from '../src/agents/sync.ts'
import { AgentWatch } from '../src/agents/watch.ts'

const agentUuid = 'a'.repeat(32)
const turn = () => new Promise((resolve) => setImmediate(resolve))

function watched() {
  const heard = new Map<string, (m: { subject: string; data: unknown }) => void>()
  let [nowMs, asked, reachable] = [0, 0, true]
  const book = new AgentBook(() => nowMs)
  // All that it says was said before.
  book.isCurrent = () => true
  const row = { uuid: agentUuid, kind: 'kvm', status: 'Connected', bootId: 'boot', version: '1', hostUuid: null, ledger: '' }
  const compared: { fresh: boolean; anew: boolean }[] = []
  const watch = new AgentWatch({
    bus: { subscribe: (pattern: string, hear: never) => void heard.set(pattern, hear) } as unknown as Bus,
    graph: { get: (table: string) => (table === 'agent' ? row : undefined), rows: () => [] } as unknown as Graph,
    book,
    syncer: { compare: async (_: string, __: string, how: (typeof compared)[0]) => void compared.push(how) } as unknown as Syncer,
    now: () => nowMs,
    commit: async ({ ops }) => {
      for (const op of ops) if (op.o === 'set') Object.assign(row, op.v)
    },
    busy: () => false,
    refresh: async () => {
      asked++
      if (!reachable) throw new SkerryError('agent-timeout', 'nobody answered', {})
    },
    report: () => undefined,
  })
  return {
    watch,
    asked: () => asked,
    compared,
    reachable: (is: boolean) => void (reachable = is),
    async beatsAt(at: number, more: Partial<Heartbeat> = {}) {
      nowMs = at
      const beat: Heartbeat = {
        ...{ agentUuid, kind: 'kvm', version: '1', bootId: 'boot', machineId: 'm', uptimeMs: at, at },
        ...{ digest: 'd', statusDigest: 's', ...more },
      }
      heard.get(subjects.heartbeatOfAll)!({ subject: subjects.heartbeat('kvm', agentUuid), data: beat })
      await turn()
    },
  }
}

test('an agent that came back is asked for all its statuses until it has answered, though it says nothing new', async () => {
  const { beatsAt, asked, reachable } = watched()
  await beatsAt(0)
  await beatsAt(5_000)
  expect(asked()).toBe(1)
  reachable(false)
  await beatsAt(60_000)
  await beatsAt(65_000)
  expect(asked()).toBe(3)
  reachable(true)
  await beatsAt(70_000)
  await beatsAt(75_000)
  expect(asked()).toBe(4)
})

test('an agent that began again is asked, also when its first heartbeat came later in its life than that of the one before', async () => {
  const { beatsAt, asked } = watched()
  await beatsAt(1_000, { uptimeMs: 20 })
  await beatsAt(1_300, { uptimeMs: 90 })
  expect(asked()).toBe(2)
  await beatsAt(6_300, { uptimeMs: 5_090 })
  expect(asked()).toBe(2)
})

test('an agent that has lost its ledger is told all anew, though it says nothing else that it has not said before', async () => {
  const { beatsAt, compared } = watched()
  const [first, next] = ['1'.repeat(32), '2'.repeat(32)]
  await beatsAt(0, { ledger: first })
  await beatsAt(5_000, { ledger: first })
  await beatsAt(10_000, { ledger: next })
  await beatsAt(15_000, { ledger: next })
  expect(compared.map(({ anew }) => anew)).toEqual([true, false, true, false])
  // One of an older version tells none.
  await beatsAt(20_000)
  expect(compared.at(-1)).toEqual({ fresh: false, anew: false })
})
