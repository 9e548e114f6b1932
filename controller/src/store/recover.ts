/**
 * What to do about a damaged log, for the verb `recover`: say where the damage is and what would be lost by cutting there,
 * and cut. Nothing is thrown away: what is cut off stays beside, under a name that ends in `.damaged`.
 */
import { type Commit, SkerryError } from '@skerry/contract'
import type { TableSpec } from '@skerry/graph'
import { type Disk, readWhole, writeWhole } from './disk.ts'
import { openDocument } from './document.ts'
import { damagedFrames } from './history.ts'
import { type Manifest, type Opened, openFolder } from './open.ts'
import { listPasts, pastName } from './past.ts'
import { survivors } from './record.ts'
import { type Segment, segmentName } from './segments.ts'
import { listSnapshots, snapshotName } from './snapshot.ts'

export interface LogFolder {
  disk: Disk
  /** The log's own folder, `log` in the state folder. */
  dir: string
  tables: Record<string, TableSpec>
}

/** A commit behind the damage that can still be read, though not applied. */
export type LostCommit = Pick<Commit, 'at' | 'actor' | 'job' | 'facts'> & { seq: number }

export interface Examined {
  /** The graph is whole up to this commit. */
  lastGood: number
  /** The newest commit that is known to have been acknowledged. */
  durable: number
  incarnation: number
  /** Why the controller starts read-only; absent: it starts as usual. */
  damage?: SkerryError
  /** In order; those that cannot be read are missing in it. */
  lost: LostCommit[]
  /** Damage that the graph does not depend on: older history, and snapshots for which others stand in. */
  harmless: SkerryError[]
}

export interface Cut {
  lastGood: number
  incarnation: number
  /** Names of the files that were set aside. */
  aside: string[]
}

const noPause = () => Promise.resolve()

/** Reads all of the log. Throws `not-found` where there is none. */
export async function examineLog({ disk, dir, tables }: LogFolder): Promise<Examined> {
  if ((await disk.list(dir)).length === 0) throw new SkerryError('not-found', `there is no log in ${dir}`, { path: dir })
  const opened = await openFolder(disk, dir, tables, () => 0)
  const { recovery, replayed, graph, segments } = opened
  const lost = recovery.corrupt ? await readableBehind(disk, dir, opened) : []
  const unread = segments.filter((_, i) => (segments[i + 1]?.first ?? Number.POSITIVE_INFINITY) <= (recovery.snapshot ?? 0))
  const history: SkerryError[] = recovery.damagedHistory ? [recovery.damagedHistory] : []
  for (const segment of unread) {
    const damage = await damagedFrames(disk, dir, segment, noPause)
    if (damage) history.push(damage)
  }
  return {
    lastGood: graph.seq,
    durable: Math.max(replayed.durable, graph.seq),
    incarnation: graph.incarnation,
    ...(recovery.corrupt ? { damage: recovery.corrupt } : {}),
    lost,
    harmless: [...recovery.badSnapshots, ...history],
  }
}

async function readableBehind(disk: Disk, dir: string, { graph, segments }: Opened): Promise<LostCommit[]> {
  const found = new Map<number, LostCommit>()
  for (const { file } of segments) {
    const bytes = await readWhole(disk, `${dir}/${file}`).catch(() => undefined) // a bad sector: nothing can be read there
    for (const { record } of survivors(bytes ?? Buffer.alloc(0), 0)) {
      if (record.seq <= graph.seq) continue
      const { at, actor, job, facts } = record.commit
      found.set(record.seq, { seq: record.seq, at, actor, ...(job ? { job } : {}), facts })
    }
  }
  return [...found.values()].sort((a, b) => a.seq - b.seq)
}

/**
 * Ends the log at the last good commit, and begins a new incarnation, so that whatever is made from now on is newer for
 * agents than what was lost. Can be repeated when it was interrupted. Throws `illegal-state` when nothing is damaged.
 */
