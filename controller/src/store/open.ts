/** Bringing a store up from its folder: manifest, newest good snapshot, records after it. */
import { type SkerryError as Failure, SkerryError } from '@skerry/contract'
import { Graph, type TableSpec } from '@skerry/graph'
import type { Low } from 'lowdb'
import type { Disk } from './disk.ts'
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
}

export interface Opened {
  graph: Graph
  manifest: Low<Manifest>
  segments: Segment[]
  replayed: Replayed
  recovery: Recovery
}

const isCorrupt = (thrown: unknown): thrown is Failure => thrown instanceof SkerryError && thrown.code === 'log-corrupt'

/**
 * Reads everything; changes nothing on disk but leftovers of unfinished writes and, in a new folder, the first manifest.
 * Damage is in `recovery.corrupt`; throws `upgrade-stuck` for records of a newer contract version.
 */
export async function openFolder(disk: Disk, dir: string, tables: Record<string, TableSpec>, now: () => number): Promise<Opened> {
  const began = now()
  await disk.mkdir(dir)
  for (const file of await disk.list(dir)) if (file.endsWith('.tmp')) await disk.unlink(`${dir}/${file}`)
  const segments = await listSegments(disk, dir)
  const recovery: Recovery = { replayed: 0, ms: 0, tornBytes: 0, badSnapshots: [] }
  const initial: Manifest = { format: 1, incarnation: 1, durable: 0 }
  const manifest = await openManifest(disk, dir, initial, recovery)
  if (manifest.existed === false && segments.length > 0) {
    recovery.corrupt = new SkerryError('log-corrupt', 'the manifest is missing though there is a log', {
      file: 'manifest.json',
      offset: 0,
    })
  }
  if (manifest.existed === false && segments.length === 0) await manifest.low.write()

  const { graph, start } = await loadNewest(disk, dir, tables, recovery)
  graph.incarnation = Math.max(graph.incarnation, manifest.low.data.incarnation)
  start.durable = Math.max(start.durable, manifest.low.data.durable)
  const replayed = await replay(disk, dir, graph, { segments, start })
  recovery.corrupt ??= replayed.corrupt
  recovery.replayed = replayed.replayed
  if (replayed.torn)
    Object.assign(recovery, { tornBytes: replayed.torn.bytes, file: replayed.torn.file, offset: replayed.torn.offset })
  recovery.ms = now() - began
  return { graph, manifest: manifest.low, segments, replayed, recovery }
}

async function openManifest(
  disk: Disk,
  dir: string,
  initial: Manifest,
  recovery: Recovery,
): Promise<{ low: Low<Manifest>; existed: boolean | 'damaged' }> {
  const file = `${dir}/manifest.json`
  try {
    return await openDocument<Manifest>(disk, file, initial)
  } catch (thrown) {
    if (!isCorrupt(thrown)) throw thrown
    recovery.corrupt = thrown
    return { low: (await openDocument<Manifest>(disk, `${dir}/manifest.none`, initial)).low, existed: 'damaged' }
  }
}

/** The newest snapshot that can be read, in a graph; an empty graph where there is none. */
async function loadNewest(
  disk: Disk,
  dir: string,
  tables: Record<string, TableSpec>,
  recovery: Recovery,
): Promise<{ graph: Graph; start: ReplayStart }> {
  const seqs = await listSnapshots(disk, dir)
  for (const seq of seqs) {
    const graph = new Graph(tables)
    try {
      const header = await loadSnapshot(disk, dir, seq, graph)
      recovery.snapshot = seq
      return { graph, start: { seq, hash: header.hash, durable: seqs[0]! } }
    } catch (thrown) {
      if (!isCorrupt(thrown)) throw thrown
      recovery.badSnapshots.push(thrown)
    }
  }
  return { graph: new Graph(tables), start: { ...EMPTY, durable: seqs[0] ?? 0 } }
}

/** Makes the end of the log writable: cuts a torn end, writes unattested records once more, begins the first segment. */
export async function openTail(disk: Disk, dir: string, { segments, replayed }: Pick<Opened, 'segments' | 'replayed'>) {
  const last = segments.at(-1)
  if (!last) {
    const first: Segment = { file: segmentName(1), first: 1, bytes: 0 }
    const file = await disk.open(`${dir}/${first.file}`, 'create')
    await disk.syncDir(dir)
    segments.push(first)
    return file
  }
  const file = await disk.open(`${dir}/${last.file}`, 'write')
  if (replayed.torn) await file.truncate(replayed.torn.offset)
  last.bytes = replayed.position
  if (replayed.tail.bytes.length > 0) await file.write(replayed.tail.at, replayed.tail.bytes)
  if (replayed.torn || replayed.tail.bytes.length > 0) await file.sync()
  return file
}

/** Drops old snapshots but the newest two, and segments that both of these cover and that exceed what is to be kept. */
export async function prune(
  disk: Disk,
  dir: string,
  segments: Segment[],
  excess: (total: number) => Promise<boolean>,
): Promise<void> {
  const seqs = await listSnapshots(disk, dir)
  for (const old of seqs.slice(2)) await disk.unlink(`${dir}/${snapshotName(old)}`)
  const covered = seqs[1]
  if (covered === undefined) return
  let total = segments.reduce((sum, segment) => sum + segment.bytes, 0)
  // The record `covered` itself stays: it ties the snapshot to the log by its hash.
  while (segments.length > 1 && segments[1]!.first <= covered && (await excess(total))) {
    const [oldest] = segments.splice(0, 1)
    total -= oldest!.bytes
    await disk.unlink(`${dir}/${oldest!.file}`)
  }
  await disk.syncDir(dir)
}
