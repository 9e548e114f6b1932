/** Chance for one request: the same for the same seed and number, whatever was drawn for others. */
import { seeded } from '../harness/seeded.ts'

export interface Chance {
  /** from 0 to below 1 */
  next(): number
  /** from 0 to below `n` */
  below(n: number): number
  /** true so often, of 1 */
  often(share: number): boolean
  pick<T>(list: readonly T[]): T
  /** one of the keys, as often as its weight says */
  weighed<T extends string>(weights: Readonly<Record<T, number>>): T
}

/** @param number of the request in the run of that seed */
export function chanceOf(seed: number, number: number): Chance {
  const next = seeded(Math.imul(seed, 0x9e3779b1) ^ Math.imul(number + 1, 0x85ebca6b))
  const below = (n: number) => Math.floor(next() * n)
  return {
    next,
    below,
    often: (share) => next() < share,
    pick: (list) => list[below(list.length)]!,
    weighed(weights) {
      const names = Object.keys(weights) as (keyof typeof weights)[]
      let left = next() * names.reduce((sum, name) => sum + weights[name], 0)
      return names.find((name) => (left -= weights[name]) < 0) ?? names[0]!
    },
  }
}
