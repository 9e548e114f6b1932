/**
 * [format] Receipts of commands, one a file: `<dir>/receipts/<commandId>.json`. A repeated command gets the first result as
 * long as its receipt is kept: till its deadline plus 24 hours, counted on the monotonic clock. A wall clock that jumps must
 * not run a command twice, so one that a former process left is kept for 24 hours of this one.
 */
import type { ErrorBody } from '@skerry/contract'
import { Low } from 'lowdb'
import { z } from 'zod'
import { CheckedFile, type Damage, documentNames, type LedgerFiles } from './checked-file.ts'

export const RECEIPT_KEPT_MS = 24 * 3_600_000
/** Left receipts whose time is over by the wall clock; more of them are not kept, so that restarts don't pile them up. */
const MAX_OVERDUE = 1_000

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
  /** Monotonic milliseconds until which each is kept; one that a former process left gets its time at the first `prune`. */
  readonly #until = new Map<string, number>()

  constructor(files: LedgerFiles, dir: string) {
    this.#files = files
    this.#dir = dir
  }

  /** Returns what could not be read. @param now wall clock */
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
    const overdue = [...this.#all.values()].filter((r) => r.expiresAt <= now).sort((a, b) => b.expiresAt - a.expiresAt)
    for (const { id } of overdue.slice(MAX_OVERDUE)) await this.#remove(id)
    return damaged
  }

  get(id: string): Receipt | undefined {
    return this.#all.get(id)
  }

  /** Kept until `untilMs`, monotonic. */
  async put(next: Receipt, untilMs: number): Promise<void> {
    const low = new Low(this.#file(next.id), next)
    await low.write()
    this.remember(next, untilMs)
  }

  /** For as long as this process lives. */
  remember(next: Receipt, untilMs: number): void {
    this.#all.set(next.id, next)
    this.#until.set(next.id, untilMs)
  }

  /** @param nowMs monotonic */
  async prune(nowMs: number): Promise<void> {
    for (const id of [...this.#all.keys()]) {
      const untilMs = this.#until.get(id)
      if (untilMs === undefined) this.#until.set(id, nowMs + RECEIPT_KEPT_MS)
      else if (untilMs <= nowMs) await this.#remove(id)
    }
  }

  async #remove(id: string): Promise<void> {
    this.#all.delete(id)
    this.#until.delete(id)
    await this.#file(id).remove()
  }

  #file(id: string): CheckedFile<Receipt> {
    return new CheckedFile(this.#files, `${this.#dir}/${id}.json`, receipt)
  }
}
