import type { Op, Row } from '@skerry/contract'
import * as fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { DraftGraph, Graph } from '../src/index.ts'

const make = () => new Graph({ t: { indexes: ['a', 'list'] } })
const key = fc.constantFrom('k1', 'k2', 'k3', 'k4')
const value = fc.constantFrom('x', 'y', null)
const rowOf = fc.record({ a: value, list: fc.subarray(['x', 'y']), n: fc.nat(5) })
const put = fc.record({ o: fc.constant('put' as const), t: fc.constant('t'), k: key, v: rowOf })
const change = fc.oneof(
  put,
  fc.record({ o: fc.constant('set' as const), t: fc.constant('t'), k: key, v: fc.record({ a: value }) }),
  fc.record({ o: fc.constant('del' as const), t: fc.constant('t'), k: key }),
  fc.record({ o: fc.constant('add' as const), t: fc.constant('t'), k: key, field: fc.constant('n'), delta: fc.nat(3) }),
) as fc.Arbitrary<Op>

const seen = (graph: Pick<Graph, 'rows' | 'by' | 'count' | 'countBy'>) => ({
  rows: [...graph.rows('t')].map(([k, row]) => [k, { ...row }] as [string, Row]).sort(([a], [b]) => (a < b ? -1 : 1)),
  byA: ['x', 'y', null].map((v) => [...graph.by('t', 'a', v)].sort()),
  byList: ['x', 'y'].map((v) => [...graph.by('t', 'list', v)].sort()),
  counts: [graph.count('t'), ...['x', 'y', null].map((v) => graph.countBy('t', 'a', v))],
})

describe('a draft', () => {
  it('reads exactly as the graph would after the same operations, and leaves the graph as it was', () => {
    fc.assert(
      fc.property(fc.array(put, { maxLength: 4 }), fc.array(change, { maxLength: 8 }), (before, changes) => {
        const base = make()
        const real = make()
        for (const graph of [base, real]) graph.apply({ ops: structuredClone(before) }, 1)
        const untouched = seen(base)
        const draft = new DraftGraph(base)
        for (const op of changes) {
          // what a real commit would refuse is not part of a plan
          if (op.o !== 'put' && real.get('t', op.k) === undefined) continue
          real.apply({ ops: [structuredClone(op)] }, 2)
          draft.apply([structuredClone(op)])
        }
        expect(seen(draft)).toEqual(seen(real))
        expect(seen(base)).toEqual(untouched)
      }),
      { numRuns: 500 },
    )
  })
})
