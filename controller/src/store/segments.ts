/** The log's files on disk: their names, their order, and reading records out of them. */
import type { Commit } from '@skerry/contract'
import { CONTRACT_VERSION, migrations, SkerryError } from '@skerry/contract'
import { type Disk, type DiskFile, errno } from './disk.ts'
import { FRAME_BYTES, frameEnd, type LogRecord, MAX_PAYLOAD, parseFrame, survivors } from './record.ts'

export interface Segment {
  /** File name inside the log's folder. */
  file: string
  /** seq of its first record, also of one that is still to be written. */
  first: number
  bytes: number
}

/** [format] A segment is named by the seq of its first record. */
export const segmentName = (first: number) => `log-${String(first).padStart(15, '0')}.seg`
const SEGMENT = /^log-(\d{15})\.seg$/

export async function listSegments(disk: Disk, dir: string): Promise<Segment[]> {
  const segments: Segment[] = []
  for (const file of (await disk.list(dir)).sort()) {
    const first = SEGMENT.exec(file)?.[1]
    if (first === undefined) continue
    const opened = await disk.open(`${dir}/${file}`, 'read')
    segments.push({ file, first: Number(first), bytes: await opened.size() })
    await opened.close()
  }
  return segments
}

/** The commit in today's contract version. Throws `log-newer` for a record of a newer one. */
export function upcast(record: Pick<LogRecord, 'contract' | 'seq' | 'commit'>): Commit {
  if (record.contract === CONTRACT_VERSION) return record.commit
  if (!(record.contract <= CONTRACT_VERSION)) {
    const message = `commit ${record.seq} was written by contract version ${record.contract}; this controller knows up to ${CONTRACT_VERSION}`
    throw new SkerryError('log-newer', message, { seq: record.seq, contract: record.contract, known: CONTRACT_VERSION })
  }
  let commit = record.commit
  for (let version = record.contract; version < CONTRACT_VERSION; version++) {
    const lift = migrations[version]
    if (!lift) throw new SkerryError('internal', `no migration from contract version ${version}`, { contract: version })
    commit = lift(commit)
  }
  return commit
}

const WINDOW = 1024 * 1024

/** Bytes from `start` that hold at least one whole frame, where the file has one. */
async function window(file: DiskFile, start: number): Promise<Buffer> {
  const bytes = await file.read(start, WINDOW)
  const length = bytes.length < FRAME_BYTES ? 0 : bytes.readUInt32LE(0)
  return FRAME_BYTES + length > bytes.length && length <= MAX_PAYLOAD ? file.read(start, FRAME_BYTES + length) : bytes
}

/** Offset of the record `seq` somewhere behind `start`. */
async function findRecord(file: DiskFile, start: number, seq: number): Promise<number | undefined> {
  const rest = await file.read(start, (await file.size()) - start)
  for (const { record, at } of survivors(rest, 0)) if (record.seq === seq) return start + at
  return undefined
}

/** Records `from` to `to` of one segment, read in windows; `to` must be durable. */
export async function* readSegment(
  disk: Disk,
  dir: string,
  segment: Segment,
  range: { from: number; to: number },
): AsyncGenerator<LogRecord> {
  const file = await openSegment(disk, dir, segment)
  try {
    let start = 0
    let bytes = await window(file, start)
    let at = 0
    for (let seq = segment.first; seq <= range.to; seq++) {
      let end = frameEnd(bytes, at)
      if (end === undefined) {
        // Perhaps only the window ends here.
        start += at
        at = 0
        bytes = await window(file, start)
        end = frameEnd(bytes, at)
      }
      if (end === undefined) {
        // Damage to records that nobody asks for doesn't keep those behind it from being read.
        const behind = seq < range.from ? await findRecord(file, start, range.from) : undefined
        if (behind === undefined) throw damaged(segment, start, seq)
        seq = range.from
        start = behind
        bytes = await window(file, start)
        end = frameEnd(bytes, at)!
      }
      if (seq >= range.from) yield parseFrame(bytes, at, end)
      at = end
    }
  } finally {
    await file.close()
  }
}

async function openSegment(disk: Disk, dir: string, segment: Segment) {
  try {
    return await disk.open(`${dir}/${segment.file}`, 'read')
  } catch (thrown) {
    if (errno(thrown) === 'ENOENT') throw pruned(segment.first)
    throw thrown
  }
}

/** What HTTP answers with 410: the history up to here was dropped. */
export const pruned = (seq: number) => new SkerryError('history-gone', `the history at ${seq} has been dropped`, { seq })

/** A record that was acknowledged cannot be read. */
export const damaged = (segment: Segment, offset: number, seq: number, details: Record<string, unknown> = {}) =>
  new SkerryError('log-corrupt', `cannot read commit ${seq} of the log`, { file: segment.file, offset, seq, ...details })
