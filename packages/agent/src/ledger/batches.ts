/**
 * [format] A sync of several documents is one file first, so that a power cut leaves all of them or none:
 * `<dir>/batches/<n>.json`, removed when each document stands in its own file.
 */
import { Low } from 'lowdb'
import { z } from 'zod'
import { CheckedFile, type Damage, documentNames, type LedgerFiles } from './checked-file.ts'
import { type LedgerEntry, ledgerEntry } from './entry.ts'

const batchFile = z.object({ v: z.literal(1), entries: z.array(ledgerEntry) })
type BatchFile = z.infer<typeof batchFile>

export interface Batch {
  name: string
  entries: readonly LedgerEntry[]
}

export class Batches {
  readonly damaged: Damage[] = []
  readonly #files: LedgerFiles
  readonly #dir: string
  #open: Batch[] = []
  #count = 0

  constructor(files: LedgerFiles, dir: string) {
    this.#files = files
    this.#dir = dir
  }

  /** The documents of all batches that were left, the oldest first. */
  async load(): Promise<LedgerEntry[]> {
    await this.#files.makeDir(this.#dir, 0o700)
    const all: LedgerEntry[] = []
    for (const name of (await documentNames(this.#files, this.#dir)).sort((a, b) => Number(a) - Number(b))) {
      const file = this.#file(name)
      const batch = await file.read()
      if (file.damage) this.damaged.push(file.damage)
      this.#count = Math.max(this.#count, Number(name) || 0)
      this.#open.push({ name, entries: batch?.entries ?? [] })
      all.push(...(batch?.entries ?? []))
    }
    return all
  }

  /** Durable when it resolves. */
  async add(entries: readonly LedgerEntry[]): Promise<void> {
    this.#count += 1
    const name = String(this.#count)
    await new Low<BatchFile>(this.#file(name), { v: 1, entries: [...entries] }).write()
    this.#open.push({ name, entries })
  }

  open(): readonly Batch[] {
    return [...this.#open]
  }

  async done(batch: Batch): Promise<void> {
    await this.#file(batch.name).remove()
    this.#open = this.#open.filter((b) => b !== batch)
  }

  #file(name: string): CheckedFile<BatchFile> {
    return new CheckedFile(this.#files, `${this.#dir}/${name}.json`, batchFile)
  }
}
