/**
 * One recovery in a process of its own. `raw`: read the segments, test the CRC, parse, put rows into Maps and 4 indexes; what
 * any store over these bytes has to do at least. `store`: the controller's own.
 */
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { crc32 } from 'node:zlib'
import { tables } from '../../../controller/src/engine/tables.ts'
import { openStore, realDisk } from '../../../controller/src/store/index.ts'
import type { Commit, Row } from '../../../packages/contract/src/index.ts'

const INDEXED = 4

class Indexed {
  readonly rows = new Map<string, Row>()
  readonly #indexes: [string, Map<unknown, string | Set<string>>][]

  constructor(fields: readonly string[]) {
    this.#indexes = fields.slice(0, INDEXED).map((field) => [field, new Map()])
  }

  put(key: string, row: Row): void {
    this.rows.set(key, row)
    for (const [field, buckets] of this.#indexes) {
      const keys = buckets.get(row[field])
      if (keys === undefined) buckets.set(row[field], key)
      else if (typeof keys === 'string') buckets.set(row[field], new Set([keys, key]))
      else keys.add(key)
    }
  }
}

function raw(dir: string): number {
  const graph = new Map<string, Indexed>()
  for (const file of readdirSync(dir)
    .filter((name) => name.endsWith('.seg'))
    .sort()) {
    const bytes = readFileSync(join(dir, file))
    for (let at = 0; at < bytes.length; ) {
      const end = at + 8 + bytes.readUInt32LE(at)
      const payload = bytes.subarray(at + 8, end)
      if (crc32(payload) !== bytes.readUInt32LE(at + 4)) throw new Error(`a damaged record in ${file} at ${at}`)
      for (const op of (JSON.parse(payload.toString('utf8')) as { commit: Commit }).commit.ops) {
        if (op.o !== 'put') continue
        let table = graph.get(op.t)
        if (!table) graph.set(op.t, (table = new Indexed(tables[op.t]?.indexes ?? [])))
        table.put(op.k, op.v)
      }
      at = end
    }
  }
  return [...graph.values()].reduce((sum, table) => sum + table.rows.size, 0)
}

async function store(dir: string): Promise<number> {
  const opened = await openStore({
    dir,
    disk: realDisk,
    tables,
    clock: Date.now,
    newId: () => '0'.repeat(32),
    limits: { reserveBytes: 0 },
  })
  return opened.graph.tableNames().reduce((sum, name) => sum + opened.graph.count(name), 0)
}

process.on('message', async ({ dir, mode }: { dir: string; mode: 'raw' | 'store' }) => {
  const before = process.cpuUsage()
  const began = performance.now()
  try {
    const rows = mode === 'raw' ? raw(dir) : await store(dir)
    const { user, system } = process.cpuUsage(before)
    process.send?.({ ms: performance.now() - began, cpuMs: (user + system) / 1000, rows })
  } catch (error) {
    process.send?.({ error: String(error) })
  }
})
