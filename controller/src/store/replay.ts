/**
 * Rebuilding the graph from segments, and the judgement over damage: what some later record, snapshot or the manifest
 * calls durable was acknowledged, so its damage is corruption; anything after that is the torn end of an unfinished write.
 */
import { type SkerryError as Failure, SkerryError } from '@skerry/contract'
import type { Graph } from '@skerry/graph'
import type { Disk } from './disk.ts'
import { FIRST_PREV, FRAME_BYTES, frameEnd, parseFrame, recordHash, survivors } from './record.ts'
import { damaged, type Segment, upcast } from './segments.ts'

export interface ReplayStart {
  /** What the graph already holds (a snapshot), and the hash of that record. */
  seq: number
  hash: string
  /** Known to be durable from elsewhere. */
  durable: number
}

export interface Replayed {
  replayed: number
  /** Wall clock of the newest commit that was applied; absent when none was. */
  at?: number
  /** The last record that was read, or stepped over because the snapshot covers it. */
  seq: number
  lastHash: string
  /** End of the good records in the last segment. */
  position: number
  durable: number
  torn?: { file: string; offset: number; bytes: number }
  corrupt?: Failure
  /** Damage before `start.seq`, which the graph does not depend on. */
  history?: Failure
  /** Good records at the end of the last segment that nobody calls durable yet. */
  tail: { at: number; bytes: Buffer }
}

/** What one segment gave. `bad`: something that is no record stands at `end`. */
interface Scan {
  bytes: Buffer
  end: number
  bad: boolean
  /** Where it was read from: its first record, or the one behind damage that nobody needs. */
  from: { at: number; seq: number }
}

class Replay {
  private readonly disk: Disk
  private readonly dir: string
  private readonly graph: Graph
  readonly out: Replayed

  constructor(disk: Disk, dir: string, graph: Graph, start: ReplayStart) {
    this.disk = disk
    this.dir = dir
    this.graph = graph
    this.out = {
      replayed: 0,
      seq: 0,
      lastHash: start.hash,
      position: 0,
      durable: start.durable,
      tail: { at: 0, bytes: Buffer.alloc(0) },
    }
    this.base = start.seq
  }
  /** The snapshot's seq: records up to it are stepped over. */
  private readonly base: number
  seq = 0

  async run(segments: readonly Segment[]): Promise<Replayed> {
    const needed = segments.filter((_, i) => (segments[i + 1]?.first ?? Number.POSITIVE_INFINITY) > this.base)
    this.seq = (needed[0]?.first ?? 1) - 1
    if (needed[0] && this.seq > this.base)
      return this.fail(damaged(needed[0], 0, this.base + 1, { because: 'the beginning of the log is missing' }))
    for (const [i, segment] of needed.entries()) {
      if (segment.first !== this.seq + 1)
        return this.fail(damaged(segment, 0, this.seq + 1, { because: 'records between two segments are missing' }))
      const scan = await this.segment(segment)
      if (this.out.corrupt) return this.out
      this.out.position = scan.end
      const next = needed[i + 1]
      if (next) this.out.durable = Math.max(this.out.durable, next.first - 1)
      else this.out.tail = unattested(scan, this.out.durable)
      if (scan.bad) {
        this.judge(segment, scan)
        return this.out
      }
    }
    const last = segments.at(-1)
    if (this.seq < this.out.durable) {
      const where = last ?? { file: 'log', first: 1, bytes: 0 }
      return this.fail(
        damaged(where, this.out.position, this.seq + 1, { durable: this.out.durable, because: 'the end of the log is missing' }),
      )
    }
    return this.out
  }

  private async segment(segment: Segment): Promise<Scan> {
    const bytes = await this.contentOf(segment)
    const scan: Scan = { bytes, end: 0, bad: false, from: { at: 0, seq: segment.first } }
    let lastStart = -1
    for (;;) {
      for (let end = frameEnd(bytes, scan.end); end !== undefined; end = frameEnd(bytes, scan.end)) {
        if (!this.record(segment, bytes, scan.end, end)) break
        lastStart = scan.end
        scan.end = end
      }
      scan.bad = scan.end < bytes.length
      if (!scan.bad || this.out.corrupt || !this.stepOver(segment, scan)) break
    }
    if (lastStart >= 0 && this.seq >= this.base) this.out.lastHash = recordHash(bytes.subarray(lastStart, scan.end))
    return scan
  }

