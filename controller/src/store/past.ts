/**
 * The graph as it was: the newest snapshot before that commit, and the log behind it. Snapshots that recovery has no more need of stay
 * for this, a few of them, spread over the history that is kept.
 */
import { type Commit, type Row, SkerryError } from '@skerry/contract'
import { Graph, type TableSpec } from '@skerry/graph'
import { type Disk, errno } from './disk.ts'
import { readSegment, type Segment, upcast } from './segments.ts'
import { listSnapshots, loadSnapshotFile, type SliceOptions, snapshotName } from './snapshot.ts'

/** [format] A snapshot that only looks into the past need; its content is a snapshot's. */
export const pastName = (seq: number) => `past-${String(seq).padStart(15, '0')}.rows`
const PAST = /^past-(\d{15})\.rows$/

/** seqs of the snapshots that are kept for the past alone, oldest first. */
export async function listPasts(disk: Disk, dir: string): Promise<number[]> {
  const seqs = (await disk.list(dir)).map((file) => PAST.exec(file)?.[1]).filter((seq) => seq !== undefined)
  return seqs.map(Number).sort((a, b) => a - b)
}

/**
 * Which of these to keep: from them the log of `range` (its first and newest commit) can be read, and they lie about evenly in it, no
 * more than `most`. The oldest that is of use is always among them.
 */
export function spread(seqs: readonly number[], range: { first: number; newest: number }, most: number): Set<number> {
  const kept = new Set<number>()
  const apart = (range.newest - range.first) / Math.max(1, most - 1)
  let last = Number.NEGATIVE_INFINITY
  for (const seq of [...seqs].sort((a, b) => a - b)) {
    if (most < 1 || seq < range.first - 1 || seq - last < apart) continue
    kept.add(seq)
    last = seq
  }
  return kept
}

export interface PastPorts {
  disk: Disk
  dir: string
  tables: Record<string, TableSpec>
  segments: readonly Segment[]
  durableSeq: number
  slices: SliceOptions
}

/** A row before and after a stretch of the log; absent where there was or is none. */
export interface Changed {
  table: string
  key: string
  before?: Readonly<Row>
  after?: Readonly<Row>
}

/** Looks into the past, one at a time: each may hold a whole graph. The last one stays at hand as long as there is memory. */
export class Past {
  readonly #ports: () => PastPorts
  #last: { seq: number; graph: WeakRef<Graph> } | undefined
  #turn: Promise<unknown> = Promise.resolve()

  constructor(ports: () => PastPorts) {
    this.#ports = ports
  }

  graphAt(seq: number): Promise<Graph> {
    return this.#next(async () => {
      const last = this.#last?.seq === seq ? this.#last.graph.deref() : undefined
      const graph = last ?? (await graphAt(this.#ports(), seq))
      this.#last = { seq, graph: new WeakRef(graph) }
      return graph
    })
  }

  seqAt(time: number): Promise<number> {
    return this.#next(() => seqAt(this.#ports(), time))
  }

  changedBetween(from: number, to: number): Promise<Changed[]> {
    return this.#next(() => changedBetween(this.#ports(), { from, to }))
  }

  replay(range: { from: number; to: number }, viewer: Viewer): Promise<void> {
    return this.#next(() => replay(this.#ports(), range, viewer))
  }

  #next<T>(look: () => Promise<T>): Promise<T> {
    const result = this.#turn.then(look)
    this.#turn = result.catch(() => undefined)
    return result
  }
}

const gone = (details: Record<string, unknown>) =>
  new SkerryError('history-gone', 'this is older than the history that is kept', details)

/** The graph after commit `seq` (0: before all). Throws `history-gone`, or `log-corrupt` where that part can't be read. */
export async function graphAt(ports: PastPorts, seq: number): Promise<Graph> {
  const graph = await baseOf(ports, seq)
  for await (const commit of commitsOf(ports, { from: graph.seq + 1, to: seq })) graph.apply(commit.commit, commit.seq)
  return graph
}

/** Sees the past go by. The graph is the same one each time, and to read from only. */
export interface Viewer {
  /** as it was after commit `from` */
  begin(graph: Graph): void
  /** as it was after this commit */
  after(commit: Commit, graph: Graph): void
}

