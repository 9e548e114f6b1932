/** Inventories side by side: what differs, in words. */
import type { Graph } from '@skerry/graph'

/** Up to `limit` lines like `hosts.h1.domains: "a" instead of nothing`; empty when the two are the same. Values as JSON; lists keep their order. */
export function differences(want: unknown, have: unknown, limit = 8): string[] {
  const found: string[] = []
  compare(want, have, { path: '', found })
  return found.length > limit ? [...found.slice(0, limit), `… and ${found.length - limit} more`] : found
}

function compare(want: unknown, have: unknown, at: { path: string; found: string[] }): void {
  if (want === have) return
  const a = parts(want)
  const b = parts(have)
  if (a === undefined || b === undefined || Array.isArray(want) !== Array.isArray(have)) {
    if (shown(want) !== shown(have)) at.found.push(`${at.path || 'all'}: ${shown(have)} instead of ${shown(want)}`)
    return
  }
  for (const key of [...new Set([...a.keys(), ...b.keys()])].sort())
    compare(a.get(key), b.get(key), { ...at, path: at.path ? `${at.path}.${key}` : key })
}

/** The parts of a list, object, Map or Set by name; undefined for a scalar. */
function parts(value: unknown): Map<string, unknown> | undefined {
  if (value === null || typeof value !== 'object') return undefined
  if (value instanceof Map) return new Map([...value].map(([key, part]) => [String(key), part]))
  if (value instanceof Set) return new Map([...value].map((part) => [shown(part), true]))
  // A field that is undefined counts as absent, as in JSON.
  return new Map(Object.entries(value).filter(([, part]) => part !== undefined))
}

function shown(value: unknown): string {
  const plain = (part: unknown): unknown => (part instanceof Map || part instanceof Set ? [...part] : part)
  return value === undefined ? 'nothing' : (JSON.stringify(value, (_, part) => plain(part)) ?? String(value))
}

/**
 * The inventory with every uuid replaced by `<id>`, and lists and objects sorted: for worlds that make random ids, where two
 * runs are equal but for those. Give it to `prove` as `ignore`. It no longer tells which object differs, only that one does.
 */
export function maskIds(inventory: unknown): unknown {
  if (typeof inventory === 'string') return inventory.replace(/\b[0-9a-f]{32}\b/g, '<id>')
  const found = parts(inventory)
  if (found === undefined) return inventory
  const sorted = (rows: unknown[]) => rows.map((row) => [JSON.stringify(row), row] as const).sort(([a], [b]) => (a < b ? -1 : 1))
  if (Array.isArray(inventory)) return sorted(inventory.map(maskIds)).map(([, row]) => row)
  return sorted([...found].map(([key, part]) => [maskIds(key), maskIds(part)])).map(([, row]) => row)
}

/** Every row of the graph by table and key, for `inventory()`. Tables without rows don't show: an undo can empty one, but not remove it. */
export function graphInventory(graph: Pick<Graph, 'tableNames' | 'rows' | 'count'>): Record<string, Record<string, unknown>> {
  const tables = graph.tableNames().filter((table) => graph.count(table) > 0)
  return Object.fromEntries(tables.map((table) => [table, Object.fromEntries(graph.rows(table))]))
}
