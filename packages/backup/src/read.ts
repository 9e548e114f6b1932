/** Reading a backup: every line against its form, every part and the whole against their checksums. */
import { createHash, type Hash } from 'node:crypto'
import { CONTRACT_VERSION, SkerryError } from '@skerry/contract'
import { z } from 'zod'
import {
  type BackupHeader,
  type BackupLine,
  type BackupPart,
  backupEnd,
  backupHeader,
  fileLine,
  graphLine,
  PARTS,
  partEnd,
  partLine,
} from './format.ts'

const NEWLINE = 10
/** No line of ours is longer: 64 rows of at most 256 KiB, or one file. */
const MAX_LINE = 64 * 1024 * 1024

const damaged = (line: number, because: string, cause?: unknown) =>
  new SkerryError('backup-damaged', `line ${line} of the backup: ${because}`, { line, because }, { cause })

async function* split(source: AsyncIterable<Uint8Array>): AsyncGenerator<Buffer> {
  let held: Buffer[] = []
  let size = 0
  for await (const chunk of source) {
    const bytes = Buffer.from(chunk.buffer, chunk.byteOffset, chunk.byteLength)
    let start = 0
    for (let end = bytes.indexOf(NEWLINE); end !== -1; end = bytes.indexOf(NEWLINE, start)) {
      yield Buffer.concat([...held, bytes.subarray(start, end + 1)])
      held = []
      size = 0
      start = end + 1
    }
    if (start === bytes.length) continue
    // Copied: the source may use its chunk again.
    held.push(Buffer.from(bytes.subarray(start)))
    size += bytes.length - start
    if (size > MAX_LINE) throw damaged(0, 'it is longer than any line of a backup')
  }
  if (size > 0) yield Buffer.concat(held)
}

class Reader {
  readonly #whole = createHash('sha256')
  #number = 0
  #header: BackupHeader | undefined
  #part: { name: BackupPart; hash: Hash; lines: number } | undefined
  #last = -1
  ended = false

  take(bytes: Buffer): BackupLine {
    this.#number++
    if (this.ended) throw damaged(this.#number, 'something follows the end')
    if (bytes.at(-1) !== NEWLINE) throw damaged(this.#number, 'it is cut off')
    const value = this.#json(bytes)
    const line = this.#judge(value, bytes)
    this.#whole.update(bytes)
    return line
  }

  end(): void {
    if (!this.ended) throw damaged(this.#number + 1, 'the end is missing: the backup was not finished, or is cut off')
  }

  #json(bytes: Buffer): unknown {
    try {
      return JSON.parse(bytes.toString('utf8'))
    } catch (cause) {
      throw damaged(this.#number, 'it is no JSON', cause)
    }
  }

  #as<T extends z.ZodType>(schema: T, value: unknown): z.infer<T> {
    const parsed = schema.safeParse(value)
    if (!parsed.success) throw damaged(this.#number, z.prettifyError(parsed.error))
    return parsed.data
  }

  #judge(value: unknown, bytes: Buffer): BackupLine {
    if (!this.#header) return this.#begin(value)
    const keys = value !== null && typeof value === 'object' ? value : {}
    if (this.#part) return 'endOf' in keys ? this.#endPart(value) : this.#inside(this.#part, value, bytes)
    if ('part' in keys) return this.#beginPart(value)
    const { sha256 } = this.#as(backupEnd, value)
    if (sha256 !== this.#whole.copy().digest('hex')) throw damaged(this.#number, 'the checksum of the whole does not fit')
    if (this.#last < PARTS.indexOf('secrets')) throw damaged(this.#number, 'a part is missing')
    this.ended = true
    return { kind: 'end' }
  }

  #begin(value: unknown): BackupLine {
    const parsed = backupHeader.safeParse(value)
    if (!parsed.success) throw damaged(1, 'this is no backup of a Skerry controller')
    if (parsed.data.contract > CONTRACT_VERSION) {
      const { contract } = parsed.data
      throw new SkerryError(
        'log-newer',
        `this backup is of contract version ${contract}; this program knows up to ${CONTRACT_VERSION}`,
        {
          contract,
          known: CONTRACT_VERSION,
        },
      )
    }
    this.#header = parsed.data
    return { kind: 'header', header: parsed.data }
  }

  #beginPart(value: unknown): BackupLine {
    const { part } = this.#as(partLine, value)
    const at = PARTS.indexOf(part)
    if (at <= this.#last) throw damaged(this.#number, `part ${part} does not belong here`)
    this.#last = at
    this.#part = { name: part, hash: createHash('sha256'), lines: 0 }
    return { kind: 'part', part }
  }

  #endPart(value: unknown): BackupLine {
    const { name, hash, lines } = this.#part!
    const end = this.#as(partEnd, value)
    if (end.endOf !== name || end.lines !== lines || end.sha256 !== hash.digest('hex'))
      throw damaged(this.#number, `the checksum of part ${name} does not fit`)
    this.#part = undefined
    return { kind: 'end-of-part', part: name }
  }

  #inside(part: { name: BackupPart; hash: Hash; lines: number }, value: unknown, bytes: Buffer): BackupLine {
    part.hash.update(bytes)
    part.lines++
    if (part.name === 'graph') return { kind: 'rows', ...this.#as(graphLine, value) }
    const { file, data } = this.#as(fileLine, value)
    return { kind: 'file', part: part.name, file, data: Buffer.from(data, 'base64') }
  }
}

/** Every line, checked, with its text. Throws `backup-damaged` naming the line; `log-newer` for a newer version's. */
export async function* linesOf(source: AsyncIterable<Uint8Array>): AsyncGenerator<{ line: BackupLine; json: string }> {
  const reader = new Reader()
  for await (const bytes of split(source)) yield { line: reader.take(bytes), json: bytes.toString('utf8', 0, bytes.length - 1) }
  reader.end()
}

export interface Checked {
  header: BackupHeader
  rows: number
  secrets: number
  /** paths of the site's keys; none: it was made without them */
  keys: string[]
}

/** Reads a whole backup and says what is in it. Throws as `linesOf`. */
export async function checkBackup(source: AsyncIterable<Uint8Array>): Promise<Checked> {
  const found: Omit<Checked, 'header'> & { header?: BackupHeader } = { rows: 0, secrets: 0, keys: [] }
  for await (const { line } of linesOf(source)) {
    if (line.kind === 'header') found.header = line.header
    else if (line.kind === 'rows') found.rows += line.rows.length
    else if (line.kind === 'file' && line.part === 'secrets') found.secrets += 1
    else if (line.kind === 'file') found.keys.push(line.file)
  }
  return found as Checked
}
