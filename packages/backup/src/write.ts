/** Backups as text, made line by line. */
import { createHash, type Hash } from 'node:crypto'
import type { BackupHeader, BackupPart, SiteFile } from './format.ts'
import { linesOf } from './read.ts'

/** Lines go out in chunks of about this size. */
const CHUNK_BYTES = 64 * 1024

class Text {
  readonly #whole = createHash('sha256')
  #part: { hash: Hash; lines: number } | undefined
  #waiting: Buffer[] = []
  #bytes = 0

  line(value: unknown): Buffer | undefined {
    return this.raw(JSON.stringify(value))
  }

  /** A chunk when one is full. */
  raw(json: string): Buffer | undefined {
    const bytes = Buffer.from(`${json}\n`)
    this.#whole.update(bytes)
    if (this.#part) {
      this.#part.hash.update(bytes)
      this.#part.lines++
    }
    this.#waiting.push(bytes)
    this.#bytes += bytes.length
    return this.#bytes >= CHUNK_BYTES ? this.rest() : undefined
  }

  begin(part: BackupPart): Buffer | undefined {
    const chunk = this.line({ part })
    this.#part = { hash: createHash('sha256'), lines: 0 }
    return chunk
  }

  end(part: BackupPart): Buffer | undefined {
    const { hash, lines } = this.#part!
    this.#part = undefined
    return this.line({ endOf: part, lines, sha256: hash.digest('hex') })
  }

  close(): Buffer {
    const sha256 = this.#whole.copy().digest('hex')
    // The line of the end may be the one that fills a chunk.
    return this.line({ end: 'backup', sha256 }) ?? this.rest()
  }

  rest(): Buffer {
    const chunk = Buffer.concat(this.#waiting)
    this.#waiting = []
    this.#bytes = 0
    return chunk
  }
}

/** The text of a backup in chunks. Each part gives the lines that stand in it, in the order of `PARTS`. */
export async function* backupText(
  header: BackupHeader,
  parts: readonly { part: BackupPart; lines: AsyncIterable<unknown> | Iterable<unknown> }[],
): AsyncGenerator<Buffer> {
  const text = new Text()
  text.line(header)
  for (const { part, lines } of parts) {
    yield* some(text.begin(part))
    for await (const line of lines) yield* some(text.line(line))
    yield* some(text.end(part))
  }
  yield text.close()
}

function* some(chunk: Buffer | undefined): Generator<Buffer> {
  if (chunk) yield chunk
}

/** A backup with the site's keys added as its last part. The source is checked on its way through. */
export async function* withKeys(source: AsyncIterable<Uint8Array>, keys: Iterable<SiteFile>): AsyncGenerator<Buffer> {
  const text = new Text()
  let open: BackupPart | undefined
  for await (const { line, json } of linesOf(source)) {
    if (line.kind === 'end') break
    if (line.kind === 'part') yield* some(text.begin((open = line.part)))
    else if (line.kind === 'end-of-part') yield* some(text.end(open!))
    else yield* some(text.raw(json))
  }
  yield* some(text.begin('keys'))
  for (const key of keys) yield* some(text.line(key))
  yield* some(text.end('keys'))
  yield text.close()
}
