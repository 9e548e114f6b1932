/**
 * A folder on a server that has nothing of ours: a stock sshd with its sftp subsystem. One connection is one session; it ends by an
 * error when the link is lost, and whoever uses it opens another. Absent files are an answer (`undefined`).
 *
 * Errors: `storage-unreachable` (no answer, or the link was lost), `storage-login-failed`, `storage-host-key` (another server answers
 * there than before), `disk-full`, `host-command-failed` (the server refused; the path is named).
 */
import type { Capacity, FileStat } from '@skerry/host'

export interface SftpServer {
  hostname: string
  port: number
  username: string
  /** Never in errors and logs. */
  password: string
  /** `SHA256:<base64>` as ssh-keygen shows it; null: whoever answers is believed, and pinned by the caller. */
  hostKey: string | null
}

export interface SftpPort {
  open(server: SftpServer, opts: { timeoutMs: number }): Promise<SftpSession>
}

export interface SftpSession {
  /** Of the server that answered. */
  readonly hostKey: string
  /** Does not follow a symbolic link. */
  stat(path: string): Promise<FileStat | undefined>
  /** Names, sorted; undefined when there is no such folder. */
  list(path: string): Promise<string[] | undefined>
  /** One folder; fine when it is there. */
  makeDir(path: string): Promise<void>
  /** Up to `length` bytes; fewer at the end of the file. */
  readAt(path: string, offset: number, length: number): Promise<Uint8Array | undefined>
  /** Writes at that place; what was there stays otherwise, unless `truncate` says to begin anew. The file is made when absent. */
  writeAt(path: string, offset: number, bytes: Uint8Array, opts?: { truncate?: boolean }): Promise<void>
  /** What was written to this file is on the server's disk when this returns, if the server can tell. */
  sync(path: string): Promise<void>
  /** Replaces a file at `to`. */
  rename(from: string, to: string): Promise<void>
  /** A file or an empty folder; absent is fine. */
  remove(path: string): Promise<void>
  capacity(path: string): Promise<Capacity>
  close(): void
}
