/** The data set, written through the store's own interface. */
import type { Store } from '../../../controller/src/store/index.ts'
import type { Op } from '../../../packages/contract/src/index.ts'
import { dataset } from './dataset.ts'

const UNDER_WAY = 64

function* puts(rows: number): Generator<Op> {
  for (const [t, k, v] of dataset(rows)) yield { o: 'put', t, k, v }
}

/** The first of these operations. */
export function* firstRows(rows: number, count: number): Generator<Op> {
  for (const op of puts(rows)) {
    if (count-- <= 0) return
    yield op
  }
}

/** Durable when it resolves: that many rows, `each` of them a commit. */
export async function fill(store: Store, { rows, each }: { rows: number; each: number }): Promise<void> {
  let ops: Op[] = []
  let under: Promise<unknown>[] = []
  for (const op of puts(rows)) {
    ops.push(op)
    if (ops.length < each) continue
    under.push(store.commit({ ops }, { actor: 'system' }))
    ops = []
    if (under.length < UNDER_WAY) continue
    await Promise.all(under)
    under = []
  }
  if (ops.length > 0) under.push(store.commit({ ops }, { actor: 'system' }))
  await Promise.all(under)
}