export async function replay(ports: PastPorts, { from, to }: { from: number; to: number }, viewer: Viewer): Promise<void> {
  const graph = await graphAt(ports, from)
  viewer.begin(graph)
  for await (const { commit, seq } of commitsOf(ports, { from: from + 1, to })) {
    graph.apply(commit, seq)
    viewer.after(commit, graph)
  }
}

/** Every row that commits after `from` up to `to` touched and that is another one now. */
export async function changedBetween(ports: PastPorts, { from, to }: { from: number; to: number }): Promise<Changed[]> {
  const graph = await graphAt(ports, from)
  const touched = new Map<string, Changed>()
  for await (const { commit, seq } of commitsOf(ports, { from: from + 1, to })) {
    for (const { t: table, k: key } of commit.ops) {
      const id = `${table}\n${key}`
      if (touched.has(id)) continue
      const before = graph.get(table, key)
      touched.set(id, { table, key, ...(before ? { before } : {}) })
    }
    graph.apply(commit, seq)
  }
  return compared(touched.values(), graph, ports.slices)
}

async function compared(touched: Iterable<Changed>, graph: Graph, slices: SliceOptions): Promise<Changed[]> {
  const changes: Changed[] = []
  let began = slices.now()
  for (const change of touched) {
    const after = graph.get(change.table, change.key)
    if (after || change.before) changes.push({ ...change, ...(after ? { after } : {}) })
    if (slices.now() - began < slices.sliceMs) continue
    await slices.pause()
    began = slices.now()
  }
  return changes
}

/** The newest commit that is not later than `time` (epoch ms), as the log's order has it; 0: it is before all. Throws `history-gone`. */
export async function seqAt(ports: PastPorts, time: number): Promise<number> {
  const { disk, dir, segments, durableSeq } = ports
  let start: Segment | undefined
  for (const segment of segments) {
    if (segment.first > durableSeq) break
    for await (const { commit } of readSegment(disk, dir, segment, { from: segment.first, to: segment.first }))
      if (commit.at <= time) start = segment
  }
  const first = segments[0]?.first ?? 1
  if (start === undefined) {
    if (first > 1) throw gone({ at: time, oldestSeq: first })
    return 0
  }
  let found = start.first
  for await (const { commit, seq } of commitsOf(ports, { from: start.first, to: durableSeq })) {
    if (commit.at > time) break
    found = seq
  }
  return found
}

/** The newest snapshot that is not after `seq` and can be read; an empty graph where the log begins with the first commit. */
async function baseOf({ disk, dir, tables, segments }: PastPorts, seq: number): Promise<Graph> {
  const first = segments[0]?.first ?? 1
  const files = [
    ...(await listPasts(disk, dir)).map((at) => ({ at, name: pastName(at) })),
    ...(await listSnapshots(disk, dir)).map((at) => ({ at, name: snapshotName(at) })),
  ]
  const usable = files.filter(({ at }) => at <= seq && at >= first - 1).sort((a, b) => b.at - a.at)
  for (const { at, name } of usable) {
    const graph = new Graph(tables)
    try {
      await loadSnapshotFile(disk, dir, { name, seq: at }, graph)
      return graph
    } catch (thrown) {
      // Damaged, or gone meanwhile: an older one and more of the log lead there, too.
      if (errno(thrown) !== 'ENOENT' && !(thrown instanceof SkerryError && thrown.code === 'log-corrupt')) throw thrown
    }
  }
  if (first > 1) throw gone({ seq, oldestSeq: first })
  return new Graph(tables)
}

async function* commitsOf(
  { disk, dir, segments, slices }: PastPorts,
  { from, to }: { from: number; to: number },
): AsyncGenerator<{ seq: number; commit: Commit }> {
  let began = slices.now()
  for (const [i, segment] of [...segments].entries()) {
    const last = Math.min(to, (segments[i + 1]?.first ?? Number.POSITIVE_INFINITY) - 1)
    if (last < from || segment.first > to) continue
    for await (const record of readSegment(disk, dir, segment, { from, to: last })) {
      yield { seq: record.seq, commit: upcast(record) }
      if (slices.now() - began < slices.sliceMs) continue
      await slices.pause()
      began = slices.now()
    }
  }
}
