/** The store over the embedded log. */
import { type Change, type Commit, SkerryError } from '@skerry/contract'
import { type Graph, guardError } from '@skerry/graph'
import { Compaction, segmentBytesFor } from './compaction.ts'
import { type DiskFile, writeFailure } from './disk.ts'
import { Log } from './log.ts'
import { type Opened, openTail, type Recovery } from './open.ts'
import { type Changed, Past, type Viewer } from './past.ts'
import { MAX_PAYLOAD } from './record.ts'
import { pruned, readSegment, type Segment, upcast } from './segments.ts'
import type { SliceOptions } from './snapshot.ts'
import { Space } from './space.ts'
import { type CommittedBy, defaultLimits, type Store, type StoreLimits, type StoreOptions, type StoreStatus } from './store.ts'

/** Between two measurements of free space, and two tries on a full disk. */
const MEASURE_MS = 2_000
const FULL_MS = 500
/** Between two looks at whether a snapshot is due. */
const TICK_MS = 60_000
const sleep = (ms: number) => new Promise<void>((resolve) => setTimeout(resolve, ms))

export class LogStore implements Store {
  readonly graph: Graph
  readonly recovery: Recovery
  private readonly options: StoreOptions
  private readonly limits: StoreLimits
  private readonly opened: Opened
  private readonly space: Space
  private readonly report: (error: unknown) => void
  private readonly listeners = new Set<(commit: Commit, seq: number) => void>()
  /** Absent when the store is read-only from the start. */
  private log: Log | undefined
  private unwritable: SkerryError | undefined
  private readonly compaction: Compaction
  private readonly timers: (() => void)[] = []
  private readonly past: Past

  constructor(options: StoreOptions, opened: Opened) {
    this.options = options
    this.limits = { ...defaultLimits, ...options.limits }
    this.opened = opened
    this.graph = opened.graph
    this.recovery = opened.recovery
    this.report = options.report ?? ((error) => process.emitWarning(error instanceof Error ? error : new Error(String(error))))
    this.space = new Space(options.disk, options.dir, this.limits.reserveBytes)
    this.past = new Past(() => ({
      ...{ disk: options.disk, dir: options.dir, tables: options.tables, slices: this.slices() },
      ...{ segments: this.segments(), durableSeq: this.durableSeq },
    }))
    this.compaction = new Compaction({
      ...{ disk: options.disk, dir: options.dir, limits: this.limits, opened, graph: this.graph, space: this.space },
      ...{ clock: options.clock, slices: this.slices(), report: this.report },
      log: () => this.writable(),
      noteDurable: (seq) => this.noteDurable(seq),
    })
  }

  async start(): Promise<void> {
    if (this.recovery.corrupt) return
    const { disk, dir } = this.options
    const file = await this.openToWrite()
    if (!file) return
    this.log = new Log({
      disk,
      dir,
      file,
      space: this.space,
      segmentBytes: segmentBytesFor(this.limits),
      segments: this.opened.segments,
      durableSeq: this.graph.seq,
      lastHash: this.opened.replayed.lastHash,
      onDurable: (commit, seq) => this.announce(commit, seq),
      onRoll: async (durable) => {
        await this.noteDurable(durable)
        this.compaction.rolled()
      },
      report: this.report,
      pause: () => (this.options.sleep ?? sleep)(FULL_MS),
    })
    // Not waited for: writing the reserve for the first time takes longer than a start should.
    this.measure()
    this.compaction.scrub()
    const { every } = this.options
    if (every)
      this.timers.push(
        every(MEASURE_MS, () => this.measure()),
        every(TICK_MS, () => this.log?.stopped ?? this.compaction.tick()),
      )
  }

  /** undefined, with the reason in `unwritable`, when the disk takes no writing: what is there can be read. */
  private async openToWrite(): Promise<DiskFile | undefined> {
    const { disk, dir } = this.options
    try {
      return await openTail(disk, dir, this.opened)
    } catch (thrown) {
      const failure = writeFailure(thrown, dir)
      if (this.graph.seq === 0) throw failure
      this.unwritable = new SkerryError('store-stopped', failure.message, failure.details, { cause: thrown })
      this.report(this.unwritable)
      return undefined
    }
  }

  /** Without waiting. Free space matters to nobody once writing has stopped. */
  private measure(): void {
    if (!this.log?.stopped) this.space.refresh().catch(this.report)
  }

  get incarnation(): number {
    return this.graph.incarnation
  }

