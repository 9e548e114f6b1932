/**
 * One copy of each repeated string. JSON.parse makes a new string for every occurrence of a uuid or a state name; a million
 * rows that point at the same hosts, zones and offerings would keep a million copies.
 */
import type { Row } from '@skerry/contract'

/** Longer strings (descriptions, addresses of documents) hardly ever repeat. */
const MAX_LENGTH = 40
/** When full the pool is emptied: copies already shared stay shared through their rows, and memory stays bounded. */
const MAX_ENTRIES = 131_072

const pool = new Map<string, string>()

/** The shared copy of a string. */
export function internString(value: string): string {
  if (value.length > MAX_LENGTH) return value
  const known = pool.get(value)
  if (known !== undefined) return known
  if (pool.size >= MAX_ENTRIES) pool.clear()
  pool.set(value, value)
  return value
}

/** Begins with an empty pool: for who measures memory, and must not take a pool that fills up for a leak. */
export function emptyInternPool(): void {
  pool.clear()
}

/** Replaces, in place, the strings of a row and of its lists by their shared copies; `key` is the row's own key. */
export function internRow(row: Row, key: string): Row {
  for (const field in row) {
    const value = row[field]
    if (typeof value === 'string') {
      if (value === key) row[field] = key
      else if (value.length <= MAX_LENGTH) row[field] = internString(value)
    } else if (Array.isArray(value)) {
      for (let i = 0; i < value.length; i++) if (typeof value[i] === 'string') value[i] = internString(value[i])
    }
  }
  return row
}
