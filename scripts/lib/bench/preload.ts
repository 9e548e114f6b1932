/** Fills a state folder through the store's own interface. argv: --dir FOLDER --rows N [--each ROWS-PER-COMMIT] [--snapshot] [--hold]. */
import { randomUUID } from 'node:crypto'
import { parseArgs } from 'node:util'
import { tables } from '../../../controller/src/engine/tables.ts'
import { openStore, realDisk } from '../../../controller/src/store/index.ts'
import { fill } from './fill.ts'

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
await fill(store, { rows: Number(values.rows), each })
if (values.snapshot) await store.snapshot()
if (values.hold) {
  // The parent kills this process while a write may be under way: nothing is closed, nothing is noted.
  process.send?.({ ready: true })
  setInterval(() => undefined, 1000)
} else await store.close()
