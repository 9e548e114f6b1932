/**
 * Snapshots and what they make dispensable. What recovery needs is two snapshots and the log since the older one; with a
 * snapshot each time the log has grown by a quarter of the newest one, that stays below three times what is live. Older
 * segments are history, kept as long as the limits say.
 */
import { CONTRACT_VERSION, SkerryError } from '@skerry/contract'
import type { Graph } from '@skerry/graph'
import { abandon, type Disk, type DiskFile, isFull, writeFailure } from './disk.ts'
import { damagedFrames } from './history.ts'
import type { Log } from './log.ts'
import type { Opened } from './open.ts'
import { listPasts, pastName, spread } from './past.ts'
import { readSegment } from './segments.ts'
import { checkSnapshot, listSnapshots, type SliceOptions, snapshotName, writeSnapshot } from './snapshot.ts'
import type { Space } from './space.ts'
import type { StoreLimits } from './store.ts'

export interface CompactionPorts {
  disk: Disk
  dir: string
  limits: StoreLimits
  opened: Opened
  graph: Graph
  space: Space
  clock: () => number
  slices: SliceOptions
  /** Throws when nothing may be written. */
  log: () => Log
  noteDurable: (seq: number) => Promise<void>
  report: (error: unknown) => void
}

/** A snapshot may use the reserve down to this part of it; the rest is for undo. */
const KEEP_OF_RESERVE = 0.5
/** Part of the newest snapshot by which the log grows before the next one. */
const GROWTH = 0.25
const MIN_SEGMENT_BYTES = 1024 * 1024
/** Snapshots that are kept to look into the past, and the part of the history's room that they may take besides. */
const MAX_PASTS = 4
const PASTS_OF_HISTORY = 0.25
/** History goes by whole segments, so a short one is cut into shorter pieces. */
const PIECES = 16

/** Size at which a segment is full. */
export const segmentBytesFor = ({ segmentBytes, keepBytes }: StoreLimits): number =>
  Math.min(segmentBytes, Math.max(MIN_SEGMENT_BYTES, Math.floor(keepBytes / PIECES)))

export class Compaction {
  /** Size of the newest snapshot. */
  snapshotBytes: number
  readonly damaged: SkerryError[] = []
  private readonly p: CompactionPorts
  private running: Promise<{ seq: number; bytes: number }> | undefined
  private newest: { seq: number; at: number }
  /** seq of the snapshot before the newest: what is older is history. */
  private covered: number
  /** `Log.written` when the newest snapshot was begun; negative for what was there before this process. */
  private begunAt: number
  private scrubbing: Promise<void> | undefined
  private ended = false

  constructor(ports: CompactionPorts) {
    this.p = ports
    const { snapshots, segments, recovery } = ports.opened
    this.snapshotBytes = snapshots.bytes
    this.newest = { seq: recovery.snapshot ?? 0, at: snapshots.at }
    this.covered = snapshots.previous
    this.begunAt = -segments.filter(({ first }) => first > this.newest.seq).reduce((sum, { bytes }) => sum + bytes, 0)
  }

  /** Calls at the same time share one snapshot. */
  snapshot(): Promise<{ seq: number; bytes: number }> {
    this.running ??= this.write().finally(() => {
      this.running = undefined
    })
    return this.running
  }

  /** A segment is full. */
  rolled(): void {
    if (!this.p.limits.autoSnapshot || !this.grown()) return
    // Begun after the group that waits for this roll, which is part of what the snapshot has to wait for.
    setImmediate(() => this.begin())
  }

  /** From time to time: a snapshot that is due by age, or that could not be written when it was due by size. */
  tick(): void {
    const { clock, graph, limits, log } = this.p
    if (!limits.autoSnapshot || this.running || graph.seq === this.newest.seq) return
    const age = clock() - this.newest.at
    // A clock that was set back says nothing about the age.
    const old = age >= limits.snapshotMs || age < 0
    if (!old && !this.grown()) return
    if (old) log().rollNext()
    this.begin()
  }

  historyBytes(): number {
    const { segments } = this.p.opened
    return segments.reduce((sum, { bytes }, i) => sum + ((segments[i + 1]?.first ?? Infinity) <= this.covered ? bytes : 0), 0)
  }

  /**
   * Reads what recovery had no need of, the older snapshot and the segments before the newest one, so that damage is known
   * before it matters.
   */
  scrub(): void {
    const { recovery } = this.p.opened
    if (recovery.damagedHistory) this.damaged.push(recovery.damagedHistory)
    this.scrubbing = this.checkUnread().catch(this.p.report)
  }

  private async checkUnread(): Promise<void> {
    const { opened, disk, dir, slices } = this.p
    const { covered } = this
    if (covered > 0) {
      const broken = await checkSnapshot(disk, dir, covered, slices.pause).catch((thrown) => thrown as SkerryError)
      // A snapshot that went meanwhile is no damage.
      if (broken && this.covered === covered) this.found(broken)
    }
    for (const [i, segment] of [...opened.segments].entries()) {
      if (this.ended || (opened.segments[i + 1]?.first ?? Infinity) > this.newest.seq) return
      const damage = await damagedFrames(disk, dir, segment, slices.pause)
      if (damage && opened.segments.includes(segment)) this.found(damage)
    }
  }

