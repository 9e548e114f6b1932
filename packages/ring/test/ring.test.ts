import { createHash } from 'node:crypto'
import { describe, expect, it } from 'vitest'
import { moved, owner } from '../src/index.ts'

const id = (seed: string) => createHash('md5').update(seed).digest('hex')
const keys = Array.from({ length: 100_000 }, (_, i) => id(`key ${i}`))
const members = Array.from({ length: 10 }, (_, i) => id(`member ${i}`))

function spread(list: readonly string[], of: readonly string[]): number {
  const counts = new Map<string, number>()
  for (const key of of) counts.set(owner(list, key)!, (counts.get(owner(list, key)!) ?? 0) + 1)
  expect(counts.size).toBe(list.length)
  return Math.max(...counts.values()) / (of.length / list.length)
}

describe('ring', () => {
  it('shares 100,000 uuids between 10 members within 5 percent of the mean', () => {
    expect(spread(members, keys)).toBeLessThanOrEqual(1.05)
  })

  it('shares evenly also when names and keys differ in one character only', () => {
    expect(
      spread(
        ['a', 'b', 'c'],
        Array.from({ length: 100_000 }, (_, i) => `${i}`),
      ),
    ).toBeLessThanOrEqual(1.05)
  })

  it('moves to a joining member only what it owns, about its share', () => {
    const more = [...members, id('newcomer')]
    const moves = moved(members, more, keys)
    expect(moves.every((move) => move.to === id('newcomer'))).toBe(true)
    expect(moves.length / keys.length).toBeCloseTo(1 / 11, 2)
  })

  it('moves from a leaving member only what it owned', () => {
    const gone = members[3]
    const moves = moved(
      members,
      members.filter((member) => member !== gone),
      keys,
    )
    expect(moves.every((move) => move.from === gone)).toBe(true)
    expect(moves.length).toBe(keys.filter((key) => owner(members, key) === gone).length)
  })

  it('gives the same owner whatever the order of members, and none without members', () => {
    const shuffled = [...members].reverse()
    expect(keys.slice(0, 1000).every((key) => owner(members, key) === owner(shuffled, key))).toBe(true)
    expect(owner([], 'x')).toBeUndefined()
  })

  it('never changes: owners of fixed keys are part of how clusters of mixed releases agree', () => {
    expect(['x', 'y', 'z', '0'.repeat(32)].map((key) => owner(['a', 'b', 'c'], key))).toMatchInlineSnapshot(`
      [
        "a",
        "b",
        "c",
        "c",
      ]
    `)
  })
})