  private async contentOf(segment: Segment): Promise<Buffer> {
    try {
      const file = await this.disk.open(`${this.dir}/${segment.file}`, 'read')
      try {
        return await file.read(0, segment.bytes)
      } finally {
        await file.close()
      }
    } catch (cause) {
      const { message } = damaged(segment, 0, this.seq + 1)
      this.fail(new SkerryError('log-corrupt', message, { file: segment.file, offset: 0, seq: this.seq + 1 }, { cause }))
      return Buffer.alloc(0)
    }
  }

  /** Damage before the snapshot's own record is only history: goes on behind it where the snapshot is tied to the log. */
  private stepOver(segment: Segment, scan: Scan): boolean {
    if (this.seq >= this.base) return false
    for (const { record, at } of survivors(scan.bytes, scan.end)) {
      const tied =
        record.seq === this.base
          ? recordHash(scan.bytes.subarray(at, frameEnd(scan.bytes, at))) === this.out.lastHash
          : record.seq === this.base + 1 && record.prev === this.out.lastHash
      if (!tied) continue
      this.out.history ??= damaged(segment, scan.end, this.seq + 1, { history: true })
      this.seq = record.seq - 1
      scan.end = at
      scan.from = { at, seq: record.seq }
      return true
    }
    return false
  }

  /** One good frame; false when it cannot be the next record. */
  private record(segment: Segment, bytes: Buffer, at: number, end: number): boolean {
    const seq = this.seq + 1
    if (seq < this.base) {
      this.seq = seq
      return true
    }
    if (seq === this.base) {
      this.seq = seq
      if (recordHash(bytes.subarray(at, end)) === this.out.lastHash) return true
      this.fail(damaged(segment, at, seq, { because: 'the snapshot is of another history' }))
      return false
    }
    const record = parseFrame(bytes, at, end)
    if (record.seq !== seq) return false
    // The chain is compared where files meet; inside a file the CRC and the seq vouch for the order.
    if (at === 0 && (this.out.replayed > 0 || this.base === seq - 1) && record.prev !== this.out.lastHash) return false
    const commit = upcast(record)
    try {
      this.graph.apply(commit, seq)
    } catch (cause) {
      this.fail(new SkerryError('log-corrupt', `cannot apply commit ${seq}`, { file: segment.file, offset: at, seq }, { cause }))
      return false
    }
    this.seq = seq
    this.graph.incarnation = Math.max(this.graph.incarnation, record.incarnation)
    this.graph.epoch = Math.max(this.graph.epoch, record.epoch)
    if (record.durable > this.out.durable) this.out.durable = record.durable
    this.out.replayed++
    this.out.at = commit.at
    return true
  }

  private judge(segment: Segment, scan: Scan): void {
    for (const { record } of survivors(scan.bytes, scan.end)) this.out.durable = Math.max(this.out.durable, record.durable)
    if (this.seq < this.out.durable) {
      this.fail(damaged(segment, scan.end, this.seq + 1, { durable: this.out.durable }))
      return
    }
    this.out.torn = { file: segment.file, offset: scan.end, bytes: scan.bytes.length - scan.end }
  }

  private fail(error: Failure): Replayed {
    this.out.corrupt = error
    return this.out
  }
}

/** The bytes of the good records after the durable mark. They are written once more before anything is built on them: after a failed fsync the page cache may hold what the disk doesn't. */
function unattested(scan: Scan, durable: number): Replayed['tail'] {
  let { at } = scan.from
  for (let { seq } = scan.from; seq <= durable && at < scan.end; seq++) at += FRAME_BYTES + scan.bytes.readUInt32LE(at)
  return { at, bytes: Buffer.from(scan.bytes.subarray(at, scan.end)) }
}

/** Applies the segments' records after `start.seq` to the graph. Never throws for damage: that is in `corrupt` and `torn`. */
export function replay(
  disk: Disk,
  dir: string,
  graph: Graph,
  options: { segments: readonly Segment[]; start: ReplayStart },
): Promise<Replayed> {
  const replaying = new Replay(disk, dir, graph, options.start)
  return replaying.run(options.segments).then((out) => ({ ...out, seq: replaying.seq }))
}

export const EMPTY: ReplayStart = { seq: 0, hash: FIRST_PREV, durable: 0 }
