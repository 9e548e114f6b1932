/**
 * The writing end of the log: commits queue up, and one write and one fdatasync make the whole queue durable. It never
 * writes again after an error whose effect on the disk it cannot know. A disk without room is no such error: what is queued
 * waits for room, because memory holds it already.
 */
import type { Commit } from '@skerry/contract'
import { CONTRACT_VERSION, SkerryError } from '@skerry/contract'
import { type Disk, type DiskFile, isFull, writeFailure } from './disk.ts'
import { FrameWriter, payloadText, recordHash } from './record.ts'
import { type Segment, segmentName } from './segments.ts'
import type { Space } from './space.ts'

/** A commit that is in the graph already and waits for the disk. */
export interface Pending {
  seq: number
  incarnation: number
  epoch: number
  json: string
  commit: Commit
  resolve: (done: { seq: number; at: number }) => void
  reject: (error: SkerryError) => void
}

export interface LogOptions {
  disk: Disk
  dir: string
  space: Space
  segmentBytes: number
  /** All segments; the last is the one to write on, at `position`. */
  segments: Segment[]
  file: DiskFile
  durableSeq: number
  lastHash: string
  /** Called in seq order, before the commit's promise resolves. */
  onDurable: (commit: Commit, seq: number) => void
  /** A new segment was begun: `durable` may go into the manifest. */
  onRoll: (durable: number) => Promise<void>
  /** For errors that no commit waits for. */
  report: (error: unknown) => void
  /** Between two tries to write on a full disk. */
  pause: () => Promise<void>
}

interface Waiter {
  seq: number
  resolve: (hash: string) => void
  reject: (error: SkerryError) => void
}

/** A group is cut at this size so that one huge queue doesn't delay its first commit. */
const GROUP_BYTES = 8 * 1024 * 1024

export class Log {
  durableSeq: number
  /** Hash of the record `durableSeq`. */
  durableHash: string
  /** Bytes written by this process. */
  written = 0
  /** Set once and for ever when writing had to stop. */
  stopped: SkerryError | undefined
  readonly segments: Segment[]
  private readonly options: LogOptions
  private readonly frames = new FrameWriter()
  private file: DiskFile
  private queue: Pending[] = []
  private running: Promise<void> | undefined
  private sinceMeasured = 0
  private waiters: Waiter[] = []
  private closing = false
  private rollSoon = false

  constructor(options: LogOptions) {
    this.options = options
    this.segments = options.segments
    this.file = options.file
    this.durableSeq = options.durableSeq
    this.durableHash = options.lastHash
  }

  append(entry: Omit<Pending, 'resolve' | 'reject'>): Promise<{ seq: number; at: number }> {
    return new Promise((resolve, reject) => {
      this.queue.push({ ...entry, resolve, reject })
      // After this turn of the event loop: what one turn brought in goes into one group.
      this.running ??= new Promise<void>((done) => setImmediate(done)).then(() => this.run())
    })
  }

  /** Resolves when nothing waits any more, written or refused. */
  async drained(): Promise<void> {
    while (this.running) await this.running
  }

  /** The hash of the record `seq`, once that is durable; `seq` is the newest commit appended so far. Rejects when it never will be. */
  reached(seq: number): Promise<string> {
    if (seq === this.durableSeq) return Promise.resolve(this.durableHash)
    if (this.stopped) return Promise.reject(this.stopped)
    return new Promise((resolve, reject) => void this.waiters.push({ seq, resolve, reject }))
  }

  /** The next commit begins a new segment, however short this one is. */
  rollNext(): void {
    this.rollSoon = true
  }

  /** Writes what is queued; on a full disk it gives that up. */
  async close(): Promise<void> {
    this.closing = true
    await this.drained()
    this.stopped ??= new SkerryError('store-stopped', 'the log is closed')
    await this.file.close()
  }

  private async run(): Promise<void> {
    try {
      while (this.queue.length > 0 && !this.stopped) await this.group(this.takeGroup())
    } finally {
      this.running = undefined
    }
  }

