/**
 * One word for all statuses of an agent: both sides keep it as statuses are told and heard, and where the two words are the same
 * nothing was lost. Adding one costs the same whatever is there already: the hashes of all texts, one over the other.
 */
import { canonicalJson } from '../desired/document.ts'
import type { Status } from './agent.ts'

type Told = Omit<Status, 'at' | 'bootId' | 'seq'>

/** Two halves of 32 bits. */
interface Part {
  high: number
  low: number
}

/** `at`, `bootId` and `seq` don't make a status another one. */
export const statusText = ({ noun, uuid, generation, condition, error, observed }: Told): string =>
  canonicalJson({ noun, uuid, generation, condition, error, observed })

export class StatusDigest {
  readonly #sha256: (text: string) => Uint8Array
  readonly #parts = new Map<string, Part>()
  #high = 0
  #low = 0

  /** `sha256`: the digest of a text, as bytes. */
  constructor(sha256: (text: string) => Uint8Array) {
    this.#sha256 = sha256
  }

  put(status: Told): void {
    const hash = this.#sha256(statusText(status))
    const view = new DataView(hash.buffer, hash.byteOffset, hash.byteLength)
    const part = { high: view.getInt32(0), low: view.getInt32(4) }
    this.forget(status)
    this.#parts.set(`${status.noun}/${status.uuid}`, part)
    this.#toggle(part)
  }

  forget({ noun, uuid }: Pick<Told, 'noun' | 'uuid'>): void {
    const key = `${noun}/${uuid}`
    const part = this.#parts.get(key)
    if (!part) return
    this.#parts.delete(key)
    this.#toggle(part)
  }

  /** 16 hex digits; the same for the same statuses, in whatever order they were told. */
  text(): string {
    return [this.#high, this.#low].map((half) => (half >>> 0).toString(16).padStart(8, '0')).join('')
  }

  #toggle({ high, low }: Part): void {
    this.#high ^= high
    this.#low ^= low
  }
}
