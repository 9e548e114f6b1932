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
export const ROWS_PER_LINE = 64
const NEWLINE = 10
/** Eight hex digits and a blank. */
const CRC_BYTES = 9
const READ_BYTES = 1024 * 1024
const WRITE_BYTES = 256 * 1024

/** seqs of the snapshots in the folder, newest first. */
export async function listSnapshots(disk: Disk, dir: string): Promise<number[]> {
  const seqs = (await disk.list(dir)).map((file) => SNAPSHOT.exec(file)?.[1]).filter((seq) => seq !== undefined)
  return seqs.map(Number).sort((a, b) => b - a)
}

/** What the lines of a view hold, the number of rows last. */
function* contents(header: SnapshotHeader, view: GraphView): Generator<object> {
  yield header
  let table = ''
  let rows: [string, number, Readonly<Row>][] = []
  let count = 0
  for (const [t, key, entry] of view.entries()) {
    if (rows.length === ROWS_PER_LINE || (t !== table && rows.length > 0)) {
      yield { t: table, rows }
      rows = []
    }
    table = t
    rows.push([key, entry.version, entry.row])
    count++
  }
  if (rows.length > 0) yield { t: table, rows }
  yield { end: count }
}

export interface SliceOptions {
  /** No slice of work keeps the event loop longer than about this. */
  sliceMs: number
  /** Monotonic milliseconds. */
  now: () => number
  /** Lets other work run. */
  pause: () => Promise<void>
}

/** Lines as bytes in one buffer that is used again and again: the garbage of strings would cost pauses of its own. */
export class LineBuffer {
  private buffer = Buffer.allocUnsafe(2 * WRITE_BYTES)
  length = 0

  add(content: object): void {
    const json = JSON.stringify(content)
    this.reserve(CRC_BYTES + json.length * 3 + 1)
    const start = this.length + CRC_BYTES
    const end = start + this.buffer.write(json, start, 'utf8')
    const sum = crc32(this.buffer.subarray(start, end))
    this.buffer.write(`${sum.toString(16).padStart(8, '0')} `, this.length, 'latin1')
    this.buffer[end] = NEWLINE
    this.length = end + 1
  }

  /** Valid until the next `add`. */
  take(): Buffer {
    const bytes = this.buffer.subarray(0, this.length)
    this.length = 0
    return bytes
  }

  private reserve(more: number): void {
    if (this.length + more <= this.buffer.length) return
    const bigger = Buffer.allocUnsafe(this.length + more)
    this.buffer.copy(bigger, 0, 0, this.length)
    this.buffer = bigger
  }
}

/** Writes the view into a file of that name, in slices, and syncs it. The caller renames it. */
export async function writeSnapshot(
  file: DiskFile,
  header: SnapshotHeader,
  view: GraphView,
  slices: SliceOptions,
): Promise<number> {
  let at = 0
  const lines = new LineBuffer()
  let began = slices.now()
  const flush = async () => {
    const bytes = lines.take()
    await file.write(at, bytes)
    at += bytes.length
  }
  for (const content of contents(header, view)) {
    lines.add(content)
    if (lines.length >= WRITE_BYTES) await flush()
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
export const loadSnapshot = (disk: Disk, dir: string, seq: number, graph: Graph): Promise<SnapshotHeader> =>
  loadSnapshotFile(disk, dir, { name: snapshotName(seq), seq }, graph)

/** The same of a file by another name. */
export async function loadSnapshotFile(
  disk: Disk,
  dir: string,
  { name, seq }: { name: string; seq: number },
  graph: Graph,
): Promise<SnapshotHeader> {
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

/** Reads a snapshot without loading it. Throws `log-corrupt` when anything of it is damaged. */
export async function checkSnapshot(disk: Disk, dir: string, seq: number, pause: () => Promise<void>): Promise<void> {
  const name = snapshotName(seq)
  let rows = 0
  let ended = false
  for await (const { value, offset } of readLines(disk, dir, name)) {
    if (ended) throw invalid(name, offset, 'something follows the end')
    if ('end' in (value as object)) ended = (value as { end: number }).end === rows
    else if ('rows' in (value as object)) rows += (value as { rows: unknown[] }).rows.length
    await pause()
  }
  if (!ended) throw invalid(name, 0, 'it ends early')
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
    let buffer = Buffer.allocUnsafe(READ_BYTES)
    /** of a line that isn't whole yet, at the buffer's start */
    let held = 0
    let offset = 0
    for (let at = 0; ; ) {
      if (held === buffer.length) buffer = Buffer.concat([buffer], 2 * held)
      const chunk = await file.read(at, buffer.length - held, buffer.subarray(held))
      if (chunk.length === 0) break
      at += chunk.length
      const bytes = buffer.subarray(0, held + chunk.length)
      let start = 0
      for (let end = bytes.indexOf(NEWLINE); end !== -1; end = bytes.indexOf(NEWLINE, start)) {
        const json = bytes.subarray(start + CRC_BYTES, end)
        if (crc32(json) !== Number.parseInt(bytes.toString('latin1', start, start + CRC_BYTES - 1), 16))
          throw invalid(name, offset + start, 'wrong checksum')
        yield { value: JSON.parse(json.toString('utf8')), offset: offset + start }
        start = end + 1
      }
      buffer.copyWithin(0, start, bytes.length)
      held = bytes.length - start
      offset += start
    }
    if (held > 0) throw invalid(name, offset, 'it ends inside a line')
  } finally {
    await file.close()
  }
}
