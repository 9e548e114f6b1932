/** The port over ssh2. */
import { constants } from 'node:fs'
import { SkerryError } from '@skerry/contract'
import type { Capacity, FileStat } from '@skerry/host'
import type { Client, SFTPWrapper, Stats } from 'ssh2'
import type { SftpPort, SftpServer, SftpSession } from './port.ts'
import { channel, connected, lost, whereOf } from './ssh-connection.ts'

const NO_SUCH_FILE = 2
const FAILURE = 4
/** In one request; OpenSSH takes up to 256 KiB, others 32. */
const PACKET_BYTES = 32 * 1024
/** Requests under way at once: a link with a round trip of 50 ms still carries 40 MB/s. */
const IN_FLIGHT = 64
/** A request that nobody answers for so long has lost its server. */
const REQUEST_MS = 30_000
const kindOf = (mode: number): FileStat['kind'] => {
  const type = mode & constants.S_IFMT
  return type === constants.S_IFREG ? 'file' : type === constants.S_IFDIR ? 'folder' : 'other'
}

export const sshPort: SftpPort = {
  async open(server, { timeoutMs }) {
    const { client, hostKey } = await connected(server, timeoutMs)
    try {
      return new SshSession({ client, hostKey, server, sftp: await channel(client, server, timeoutMs) })
    } catch (error) {
      client.end()
      throw error
    }
  },
}

/** ssh2's type lacks it. */
interface VfsStats {
  f_frsize: number
  f_blocks: number
  f_bavail: number
}
type Statvfs = (path: string, done: (error: Error | undefined, stats: VfsStats) => void) => void
/** What the server said that it can. */
const offers = (sftp: SFTPWrapper, extension: string): boolean =>
  (sftp as unknown as { _extensions: Record<string, string> })._extensions[extension] !== undefined
type Done<T> = (error: (Error & { code?: number }) | null | undefined, value: T) => void

interface Opened {
  client: Client
  sftp: SFTPWrapper
  hostKey: string
  server: SftpServer
}

class SshSession implements SftpSession {
  readonly hostKey: string
  readonly #client: Client
  readonly #sftp: SFTPWrapper
  readonly #server: SftpServer
  /** Rejects what is under way when the link is lost: ssh2 answers such requests never. */
  readonly #waiting = new Set<(error: unknown) => void>()
  #ended: unknown

