/** What accounts have is kept up with the graph: after any history it is what a count of all rows gives, and so is what a change would add. */
import { ADMIN_ACCOUNT, defaultQuotas, type Op, OWNER, type Row } from '@skerry/contract'
import { Graph } from '@skerry/graph'
import * as fc from 'fast-check'
import { expect, it } from 'vitest'
import { tables } from '../src/engine/tables.ts'
import { checkQuotas } from '../src/identity/quota.ts'
import { type Amounts, growthOf, keptUsage, recount, usageOf } from '../src/identity/usage.ts'

const accounts = [ADMIN_ACCOUNT, 'a', 'b']
const kinds = ['vmInstance', 'volume', 'volumeSnapshot', 'image', 'l3Network'] as const
const states = ['Running', 'Stopped', 'Destroyed', 'Ready', 'Deleted']

const step = fc.record({
  kind: fc.constantFrom(...kinds),
  key: fc.constantFrom('1', '2', '3'),
  volume: fc.constantFrom('1', '2', '3', 'none'),
  owner: fc.constantFrom(...accounts, undefined),
  o: fc.constantFrom('put', 'put', 'set', 'owner', 'del'),
  state: fc.constantFrom(...states),
  size: fc.integer({ min: 0, max: 9 }),
  root: fc.boolean(),
})
type Step = typeof step extends fc.Arbitrary<infer T> ? T : never

function opOf(s: Step, exists: boolean): Op | undefined {
  const at = { t: s.kind, k: s.key }
  if (s.o !== 'put' && !exists) return undefined
  const sizes = { state: s.state, status: s.state, size: s.size, cpuNum: s.size, memorySize: s.size * 2 }
  if (s.o === 'del') return { o: 'del', ...at }
  if (s.o === 'owner') return { o: 'set', ...at, v: { [OWNER]: s.owner === ADMIN_ACCOUNT ? null : (s.owner ?? null) } }
  if (s.o === 'set') return { o: 'set', ...at, v: s.kind === 'volumeSnapshot' ? { volumeUuid: s.volume } : sizes }
  const row: Row = { uuid: s.key, name: s.key, createDate: 0, type: s.root ? 'Root' : 'Data', volumeUuid: s.volume, ...sizes }
  return { o: 'put', ...at, v: s.owner === undefined ? row : { ...row, [OWNER]: s.owner } }
}

/** Operations of one commit, each possible after those before it. */
function commitOf(graph: Graph, steps: readonly Step[]): Op[] {
  const there = new Map<string, boolean>()
  return steps.flatMap((s) => {
    const name = `${s.kind} ${s.key}`
    const op = opOf(s, there.get(name) ?? graph.get(s.kind, s.key) !== undefined)
    if (op) there.set(name, op.o !== 'del')
    return op ? [op] : []
  })
}

/** Without accounts and quotas that come to nothing. */
const plain = (sums: ReadonlyMap<string, Amounts>) =>
  Object.fromEntries(
    [...sums].flatMap(([account, amounts]) => {
      const some = Object.entries(amounts).filter(([, amount]) => amount !== 0)
      return some.length > 0 ? [[account, Object.fromEntries(some.sort(([a], [b]) => a.localeCompare(b)))]] : []
    }),
  )

function plus(one: ReadonlyMap<string, Amounts>, other: ReadonlyMap<string, Amounts>): Map<string, Amounts> {
  const sums = new Map<string, Amounts>()
  for (const [account, amounts] of [...one, ...other]) {
    const sum: Row = sums.get(account) ?? {}
    for (const [name, amount] of Object.entries(amounts)) sum[name] = ((sum[name] as number | undefined) ?? 0) + amount
    sums.set(account, sum as Amounts)
  }
  return sums
}

it('is the same as a count of all rows after every commit, and as what was foretold of it', () => {
  fc.assert(
    fc.property(fc.array(fc.array(step, { minLength: 1, maxLength: 6 }), { maxLength: 25 }), fc.nat(24), (commits, watched) => {
      const graph = new Graph(tables)
      for (const [i, steps] of commits.entries()) {
        // From an empty graph, or from one that was there before anybody asked.
        if (i === watched) keptUsage(graph)
        const ops = commitOf(graph, steps)
        const before = recount(graph)
        const foretold = plus(before, growthOf(graph, ops))
        graph.apply({ ops: structuredClone(ops) }, i + 1)
        expect(plain(foretold)).toEqual(plain(recount(graph)))
        if (i >= watched) expect(plain(keptUsage(graph))).toEqual(plain(recount(graph)))
      }
    }),
    { numRuns: 300 },
  )
})

it('counts snapshots for whoever has their volume, also when that changes', () => {
  const graph = new Graph(tables)
  const row = (uuid: string, more: Row): Row => ({ uuid, name: uuid, createDate: 0, ...more })
  const limit = defaultQuotas['snapshot.volume.num']
  const ops: Op[] = [{ o: 'put', t: 'volume', k: 'v', v: row('v', { [OWNER]: 'a', size: 1, type: 'Data' }) }]
  for (let i = 0; i <= limit; i++) ops.push({ o: 'put', t: 'volumeSnapshot', k: `s${i}`, v: row(`s${i}`, { volumeUuid: 'v' }) })
  expect(() => checkQuotas(graph, ops, new Set(['a']))).toThrow('snapshot.volume.num')
  graph.apply({ ops }, 1)
  const given: Op[] = [{ o: 'set', t: 'volume', k: 'v', v: { [OWNER]: 'b' } }]
  expect(() => checkQuotas(graph, given, new Set(['b']))).toThrow('snapshot.volume.num')
  graph.apply({ ops: [...given, { o: 'del', t: 'volumeSnapshot', k: 's0' }] }, 2)
  expect([usageOf(graph, 'a')['snapshot.volume.num'], usageOf(graph, 'b')['snapshot.volume.num']]).toEqual([0, limit])
})

it('asks the same of an account with many rows as of one with none', () => {
  const graph = new Graph(tables)
  const volume = (uuid: string): Op => ({
    ...{ o: 'put', t: 'volume', k: uuid },
    v: { uuid, name: uuid, createDate: 0, [OWNER]: 'a', size: 1, type: 'Root' },
  })
  graph.apply({ ops: Array.from({ length: 1_000 }, (_, i) => volume(`v${i}`)) }, 1)
  keptUsage(graph)
  let read = 0
  const counting: Graph = Object.assign(graph, {
    by: (...of: Parameters<Graph['by']>) => counted(Graph.prototype.by.apply(graph, of), () => read++),
    rows: (t: string) => counted(Graph.prototype.rows.call(graph, t), () => read++),
  })
  checkQuotas(counting, [volume('one more')], new Set(['a']))
  expect(read).toBe(0)
})

function* counted<T>(all: Iterable<T>, each: () => void): Generator<T> {
  for (const one of all) {
    each()
    yield one
  }
}
