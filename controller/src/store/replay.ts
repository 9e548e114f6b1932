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
  lastHash: string
  /** End of the good records in the last segment. */
  position: number
  durable: number
  torn?: { file: string; offset: number; bytes: number }
  corrupt?: Failure
  /** Good records at the end of the last segment that nobody calls durable yet. */
  tail: { at: number; bytes: Buffer }
}

/** What one segment gave. `bad` is the offset of the first thing that is no record. */
interface Scan {
  bytes: Buffer
  end: number
  bad: boolean
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
    this.out = { replayed: 0, lastHash: start.hash, position: 0, durable: start.durable, tail: { at: 0, bytes: Buffer.alloc(0) } }
    this.base = start.seq
  }
  /** The snapshot's seq: records up to it are stepped over. */
  private readonly base: number
  private seq = 0

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
      else this.out.tail = unattested(scan, segment.first, this.out.durable)
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
    const file = await this.disk.open(`${this.dir}/${segment.file}`, 'read')
    const bytes = await file.read(0, segment.bytes)
    await file.close()
    let at = 0
    let lastStart = -1
    for (let end = frameEnd(bytes, at); end !== undefined; end = frameEnd(bytes, at)) {
      if (!this.record(segment, bytes, at, end)) break
      lastStart = at
      at = end
    }
    if (lastStart >= 0 && this.seq >= this.base) this.out.lastHash = recordHash(bytes.subarray(lastStart, at))
    return { bytes, end: at, bad: at < bytes.length }
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
      if (recordHash(bytes.subarray(at, end)) !== this.out.lastHash)
        this.fail(damaged(segment, at, seq, { because: 'the snapshot is of another history' }))
      return true
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
    return true
  }

  private judge(segment: Segment, scan: Scan): void {
    for (const survivor of survivors(scan.bytes, scan.end)) this.out.durable = Math.max(this.out.durable, survivor.durable)
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
function unattested(scan: Scan, first: number, durable: number): Replayed['tail'] {
  let at = 0
  for (let seq = first; seq <= durable && at < scan.end; seq++) at += FRAME_BYTES + scan.bytes.readUInt32LE(at)
  return { at, bytes: Buffer.from(scan.bytes.subarray(at, scan.end)) }
}

/** Applies the segments' records after `start.seq` to the graph. Never throws for damage: that is in `corrupt` and `torn`. */
export function replay(
  disk: Disk,
  dir: string,
  graph: Graph,
  options: { segments: readonly Segment[]; start: ReplayStart },
): Promise<Replayed> {
  return new Replay(disk, dir, graph, options.start).run(options.segments)
}

export const EMPTY: ReplayStart = { seq: 0, hash: FIRST_PREV, durable: 0 }
