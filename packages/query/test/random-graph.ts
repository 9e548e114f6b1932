/** Random rows of every resource of the contract, tied to each other at random; all from one seed. */
import { type Resource, type Row, tableOf } from '@skerry/contract'
import { Graph } from '@skerry/graph'
import { all, fieldsOf, type Rows } from './naive.ts'

/** Numbers from 0 up to 1, the same for the same seed (mulberry32). */
export function randomOf(seed: number) {
  let state = seed >>> 0
  const next = () => {
    state = (state + 0x6d2b79f5) >>> 0
    let t = Math.imul(state ^ (state >>> 15), state | 1)
    t = (t + Math.imul(t ^ (t >>> 7), t | 61)) ^ t
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32
  }
  return {
    next,
    below: (n: number) => Math.floor(next() * n),
    of: <T>(list: readonly T[]): T => list[Math.floor(next() * list.length)]!,
  }
}
export type Random = ReturnType<typeof randomOf>

/** Few, so that they meet: with each other, with patterns, with letters of another case. */
export const words = ['x', 'X', 'xy', 'yx', 'Running', '']
const ROWS = 5

const uuidOf = (resource: string, n: number) => `${resource}-${n}`

export function fieldValue(random: Random, kind: string): unknown {
  if (kind === 'number' || kind === 'time') return random.below(4)
  if (kind === 'boolean') return random.next() < 0.5
  if (kind === 'list') return Array.from({ length: random.below(3) }, () => random.of(words))
  return random.of(words)
}

function randomRow(random: Random, resource: Resource, n: number): Row {
  const row: Row = { uuid: uuidOf(resource.name, n) }
  for (const [field, kind] of Object.entries(fieldsOf(resource)))
    if (field !== 'uuid' && random.next() < 0.8) row[field] = random.next() < 0.1 ? null : fieldValue(random, kind)
  for (const edge of Object.values(resource.edges)) {
    const one = () => uuidOf(edge.to, random.below(ROWS))
    row[edge.via] = edge.list ? [...new Set([one(), one()].slice(random.below(3)))] : random.next() < 0.15 ? null : one()
  }
  return row
}

/** Rows of all tables. Tags of both kinds lie in one table, on any row. */
export function randomRows(random: Random): Rows {
  const rows: Rows = {}
  for (const resource of all) {
    const table = (rows[tableOf(resource)] ??= {})
    for (let n = 0; n < ROWS; n++) {
      const row = randomRow(random, resource, n)
      const only = resource.rows?.where
      if (only) Object.assign(row, { [only.field]: only.is, resourceUuid: uuidOf(random.of(all).name, random.below(ROWS)) })
      // A table with another key than its uuid has an index of uuids.
      table[resource.indexes.includes('uuid') ? `key-${n}` : (row['uuid'] as string)] = row
    }
  }
  return rows
}

/** The rows in a graph with the indexes that the contract asks for. */
export function graphOf(rows: Rows): Graph {
  const tables = all.filter((resource) => tableOf(resource) === resource.name)
  const graph = new Graph(Object.fromEntries(tables.map(({ name, indexes }) => [name, { indexes }])))
  const ops = Object.entries(rows).flatMap(([t, of]) =>
    Object.entries(of).map(([k, v]) => ({ o: 'put' as const, t, k, v: { ...v } })),
  )
  graph.apply({ ops }, 1)
  return graph
}
