/**
 * Bytes of an image from a client to the agent of its store. Nothing is kept here: each request opens a session at the agent, and what it
 * answers afterwards is on the disk there. So a client goes on after any break by asking how many bytes are there.
 */
import type { Bus, Timers } from '@skerry/bus'
import { Channel } from '@skerry/console'
import { hashOfSecret } from '@skerry/console/token'
import { type Row, SkerryError, storageCommands, subjects } from '@skerry/contract'
import type { Graph } from '@skerry/graph'
import type { Call, JobView } from '../engine/port.ts'
import { internalCall } from '../tasks/internal-call.ts'
import { isUploading, uploadSecret, uploadTarget } from '../workflows/image.upload.ts'
import type { AgentsPort } from '../workflows/world.ts'
import { imageOfToken } from './token.ts'

export interface UploadsPorts {
  graph: Graph
  agents: AgentsPort
  bus: Bus
  timers: Timers
  newId(): string
  consoleSecret(name: string): string
  accept(call: Call): Promise<JobView>
  busy(uuid: string): boolean
  monotonic(): number
}

/** Bytes that follow the first `offset` ones; of how many in all, where the client knows that. */
export interface Piece {
  offset: number
  totalBytes: number | undefined
  bytes: AsyncIterable<Uint8Array>
}

export interface Uploaded {
  offset: number
  /** undefined: not known here */
  totalBytes?: number
  /** checks the image and takes it in */
  job?: string
}

/** A client sends its file in several: each is short enough for every time limit on the way, and what is lost with one is little. */
export const MAX_REQUEST_BYTES = 64 * 1024 * 1024
/** At once: each holds a window of the channel. */
const MAX_REQUESTS = 64
const ASK_MS = 30_000

export class ImageUploads {
  readonly #p: UploadsPorts
  #requests = 0

  constructor(ports: UploadsPorts) {
    this.#p = ports
  }

