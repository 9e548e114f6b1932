/** Fills a state folder through the store's own interface. argv: --dir FOLDER --rows N [--each ROWS-PER-COMMIT] [--snapshot] [--hold]. */
import { randomUUID } from 'node:crypto'
import { parseArgs } from 'node:util'
import { tables } from '../../../controller/src/engine/tables.ts'
import { openStore, realDisk } from '../../../controller/src/store/index.ts'
import type { Op } from '../../../packages/contract/src/index.ts'
import { dataset } from './dataset.ts'

const { values } = parseArgs({
  options: {
    dir: { type: 'string' },
    rows: { type: 'string' },
    each: { type: 'string' },
    snapshot: { type: 'boolean' },
    hold: { type: 'boolean' },
  },
})
const each = Number(values.each ?? 500)
const store = await openStore({
  dir: values.dir ?? '',
  disk: realDisk,
  tables,
  clock: Date.now,
  newId: () => randomUUID().replaceAll('-', ''),
  limits: { autoSnapshot: false, reserveBytes: 0 },
})
const UNDER_WAY = 64
let ops: Op[] = []
let under: Promise<unknown>[] = []
for (const [t, k, v] of dataset(Number(values.rows))) {
  ops.push({ o: 'put', t, k, v })
  if (ops.length < each) continue
  under.push(store.commit({ ops }, { actor: 'system' }))
  ops = []
  if (under.length < UNDER_WAY) continue
  await Promise.all(under)
  under = []
}
if (ops.length > 0) under.push(store.commit({ ops }, { actor: 'system' }))
await Promise.all(under)
if (values.snapshot) await store.snapshot()
if (values.hold) {
  // The parent kills this process while a write may be under way: nothing is closed, nothing is noted.
  process.send?.({ ready: true })
  setInterval(() => undefined, 1000)
} else await store.close()