  private takeGroup(): Pending[] {
    let size = 0
    let count = 0
    while (count < this.queue.length && size < GROUP_BYTES) size += this.queue[count++]!.json.length
    return count === this.queue.length ? this.queue.splice(0) : this.queue.splice(0, count)
  }

  private async group(batch: Pending[]): Promise<void> {
    let hashes: string[]
    try {
      if (this.rollDue()) await this.withReserve(() => this.roll())
      hashes = this.encode(batch)
      const bytes = this.frames.bytes()
      await this.withReserve(() => this.file.write(this.current().bytes, bytes))
      await this.file.sync()
      this.current().bytes += bytes.length
      this.sinceMeasured += bytes.length
      this.written += bytes.length
    } catch (cause) {
      this.stop(cause, batch)
      return
    }
    const first = batch[0]!.seq
    for (const { seq, resolve } of this.waiters.filter((waiter) => waiter.seq < first + batch.length))
      resolve(hashes[seq - first]!)
    this.waiters = this.waiters.filter((waiter) => waiter.seq >= first + batch.length)
    this.durableHash = hashes.at(-1)!
    for (const { commit, seq, resolve } of batch) {
      this.durableSeq = seq
      this.options.onDurable(commit, seq)
      resolve({ seq, at: commit.at })
    }
    if (this.sinceMeasured > 1024 * 1024) {
      this.sinceMeasured = 0
      this.options.space.refresh().catch(this.options.report)
    }
  }

  /** Fills `frames`; gives the hash of each record. */
  private encode(batch: readonly Pending[]): string[] {
    const hashes: string[] = []
    let prev = this.durableHash
    this.frames.reset()
    for (const { seq, incarnation, epoch, json } of batch) {
      const header = { contract: CONTRACT_VERSION, incarnation, seq, epoch, prev, durable: this.durableSeq }
      prev = recordHash(this.frames.push(payloadText(header, json)))
      hashes.push(prev)
    }
    return hashes
  }

  private current(): Segment {
    return this.segments[this.segments.length - 1]!
  }

  private rollDue(): boolean {
    const { bytes } = this.current()
    return bytes >= this.options.segmentBytes || (this.rollSoon && bytes > 0)
  }

  /** Can be repeated when a part of it failed. */
  private async roll(): Promise<void> {
    const { disk, dir } = this.options
    const first = this.durableSeq + 1
    if (this.current().first !== first) {
      const file = await disk.openWitnessed(`${dir}/${segmentName(first)}`, 'create')
      await disk.syncDir(dir)
      await this.file.close()
      this.file = file
      this.segments.push({ file: segmentName(first), first, bytes: 0 })
    }
    this.rollSoon = false
    await this.options.onRoll(this.durableSeq)
  }

  /**
   * A write that finds no room is repeated on the room of the reserve, and when that is used up, until there is room: the
   * commits are in memory and cannot be taken back. Writing the same bytes again is harmless.
   */
  private async withReserve(act: () => Promise<void>): Promise<void> {
    const { space, pause, report } = this.options
    for (let waited = false; ; ) {
      try {
        await act()
        if (waited) space.refresh().catch(report)
        return
      } catch (thrown) {
        if (!isFull(thrown)) throw thrown
        if (await space.release()) continue
        if (this.closing) throw thrown
        if (!waited) report(writeFailure(thrown, `${this.options.dir}/${this.current().file}`))
        waited = true
        await pause()
      }
    }
  }

  private stop(cause: unknown, batch: readonly Pending[]): void {
    const { file } = this.current()
    const { message, details } = writeFailure(cause, `${this.options.dir}/${file}`)
    this.stopped = new SkerryError('store-stopped', message, { file, durableSeq: this.durableSeq, ...details }, { cause })
    this.options.report(this.stopped)
    for (const { reject } of [...batch, ...this.queue.splice(0), ...this.waiters.splice(0)]) reject(this.stopped)
  }
}
