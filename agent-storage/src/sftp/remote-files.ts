/**
 * A server's files as the image store uses files. A lost link is opened again, for as long as it pays: every request names its place, so
 * that to repeat one does no harm. So a transfer goes on where it was.
 */
import { randomUUID } from 'node:crypto'
import { dirname } from 'node:path'
import { SkerryError } from '@skerry/contract'
import type { FileSink, FileStat, Files } from '@skerry/host'
import type { SftpSession } from './port.ts'

/** What an image store needs of files; each path is absolute. */
export type StoreFiles = Pick<
  Files,
  'write' | 'read' | 'readAt' | 'sink' | 'makeDir' | 'list' | 'stat' | 'rename' | 'remove' | 'capacity'
>

export interface RemotePorts {
  /** Opens a session; asked again after each loss, so that a changed password counts at once. */
  open(): Promise<SftpSession>
  sleep(ms: number, signal: AbortSignal): Promise<void>
  signal: AbortSignal
  /** Between attempts; default: with pauses as long as a transfer is worth. */
  pausesMs?: readonly number[]
}

/** With these pauses a server may be away for half a minute. */
const PAUSES_MS = [200, 1_000, 3_000, 5_000, 10_000, 10_000]
/** Each request goes there and back: small ones are gathered. */
const PIECE_BYTES = 4 * 1024 * 1024
const MAX_TEXT_BYTES = 1024 * 1024

const isLoss = (error: unknown) => error instanceof SkerryError && error.code === 'storage-unreachable'

export class RemoteFiles implements StoreFiles {
  readonly #p: RemotePorts
  #session: Promise<SftpSession> | undefined

  constructor(ports: RemotePorts) {
    this.#p = ports
  }

  /** Of the server that answered; opens a session when there is none. */
  hostKey(): Promise<string> {
    return this.#with(async (session) => session.hostKey)
  }

  stat(path: string): Promise<FileStat | undefined> {
    return this.#with((session) => session.stat(path))
  }

  list(path: string): Promise<string[] | undefined> {
    return this.#with((session) => session.list(path))
  }

  readAt(path: string, offset: number, length: number): Promise<Uint8Array | undefined> {
    return this.#with((session) => session.readAt(path, offset, length))
  }

  async read(path: string): Promise<string | undefined> {
    const bytes = await this.readAt(path, 0, MAX_TEXT_BYTES)
    return bytes && new TextDecoder().decode(bytes)
  }

  async write(path: string, content: string | Uint8Array): Promise<void> {
    const bytes = typeof content === 'string' ? new TextEncoder().encode(content) : content
    const temp = `${dirname(path)}/.tmp-${randomUUID()}`
    try {
      await this.#with((session) => session.writeAt(temp, 0, bytes, { truncate: true }))
      await this.#with((session) => session.sync(temp))
      await this.rename(temp, path)
    } catch (error) {
      await this.#drop(temp)
      throw error
    }
  }

  async sink(path: string, opts: { append?: boolean } = {}): Promise<FileSink> {
    let at = opts.append ? ((await this.stat(path))?.sizeBytes ?? 0) : 0
    if (!opts.append) await this.#with((session) => session.writeAt(path, 0, new Uint8Array(), { truncate: true }))
    let waiting: Uint8Array[] = []
    let size = 0
    const flush = async () => {
      const piece = waiting.length === 1 ? waiting[0]! : Buffer.concat(waiting)
      await this.#with((session) => session.writeAt(path, at, piece))
      at += size
      waiting = []
      size = 0
    }
    return {
      write: async (chunk) => {
        waiting.push(chunk)
        size += chunk.length
        if (size >= PIECE_BYTES) await flush()
      },
      close: async () => {
        if (size > 0) await flush()
        await this.#with((session) => session.sync(path))
      },
    }
  }

  async makeDir(path: string): Promise<void> {
    const missing: string[] = []
    for (let folder = path; folder !== '/' && (await this.stat(folder)) === undefined; folder = dirname(folder))
      missing.unshift(folder)
    for (const folder of missing) await this.#with((session) => session.makeDir(folder))
  }

  /** Repeated after a loss, it may find that it was done. */
  async rename(from: string, to: string): Promise<void> {
    await this.#with(async (session) => {
      if ((await session.stat(from)) === undefined && (await session.stat(to)) !== undefined) return
      await session.rename(from, to)
    })
  }

  async remove(path: string): Promise<void> {
    const stat = await this.stat(path)
    if (stat?.kind === 'folder') for (const name of (await this.list(path)) ?? []) await this.remove(`${path}/${name}`)
    await this.#with((session) => session.remove(path))
  }

  capacity(path: string) {
    return this.#with((session) => session.capacity(path))
  }

  async close(): Promise<void> {
    const open = this.#session
    this.#session = undefined
    await open?.then(
      (session) => session.close(),
      () => undefined, // it never opened, and who wanted it was told
    )
  }

  /** What is left of a write that failed is of no use; that it can't be removed is less news than why. */
  async #drop(temp: string): Promise<void> {
    await this.#once((session) => session.remove(temp)).catch(() => undefined)
  }

  async #with<T>(act: (session: SftpSession) => Promise<T>): Promise<T> {
    for (let attempt = 0; ; attempt++) {
      this.#p.signal.throwIfAborted()
      try {
        return await this.#once(act)
      } catch (error) {
        const pause = (this.#p.pausesMs ?? PAUSES_MS)[attempt]
        if (!isLoss(error) || pause === undefined) throw error
        await this.close()
        await this.#p.sleep(pause, this.#p.signal)
      }
    }
  }

  async #once<T>(act: (session: SftpSession) => Promise<T>): Promise<T> {
    this.#session ??= this.#p.open()
    const mine = this.#session
    try {
      return await act(await mine)
    } catch (error) {
      if (isLoss(error) && this.#session === mine) await this.close()
      throw error
    }
  }
}
