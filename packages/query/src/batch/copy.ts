/** Copies between a script and the site, no larger and deeper than they may be. They yield now and then. */
import { Callable, isMap, Moment, newMap, wrong } from './values.ts'

/** What is left of it. */
export interface Allowance {
  values: number
  characters: number
  /** In errors: what must not be more. */
  what: string
}

export const allowance = (what: string): Allowance => ({ values: 1_000_000, characters: 64 * 1024 * 1024, what })

const MAX_DEPTH = 64
const STRIDE = 256

/**
 * A copy whose maps have no prototype; times stay `Moment`s, what is undefined becomes null. `bare`: without the nulls of maps. A list that
 * stands in itself is deeper than anything may be.
 */
export function* copied(value: unknown, left: Allowance, bare = false, depth = 0): Generator<undefined, unknown> {
  if (--left.values < 0) throw wrong(`there are too many values in ${left.what}`)
  if (left.values % STRIDE === 0) yield undefined
  if (depth > MAX_DEPTH) throw wrong(`${left.what} may be at most ${MAX_DEPTH} levels deep`)
  if (typeof value === 'string' && (left.characters -= value.length) < 0)
    throw wrong(`there are too many characters in ${left.what}`)
  if (value instanceof Callable) throw wrong(`a closure can't stand in ${left.what}`)
  if (Array.isArray(value)) {
    const list: unknown[] = []
    for (const one of value) list.push(yield* copied(one, left, bare, depth + 1))
    return list
  }
  if (value === undefined) return null
  if (typeof value !== 'object' || value === null || value instanceof Moment) return value
  const map = newMap()
  for (const [key, one] of Object.entries(value)) {
    left.characters -= key.length
    if (!bare || (one !== null && one !== undefined)) map[key] = yield* copied(one, left, bare, depth + 1)
  }
  return map
}

/** How much work it is to go through a value once. */
export function sizeOf(value: unknown): number {
  if (Array.isArray(value)) return value.length
  if (isMap(value)) return Object.keys(value).length
  return typeof value === 'string' ? value.length / 64 : 0
}