  constructor({ client, sftp, hostKey, server }: Opened) {
    this.hostKey = hostKey
    this.#client = client
    this.#sftp = sftp
    this.#server = server
    const end = (cause: unknown) => {
      this.#ended ??= cause
      for (const reject of this.#waiting) reject(lost(server, this.#ended))
    }
    client.on('error', end)
    client.on('close', () => end(new Error('the connection was closed')))
    sftp.on('close', () => end(new Error('the sftp channel was closed')))
  }

  stat(path: string): Promise<FileStat | undefined> {
    return this.#ifThere(async () => {
      const s = await this.#ask<Stats>('look at', path, (done) => this.#sftp.lstat(path, done))
      return {
        kind: kindOf(s.mode),
        sizeBytes: s.size,
        allocatedBytes: s.size,
        mode: s.mode & 0o7777,
        modifiedMs: s.mtime * 1000,
      }
    })
  }

  list(path: string): Promise<string[] | undefined> {
    return this.#ifThere(async () => {
      const entries = await this.#ask<{ filename: string }[]>('list', path, (done) => this.#sftp.readdir(path, done))
      return entries.map((entry) => entry.filename).sort()
    })
  }

  async makeDir(path: string): Promise<void> {
    if ((await this.stat(path))?.kind === 'folder') return
    await this.#ask('make', path, (done) => this.#sftp.mkdir(path, (error) => done(error, undefined)))
  }

  readAt(path: string, offset: number, length: number): Promise<Uint8Array | undefined> {
    return this.#ifThere(async () => {
      const handle = await this.#ask<Buffer>('read', path, (done) => this.#sftp.open(path, 'r', done))
      try {
        return await this.#read(path, handle, { offset, length })
      } finally {
        await this.#close(path, handle)
      }
    })
  }

  async #read(path: string, handle: Buffer, { offset, length }: { offset: number; length: number }): Promise<Uint8Array> {
    const { size } = await this.#ask<Stats>('read', path, (done) => this.#sftp.fstat(handle, done))
    const bytes = Buffer.alloc(Math.max(0, Math.min(length, size - offset)))
    await this.#inPieces(bytes.length, async (at, count) => {
      for (let got = 0; got < count; ) {
        const read = (done: Done<number>) => this.#sftp.read(handle, bytes, at + got, count - got, offset + at + got, done)
        const n = await this.#ask<number>('read', path, read)
        if (n === 0) throw new SkerryError('host-command-failed', `${path} became shorter while it was read`, { path })
        got += n
      }
    })
    return bytes
  }

  async writeAt(path: string, offset: number, bytes: Uint8Array, opts: { truncate?: boolean } = {}): Promise<void> {
    // `r+` needs the file; `a` would ignore the offset.
    const flags = opts.truncate || !(await this.stat(path)) ? 'w' : 'r+'
    const handle = await this.#ask<Buffer>('write', path, (done) => this.#sftp.open(path, flags, done))
    const data = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
    try {
      await this.#inPieces(data.length, (at, count) =>
        this.#ask<void>('write', path, (done) =>
          this.#sftp.write(handle, data, at, count, offset + at, (error) => done(error, undefined)),
        ),
      )
    } catch (error) {
      throw await this.#fullOr(path, bytes.length, error)
    } finally {
      await this.#close(path, handle)
    }
  }

  /** OpenSSH's extension. A server without it decides itself when its disk has what it took. */
  async sync(path: string): Promise<void> {
    const handle = await this.#ask<Buffer>('sync', path, (done) => this.#sftp.open(path, 'r', done))
    try {
      if (offers(this.#sftp, 'fsync@openssh.com'))
        await this.#ask<void>('sync', path, (done) => this.#sftp.ext_openssh_fsync(handle, (error) => done(error, undefined)))
    } finally {
      await this.#close(path, handle)
    }
  }

  /** The protocol has no word for a full disk: a server that can write nothing more says only that it failed. */
  async #fullOr(path: string, bytes: number, error: unknown): Promise<unknown> {
    const failed = error instanceof SkerryError && error.details['sftpCode'] === FAILURE
    if (!failed) return error
    const { availableBytes } = await this.capacity(path)
    if (availableBytes >= bytes) return error
    return new SkerryError(
      'disk-full',
      `cannot write ${path} on ${this.#server.hostname}`,
      { ...whereOf(this.#server), path },
      { cause: error },
    )
  }

  async rename(from: string, to: string): Promise<void> {
    await this.#ask('rename', from, (done) => this.#sftp.ext_openssh_rename(from, to, (error) => done(error, undefined)))
  }

  async remove(path: string): Promise<void> {
    const kind = (await this.stat(path))?.kind
    if (kind === undefined) return
    const act = (done: Done<undefined>) =>
      kind === 'folder'
        ? this.#sftp.rmdir(path, (error) => done(error, undefined))
        : this.#sftp.unlink(path, (error) => done(error, undefined))
    await this.#ask('remove', path, act)
  }

  async capacity(path: string): Promise<Capacity> {
    const statvfs = (this.#sftp as unknown as { ext_openssh_statvfs: Statvfs }).ext_openssh_statvfs.bind(this.#sftp)
    const fs = await this.#ask<VfsStats>('measure', path, (done) => statvfs(path, done))
    return { totalBytes: fs.f_blocks * fs.f_frsize, availableBytes: fs.f_bavail * fs.f_frsize }
  }

  close(): void {
    this.#client.end()
  }

  async #close(path: string, handle: Buffer): Promise<void> {
    if (this.#ended) return
    await this.#ask('close', path, (done) => this.#sftp.close(handle, (error) => done(error, undefined)))
  }

  async #inPieces(length: number, act: (at: number, count: number) => Promise<void>): Promise<void> {
    let next = 0
    const worker = async () => {
      while (next < length) {
        const at = next
        next += PACKET_BYTES
        await act(at, Math.min(PACKET_BYTES, length - at))
      }
    }
    await Promise.all(Array.from({ length: Math.min(IN_FLIGHT, Math.ceil(length / PACKET_BYTES)) }, worker))
  }

  /** One request. A lost link and a silent server are told from a refusal. */
  #ask<T>(doing: string, path: string, act: (done: Done<T>) => unknown): Promise<T> {
    return new Promise<T>((resolve, reject) => {
      if (this.#ended) return reject(lost(this.#server, this.#ended))
      const timer = setTimeout(
        () => settle(() => reject(lost(this.#server, new Error(`no answer for ${REQUEST_MS} ms`)))),
        REQUEST_MS,
      )
      const settle = (then: () => void) => {
        clearTimeout(timer)
        this.#waiting.delete(drop)
        then()
      }
      const drop = (error: unknown) => settle(() => reject(error))
      this.#waiting.add(drop)
      try {
        act((error, value) => settle(() => (error ? reject(this.#refusal(doing, path, error)) : resolve(value))))
      } catch (cause) {
        drop(lost(this.#server, cause))
      }
    })
  }

  #refusal(doing: string, path: string, cause: Error & { code?: number }): SkerryError {
    if (this.#ended) return lost(this.#server, cause)
    const facts = { ...whereOf(this.#server), path, sftpCode: cause.code }
    return new SkerryError('host-command-failed', `the storage server ${this.#server.hostname} did not ${doing} ${path}`, facts, {
      cause,
    })
  }

  async #ifThere<T>(act: () => Promise<T>): Promise<T | undefined> {
    try {
      return await act()
    } catch (error) {
      if (error instanceof SkerryError && error.details['sftpCode'] === NO_SUCH_FILE) return undefined
      throw error
    }
  }
}
