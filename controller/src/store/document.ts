/**
 * Small documents on disk through lowdb, made durable: temp file, fsync, rename, fsync of the folder, a checksum inside, and
 * the previous copy kept. Stock lowdb has none of these. For documents, never for the graph.
 */
import { createHash } from 'node:crypto'
import path from 'node:path'
import { SkerryError } from '@skerry/contract'
import { type Adapter, Low } from 'lowdb'
import { type Disk, errno, readWhole, writeTemporary } from './disk.ts'

const checksum = (text: string) => createHash('sha256').update(text).digest('hex')

/** [format] Two lines: the SHA-256 of the second, and the document as JSON. */
class DocumentAdapter<T> implements Adapter<T> {
  private readonly disk: Disk
  private readonly file: string
  private writing: Promise<void> = Promise.resolve()
  /** The document could not be read; its previous copy stands for it. */
  damaged = false

  constructor(disk: Disk, file: string) {
    this.disk = disk
    this.file = file
  }

  /** The document, else its previous copy, else null when neither was ever written. Throws `log-corrupt` when all that is there is damaged. */
  async read(): Promise<T | null> {
    const copies = [await this.load(this.file), await this.load(`${this.file}.prev`)]
    this.damaged = copies[0] === 'damaged'
    const good = copies.find((copy) => copy !== 'damaged' && copy !== 'absent')
    if (good !== undefined) return (good as { data: T }).data
    if (copies.includes('damaged'))
      throw new SkerryError('log-corrupt', `${this.file} and its previous copy cannot be read`, { file: this.file, offset: 0 })
    return null
  }

  write(data: T): Promise<void> {
    const next = this.writing.then(() => this.replace(JSON.stringify(data)))
    // A failed write must not fail the ones after it; its own caller gets the error.
    this.writing = next.catch(() => undefined)
    return next
  }

  private async replace(json: string): Promise<void> {
    const temporary = await writeTemporary(this.disk, this.file, Buffer.from(`${checksum(json)}\n${json}\n`))
    // A damaged document must not take the place of its good previous copy.
    if (!this.damaged) await this.keepPrevious()
    await this.disk.rename(temporary, this.file)
    this.damaged = false
    await this.disk.syncDir(path.dirname(this.file))
  }

  private async keepPrevious(): Promise<void> {
    try {
      await this.disk.rename(this.file, `${this.file}.prev`)
    } catch (thrown) {
      // The first write has no previous copy.
      if (errno(thrown) !== 'ENOENT') throw thrown
    }
  }

  private async load(file: string): Promise<{ data: T } | 'damaged' | 'absent'> {
    const text = (await readWhole(this.disk, file))?.toString('utf8')
    if (text === undefined) return 'absent'
    const end = text.indexOf('\n')
    const json = text.slice(end + 1, -1)
    return end === 64 && text.endsWith('\n') && text.slice(0, end) === checksum(json)
      ? { data: JSON.parse(json) as T }
      : 'damaged'
  }
}

export interface OpenedDocument<T> {
  low: Low<T>
  existed: boolean
  /** The newest copy is damaged: this is the one before it. */
  previous: boolean
}

/** A document with its content read in; `initial` is what a document that was never written holds. */
export async function openDocument<T extends object>(disk: Disk, file: string, initial: T): Promise<OpenedDocument<T>> {
  const adapter = new DocumentAdapter<T>(disk, file)
  const found = await adapter.read()
  return { low: new Low<T>(adapter, found ?? initial), existed: found !== null, previous: adapter.damaged }
}
