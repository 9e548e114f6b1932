/** Storage servers in memory, by host name. Each can be made to refuse, to hang up and to be another one, and keeps its files. */
import { createHash } from 'node:crypto'
import { dirname } from 'node:path'
import { SkerryError } from '@skerry/contract'
import { FakeDisk, fakeFiles } from '@skerry/host'
import type { SftpPort, SftpServer, SftpSession } from './port.ts'

export class FakeSftpServer {
  readonly disk: FakeDisk
  /** null: any is right */
  password: string | null = null
  hostKey: string
  /** It answers nobody. */
  gone = false
  /** Hangs up after so many requests, once. */
  hangsUpAfter: number | undefined
  /** Requests that were answered. */
  requests = 0
  /** Files with writes that a power cut would lose. */
  readonly unsynced = new Set<string>()

  constructor(name: string, disk = new FakeDisk(() => 0)) {
    this.disk = disk
    this.hostKey = fakeKey(name)
  }
}

export const fakeKey = (name: string): string => `SHA256:${createHash('sha256').update(name).digest('base64').replace(/=+$/, '')}`

export class FakeSftp implements SftpPort {
  readonly servers = new Map<string, FakeSftpServer>()
  readonly #diskAt: (hostname: string) => FakeDisk | undefined

  /** `diskAt`: where a server appears by itself when somebody calls, with this disk. */
  constructor(diskAt: (hostname: string) => FakeDisk | undefined = () => undefined) {
    this.#diskAt = diskAt
  }

  server(hostname: string): FakeSftpServer {
    const found = this.servers.get(hostname) ?? new FakeSftpServer(hostname)
    this.servers.set(hostname, found)
    return found
  }

  #find(hostname: string): FakeSftpServer | undefined {
    const disk = this.#diskAt(hostname)
    const known = this.servers.get(hostname)
    // The machine that it is on may have been made anew.
    if (!disk || known?.disk === disk) return known
    const made = new FakeSftpServer(hostname, disk)
    this.servers.set(hostname, made)
    return made
  }

  async open(server: SftpServer): Promise<SftpSession> {
    const { hostname, port, username } = server
    const where = { hostname, port }
    const there = this.#find(hostname)
    if (!there || there.gone)
      throw new SkerryError('storage-unreachable', `the storage server ${hostname}:${port} cannot be reached`, where)
    if (server.hostKey !== null && server.hostKey !== there.hostKey)
      throw new SkerryError('storage-host-key', `another server answers at ${hostname}:${port} than before`, {
        ...where,
        known: server.hostKey,
        shown: there.hostKey,
      })
    if (there.password !== null && there.password !== server.password)
      throw new SkerryError('storage-login-failed', `${hostname}:${port} does not let ${username} in`, { ...where, username })
    return sessionOn(there, where)
  }
}

function sessionOn(there: FakeSftpServer, where: { hostname: string; port: number }): SftpSession {
  const files = fakeFiles(there.disk)
  const { hostKey } = there
  let open = true
  const on = async <T>(act: () => Promise<T>): Promise<T> => {
    if (there.hangsUpAfter !== undefined && there.hangsUpAfter-- <= 0) {
      there.hangsUpAfter = undefined
      open = false
    }
    if (!open || there.gone) throw new SkerryError('storage-unreachable', `the storage server ${where.hostname} hung up`, where)
    there.requests += 1
    return act()
  }
  return {
    hostKey,
    stat: (path) => on(() => files.stat(path)),
    list: (path) => on(() => files.list(path)),
    makeDir: (path) => on(() => needParent(there.disk, path, () => files.makeDir(path))),
    readAt: (path, offset, length) => on(() => files.readAt(path, offset, length)),
    writeAt: (path, offset, bytes, opts = {}) =>
      on(async () => {
        splice(there.disk, path, { offset, bytes, truncate: opts.truncate ?? false })
        there.unsynced.add(path)
      }),
    sync: (path) =>
      on(async () => {
        if (!there.disk.files.has(path)) throw noSuchFile(path)
        there.unsynced.delete(path)
      }),
    rename: (from, to) =>
      on(async () => {
        await files.rename(from, to)
        if (there.unsynced.delete(from)) there.unsynced.add(to)
        else there.unsynced.delete(to)
      }),
    remove: (path) =>
      on(async () => {
        await removeOne(there.disk, path)
        there.unsynced.delete(path)
      }),
    capacity: (path) => on(() => files.capacity(path)),
    close: () => void (open = false),
  }
}

const noSuchFile = (path: string) => new SkerryError('host-command-failed', `there is no file ${path}`, { path, sftpCode: 2 })

async function needParent(disk: FakeDisk, path: string, act: () => Promise<void>): Promise<void> {
  if (!disk.folders.has(dirname(path)))
    throw new SkerryError('host-command-failed', `there is no folder for ${path}`, { path, sftpCode: 2 })
  await act()
}

function splice(
  disk: FakeDisk,
  path: string,
  { offset, bytes, truncate }: { offset: number; bytes: Uint8Array; truncate: boolean },
) {
  const before = truncate ? new Uint8Array() : (disk.files.get(path)?.data ?? new Uint8Array())
  const after = new Uint8Array(Math.max(before.length, offset + bytes.length))
  after.set(before)
  after.set(bytes, offset)
  disk.put(path, after)
}

async function removeOne(disk: FakeDisk, path: string): Promise<void> {
  const inside = [...disk.files.keys(), ...disk.folders.keys()].some((known) => known.startsWith(`${path}/`))
  if (inside) throw new SkerryError('host-command-failed', `the folder ${path} is not empty`, { path, sftpCode: 4 })
  disk.remove(path)
}