  /** How far it has come. Throws `session-invalid` for a wrong token, `upload-ended` where it came to nothing. */
  async look(token: string): Promise<Uploaded> {
    const image = imageOfToken(this.#p.graph, this.#p.consoleSecret, token)
    if (image['status'] === 'Ready') return wholeOf(image)
    requireUploading(image)
    return { offset: (await uploadState(this.#p, image)).offset }
  }

  /**
   * Sends what comes on to the agent; resolves when all of it is on the disk there. With the last of them a job begins that takes the image
   * in. What came before an error stays. Throws `upload-offset` when they don't follow those that are there.
   */
  async append(token: string, piece: Piece): Promise<Uploaded> {
    const { graph, consoleSecret } = this.#p
    const image = imageOfToken(graph, consoleSecret, token)
    if (image['status'] === 'Ready') return wholeOf(image)
    requireUploading(image)
    if (this.#requests >= MAX_REQUESTS)
      throw new SkerryError('too-many-requests', `${MAX_REQUESTS} requests bring bytes of images already`, {
        limit: MAX_REQUESTS,
      })
    this.#requests += 1
    try {
      const offset = await this.#carry(image, piece)
      if (offset !== piece.totalBytes)
        return { offset, ...(piece.totalBytes === undefined ? {} : { totalBytes: piece.totalBytes }) }
      return { offset, totalBytes: offset, ...(await this.#finish(image, offset)) }
    } catch (error) {
      const whole = this.#endedMeanwhile(image['uuid'] as string, piece, error)
      if (whole) return whole
      await this.#unlessHopeless(image, error)
      throw error
    } finally {
      this.#requests -= 1
    }
  }

  /** Another request has ended it while this one asked for the same: what came is no upload any more, but an image or about to be one. */
  #endedMeanwhile(uuid: string, { offset, totalBytes }: Piece, error: unknown): Uploaded | undefined {
    if (!(error instanceof SkerryError) || error.code !== 'not-found' || offset !== totalBytes) return undefined
    const image = this.#p.graph.get('image', uuid)
    if (image?.['status'] === 'Ready') return wholeOf(image)
    const job = this.#finishing(uuid)
    return job === undefined ? undefined : { offset, totalBytes, job }
  }

  #finishing(uuid: string): string | undefined {
    const { graph } = this.#p
    return [...graph.by('job', 'state', 'processing')].find((key) => {
      const { api, resourceUuid } = graph.get('job', key)!
      return api === 'FinishImageUpload' && resourceUuid === uuid
    })
  }

  async #carry(image: Readonly<Row>, { offset, totalBytes, bytes }: Piece): Promise<number> {
    const session = this.#p.newId()
    const { agentUuid } = uploadTarget(this.#p.graph, this.#p.agents, image)
    const { bus, timers } = this.#p
    const way = new Way()
    const io = (side: 'in' | 'out') => subjects.io('storage', agentUuid, session, side)
    const channel = new Channel({ bus, timers, hear: io('out'), say: io('in') }, way)
    try {
      await ask(this.#p, image, 'upload', { session, offset })
      const room = Math.min(MAX_REQUEST_BYTES, (totalBytes ?? Number.POSITIVE_INFINITY) - offset)
      let sent = 0
      for await (const piece of bytes) {
        sent += piece.length
        if (sent > room) throw tooMany(room)
        if (!channel.send(piece)) await way.room()
        if (way.over) break // the agent says why, below
      }
    } finally {
      channel.close('that is all')
    }
    return (await uploadState(this.#p, image, session)).offset
  }

  /** Asked again by a client that has missed the answer, it is the same job. */
  async #finish(image: Readonly<Row>, sizeBytes: number): Promise<{ job: string }> {
    const uuid = image['uuid'] as string
    const accept = () => this.#p.accept(callOf('FinishImageUpload', { uuid, sizeBytes }))
    return { job: this.#finishing(uuid) ?? (await accept()).uuid }
  }

  /** Where there is no room now there would be none in an hour, and what was sent takes it from others. */
  async #unlessHopeless(image: Readonly<Row>, error: unknown): Promise<void> {
    if (!(error instanceof SkerryError) || error.code !== 'disk-full') return
    const uuid = image['uuid'] as string
    if (isUploading(this.#p.graph.get('image', uuid)) && !this.#p.busy(uuid))
      await this.#p.accept(callOf('CancelImageUpload', { uuid, reason: `the disk of its storage is full: ${error.message}` }))
  }
}

type AskPorts = Pick<UploadsPorts, 'graph' | 'agents' | 'newId' | 'monotonic' | 'consoleSecret'>

/** Bytes on the agent's disk, and how long nothing came. Of a session it waits for the end, and throws what was in its way. */
export async function uploadState(
  p: AskPorts,
  image: Readonly<Row>,
  session?: string,
): Promise<{ offset: number; idleMs: number }> {
  const output = await ask(p, image, 'uploaded', session === undefined ? {} : { session })
  return storageCommands.uploaded.output.parse(output)
}

function ask(
  { graph, agents, newId, monotonic, consoleSecret }: AskPorts,
  image: Readonly<Row>,
  verb: string,
  input: Row,
): Promise<Row> {
  const { agentUuid, where } = uploadTarget(graph, agents, image)
  const until = monotonic() + ASK_MS
  const waiting = { remainingMs: () => Math.floor(until - monotonic()), progress: () => undefined }
  const command = {
    noun: 'image',
    uuid: image['uuid'] as string,
    verb,
    input: { ...where, tokenHash: hashOfSecret(uploadSecret(consoleSecret, image)), ...input },
  }
  return agents.command(agentUuid, { id: `${verb}_${newId()}`, ...command }, waiting)
}

/** The near end of a channel: it sends only. */
class Way {
  over = false
  #wake: () => void = () => undefined

  onBytes(): void {}

  onRoom(): void {
    this.#wake()
  }

  onEnd(): void {
    this.over = true
    this.#wake()
  }

  room(): Promise<void> {
    return new Promise((resolve) => {
      this.#wake = resolve
      if (this.over) resolve()
    })
  }
}

export const callOf = (api: string, params: Row & { uuid: string }): Call => ({ ...internalCall(api, params.uuid), params })

const wholeOf = ({ actualSize }: Readonly<Row>): Uploaded => ({ offset: Number(actualSize), totalBytes: Number(actualSize) })

function requireUploading(image: Readonly<Row>): void {
  if (isUploading(image)) return
  const why = image['uploadError'] ? `: ${image['uploadError']}` : ''
  throw new SkerryError('upload-ended', `the upload of image ${image['name']} has ended${why}`, { uuid: image['uuid'] })
}

const tooMany = (room: number) =>
  room === MAX_REQUEST_BYTES
    ? new SkerryError('body-too-large', `one request may bring ${MAX_REQUEST_BYTES} bytes: send the file in several`, {
        limit: MAX_REQUEST_BYTES,
      })
    : new SkerryError('invalid-argument', 'more bytes came than the image is said to have', { limit: room })
