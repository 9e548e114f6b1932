/** The lines of an agent's digest, kept in order as documents come and go: sorting thousands anew at each sync takes longer than the sync. */
import { createHash } from 'node:crypto'
import { digestLine } from '@skerry/contract'
import type { LedgerEntry } from './entry.ts'

/** Tombstones have none. */
const lineOf = (entry: LedgerEntry | undefined): string | undefined =>
  entry?.document && !entry.tombstone ? digestLine(entry.document) : undefined

export class DigestLines {
  readonly #lines: string[] = []
  #digest: string | undefined

  replace(before: LedgerEntry | undefined, after: LedgerEntry | undefined): void {
    const [old, now] = [lineOf(before), lineOf(after)]
    if (old === now) return
    this.#digest = undefined
    if (old !== undefined) this.#lines.splice(this.#at(old), 1)
    if (now !== undefined) this.#lines.splice(this.#at(now), 0, now)
  }

  /** SHA-256 (hex) of `digestText` of the documents. */
  digest(): string {
    this.#digest ??= createHash('sha256').update(this.#lines.join('')).digest('hex')
    return this.#digest
  }

  /** Where the line stands, or should stand. */
  #at(line: string): number {
    let [low, high] = [0, this.#lines.length]
    while (low < high) {
      const middle = (low + high) >> 1
      if (this.#lines[middle]! < line) low = middle + 1
      else high = middle
    }
    return low
  }
}
