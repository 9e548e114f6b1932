import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import type { Row } from '@skerry/contract'
import { expect, test, vi } from 'vitest'
import { RecentRows } from '../src/inventory/recent-rows.ts'

/** In a function of its own, whose frame holds nothing any more when it has ended. */
function madeAndFound(recent: RecentRows<Row>): { made: WeakRef<Row>; found: boolean } {
  const row: Row = { uuid: 'a' }
  const made = recent.add(row, { of: 'a' })
  return { made: new WeakRef(made), found: recent.get(row) === made }
}

test('what was made of a row is found again, and goes with the row', async () => {
  setFlagsFromString('--expose-gc')
  const gc = runInNewContext('gc') as () => void
  const recent = new RecentRows<Row>()
  const { made, found } = madeAndFound(recent)
  expect(found).toBe(true)
  await vi.waitFor(() => {
    gc()
    expect(made.deref() === undefined).toBe(true)
  })
  expect(recent.get({ uuid: 'a' })).toBeUndefined()
})

test('what was made of very many rows since is forgotten', () => {
  const recent = new RecentRows<number>()
  const [first, rows] = [{ uuid: 'first' }, Array.from({ length: 20_001 }, (_, n) => ({ uuid: String(n) }))]
  recent.add(first, -1)
  for (const [n, row] of rows.entries()) recent.add(row, n)
  expect(recent.get(first)).toBeUndefined()
  expect(recent.get(rows.at(-1)!)).toBe(20_000)
})