  private found(damage: SkerryError): void {
    this.damaged.push(damage)
    this.p.report(damage)
  }

  async close(): Promise<void> {
    this.ended = true
    await this.running?.catch(this.p.report)
    await this.scrubbing
  }

  private begin(): void {
    if (!this.ended) this.snapshot().catch(this.p.report)
  }

  private grown(): boolean {
    const since = this.p.log().written - this.begunAt
    return since >= Math.max(segmentBytesFor(this.p.limits), this.snapshotBytes * GROWTH)
  }

  private async write(): Promise<{ seq: number; bytes: number }> {
    const { dir, graph, clock, noteDurable, space, report } = this.p
    const log = this.p.log()
    const view = graph.view()
    const { incarnation, epoch } = graph
    const begun = { at: clock(), written: log.written }
    try {
      // Only durable commits may be in a snapshot.
      const hash = await log.reached(view.seq)
      const header = { contract: CONTRACT_VERSION, incarnation, seq: view.seq, epoch, hash, at: begun.at }
      const bytes = await this.whole(snapshotName(view.seq), (file) => writeSnapshot(file, header, view, this.p.slices))
      await this.withReserve(() => noteDurable(log.durableSeq))
      if (view.seq !== this.newest.seq) this.covered = this.newest.seq
      this.newest = { seq: view.seq, at: begun.at }
      this.begunAt = begun.written
      this.snapshotBytes = bytes
      await this.prune()
      space.refresh().catch(report)
      return { seq: view.seq, bytes }
    } catch (thrown) {
      throw writeFailure(thrown, `${dir}/${snapshotName(view.seq)}`)
    } finally {
      view.close()
    }
  }

  /** A file that has its name only when it is whole, and leaves nothing when it cannot be. */
  private async whole(name: string, fill: (file: DiskFile) => Promise<number>): Promise<number> {
    const { disk, dir } = this.p
    const temporary = `${dir}/${name}.tmp`
    const file = await disk.open(temporary, 'create')
    let bytes: number
    try {
      bytes = await fill({ ...file, write: (at, chunk) => this.withReserve(() => file.write(at, chunk)) })
    } catch (thrown) {
      await abandon(disk, file, temporary)
      throw thrown
    }
    await file.close()
    await disk.rename(temporary, `${dir}/${name}`)
    await disk.syncDir(dir)
    return bytes
  }

  private async withReserve(act: () => Promise<void>): Promise<void> {
    for (;;) {
      try {
        return await act()
      } catch (thrown) {
        if (!isFull(thrown) || !(await this.p.space.release(KEEP_OF_RESERVE))) throw thrown
      }
    }
  }

  /**
   * Drops all snapshots but the newest and the one that was good before it, and segments that both of these cover and that
   * exceed what is to be kept.
   */
  private async prune(): Promise<void> {
    const { disk, dir } = this.p
    const { segments } = this.p.opened
    for (const seq of await listSnapshots(disk, dir))
      if (seq !== this.newest.seq && seq !== this.covered) await this.outOfUse(seq)
    let total = segments.reduce((sum, segment) => sum + segment.bytes, 0)
    // The record `covered` itself stays: it ties the snapshot to the log by its hash.
    while (segments.length > 1 && segments[1]!.first <= this.covered && (await this.excess(total))) {
      const [oldest] = segments.splice(0, 1)
      total -= oldest!.bytes
      await disk.unlink(`${dir}/${oldest!.file}`)
    }
    await this.prunePasts()
    await disk.syncDir(dir)
  }

  /** Recovery needs it no more: it stays for looks into the past, or goes. */
  private async outOfUse(seq: number): Promise<void> {
    const { disk, dir } = this.p
    if (this.mostPasts() > 0) await disk.rename(`${dir}/${snapshotName(seq)}`, `${dir}/${pastName(seq)}`)
    else await disk.unlink(`${dir}/${snapshotName(seq)}`)
  }

  /** So many that they take no more than a part of what history may. */
  private mostPasts(): number {
    const room = this.p.limits.keepBytes * PASTS_OF_HISTORY
    return Math.min(MAX_PASTS, Math.floor(room / Math.max(1, this.snapshotBytes)))
  }

  private async prunePasts(): Promise<void> {
    const { disk, dir } = this.p
    const seqs = await listPasts(disk, dir)
    const range = { first: this.p.opened.segments[0]?.first ?? 1, newest: this.newest.seq }
    const kept = spread(seqs, range, this.mostPasts())
    for (const seq of seqs) if (!kept.has(seq)) await disk.unlink(`${dir}/${pastName(seq)}`)
  }

  /** Whether the oldest segment may go: the history is longer, in bytes or in days, than it is to be kept. */
  private async excess(total: number): Promise<boolean> {
    const { limits, opened, disk, dir, clock } = this.p
    if (total > limits.keepBytes) return true
    const [oldest, next] = opened.segments
    if (!oldest || !next) return false
    try {
      for await (const { commit } of readSegment(disk, dir, next, { from: next.first, to: next.first }))
        return clock() - commit.at > limits.keepMs
    } catch (thrown) {
      // Damaged history has no date: it stays until it is too long in bytes.
      if (!(thrown instanceof SkerryError && thrown.code === 'log-corrupt')) throw thrown
    }
    return false
  }
}
