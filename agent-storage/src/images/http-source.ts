/**
 * Fetches an image over HTTP into a partial file. A lost connection is resumed (Range with If-Range, so only while the source
 * still has the same content), in this command and in a later one; `<part>.json` says what the partial file is of.
 */
import { createHash, type Hash } from 'node:crypto'
import { SkerryError } from '@skerry/contract'
import { z } from 'zod'
import type { StoreFiles } from '../sftp/remote-files.ts'
import { openFollowing } from './http-open.ts'

const ATTEMPTS = 5
const PAUSE_MS = 500
/** A source that says nothing for this long counts as lost. */
const IDLE_MS = 30_000
const PIECE_BYTES = 4 * 1024 * 1024

const partial = z.object({ v: z.literal(1), url: z.string(), etag: z.string(), totalBytes: z.number().nullable() })
type Partial = z.infer<typeof partial>

export interface HttpPorts {
  files: StoreFiles
  fetch: typeof fetch
  sleep(ms: number, signal: AbortSignal): Promise<void>
}

export interface HttpSpec {
  url: string
  part: string
  signal: AbortSignal
  onProgress(doneBytes: number, totalBytes: number | undefined): void
}

export interface Fetched {
  sizeBytes: number
  md5: string
  sha256: string
}

/** The connection was lost; what came so far is kept. */
class ConnectionLost extends Error {}

/** Throws `image-unreachable`, `disk-full`, or the signal's reason. Only a lost connection leaves the partial file. */
export async function fetchHttp(ports: HttpPorts, spec: HttpSpec): Promise<Fetched> {
  let lost: unknown
  for (let attempt = 0, last = -1; attempt < ATTEMPTS; attempt++) {
    if (attempt > 0) await ports.sleep(PAUSE_MS * attempt, spec.signal)
    spec.signal.throwIfAborted()
    try {
      return await fetchOnce(ports, spec)
    } catch (error) {
      if (!(error instanceof ConnectionLost)) throw error
      lost = error.cause
      const have = (await ports.files.stat(spec.part))?.sizeBytes ?? 0
      if (have > last) attempt = Math.min(attempt, 1) // it goes forward
      last = have
    }
  }
  throw new SkerryError(
    'image-unreachable',
    `the connection to the source of the image was lost`,
    { url: spec.url },
    { cause: lost },
  )
}

async function fetchOnce(ports: HttpPorts, spec: HttpSpec): Promise<Fetched> {
  const { files } = ports
  const have = await resumable(files, spec)
  const idle = new AbortController()
  const signal = AbortSignal.any([spec.signal, idle.signal])
  const headers: Record<string, string> = { 'accept-encoding': 'identity' }
  if (have) Object.assign(headers, { range: `bytes=${have.sizeBytes}-`, 'if-range': have.etag })
  let watch = setTimeout(() => idle.abort(), IDLE_MS)
  try {
    const response = await openFollowing(ports.fetch, { url: spec.url, headers, signal }).catch((cause) => {
      if (cause instanceof SkerryError || spec.signal.aborted) throw cause
      throw new ConnectionLost('', { cause })
    })
    const from = response.status === 206 && have ? have.sizeBytes : 0
    const totalBytes = lengthOf(response, from)
    await rememberPart(files, spec, { etag: response.headers.get('etag'), totalBytes })
    const hashes: Hashes = [createHash('md5'), createHash('sha256')]
    if (from > 0) await rehash(files, spec.part, from, hashes)
    const receive = async function* (): AsyncGenerator<Uint8Array> {
      for await (const chunk of response.body ?? []) {
        clearTimeout(watch)
        watch = setTimeout(() => idle.abort(), IDLE_MS)
        yield chunk as Uint8Array
      }
    }
    const sizeBytes = await store(files, receive(), { spec, from, totalBytes, hashes })
    if (totalBytes !== undefined && sizeBytes !== totalBytes)
      throw new ConnectionLost('', { cause: new Error(`${sizeBytes} of ${totalBytes} bytes came`) })
    return { sizeBytes, md5: hashes[0].digest('hex'), sha256: hashes[1].digest('hex') }
  } finally {
    clearTimeout(watch)
  }
}

type Hashes = readonly [Hash, Hash]

async function store(
  files: StoreFiles,
  chunks: AsyncGenerator<Uint8Array>,
  { spec, from, totalBytes, hashes }: { spec: HttpSpec; from: number; totalBytes: number | undefined; hashes: Hashes },
): Promise<number> {
  const sink = await files.sink(spec.part, { append: from > 0 })
  let at = from
  try {
    for (;;) {
      const next = await chunks.next().catch((cause) => {
        if (spec.signal.aborted) throw spec.signal.reason
        throw new ConnectionLost('', { cause })
      })
      if (next.done) return at
      await sink.write(next.value)
      for (const hash of hashes) hash.update(next.value)
      at += next.value.length
      spec.onProgress(at, totalBytes)
    }
  } finally {
    await sink.close()
  }
}

/** What of the partial file can be gone on with: only content that the source can name again (a strong ETag). */
async function resumable(files: StoreFiles, { url, part }: HttpSpec): Promise<{ sizeBytes: number; etag: string } | undefined> {
  const [stat, text] = await Promise.all([files.stat(part), files.read(`${part}.json`)])
  if (stat?.kind !== 'file' || stat.sizeBytes === 0 || text === undefined) return undefined
  const known = partial.safeParse(parseJson(text)).data
  if (known?.url !== url || (known.totalBytes !== null && stat.sizeBytes >= known.totalBytes)) return undefined
  return { sizeBytes: stat.sizeBytes, etag: known.etag }
}

/** A weak ETag (`W/`) promises no equal bytes: such a source begins anew each time (RFC 9110 §13.1.5). */
async function rememberPart(
  files: StoreFiles,
  { url, part }: HttpSpec,
  of: { etag: string | null; totalBytes: number | undefined },
): Promise<void> {
  if (!of.etag || of.etag.startsWith('W/')) return files.remove(`${part}.json`)
  const known: Partial = { v: 1, url, etag: of.etag, totalBytes: of.totalBytes ?? null }
  await files.write(`${part}.json`, `${JSON.stringify(known)}\n`)
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined // cut off while it was written: the download begins anew
  }
}

/** Feeds what is there already to the hashes, or to whoever else wants to see each piece. */
export async function rehash(
  files: Pick<StoreFiles, 'readAt'>,
  part: string,
  sizeBytes: number,
  hashes: readonly { update(piece: Uint8Array): unknown }[],
): Promise<void> {
  for (let at = 0; at < sizeBytes; ) {
    const piece = await files.readAt(part, at, Math.min(PIECE_BYTES, sizeBytes - at))
    if (!piece?.length) throw new SkerryError('host-command-failed', `${part} became shorter while it was read`, { path: part })
    for (const hash of hashes) hash.update(piece)
    at += piece.length
  }
}

function lengthOf(response: Response, from: number): number | undefined {
  const length = Number(response.headers.get('content-length') ?? Number.NaN)
  return Number.isSafeInteger(length) && length >= 0 ? from + length : undefined
}
