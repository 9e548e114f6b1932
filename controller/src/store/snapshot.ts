/**
 * [format] The graph at one seq as a file: one line a record, `<CRC-32 in 8 hex> <JSON>`. First a header, then groups of rows
 * `{"t":table,"rows":[[key,version,row],…]}`, last `{"end":<rows>}`. A file without a right last line is no snapshot.
 * A row may come twice with the same content.
 */
import { crc32 } from 'node:zlib'
import type { Row } from '@skerry/contract'
import { CONTRACT_VERSION, SkerryError } from '@skerry/contract'
import type { Graph, GraphView } from '@skerry/graph'
import type { Disk, DiskFile } from './disk.ts'
import { upcast } from './segments.ts'

export interface SnapshotHeader {
  contract: number
  incarnation: number
  seq: number
  epoch: number
  /** Hash of the record `seq`, by which log and snapshot are known to be of one history. */
  hash: string
  at: number
}

export const snapshotName = (seq: number) => `snapshot-${String(seq).padStart(15, '0')}.ndjson`
const SNAPSHOT = /^snapshot-(\d{15})\.ndjson$/
const ROWS_PER_LINE = 64
const NEWLINE = 10
const READ_BYTES = 4 * 1024 * 1024
const WRITE_BYTES = 256 * 1024

/** seqs of the snapshots in the folder, newest first. */
export async function listSnapshots(disk: Disk, dir: string): Promise<number[]> {
  const seqs = (await disk.list(dir)).map((file) => SNAPSHOT.exec(file)?.[1]).filter((seq) => seq !== undefined)
  return seqs.map(Number).sort((a, b) => b - a)
}

const line = (value: unknown): string => {
  const json = JSON.stringify(value)
  return `${crc32(json).toString(16).padStart(8, '0')} ${json}\n`
}

/** Lines of a view, with the number of rows as the last. */
function* lines(header: SnapshotHeader, view: GraphView): Generator<string> {
  yield line(header)
  let table = ''
  let rows: [string, number, Readonly<Row>][] = []
  let count = 0
  for (const [t, key, entry] of view.entries()) {
    if (rows.length === ROWS_PER_LINE || (t !== table && rows.length > 0)) {
      yield line({ t: table, rows })
      rows = []
    }
    table = t
    rows.push([key, entry.version, entry.row])
    count++
  }
  if (rows.length > 0) yield line({ t: table, rows })
  yield line({ end: count })
}

export interface SliceOptions {
  /** No slice of work keeps the event loop longer than about this. */
  sliceMs: number
  /** Monotonic milliseconds. */
  now: () => number
  /** Lets other work run. */
  pause: () => Promise<void>
}

/** Writes the view into a file of that name, in slices, and syncs it. The caller renames it. */
export async function writeSnapshot(
  file: DiskFile,
  header: SnapshotHeader,
  view: GraphView,
  slices: SliceOptions,
): Promise<number> {
  let at = 0
  let waiting: string[] = []
  let waitingBytes = 0
  let began = slices.now()
  const flush = async () => {
    const bytes = Buffer.from(waiting.join(''))
    waiting = []
    waitingBytes = 0
    await file.write(at, bytes)
    at += bytes.length
  }
  for (const text of lines(header, view)) {
    waiting.push(text)
    waitingBytes += text.length
    if (waitingBytes >= WRITE_BYTES) await flush()
    else if (slices.now() - began >= slices.sliceMs) await slices.pause()
    else continue
    began = slices.now()
  }
  await flush()
  await file.sync()
  return at
}

const invalid = (file: string, offset: number, because: string) =>
  new SkerryError('log-corrupt', `cannot read a snapshot`, { file, offset, because })

/** Loads a snapshot into an empty graph. Throws `log-corrupt` when anything of it is damaged; the graph is then spoilt. */
export async function loadSnapshot(disk: Disk, dir: string, seq: number, graph: Graph): Promise<SnapshotHeader> {
  const name = snapshotName(seq)
  let header: SnapshotHeader | undefined
  let rows = 0
  let ended = false
  for await (const { value, offset } of readLines(disk, dir, name)) {
    if (ended) throw invalid(name, offset, 'something follows the end')
    if (!header) {
      header = value as SnapshotHeader
      if (header.seq !== seq) throw invalid(name, offset, 'the header names another seq')
    } else if ('end' in (value as object)) ended = (value as { end: number }).end === rows
    else rows += loadRows(graph, header, value as { t: string; rows: [string, number, Row][] })
  }
  if (!header || !ended) throw invalid(name, 0, 'it ends early')
  graph.seq = header.seq
  graph.incarnation = header.incarnation
  graph.epoch = header.epoch
  return header
}

function loadRows(graph: Graph, header: SnapshotHeader, { t, rows }: { t: string; rows: [string, number, Row][] }): number {
  if (header.contract === CONTRACT_VERSION) {
    for (const [key, version, row] of rows) graph.load(t, key, { row, version })
    return rows.length
  }
  const versions = new Map(rows.map(([key, version]) => [key, version]))
  const ops = rows.map(([k, , v]) => ({ o: 'put' as const, t, k, v }))
  const commit = upcast({
    contract: header.contract,
    seq: header.seq,
    commit: { id: '', at: header.at, actor: 'system', guards: [], ops, facts: [] },
  })
  for (const op of commit.ops)
    if (op.o === 'put') graph.load(op.t, op.k, { row: op.v, version: versions.get(op.k) ?? header.seq })
  return rows.length
}

async function* readLines(disk: Disk, dir: string, name: string): AsyncGenerator<{ value: unknown; offset: number }> {
  const file = await disk.open(`${dir}/${name}`, 'read')
  try {
    let rest: Buffer = Buffer.alloc(0)
    let offset = 0
    for (let at = 0; ; ) {
      const chunk = await file.read(at, READ_BYTES)
      if (chunk.length === 0) break
      at += chunk.length
      const bytes: Buffer = rest.length > 0 ? Buffer.concat([rest, chunk]) : chunk
      let start = 0
      for (let end = bytes.indexOf(NEWLINE); end !== -1; end = bytes.indexOf(NEWLINE, start)) {
        const json = bytes.subarray(start + 9, end)
        if (crc32(json) !== Number.parseInt(bytes.toString('latin1', start, start + 8), 16))
          throw invalid(name, offset + start, 'wrong checksum')
        yield { value: JSON.parse(json.toString('utf8')), offset: offset + start }
        start = end + 1
      }
      rest = bytes.subarray(start)
      offset += start
    }
    if (rest.length > 0) throw invalid(name, offset, 'it ends inside a line')
  } finally {
    await file.close()
  }
}