export async function cutLog({ disk, dir, tables }: LogFolder, examined: Examined): Promise<Cut> {
  const opened = await openFolder(disk, dir, tables, () => 0)
  const { corrupt } = opened.recovery
  if (!corrupt) throw new SkerryError('illegal-state', 'nothing is damaged: there is nothing to cut', { path: dir })
  const aside = new Aside(disk, dir)
  const good = examined.lastGood
  await cutSegments(opened, { disk, dir, aside, good })
  const bad = new Set(opened.recovery.badSnapshots.map(({ details }) => details['file']))
  for (const seq of await listSnapshots(disk, dir))
    if (seq > good || bad.has(snapshotName(seq))) await aside.move(snapshotName(seq))
  for (const seq of await listPasts(disk, dir)) if (seq > good) await aside.move(pastName(seq))
  const incarnation = opened.graph.incarnation + 1
  await newManifest({ disk, dir, aside }, { format: 1, incarnation, durable: good })
  await disk.syncDir(dir)
  return { lastGood: good, incarnation, aside: aside.names }
}

interface Cutting {
  disk: Disk
  dir: string
  aside: Aside
  good: number
}

async function cutSegments({ segments, replayed, recovery }: Opened, { disk, dir, aside, good }: Cutting): Promise<void> {
  const { file, offset } = recovery.corrupt!.details as { file: string; offset: number }
  // A snapshot is ahead of what can be read of the log: the log begins anew behind it.
  const anew = replayed.seq < good
  for (const segment of segments) {
    if (anew || segment.first > good + 1 || (segment.file === file && offset === 0 && segment.first > 1))
      await aside.move(segment.file)
    else if (segment.file === file) await cutSegment(disk, dir, { segment, offset, aside })
  }
  const left = (await disk.list(dir)).filter((name) => /^log-\d{15}\.seg$/.test(name))
  if (left.length > 0) return
  const empty = await disk.open(`${dir}/${segmentName(good + 1)}`, 'create')
  await empty.sync()
  await empty.close()
}

async function cutSegment(disk: Disk, dir: string, at: { segment: Segment; offset: number; aside: Aside }): Promise<void> {
  const { file, bytes } = at.segment
  if (at.offset >= bytes) return
  // A copy first: at no moment are the good records in no file of that name.
  await at.aside.copy(file)
  const opened = await disk.open(`${dir}/${file}`, 'write')
  try {
    await opened.truncate(at.offset)
    await opened.sync()
  } finally {
    await opened.close()
  }
}

async function newManifest({ disk, dir, aside }: Omit<Cutting, 'good'>, manifest: Manifest): Promise<void> {
  const path = `${dir}/manifest.json`
  const found = await openDocument<Manifest>(disk, path, manifest).catch(() => undefined)
  if (!found || found.previous) await aside.copy('manifest.json')
  for (const name of found ? [] : ['manifest.json', 'manifest.json.prev'])
    await disk.unlink(`${dir}/${name}`).catch(() => undefined)
  const { low } = found ?? (await openDocument<Manifest>(disk, path, manifest))
  // Twice: the previous copy, which stands in for a damaged manifest, must say the same.
  for (let copy = 0; copy < 2; copy++) await low.update((content) => void Object.assign(content, manifest))
}

/** Files that are kept out of the log's sight. */
class Aside {
  readonly names: string[] = []
  private readonly disk: Disk
  private readonly dir: string

  constructor(disk: Disk, dir: string) {
    this.disk = disk
    this.dir = dir
  }

  async move(name: string): Promise<void> {
    await this.disk.rename(`${this.dir}/${name}`, `${this.dir}/${await this.free(name)}`)
  }

  async copy(name: string): Promise<void> {
    const bytes = await readWhole(this.disk, `${this.dir}/${name}`)
    if (bytes) await writeWhole(this.disk, this.dir, await this.free(name), bytes)
  }

  private async free(name: string): Promise<string> {
    const taken = new Set(await this.disk.list(this.dir))
    let free = `${name}.damaged`
    for (let n = 2; taken.has(free); n++) free = `${name}.${n}.damaged`
    this.names.push(free)
    return free
  }
}
