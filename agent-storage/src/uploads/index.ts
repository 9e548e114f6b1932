/**
 * `do.image.<imageUuid>.allow-upload`, `.upload`, `.uploaded` and `.receive`: an image whose bytes a client sends. Each request of the client
 * is a session of its own; between two of them nothing is open, and all that counts is on the disk.
 */
import { createHash } from 'node:crypto'
import { type AgentCommand, type CommandContext, defineCommand } from '@skerry/agent'
import type { Bus } from '@skerry/bus'
import { SkerryError, storageCommands, subjects } from '@skerry/contract'
import type { Timers } from '@skerry/reconcile'
import type { z } from 'zod'
import type { ImagePorts } from '../commands/image.download.ts'
import { rehash } from '../images/http-source.ts'
import { ImageStore } from '../images/store.ts'
import { takeIn, takenOf } from '../images/take-in.ts'
import { withStore } from '../sftp/access.ts'
import type { StoreFiles } from '../sftp/remote-files.ts'
import { allow, forget, needAllowed } from './allowed.ts'
import { UploadSession } from './session.ts'

export interface UploadPorts extends ImagePorts {
  bus(): Bus | undefined
  timers: Timers
}

/** How long the end of a session is waited for that its sender has announced. */
const END_MS = 10_000
/** Open at once; each holds a window of the channel. */
const MAX_SESSIONS = 64

type Uploading = z.infer<typeof storageCommands.upload.input>
interface Where {
  storePath: string
  backupStorageUuid?: string | undefined
}

export class Uploads {
  readonly #p: UploadPorts
  /** The last session of each image, open or not. */
  readonly #sessions = new Map<string, UploadSession>()
  readonly #open = new Set<UploadSession>()
  /** Monotonic: when something of an image came, or was asked for first. */
  readonly #heardMs = new Map<string, number>()
  /** One opening after another, by image. */
  readonly #turns = new Map<string, Promise<unknown>>()

  constructor(ports: UploadPorts) {
    this.#p = ports
  }

