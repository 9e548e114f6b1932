/** Bringing a store up from its folder: manifest, newest good snapshot, records after it. */
import { type SkerryError as Failure, SkerryError } from '@skerry/contract'
import { Graph, type TableSpec } from '@skerry/graph'
import type { Low } from 'lowdb'
import { type Disk, errno, sizeOf } from './disk.ts'
import { openDocument } from './document.ts'
import { EMPTY, type Replayed, type ReplayStart, replay } from './replay.ts'
import { listSegments, type Segment, segmentName } from './segments.ts'
import { listSnapshots, loadSnapshot, snapshotName } from './snapshot.ts'

/** [format] The log's manifest. Both numbers are lower bounds: the records may say more. */
export interface Manifest {
  format: 1
  incarnation: number
  /** Every commit up to here was acknowledged. */
  durable: number
}

export interface Recovery {
  /** Records applied after the snapshot. */
  replayed: number
  ms: number
  /** seq of the snapshot it began with; absent when it began with an empty graph. */
  snapshot?: number
  /** Bytes of an unfinished write that were cut off, and where. */
  tornBytes: number
  file?: string
  offset?: number
  /** Damage to acknowledged records: the store is read-only, its graph ends before the damage. */
  corrupt?: Failure
  /** Snapshots that could not be used. */
  badSnapshots: Failure[]
  /** What the wall clock said at the newest commit; absent in a new folder. */
  at?: number
  /** The manifest is damaged; its previous copy was used. */
  previousManifest?: boolean
  /** Damage before the snapshot: the graph is whole without it, but that history cannot be read. */
  damagedHistory?: Failure
}

export interface Opened {
  graph: Graph
  manifest: Low<Manifest>
  segments: Segment[]
  replayed: Replayed
  recovery: Recovery
  /** Of the snapshot that was used: its size and time; seq of the one before it. 0 where there is none. */
  snapshots: { bytes: number; at: number; previous: number }
}

const isCorrupt = (thrown: unknown): thrown is Failure => thrown instanceof SkerryError && thrown.code === 'log-corrupt'

/**
 * Reads everything; changes nothing on disk but leftovers of unfinished writes and, in a new folder, the first manifest.
 * Damage is in `recovery.corrupt`; throws `log-newer` for what a newer version wrote, before anything is changed.
 */
export async function openFolder(disk: Disk, dir: string, tables: Record<string, TableSpec>, now: () => number): Promise<Opened> {
  const began = now()
  await disk.mkdir(dir)
  const segments = await listSegments(disk, dir)
  const recovery: Recovery = { replayed: 0, ms: 0, tornBytes: 0, badSnapshots: [] }
  const initial: Manifest = { format: 1, incarnation: 1, durable: 0 }
  const manifest = await openManifest(disk, dir, initial, recovery)
  refuseNewer(manifest.low.data)
  if (manifest.existed === false && segments.length > 0) {
    recovery.corrupt = new SkerryError('log-corrupt', 'the manifest is missing though there is a log', {
      file: 'manifest.json',
      offset: 0,
    })
  }
  if (manifest.existed === false && segments.length === 0) await manifest.low.write()

  if (manifest.previous) recovery.previousManifest = true
  const { graph, start, snapshots } = await loadNewest(disk, dir, tables, recovery)
  graph.incarnation = Math.max(graph.incarnation, manifest.low.data.incarnation)
  start.durable = Math.max(start.durable, manifest.low.data.durable)
  const replayed = await replay(disk, dir, graph, { segments, start })
  recovery.corrupt ??= replayed.corrupt
  recovery.replayed = replayed.replayed
  const at = replayed.at ?? snapshots.at
  if (at > 0) recovery.at = at
  if (replayed.torn)
    Object.assign(recovery, { tornBytes: replayed.torn.bytes, file: replayed.torn.file, offset: replayed.torn.offset })
  if (replayed.history) recovery.damagedHistory = replayed.history
  await removeLeftovers(disk, dir)
  recovery.ms = now() - began
  return { graph, manifest: manifest.low, segments, replayed, recovery, snapshots }
}

function refuseNewer({ format }: { format: number }): void {
  if (format <= 1) return
  throw new SkerryError('log-newer', `the manifest of the log has format ${format}; this controller knows format 1`, {
    format,
    known: 1,
  })
}

async function removeLeftovers(disk: Disk, dir: string): Promise<void> {
  for (const file of await disk.list(dir)) {
    if (!file.endsWith('.tmp')) continue
    try {
      await disk.unlink(`${dir}/${file}`)
    } catch (thrown) {
      // They are in nobody's way; that nothing can be written is found, and told, later.
      if (errno(thrown) !== 'EROFS') throw thrown
    }
  }
}

async function openManifest(
  disk: Disk,
  dir: string,
  initial: Manifest,
  recovery: Recovery,
): Promise<{ low: Low<Manifest>; existed: boolean | 'damaged'; previous: boolean }> {
  const file = `${dir}/manifest.json`
  try {
    return await openDocument<Manifest>(disk, file, initial)
  } catch (thrown) {
    if (!isCorrupt(thrown)) throw thrown
    recovery.corrupt = thrown
    return { low: (await openDocument<Manifest>(disk, `${dir}/manifest.none`, initial)).low, existed: 'damaged', previous: false }
  }
}

/** The newest snapshot that can be read, in a graph; an empty graph where there is none. */
async function loadNewest(
  disk: Disk,
  dir: string,
  tables: Record<string, TableSpec>,
  recovery: Recovery,
): Promise<{ graph: Graph; start: ReplayStart; snapshots: Opened['snapshots'] }> {
  const seqs = await listSnapshots(disk, dir)
  for (const [i, seq] of seqs.entries()) {
    const graph = new Graph(tables)
    try {
      const header = await loadSnapshot(disk, dir, seq, graph)
      recovery.snapshot = seq
      const bytes = (await sizeOf(disk, `${dir}/${snapshotName(seq)}`)) ?? 0
      const snapshots = { bytes, at: header.at, previous: seqs[i + 1] ?? 0 }
      return { graph, start: { seq, hash: header.hash, durable: seqs[0]! }, snapshots }
    } catch (thrown) {
      if (!isCorrupt(thrown)) throw thrown
      recovery.badSnapshots.push(thrown)
    }
  }
  return {
    graph: new Graph(tables),
    start: { ...EMPTY, durable: seqs[0] ?? 0 },
    snapshots: { bytes: 0, at: 0, previous: 0 },
  }
}

/** Makes the end of the log writable: cuts a torn end, writes unattested records once more, begins the first segment. */
export async function openTail(disk: Disk, dir: string, { segments, replayed }: Pick<Opened, 'segments' | 'replayed'>) {
  const last = segments.at(-1)
  if (!last) {
    const first: Segment = { file: segmentName(1), first: 1, bytes: 0 }
    const file = await disk.openWitnessed(`${dir}/${first.file}`, 'create')
    await disk.syncDir(dir)
    segments.push(first)
    return file
  }
  const file = await disk.openWitnessed(`${dir}/${last.file}`, 'write')
  if (replayed.torn) await file.truncate(replayed.torn.offset)
  last.bytes = replayed.position
  if (replayed.tail.bytes.length > 0) await file.write(replayed.tail.at, replayed.tail.bytes)
  if (replayed.torn || replayed.tail.bytes.length > 0) await file.sync()
  return file
}
