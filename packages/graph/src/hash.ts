/** State hash of the graph: a sum over rows, so the order of maps doesn't matter. */
import { createHash } from 'node:crypto'
import type { Entry } from './table.ts'

/** JSON with sorted keys, so that two rows with the same fields in another order are one. */
export function canonical(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map((element) => canonical(element ?? null)).join(',')}]`
  if (typeof value !== 'object' || value === null) return JSON.stringify(value ?? null)
  const fields = Object.entries(value).filter(([, field]) => field !== undefined)
  fields.sort(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0))
  return `{${fields.map(([key, field]) => `${JSON.stringify(key)}:${canonical(field)}`).join(',')}}`
}

/** 32 hex characters. */
export function stateHash(seq: number, entries: Iterable<[string, string, Entry]>): string {
  const lanes = new Uint32Array(4)
  for (const [table, key, { row, version }] of entries) {
    const digest = createHash('sha256')
      .update(`${table}\n${key}\n${version}\n${canonical(row)}`)
      .digest()
    for (let i = 0; i < 4; i++) lanes[i] = lanes[i]! + digest.readUInt32LE(i * 4)
  }
  return createHash('sha256')
    .update(`${seq}\n${lanes.join(',')}`)
    .digest('hex')
    .slice(0, 32)
}