  commands(): AgentCommand[] {
    const { allowUpload, upload, uploaded, receive } = storageCommands
    return [
      defineCommand({ noun: 'image', verb: 'allow-upload', ...allowUpload, run: (context) => this.#allow(context) }),
      // No receipt: what it leaves is in memory.
      defineCommand({ noun: 'image', verb: 'upload', reads: true, ...upload, run: (context) => this.#begin(context) }),
      defineCommand({ noun: 'image', verb: 'uploaded', reads: true, ...uploaded, run: (context) => this.#look(context) }),
      defineCommand({ noun: 'image', verb: 'receive', ...receive, run: (context) => this.#receive(context) }),
    ]
  }

  /** Of an image: nothing is written any more when this resolves. */
  async end(imageUuid: string, reason: string): Promise<void> {
    await this.#sessions.get(imageUuid)?.close(reason)
    this.#sessions.delete(imageUuid)
    this.#heardMs.delete(imageUuid)
  }

  async close(): Promise<void> {
    await Promise.all([...this.#open].map((session) => session.close('the agent is ending')))
  }

  async #allow({ uuid, input, signal }: CommandContext<z.infer<typeof storageCommands.allowUpload.input>>) {
    const { format, checksum, tokenHash } = input
    await this.#in(input, signal, async (files, store) => {
      await allow(files, store, uuid, { tokenHash, format, checksum })
      this.#heardMs.set(uuid, this.#p.nowMs())
    })
    return {}
  }

  #begin({ uuid, input }: CommandContext<Uploading>): Promise<Record<string, never>> {
    const turn = (this.#turns.get(uuid) ?? Promise.resolve()).then(async () => {
      // A repeat of the request that opened it.
      if (this.#sessions.get(uuid)?.id !== input.session) await this.#opened(uuid, input)
      return {}
    })
    const kept = turn.catch(() => undefined) // the caller is told
    this.#turns.set(uuid, kept)
    void kept.then(() => this.#turns.get(uuid) === kept && this.#turns.delete(uuid))
    return turn
  }

  /** Resolves when bytes can come. The files of a storage server stay open for as long as the session. */
  #opened(uuid: string, input: Uploading): Promise<void> {
    return new Promise((resolve, reject) => {
      const abort = new AbortController()
      this.#in(input, abort.signal, async (files, store) => {
        const session = await this.#session(uuid, input, { files, store })
        resolve()
        await session.ended
        this.#open.delete(session)
      }).catch(reject) // once it is open, what goes wrong is the session's failure
    })
  }

  async #session(uuid: string, input: Uploading, { files, store }: { files: StoreFiles; store: ImageStore }) {
    const { session: id, offset, tokenHash } = input
    const bus = this.#p.bus()
    if (!bus) throw new SkerryError('agent-unreachable', 'this agent has no bus for bytes to come over')
    if (this.#open.size >= MAX_SESSIONS)
      throw new SkerryError('too-many-requests', `${MAX_SESSIONS} uploads are open on this host`, { limit: MAX_SESSIONS })
    await needAllowed(files, store, { imageUuid: uuid, tokenHash })
    // Whoever comes anew has lost the connection before.
    await this.#sessions.get(uuid)?.close('another connection goes on with this upload')
    const there = await sizeOf(files, store, uuid)
    if (offset !== there)
      throw new SkerryError('upload-offset', `${there} bytes of image ${uuid} are there, not ${offset}`, { offset: there })
    const { timers, identity } = this.#p
    const io = (way: 'in' | 'out') => subjects.io('storage', identity.uuid, id, way)
    const sink = await files.sink(store.partPath(uuid), { append: true })
    const heard = () => void this.#heardMs.set(uuid, this.#p.nowMs())
    const session = new UploadSession(id, { sink, bus, timers, hear: io('in'), say: io('out'), heard })
    this.#sessions.set(uuid, session)
    this.#open.add(session)
    heard()
    await session.ready()
    return session
  }

  async #look({ uuid, input, signal }: CommandContext<z.infer<typeof storageCommands.uploaded.input>>) {
    const session = this.#sessions.get(uuid)
    if (input.session !== undefined && session?.id === input.session) await this.#over(session)
    return this.#in(input, signal, async (files, store) => {
      await needAllowed(files, store, { imageUuid: uuid, tokenHash: input.tokenHash })
      const now = this.#p.nowMs()
      // An agent that was started anew begins to count.
      if (!this.#heardMs.has(uuid)) this.#heardMs.set(uuid, now)
      return { offset: await sizeOf(files, store, uuid), idleMs: now - this.#heardMs.get(uuid)! }
    })
  }

  /** Its sender has said that nothing more comes; should that be lost on the way, it is ended here. */
  async #over(session: UploadSession): Promise<void> {
    const { timers } = this.#p
    const timer = timers.set(() => void session.close('its end was not heard of'), END_MS)
    await session.ended
    timers.clear(timer)
    if (session.failure) throw session.failure
  }

  async #receive(context: CommandContext<z.infer<typeof storageCommands.receive.input>>) {
    const { uuid, input, signal } = context
    await this.end(uuid, 'all bytes of this image are there')
    return this.#in(input, signal, async (files, store) => {
      // A repeat after a crash finds what it had done.
      const known = await store.find(uuid)
      if (known) {
        await forget(files, store, uuid)
        return takenOf(store, known)
      }
      const { format, checksum } = await needAllowed(files, store, { imageUuid: uuid })
      const there = await sizeOf(files, store, uuid)
      if (there !== input.sizeBytes)
        throw new SkerryError('upload-offset', `${there} of ${input.sizeBytes} bytes of image ${uuid} are there`, {
          offset: there,
        })
      const got = await this.#hashed(context, files, store)
      const whole = { imageUuid: uuid, got, format, checksum, from: 'that were uploaded', signal }
      const ref = await takeIn({ host: this.#p.host, store, files }, whole).catch(async (error) => {
        if (isVerdict(error)) await forget(files, store, uuid)
        throw error
      })
      await forget(files, store, uuid)
      return takenOf(store, ref)
    })
  }

  /** What lies on the disk is what counts, not what came. */
  async #hashed({ uuid, input, signal, progress }: Receiving, files: StoreFiles, store: ImageStore) {
    const totalBytes = input.sizeBytes
    const hashes = [createHash('md5'), createHash('sha256')] as const
    let doneBytes = 0
    const seen = {
      update(piece: Uint8Array) {
        signal.throwIfAborted()
        doneBytes += piece.length
        progress({ step: 'check', doneBytes, totalBytes, percent: Math.floor((doneBytes / totalBytes) * 1000) / 10 })
      },
    }
    await rehash(files, store.partPath(uuid), totalBytes, [...hashes, seen])
    return { sizeBytes: totalBytes, md5: hashes[0].digest('hex'), sha256: hashes[1].digest('hex') }
  }

  async #in<T>(
    { storePath, backupStorageUuid }: Where,
    signal: AbortSignal,
    act: (files: StoreFiles, store: ImageStore) => Promise<T>,
  ): Promise<T> {
    const at = async (files: StoreFiles) => {
      const store = new ImageStore(files, storePath, this.#p.locks)
      await store.requireOurs()
      return act(files, store)
    }
    if (backupStorageUuid === undefined) return at(this.#p.host.files)
    return withStore(this.#p, { backupStorageUuid, signal }, at)
  }
}

type Receiving = CommandContext<z.infer<typeof storageCommands.receive.input>>

const sizeOf = async (files: StoreFiles, store: ImageStore, uuid: string) =>
  (await files.stat(store.partPath(uuid)))?.sizeBytes ?? 0

/** Said of the bytes themselves: others have to be sent. */
const isVerdict = (error: unknown) => error instanceof SkerryError && ['image-checksum', 'image-refused'].includes(error.code)
