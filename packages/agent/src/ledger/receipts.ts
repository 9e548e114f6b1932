/**
 * [format] Receipts of commands, one a file: `<dir>/receipts/<commandId>.json`. A repeated command gets the first result as
 * long as its receipt is kept: till its deadline plus 24 hours.
 */
import type { ErrorBody } from '@skerry/contract'
import { Low } from 'lowdb'
import { z } from 'zod'
import { CheckedFile, type Damage, documentNames, type LedgerFiles } from './checked-file.ts'

export const RECEIPT_KEPT_MS = 24 * 3_600_000

const receipt = z.object({
  v: z.literal(1),
  id: z.string(),
  /** SHA-256 of noun, resource, verb and input: the same id for something else is refused. */
  about: z.string(),
  state: z.enum(['begun', 'done']),
  output: z.record(z.string(), z.unknown()).nullable(),
  /** an ErrorBody */
  error: z.custom<ErrorBody>((v) => typeof v === 'object' && v !== null && 'code' in v).nullable(),
  /** wall clock, epoch milliseconds */
  expiresAt: z.number(),
})
export type Receipt = z.infer<typeof receipt>

export class Receipts {
  readonly #files: LedgerFiles
  readonly #dir: string
  readonly #all = new Map<string, Receipt>()

  constructor(files: LedgerFiles, dir: string) {
    this.#files = files
    this.#dir = dir
  }

  /** Returns what could not be read. */
  async load(now: number): Promise<Damage[]> {
    await this.#files.makeDir(this.#dir, 0o700)
    const damaged: Damage[] = []
    for (const id of await documentNames(this.#files, this.#dir)) {
      const file = this.#file(id)
      const found = await file.read()
      if (file.damage) damaged.push(file.damage)
      if (found) this.#all.set(id, found)
      else await file.remove() // its command runs again when it is repeated, and commands are idempotent by their id
    }
    await this.prune(now)
    return damaged
  }

  get(id: string): Receipt | undefined {
    return this.#all.get(id)
  }

  async put(next: Receipt): Promise<void> {
    const low = new Low(this.#file(next.id), next)
    await low.write()
    this.#all.set(next.id, next)
  }

  async prune(now: number): Promise<void> {
    for (const { id, expiresAt } of [...this.#all.values()]) {
      if (expiresAt > now) continue
      this.#all.delete(id)
      await this.#file(id).remove()
    }
  }

  #file(id: string): CheckedFile<Receipt> {
    return new CheckedFile(this.#files, `${this.#dir}/${id}.json`, receipt)
  }
}
