/** A folder of the log made from rows: what a restore begins with. The store then opens it like any other. */
import type { Row } from '@skerry/contract'
import type { Disk } from './disk.ts'
import { openDocument } from './document.ts'
import type { Manifest } from './open.ts'
import { FIRST_PREV } from './record.ts'
import { segmentName } from './segments.ts'
import { LineBuffer, type SnapshotHeader, snapshotName } from './snapshot.ts'

export interface RowGroup {
  t: string
  rows: [key: string, version: number, row: Row][]
}

const WRITE_BYTES = 256 * 1024

/** Writes a snapshot as of `header.seq`, an empty log behind it and the manifest into a new folder, and syncs them. */
export async function layDown(
  disk: Disk,
  dir: string,
  header: Omit<SnapshotHeader, 'hash'>,
  groups: AsyncIterable<RowGroup>,
): Promise<void> {
  await disk.mkdir(dir)
  const file = await disk.open(`${dir}/${snapshotName(header.seq)}`, 'create')
  try {
    let at = 0
    const lines = new LineBuffer()
    lines.add({ ...header, hash: FIRST_PREV })
    let rows = 0
    const flush = async () => {
      const bytes = lines.take()
      await file.write(at, bytes)
      at += bytes.length
    }
    for await (const group of groups) {
      lines.add(group)
      rows += group.rows.length
      if (lines.length >= WRITE_BYTES) await flush()
    }
    lines.add({ end: rows })
    await flush()
    await file.sync()
  } finally {
    await file.close()
  }
  const log = await disk.open(`${dir}/${segmentName(header.seq + 1)}`, 'create')
  await log.sync().finally(() => log.close())
  const manifest: Manifest = { format: 1, incarnation: header.incarnation, durable: header.seq }
  await (await openDocument(disk, `${dir}/manifest.json`, manifest)).low.write()
  await disk.syncDir(dir)
}
