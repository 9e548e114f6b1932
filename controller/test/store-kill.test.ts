import { spawn } from 'node:child_process'
import { once } from 'node:events'
import fs from 'node:fs/promises'
import os from 'node:os'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import { expect, it } from 'vitest'
import { realDisk } from '../src/store/disk.ts'
import { openStore } from '../src/store/store.ts'

const WRITER = fileURLToPath(new URL('./store-writer.ts', import.meta.url))

/** Runs a writer and kills it -9 once it has acknowledged so many commits; gives the last acknowledged seq. */
async function killedAfter(dir: string, acknowledged: number): Promise<number> {
  const child = spawn(process.execPath, ['--import', 'tsx', WRITER, dir], { stdio: ['ignore', 'pipe', 'inherit'] })
  let text = ''
  let count = 0
  child.stdout.setEncoding('utf8').on('data', (chunk: string) => {
    text += chunk
    count += chunk.split('\n').length - 1
    if (count >= acknowledged) child.kill('SIGKILL')
  })
  const [, signal] = (await once(child, 'close')) as [number | null, string | null]
  expect(signal).toBe('SIGKILL')
  return Math.max(...text.split('\n').slice(0, -1).map(Number))
}

it('a writer killed by kill -9, three times over, loses no acknowledged commit', async () => {
  const dir = await fs.mkdtemp(path.join(os.tmpdir(), 'skerry-kill-'))
  try {
    for (const acknowledged of [50, 700, 2500]) {
      const last = await killedAfter(dir, acknowledged)
      const store = await openStore({
        dir,
        disk: realDisk,
        tables: {},
        clock: Date.now,
        newId: () => '',
        limits: { autoSnapshot: false, reserveBytes: 0 },
      })
      expect(store.recovery.corrupt).toBeUndefined()
      expect(store.graph.seq).toBeGreaterThanOrEqual(last)
      for (let n = 1; n <= store.graph.seq; n++) expect(store.graph.get('vm', `${n}`)?.n).toBe(n)
      await store.close()
    }
  } finally {
    await fs.rm(dir, { recursive: true })
  }
}, 60_000)