  commit(change: Change, by: CommittedBy): Promise<{ seq: number; at: number }> {
    const log = this.log
    if (!log || log.stopped) return Promise.reject(this.refusal())
    if (this.space.full && !by.urgent) {
      // Measured again for the next caller.
      this.measure()
      return Promise.reject(this.refusal())
    }
    const seq = this.graph.seq + 1
    const json = JSON.stringify({
      id: this.options.newId(),
      at: this.options.clock(),
      actor: by.actor,
      job: by.job,
      guards: change.guards ?? [],
      ops: change.ops,
      facts: change.facts ?? [],
    })
    if (json.length > MAX_PAYLOAD / 4)
      return Promise.reject(new SkerryError('body-too-large', 'a commit is too large for the log', { length: json.length }))
    // Memory takes what the log will say, not the caller's objects: replay then ends in the same state, and nobody can
    // change a row from outside.
    const commit = JSON.parse(json) as Commit
    const failure = this.graph.tryApply(commit, seq)
    if (failure) return Promise.reject(guardError(failure))
    return log.append({ seq, incarnation: this.graph.incarnation, epoch: this.graph.epoch, json, commit })
  }

  onCommit(listener: (commit: Commit, seq: number) => void): () => void {
    this.listeners.add(listener)
    return () => void this.listeners.delete(listener)
  }

  async *read(fromSeq: number): AsyncGenerator<{ seq: number; commit: Commit }> {
    const { disk, dir } = this.options
    const to = this.durableSeq
    // A copy: segments may be added or dropped while this reads.
    const segments: Segment[] = [...this.segments()]
    const oldest = segments[0]?.first ?? 1
    if (fromSeq < oldest) throw pruned(fromSeq)
    for (const [i, segment] of segments.entries()) {
      const last = Math.min(to, (segments[i + 1]?.first ?? Number.POSITIVE_INFINITY) - 1)
      if (last < fromSeq || segment.first > to) continue
      for await (const record of readSegment(disk, dir, segment, { from: fromSeq, to: last }))
        yield { seq: record.seq, commit: upcast(record) }
    }
  }

  graphAt(seq: number): Promise<Graph> {
    return this.past.graphAt(seq)
  }

  seqAt(time: number): Promise<number> {
    return this.past.seqAt(time)
  }

  changedBetween(from: number, to: number): Promise<Changed[]> {
    return this.past.changedBetween(from, to)
  }

  replay(range: { from: number; to: number }, viewer: Viewer): Promise<void> {
    return this.past.replay(range, viewer)
  }

  snapshot(): Promise<{ seq: number; bytes: number }> {
    return this.compaction.snapshot()
  }

  async raiseIncarnation(): Promise<number> {
    const log = this.writable()
    await log.drained()
    this.writable()
    const incarnation = this.graph.incarnation + 1
    // Twice: the previous copy, which stands in for a damaged manifest, must not bring the old incarnation back.
    for (let copy = 0; copy < 2; copy++)
      await this.opened.manifest.update((manifest) => {
        manifest.incarnation = incarnation
      })
    this.graph.incarnation = incarnation
    return incarnation
  }

  status(): StoreStatus {
    const reason = this.recovery.corrupt ?? this.unwritable ?? this.log?.stopped ?? (this.space.full ? this.refusal() : undefined)
    const segments = this.segments()
    const bytes = segments.reduce((sum, segment) => sum + segment.bytes, 0)
    return {
      writable: reason === undefined,
      ...(reason ? { reason } : {}),
      durableSeq: this.durableSeq,
      bytes,
      historyBytes: this.compaction.historyBytes(),
      snapshotBytes: this.compaction.snapshotBytes,
      damagedHistory: this.compaction.damaged,
      oldestSeq: segments[0]?.first ?? 1,
    }
  }

  async settled(): Promise<void> {
    if (this.log) await this.log.reached(this.graph.seq)
  }

  async close(): Promise<void> {
    for (const end of this.timers.splice(0)) end()
    const log = this.log
    if (!log) return
    const healthy = log.stopped === undefined
    await this.compaction.close()
    await log.close()
    // What is damaged after a clean end is then known to be damaged, and not taken for a torn end.
    if (healthy) await this.noteDurable(log.durableSeq).catch(this.report)
    await this.space.settled()
  }

  private writable(): Log {
    if (!this.log || this.log.stopped) throw this.refusal()
    return this.log
  }

  private refusal(): SkerryError {
    const stopped = this.recovery.corrupt ?? this.unwritable ?? this.log?.stopped
    return stopped ?? new SkerryError('disk-full', 'there is no room for the log', { path: this.options.dir })
  }

  get durableSeq(): number {
    return this.log?.durableSeq ?? this.graph.seq
  }

  private segments(): readonly Segment[] {
    return this.opened.segments
  }

  private announce(commit: Commit, seq: number): void {
    for (const listener of this.listeners) {
      try {
        listener(commit, seq)
      } catch (thrown) {
        // One bad listener must not keep the others from hearing, nor the commit from being answered.
        this.report(thrown)
      }
    }
  }

  private noteDurable(durable: number): Promise<void> {
    return this.opened.manifest.update((manifest) => {
      manifest.durable = Math.max(manifest.durable, durable)
    })
  }

  private slices(): SliceOptions {
    return {
      sliceMs: this.limits.sliceMs,
      now: this.options.monotonic ?? (() => performance.now()),
      pause: () => new Promise((done) => setImmediate(done)),
    }
  }
}
