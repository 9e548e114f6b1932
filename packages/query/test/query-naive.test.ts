/** The planner against an evaluator that knows no index: on random graphs and queries both must find the same. */
import { Graph } from '@skerry/graph'
import fc from 'fast-check'
import { expect, it } from 'vitest'
import {
  type Condition,
  type FieldKind,
  parseQuery,
  type Query,
  type QueryTarget,
  type QueryTargets,
  runQuery,
} from '../src/index.ts'

const tables = ['a', 'b', 'c'] as const
const fields: Record<string, FieldKind> = {
  uuid: 'string',
  s: 'string',
  n: 'number',
  f: 'boolean',
  l: 'list',
  up: 'string',
  ups: 'list',
  createDate: 'time',
}
const target = (table: string): QueryTarget => ({
  table,
  fields,
  relations: Object.fromEntries(
    tables.flatMap((other) => [
      [`${other}Up`, { target: other, via: { field: 'up' }, many: false }],
      [`${other}Ups`, { target: other, via: { field: 'ups' }, many: true }],
      [`${other}Down`, { target: other, via: { reverse: 'up' }, many: true }],
      [`${other}Downs`, { target: other, via: { reverse: 'ups' }, many: true }],
    ]),
  ),
})
const targets: QueryTargets = Object.fromEntries(tables.map((table) => [table, target(table)]))

const key = fc.integer({ min: 0, max: 7 }).map((n) => `k${n}`)
const word = fc.constantFrom('x', 'X', 'xy', 'y', '', 'x%y', 'a,b')
const maybe = <T>(arb: fc.Arbitrary<T>) => fc.option(arb, { nil: null, freq: 4 })
const row = fc.record(
  {
    s: maybe(word),
    n: maybe(fc.integer({ min: -2, max: 3 })),
    f: maybe(fc.boolean()),
    l: maybe(fc.array(word, { maxLength: 3 })),
    up: maybe(key),
    ups: fc.array(key, { maxLength: 3 }),
    createDate: fc.nat(3),
  },
  { requiredKeys: [] },
)
const graphs = fc.record({
  rows: fc.record(Object.fromEntries(tables.map((table) => [table, fc.dictionary(key, row, { maxKeys: 8 })]))),
  indexes: fc.record(Object.fromEntries(tables.map((table) => [table, fc.subarray(['s', 'n', 'f', 'l', 'up', 'ups'])]))),
})
const comparisons = ['=', '!=', '>', '<', '>=', '<='].map(String)
const leaf = fc.oneof(
  fc
    .tuple(
      fc.constantFrom('s', 'l', 'up', 'uuid'),
      fc.constantFrom(...comparisons, '?=', '!?=', '~=', '!~='),
      fc.oneof(word, key, fc.constantFrom('x,y', 'k1,k2,k3', '%', '%x%', 'x_', '_', 'k%')),
    )
    .map((t) => t.join('')),
  fc
    .tuple(fc.constantFrom('n', 'createDate'), fc.constantFrom(...comparisons, '?='), fc.integer({ min: 0, max: 3 }))
    .map((t) => t.join('')),
  fc.tuple(fc.constant('f'), fc.constantFrom('=', '!='), fc.boolean()).map((t) => t.join('')),
  fc.tuple(fc.constantFrom('s', 'n', 'f', 'l', 'up', 'ups'), fc.constantFrom(' is null', ' not null')).map((t) => t.join('')),
)
const relation = fc.tuple(fc.constantFrom(...tables), fc.constantFrom('Up', 'Ups', 'Down', 'Downs')).map((t) => t.join(''))
const condition = fc.tuple(fc.array(relation, { maxLength: 3 }), leaf).map(([path, last]) => [...path, last].join('.'))

type Rows = Record<string, Record<string, Record<string, unknown>>>

function like(value: string, pattern: string): boolean {
  if (pattern === '') return value === ''
  const [c, rest] = [pattern[0]!, pattern.slice(1)]
  if (c === '%') return like(value, rest) || (value !== '' && like(value.slice(1), pattern))
  return value !== '' && (c === '_' || c.toLowerCase() === value[0]!.toLowerCase()) && like(value.slice(1), rest)
}

/** What a scalar must satisfy, straight from the words of the reference. */
function scalar(op: string, value: unknown, wanted: readonly unknown[]): boolean {
  const [first] = wanted as [string]
  switch (op) {
    case '=':
      return value === first
    case '!=':
      return value !== first
    case '?=':
      return wanted.includes(value)
    case '!?=':
      return !wanted.includes(value)
    case '~=':
      return like(String(value), first)
    case '!~=':
      return !like(String(value), first)
    case '>':
      return (value as string) > first
    case '<':
      return (value as string) < first
    case '>=':
      return (value as string) >= first
    case '<=':
      return (value as string) <= first
    default:
      return op === 'not null'
  }
}

function naive(rows: Rows, { conditions, target: { table } }: Query): string[] {
  const holds = (key: string, row: Record<string, unknown>, c: Condition, depth: number): boolean => {
    const step = c.steps[depth]
    if (!step) {
      const value = row[c.field]
      if (Array.isArray(value))
        return c.op === 'is null' ? value.length === 0 : value.some((element) => scalar(c.op, element, c.values))
      return value === null || value === undefined ? c.op === 'is null' : c.op !== 'is null' && scalar(c.op, value, c.values)
    }
    const { via } = step.relation
    return Object.entries(rows[step.to.table]!).some(([other, far]) => {
      const linked = 'field' in via ? [row[via.field]].flat().includes(other) : [far[via.reverse]].flat().includes(key)
      return linked && holds(other, far, c, depth + 1)
    })
  }
  const found = Object.entries(rows[table]!).filter(([key, row]) =>
    (conditions as Condition[]).every((c) => holds(key, row, c, 0)),
  )
  const date = (row: Record<string, unknown>) => (row.createDate as number | undefined) ?? -1
  return found.sort(([a, x], [b, y]) => date(x) - date(y) || (a < b ? -1 : 1)).map(([key]) => key)
}

it('finds what an evaluator without indexes finds, in the same order, and scans no table that an index made needless', () => {
  fc.assert(
    fc.property(
      graphs,
      fc.constantFrom(...tables),
      fc.array(condition, { maxLength: 3 }),
      fc.nat(6),
      fc.nat(3),
      ({ rows: raw, indexes }, table, q, limit, start) => {
        const rows: Rows = Object.fromEntries(
          tables.map((t) => [t, Object.fromEntries(Object.entries(raw[t]!).map(([k, r]) => [k, { ...r, uuid: k }]))]),
        )
        const graph = new Graph(Object.fromEntries(tables.map((t) => [t, { indexes: indexes[t]! }])))
        graph.apply(
          { ops: tables.flatMap((t) => Object.entries(rows[t]!).map(([k, v]) => ({ o: 'put' as const, t, k, v: { ...v } }))) },
          1,
        )
        const query = parseQuery({ q, limit, start, replyWithCount: true }, targets[table]!, targets)
        const expected = naive(rows, query)
        const result = runQuery(graph, query)
        expect(result.total).toBe(expected.length)
        expect(result.keys).toEqual(expected.slice(start, start + limit))
        const fits = (query.conditions as Condition[]).some(
          (c) =>
            c.steps.length === 0 &&
            (c.op === '=' || c.op === '?=') &&
            (c.field === 'uuid' || indexes[table]!.includes(c.field as 's')),
        )
        if (fits) expect(result.explain.access).not.toBe('scan')
      },
    ),
    { numRuns: 5000 },
  )
}, 60_000)
