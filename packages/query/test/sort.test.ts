/** What is sorted in steps is sorted as it would be at once, and the first of many are the first. */
import fc from 'fast-check'
import { expect, it } from 'vitest'
import { First, orderBy } from '../src/order.ts'
import { atOnce } from '../src/run.ts'
import { sorted } from '../src/sort.ts'

const numbers = fc.array(fc.nat(50), { maxLength: 3000, size: 'max' })

it('sorts as Array.sort does, equal ones in the order in which they stood', () =>
  fc.assert(
    fc.property(numbers, (all) => {
      const placed = all.map((value, i) => ({ value, i }))
      const order = (a: { value: number }, b: { value: number }) => a.value - b.value
      expect(atOnce(sorted(placed, order))).toEqual([...placed].sort(order))
    }),
    { numRuns: 60 },
  ))

it('does no more than a little between two steps', () => {
  let compared = 0
  let most = 0
  const order = (a: number, b: number) => {
    compared++
    return a - b
  }
  for (const _ of sorted(
    Array.from({ length: 50_000 }, (_, i) => (i * 7919) % 50_000),
    order,
  )) {
    most = Math.max(most, compared)
    compared = 0
  }
  expect(most).toBeLessThan(100)
})

it('keeps the first of many, whatever the order in which they come', () =>
  fc.assert(
    fc.property(numbers, fc.nat(40), (all, size) => {
      const order = orderBy([{ field: 'n', descending: true }])
      const found = all.map((n, i) => ({ key: String(i).padStart(5, '0'), row: { n, createDate: i % 3 } }))
      const first = new First(size, order)
      for (const one of found) first.add(one)
      expect(atOnce(first.result()).map(({ key }) => key)).toEqual([...found].sort(order).slice(0, size).map(({ key }) => key)) // biome-ignore format: one line
    }),
    { numRuns: 60 },
  ))
