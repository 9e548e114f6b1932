/** A real ext4 whose journal is aborted under a writer: what a sync was said to have kept is there after the repair. */
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { realDisk } from '@skerry/controller/in-process'
import { requireOrSkip } from '@skerry/testkit'
import { expect, it } from 'vitest'
import { sleep } from '../harness/site.ts'
import { smallDisk } from '../harness/small-disk.ts'

const can = requireOrSkip('ext4 that aborts', { root: true, programs: ['mkfs.ext4', 'e2fsck'] })
/** Of as many, a quarter lose a record when the sync alone is believed. */
const ROUNDS = 16
const SMALL_MIB = 40
const record = (n: number) => Buffer.from(`${String(n).padStart(8, '0').repeat(25)}\n`)

/** Records one after the other until the file system refuses; how many were synced, and with what it ended. */
async function writeOn(path: string, begun: () => void): Promise<{ synced: number; error: unknown }> {
  const file = await realDisk.openWitnessed(path, 'create')
  let synced = 0
  try {
    for (let at = 0; ; at += record(synced).length) {
      await file.write(at, record(synced))
      await file.sync()
      synced += 1
      begun()
    }
  } catch (error) {
    return { synced, error }
  } finally {
    await file.close()
  }
}

it.runIf(can)('a record that was synced is not lost when the journal is aborted', async () => {
  for (let round = 0; round < ROUNDS; round++) {
    const disk = await smallDisk('ext4', SMALL_MIB)
    try {
      const path = join(disk.dir, 'log')
      let ended: ReturnType<typeof writeOn> | undefined
      await new Promise<void>((begun) => {
        ended = writeOn(path, begun)
      })
      await sleep(3 * round)
      await disk.abort()
      const { synced, error } = await ended!
      expect(error).toMatchObject({ code: expect.stringMatching(/^(EROFS|EIO)$/) })
      await disk.repair()
      const kept = await readFile(path)
      const wanted = Buffer.concat(Array.from({ length: synced }, (_, n) => record(n)))
      expect(kept.subarray(0, wanted.length).equals(wanted), `round ${round}: ${synced} synced, ${kept.length} bytes kept`).toBe(
        true,
      )
    } finally {
      await disk.remove()
    }
  }
})
