/** A process that writes to a store on the real disk until it is killed, printing each acknowledged seq. For store-kill.test.ts. */
import { randomUUID } from 'node:crypto'
import { writeSync } from 'node:fs'
import { realDisk } from '../src/store/disk.ts'
import { openStore } from '../src/store/store.ts'

const store = await openStore({
  dir: process.argv[2]!,
  disk: realDisk,
  tables: {},
  clock: Date.now,
  newId: () => randomUUID().replaceAll('-', ''),
  limits: { segmentBytes: 64 * 1024, reserveBytes: 1024 * 1024 },
})
for (;;) {
  const group = Array.from({ length: 16 }, () => {
    const n = store.graph.seq + 1
    return store
      .commit({ ops: [{ o: 'put', t: 'vm', k: `${n}`, v: { n, x: 'x'.repeat(100) } }] }, { actor: 'system' })
      .then(({ seq }) => writeSync(1, `${seq}\n`))
  })
  await Promise.all(group)
}
