import type { Op, Row } from '@skerry/contract'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { Graph, guardError } from '../src/index.ts'

const made = () => {
  const graph = new Graph({ vm: { indexes: ['hostUuid', 'state', 'tags'] }, host: { indexes: [] } })
  graph.apply({ ops: [{ o: 'put', t: 'host', k: 'h1', v: { uuid: 'h1', free: 10 } }] }, 1)
  graph.apply({ ops: [{ o: 'put', t: 'vm', k: 'a', v: { uuid: 'a', hostUuid: 'h1', state: 'Running', tags: ['x', 'y'] } }] }, 2)
  return graph
}
const sorted = (keys: Iterable<string>) => [...keys].sort()

describe('graph', () => {
  it('never changes a row that somebody holds', () => {
    const graph = made()
    const held = graph.get('host', 'h1')
    graph.apply({ ops: [{ o: 'add', t: 'host', k: 'h1', field: 'free', delta: -3 }] }, 3)
    graph.apply({ ops: [{ o: 'set', t: 'host', k: 'h1', v: { name: 'n' } }] }, 4)
    expect(held).toEqual({ uuid: 'h1', free: 10 })
    expect(graph.get('host', 'h1')).toEqual({ uuid: 'h1', free: 7, name: 'n' })
  })

  it('moves the version by put and set, not by counters', () => {
    const graph = made()
    graph.apply({ ops: [{ o: 'add', t: 'host', k: 'h1', field: 'free', delta: -3 }] }, 3)
    expect(graph.version('host', 'h1')).toBe(1)
    graph.apply({ ops: [{ o: 'set', t: 'host', k: 'h1', v: {} }] }, 4)
    expect(graph.version('host', 'h1')).toBe(4)
  })

  it('keeps a null that was set and a field that was not named', () => {
    const graph = made()
    graph.apply({ ops: [{ o: 'set', t: 'vm', k: 'a', v: { hostUuid: null } }] }, 3)
    expect(graph.get('vm', 'a')).toMatchObject({ hostUuid: null, state: 'Running' })
    expect(sorted(graph.by('vm', 'hostUuid', null))).toEqual(['a'])
    expect(sorted(graph.by('vm', 'hostUuid', 'h1'))).toEqual([])
  })

  it('indexes each element of a list', () => {
    const graph = made()
    graph.apply({ ops: [{ o: 'set', t: 'vm', k: 'a', v: { tags: ['y', 'z'] } }] }, 3)
    expect([
      sorted(graph.by('vm', 'tags', 'x')),
      sorted(graph.by('vm', 'tags', 'y')),
      sorted(graph.by('vm', 'tags', 'z')),
    ]).toEqual([[], ['a'], ['a']])
    expect(graph.countBy('vm', 'tags', 'z')).toBe(1)
  })

  it('refuses to look up a field without an index', () => {
    expect(() => made().by('vm', 'name', 'x')).toThrow(/no index/)
  })

  it('takes tables it has not heard of', () => {
    const graph = made()
    graph.apply({ ops: [{ o: 'put', t: 'novel', k: '1', v: { a: 1 } }] }, 3)
    expect(graph.get('novel', '1')).toEqual({ a: 1 })
    expect([...graph.rows('nothing')]).toEqual([])
  })

  it('tests each kind of guard', () => {
    const graph = made()
    graph.epoch = 5
    const why = (guard: Parameters<Graph['check']>[0][number]) => graph.check([guard], [])
    expect(why({ g: 'version', t: 'vm', k: 'a', seq: 2 })).toBeUndefined()
    expect(why({ g: 'version', t: 'vm', k: 'a', seq: 1 })).toMatchObject({ have: 2 })
    expect(why({ g: 'absent', t: 'vm', k: 'b' })).toBeUndefined()
    expect(why({ g: 'absent', t: 'vm', k: 'a' })).toBeDefined()
    expect(why({ g: 'exists', t: 'vm', k: 'b' })).toBeDefined()
    expect(why({ g: 'field', t: 'vm', k: 'a', field: 'state', in: ['Stopped', 'Running'] })).toBeUndefined()
    expect(why({ g: 'field', t: 'vm', k: 'a', field: 'state', in: ['Stopped'] })).toMatchObject({ have: 'Running' })
    expect(why({ g: 'field', t: 'vm', k: 'a', field: 'lost', in: [null] })).toBeUndefined()
    expect(why({ g: 'field', t: 'vm', k: 'zz', field: 'lost', in: [null] })).toBeDefined()
    expect(why({ g: 'epoch', e: 5 })).toBeUndefined()
    expect(why({ g: 'epoch', e: 4 })).toMatchObject({ have: 5 })
  })

  it('sums all counter guards of one commit on one counter', () => {
    const graph = made()
    const take = { g: 'counter', t: 'host', k: 'h1', field: 'free', delta: -6, min: 0 } as const
    expect(graph.check([take], [])).toBeUndefined()
    expect(graph.check([take, take], [])).toMatchObject({ guard: take, have: 10 })
    expect(graph.check([{ ...take, field: 'uuid' }], []), 'a string is no counter').toBeDefined()
    expect(graph.check([{ ...take, field: 'used', delta: 1, max: 1 }], []), 'an absent field counts as 0').toBeUndefined()
    expect(graph.check([{ ...take, k: 'h2' }], []), 'no such row').toBeDefined()
  })

  it('lets operations see those before them in the same commit', () => {
    const graph = made()
    const put: Op = { o: 'put', t: 'vm', k: 'n', v: { n: 1 } }
    const set: Op = { o: 'set', t: 'vm', k: 'n', v: { m: 2 } }
    const add: Op = { o: 'add', t: 'vm', k: 'n', field: 'n', delta: 1 }
    expect(graph.check([], [set])).toMatchObject({ because: 'missing' })
    expect(graph.check([], [put, set, add])).toBeUndefined()
    expect(graph.check([], [put, { o: 'del', t: 'vm', k: 'n' }, set])).toMatchObject({ op: set })
    expect(graph.check([], [{ ...add, k: 'a', field: 'state' }]), 'adding to a string').toMatchObject({ because: 'malformed' })
    expect(graph.check([], [{ ...put, k: 'a\nb' }])).toMatchObject({ because: 'malformed' })
    graph.apply({ ops: [put, set, add] }, 3)
    expect(graph.get('vm', 'n')).toEqual({ n: 2, m: 2 })
  })

  it('changes nothing when one operation of a commit cannot be applied', () => {
    const graph = made()
    const before = graph.hash()
    const ops: Op[] = [
      { o: 'put', t: 'vm', k: 'n', v: {} },
      { o: 'set', t: 'vm', k: 'ghost', v: {} },
    ]
    expect(() => graph.apply({ ops }, 3)).toThrow(/cannot apply commit 3/)
    expect(graph.hash()).toBe(before)
  })

  it('maps refusals to errors that keep the guard', () => {
    const graph = made()
    const code = (guard: Parameters<Graph['check']>[0][number]) => guardError(graph.check([guard], [])!).code
    expect(code({ g: 'absent', t: 'vm', k: 'a' })).toBe('conflict')
    expect(code({ g: 'exists', t: 'vm', k: 'b' })).toBe('not-found')
    expect(code({ g: 'field', t: 'vm', k: 'a', field: 'state', in: [] })).toBe('illegal-state')
    expect(guardError(graph.check([{ g: 'version', t: 'vm', k: 'a', seq: 9 }], [])!).details).toMatchObject({
      guard: { seq: 9 },
      have: 2,
    })
  })

  it('hashes equal states alike whatever their history order, and different ones apart', () => {
    const one = new Graph()
    const two = new Graph()
    const a: Op = { o: 'put', t: 'x', k: 'a', v: { p: 1, q: { r: 1, s: 2 } } }
    const b: Op = { o: 'put', t: 'x', k: 'b', v: { p: 2 } }
    one.apply({ ops: structuredClone([a, b]) }, 1)
    two.apply({ ops: structuredClone([b, { ...a, v: { q: { s: 2, r: 1 }, p: 1 } }]) }, 1)
    expect(one.hash()).toBe(two.hash())
    two.apply({ ops: [{ o: 'add', t: 'x', k: 'a', field: 'p', delta: 1 }] }, 1)
    expect(one.hash()).not.toBe(two.hash())
  })

  it('gives a view of one moment while rows are put, changed and deleted', () => {
    const key = fc.constantFrom('a', 'b', 'c', 'd', 'e')
    const op = fc.oneof(fc.record({ put: key, n: fc.nat(9) }), fc.record({ del: key }))
    fc.assert(
      fc.property(fc.array(op), fc.array(fc.array(op, { maxLength: 4 }), { maxLength: 12 }), (first, later) => {
        const graph = new Graph({ t: { indexes: ['n'] } })
        let seq = 0
        const run = (step: { put: string; n: number } | { del: string }) => {
          const o: Op = 'put' in step ? { o: 'put', t: 't', k: step.put, v: { n: step.n } } : { o: 'del', t: 't', k: step.del }
          if (graph.check([], [o]) === undefined) graph.apply({ ops: [o] }, ++seq)
        }
        first.forEach(run)
        const want = new Map([...graph.rows('t')].map(([k, row]) => [k, { row, version: graph.version('t', k) }]))
        const view = graph.view()
        const have = new Map<string, unknown>()
        const entries = view.entries()
        for (let next = entries.next(); !next.done; next = entries.next()) {
          have.set(next.value[1], next.value[2])
          for (const step of later.shift() ?? []) run(step)
        }
        view.close()
        expect(have).toEqual(want)
        // The index agrees with the rows whatever happened.
        for (let n = 0; n < 10; n++)
          expect(sorted(graph.by('t', 'n', n))).toEqual(sorted([...graph.rows('t')].filter(([, r]) => r.n === n).map(([k]) => k)))
      }),
      { numRuns: 500 },
    )
  })
})

