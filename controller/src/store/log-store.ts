/** The store over the embedded log. */
import { type Change, CONTRACT_VERSION, type Commit, SkerryError } from '@skerry/contract'
import { type Graph, guardError } from '@skerry/graph'
import { Log } from './log.ts'
import { type Opened, openTail, prune, type Recovery } from './open.ts'
import { MAX_PAYLOAD } from './record.ts'
import { pruned, readSegment, type Segment, upcast } from './segments.ts'
import { type SliceOptions, snapshotName, writeSnapshot } from './snapshot.ts'
import { Space } from './space.ts'
import { type CommittedBy, defaultLimits, type Store, type StoreLimits, type StoreOptions, type StoreStatus } from './store.ts'

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
  private snapshotting: Promise<{ seq: number; bytes: number }> | undefined

  constructor(options: StoreOptions, opened: Opened) {
    this.options = options
    this.limits = { ...defaultLimits, ...options.limits }
    this.opened = opened
    this.graph = opened.graph
    this.recovery = opened.recovery
    this.report = options.report ?? ((error) => process.emitWarning(error instanceof Error ? error : new Error(String(error))))
    this.space = new Space(options.disk, options.dir, this.limits.reserveBytes)
  }

  async start(): Promise<void> {
    if (this.recovery.corrupt) return
    const { disk, dir } = this.options
    const file = await openTail(disk, dir, this.opened)
    this.log = new Log({
      disk,
      dir,
      file,
      space: this.space,
      segmentBytes: this.limits.segmentBytes,
      segments: this.opened.segments,
      durableSeq: this.graph.seq,
      lastHash: this.opened.replayed.lastHash,
      onDurable: (commit, seq) => this.announce(commit, seq),
      onRoll: (durable) => this.rolled(durable),
      report: this.report,
    })
    // Not waited for: writing the reserve for the first time takes longer than a start should.
    this.space.refresh().catch(this.report)
  }

  get incarnation(): number {
    return this.graph.incarnation
  }

  commit(change: Change, by: CommittedBy): Promise<{ seq: number; at: number }> {
    const log = this.log
    if (!log || log.stopped) return Promise.reject(this.refusal())
    if (this.space.full && !by.urgent) {
      // Measured again for the next caller: this is how the store recovers once there is room.
      this.space.refresh().catch(this.report)
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
    const to = this.durableSeq()
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

  snapshot(): Promise<{ seq: number; bytes: number }> {
    this.snapshotting ??= this.writeSnapshot().finally(() => {
      this.snapshotting = undefined
    })
    return this.snapshotting
  }

  private async writeSnapshot(): Promise<{ seq: number; bytes: number }> {
    const log = this.writable()
    const { disk, dir, clock } = this.options
    const view = this.graph.view()
    const { incarnation, epoch } = this.graph
    const name = snapshotName(view.seq)
    try {
      // Only durable commits may be in a snapshot.
      const hash = await log.reached(view.seq)
      const header = { contract: CONTRACT_VERSION, incarnation, seq: view.seq, epoch, hash, at: clock() }
      const file = await disk.open(`${dir}/${name}.tmp`, 'create')
      let bytes: number
      try {
        bytes = await writeSnapshot(file, header, view, this.slices())
      } finally {
        await file.close()
      }
      await disk.rename(`${dir}/${name}.tmp`, `${dir}/${name}`)
      await disk.syncDir(dir)
      await this.noteDurable(log.durableSeq)
      await prune(disk, dir, this.opened.segments, (total) => this.excess(total))
      return { seq: view.seq, bytes }
    } finally {
      view.close()
    }
  }

  /** Whether the oldest segment may go: the history is longer, in bytes or in days, than it is to be kept. */
  private async excess(total: number): Promise<boolean> {
    if (total > this.limits.keepBytes) return true
    const next = this.opened.segments[1]
    if (!next) return false
    for await (const { commit } of this.read(next.first)) return this.options.clock() - commit.at > this.limits.keepMs
    return false
  }

  async raiseIncarnation(): Promise<number> {
    const log = this.writable()
    await log.drained()
    this.writable()
    const incarnation = this.graph.incarnation + 1
    await this.opened.manifest.update((manifest) => {
      manifest.incarnation = incarnation
    })
    this.graph.incarnation = incarnation
    return incarnation
  }

  status(): StoreStatus {
    const reason = this.recovery.corrupt ?? this.log?.stopped ?? (this.space.full ? this.refusal() : undefined)
    const segments = this.segments()
    const bytes = segments.reduce((sum, segment) => sum + segment.bytes, 0)
    return {
      writable: reason === undefined,
      ...(reason ? { reason } : {}),
      durableSeq: this.durableSeq(),
      bytes,
      oldestSeq: segments[0]?.first ?? 1,
    }
  }

  async close(): Promise<void> {
    const log = this.log
    if (!log) return
    const healthy = log.stopped === undefined
    await log.drained()
    await this.snapshotting?.catch(this.report)
    if (healthy && !log.stopped) await this.noteDurable(log.durableSeq)
    await this.space.settled()
    await log.close()
  }

  private writable(): Log {
    if (!this.log || this.log.stopped) throw this.refusal()
    return this.log
  }

  private refusal(): SkerryError {
    const stopped = this.recovery.corrupt ?? this.log?.stopped
    return stopped ?? new SkerryError('disk-full', 'there is no room for the log', { path: this.options.dir })
  }

  private durableSeq(): number {
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

  private async rolled(durable: number): Promise<void> {
    await this.noteDurable(durable)
    // Begun after the group that waits for this roll, which is part of what the snapshot has to wait for.
    if (this.limits.autoSnapshot) setImmediate(() => void this.snapshot().catch(this.report))
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
