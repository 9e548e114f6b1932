/**
 * The store: the one place where the controller's state changes. A commit is checked and applied in memory at once, in call
 * order, and answered when it is durable. Nothing else of the controller touches the disk for state.
 */
import type { Change, Commit, SkerryError } from '@skerry/contract'
import type { Graph, TableSpec } from '@skerry/graph'
import type { Disk } from './disk.ts'
import { LogStore } from './log-store.ts'
import { openFolder, type Recovery } from './open.ts'
import type { Changed, Viewer } from './past.ts'

export interface CommittedBy {
  /** Account uuid, `system` or `agent:<uuid>`. */
  actor: string
  job?: string
  /** Undo and compaction: accepted also when the disk is so full that ordinary commits are refused. */
  urgent?: boolean
}

export interface StoreStatus {
  writable: boolean
  /** Why not: `store-stopped`, `log-corrupt` or `disk-full`. */
  reason?: SkerryError
  durableSeq: number
  /** Size of the log, snapshots not counted. */
  bytes: number
  /** Of these, what no recovery needs any more: kept for `read` alone, as long as `history.keep` says. */
  historyBytes: number
  /** Size of the newest snapshot: what is live. 0 before the first. */
  snapshotBytes: number
  /** Damage in history that the graph does not depend on: the store goes on, `read` refuses that part. */
  damagedHistory: readonly SkerryError[]
  /** The oldest commit that `read` can give. */
  oldestSeq: number
}

export interface Store {
  readonly graph: Graph
  readonly incarnation: number
  readonly recovery: Recovery
  /** The newest commit that is durable. */
  readonly durableSeq: number
  /**
   * Guards are tested and operations applied before this returns, in call order; the promise resolves once the commit is
   * durable. Rejects by `guardError`, or with `disk-full`, `store-stopped`, `log-corrupt`: nothing has changed then, except
   * that a `store-stopped` for a commit already under way leaves it in memory with an unknown fate on disk.
   */
  commit(change: Change, by: CommittedBy): Promise<{ seq: number; at: number }>
  /** Called with each commit in seq order once it is durable, before its promise resolves. Gives the function that ends it. */
  onCommit(listener: (commit: Commit, seq: number) => void): () => void
  /** The durable commits from `fromSeq` on, up to the newest at the time of asking. Throws `history-gone` for what was dropped. */
  read(fromSeq: number): AsyncIterable<{ seq: number; commit: Commit }>
  /** The graph after that durable commit (0: before all), to read from only. Throws `history-gone`. */
  graphAt(seq: number): Promise<Graph>
  /** The newest commit that is not later than this time (epoch ms); 0: before all. Throws `history-gone`. */
  seqAt(time: number): Promise<number>
  /** Every row that commits after `from` up to `to` touched, before and after. Throws `history-gone`. */
  changedBetween(from: number, to: number): Promise<Changed[]>
  /** Shows the graph after commit `from`, then each commit up to `to` with the graph behind it. Throws `history-gone`. */
  replay(range: { from: number; to: number }, viewer: Viewer): Promise<void>
  /** Writes a snapshot in slices while commits go on, then drops history beyond its limits. */
  snapshot(): Promise<{ seq: number; bytes: number }>
  /** Begins a new history (after a restore): generations made from now on are newer than all before. Gives the new incarnation. */
  raiseIncarnation(): Promise<number>
  status(): StoreStatus
  /** Resolves once everything that is in memory now is durable; rejects with `store-stopped` when it never will be. */
  settled(): Promise<void>
  /** Waits for what is under way, then refuses everything. */
  close(): Promise<void>
}

export interface StoreLimits {
  /** Segments are shorter where `keepBytes` is small, because history goes by whole segments. */
  segmentBytes: number
  /** 0: no reserve, and no refusal before the disk is really full. */
  reserveBytes: number
  /** History is dropped when the log is longer, in bytes or in time. */
  keepBytes: number
  keepMs: number
  /** A snapshot at least this often while there are commits, so that history goes by time on a quiet site too. */
  snapshotMs: number
  /** Longest slice of work on a snapshot. */
  sliceMs: number
  /** A snapshot when a segment is full and enough was written since the last one. */
  autoSnapshot: boolean
}

const DAY_MS = 86_400_000
export const defaultLimits: StoreLimits = {
  segmentBytes: 64 * 1024 * 1024,
  reserveBytes: 64 * 1024 * 1024,
  keepBytes: 2 * 1024 ** 3,
  keepMs: 30 * DAY_MS,
  snapshotMs: DAY_MS,
  sliceMs: 1,
  autoSnapshot: true,
}

export interface StoreOptions {
  dir: string
  disk: Disk
  tables: Record<string, TableSpec>
  /** Epoch milliseconds. */
  clock: () => number
  /** UUIDv4 as 32 hex. */
  newId: () => string
  limits?: Partial<StoreLimits>
  /** Where errors go that no caller waits for: of listeners and of background snapshots. */
  report?: (error: unknown) => void
  /** Monotonic milliseconds, for slices and durations. */
  monotonic?: () => number
  /** Timer for measuring free space and for snapshots by time; without it both happen only along with commits. */
  every?: (ms: number, run: () => void) => () => void
  sleep?: (ms: number) => Promise<void>
}

/**
 * Opens the store in a folder, making it where there is none. On a disk that takes no writing, or with damage to acknowledged records it opens read-only:
 * `recovery.corrupt` and every refused commit name file and offset. Throws `log-newer` for one of a newer version, with nothing changed.
 */
export async function openStore(options: StoreOptions): Promise<Store> {
  const opened = await openFolder(options.disk, options.dir, options.tables, options.monotonic ?? (() => performance.now()))
  const store = new LogStore(options, opened)
  await store.start()
  return store
}