it('frozen is as it was, by key and by every index, whatever is put, changed and deleted', () => {
  const key = fc.constantFrom('a', 'b', 'c', 'd', 'e')
  const op = fc.oneof(fc.record({ put: key, n: fc.nat(3) }), fc.record({ set: key, n: fc.nat(3) }), fc.record({ del: key }))
  const asked = (graph: Graph) => ({
    seq: graph.seq,
    rows: new Map([...graph.rows('t')].map(([k, row]) => [k, { row, got: graph.get('t', k), version: graph.version('t', k) }])),
    gone: ['a', 'b', 'c', 'd', 'e', 'new'].filter((k) => graph.get('t', k) === undefined),
    by: [null, 0, 1, 2, 3].map((n) => sorted(graph.by('t', 'n', n))),
    odd: sorted(graph.by('t', 'odd', 'yes')),
    lists: [0, 1, 2, 3].map((n) => sorted(graph.by('t', 'list', n))),
    counts: [graph.count('t'), graph.count('later')],
  })
  fc.assert(
    fc.property(fc.array(op), fc.array(op), (first, later) => {
      const odd = (row: Readonly<Row>) => (Number(row['n']) % 2 === 1 ? 'yes' : undefined)
      const graph = new Graph({ t: { indexes: ['n', 'list'], derived: { odd } } })
      let seq = 0
      const run = (step: { put: string; n: number } | { set: string; n: number } | { del: string }) => {
        const v = 'n' in step ? { n: step.n, list: [step.n, (step.n + 1) % 4] } : {}
        const o: Op =
          'put' in step
            ? { o: 'put', t: 't', k: step.put, v }
            : 'set' in step
              ? { o: 'set', t: 't', k: step.set, v }
              : { o: 'del', t: 't', k: step.del }
        if (graph.check([], [o]) === undefined) graph.apply({ ops: [o] }, ++seq)
      }
      first.forEach(run)
      const want = asked(graph)
      const frozen = graph.freeze()
      expect(asked(frozen.graph)).toEqual(want)
      for (const step of later) {
        run(step)
        for (const n of [0, 1, 2, 3])
          expect(frozen.graph.countBy('t', 'n', n)).toBeGreaterThanOrEqual([...frozen.graph.by('t', 'n', n)].length)
      }
      graph.apply({ ops: [{ o: 'put', t: 'later', k: 'new', v: {} }] }, ++seq)
      expect(asked(frozen.graph)).toEqual(want)
      frozen.close()
      expect(asked(graph).counts[1]).toBe(1)
    }),
    { numRuns: 300 },
  )
})

it('a view gives changed rows in their place, so that a loaded table stays in order', () => {
  const graph = new Graph({ vm: { indexes: [] } })
  const put = (k: string, createDate: number, seq: number) =>
    graph.apply({ ops: [{ o: 'put', t: 'vm', k, v: { uuid: k, createDate } }] }, seq)
  for (const n of [1, 2, 3]) put(`k${n}`, n, n)
  const view = graph.view()
  graph.apply({ ops: [{ o: 'set', t: 'vm', k: 'k1', v: { name: 'changed' } }] }, 4)
  const loaded = new Graph({ vm: { indexes: [] } })
  for (const [t, k, entry] of view.entries()) loaded.load(t, k, { row: { ...entry.row }, version: entry.version })
  view.close()
  expect([...loaded.rows('vm')].map(([k]) => k)).toEqual(['k1', 'k2', 'k3'])
  expect(loaded.inOrder('vm')).toBe(true)
  put('k4', 2, 5)
  expect(graph.inOrder('vm')).toBe(false)
})
