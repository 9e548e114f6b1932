/**
 * lowdb's adapter for the small documents that must survive a power cut: temp file, fsync, rename, fsync of the folder (all
 * in the host's `write`), a checksum line, and the previous copy, which is used when the newest is damaged or missing.
 * A file is two lines of JSON: the data, and `{"sha256": …}` of the first line.
 */
import { hash } from 'node:crypto'
import type { Files } from '@skerry/host'
import type { Adapter } from 'lowdb'

/** What a ledger needs of a machine's files. */
export type LedgerFiles = Pick<Files, 'read' | 'write' | 'rename' | 'remove' | 'list' | 'makeDir'>

export interface Damage {
  path: string
  /** `newest`: the previous copy was used. `both`: nothing could be read. */
  what: 'newest' | 'both'
}

/** What a schema must do here; a zod schema does. */
export interface Checks<T> {
  safeParse(value: unknown): { success: true; data: T } | { success: false }
}

const PREVIOUS = '.prev'
const sha256 = (text: string) => hash('sha256', text)

function isWhole(text: string): boolean {
  const [line = '', sum] = text.split('\n')
  return sum === JSON.stringify({ sha256: sha256(line) })
}

export class CheckedFile<T> implements Adapter<T> {
  readonly #files: LedgerFiles
  readonly #path: string
  readonly #schema: Checks<T>
  /** Of the last `read()`. */
  damage: Damage | undefined

  constructor(files: LedgerFiles, path: string, schema: Checks<T>) {
    this.#files = files
    this.#path = path
    this.#schema = schema
  }

  /** Null: there is none, or (then `damage` says so) none that can be read. */
  async read(): Promise<T | null> {
    this.damage = undefined
    const newest = await this.#files.read(this.#path)
    const data = newest === undefined ? undefined : this.#parse(newest)
    if (data !== undefined) return data
    const previous = await this.#files.read(this.#path + PREVIOUS)
    const older = previous === undefined ? undefined : this.#parse(previous)
    if (newest !== undefined || (previous !== undefined && older === undefined)) {
      this.damage = { path: this.#path, what: older === undefined ? 'both' : 'newest' }
    }
    return older ?? null
  }

  async write(data: T): Promise<void> {
    const line = JSON.stringify(data)
    const newest = await this.#files.read(this.#path)
    // A damaged newest copy must not replace the previous one, which may be the last that can be read.
    if (newest !== undefined && isWhole(newest)) await this.#files.rename(this.#path, this.#path + PREVIOUS)
    await this.#files.write(this.#path, `${line}\n${JSON.stringify({ sha256: sha256(line) })}\n`, 0o600)
  }

  /** The previous copy first: a cut in between must not bring it back. */
  async remove(): Promise<void> {
    await this.#files.remove(this.#path + PREVIOUS)
    await this.#files.remove(this.#path)
  }

  #parse(text: string): T | undefined {
    if (!isWhole(text)) return undefined
    const [line = ''] = text.split('\n')
    const parsed = this.#schema.safeParse(JSON.parse(line))
    return parsed.success ? parsed.data : undefined
  }
}

/** Names of the documents in a folder, without their endings; what a crash left unfinished is removed. */
export async function documentNames(files: LedgerFiles, folder: string): Promise<string[]> {
  const names = new Set<string>()
  for (const name of (await files.list(folder)) ?? []) {
    if (name.startsWith('.tmp-')) await files.remove(`${folder}/${name}`)
    const stem = name.match(/^(.+)\.json(\.prev)?$/)?.[1]
    if (stem) names.add(stem)
  }
  return [...names].sort()
}
