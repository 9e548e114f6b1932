/** What was told of each resource. Only differences are told again. */
import { createHash } from 'node:crypto'
import { canonicalJson, type Generation, type Status } from '@skerry/contract'

export type Told = Omit<Status, 'at' | 'bootId'>
type Steady = (before: Record<string, unknown>, after: Record<string, unknown>) => boolean

const keyOf = (noun: string, uuid: string) => `${noun}/${uuid}`
/** `at` and `bootId` don't make a status another one. */
const content = ({ noun, uuid, generation, condition, error, observed }: Told) =>
  canonicalJson({ noun, uuid, generation, condition, error, observed })

export class StatusBook {
  readonly #told = new Map<string, Status>()
  readonly #stamp: () => { at: number; bootId: string }
  readonly #emit: (status: Status) => void

  constructor(stamp: () => { at: number; bootId: string }, emit: (status: Status) => void) {
    this.#stamp = stamp
    this.#emit = emit
  }

  get(noun: string, uuid: string): Status | undefined {
    return this.#told.get(keyOf(noun, uuid))
  }

  /** Tells it if it is news. */
  put(told: Told, steady?: Steady): void {
    const before = this.#told.get(keyOf(told.noun, told.uuid))
    if (before) {
      const same = content(before) === content(told)
      const still =
        steady?.(before.observed, told.observed) && content(before) === content({ ...told, observed: before.observed })
      if (same || still) return
    }
    const status = { ...told, ...this.#stamp() }
    this.#told.set(keyOf(told.noun, told.uuid), status)
    this.#emit(status)
  }

  /**
   * Forgets the resources of a noun that are neither desired nor on the host. An orphan that went away is told as Gone (of no
   * generation): nobody else would say so.
   */
  retain(noun: string, keep: (uuid: string) => boolean): void {
    for (const status of [...this.#told.values()]) {
      if (status.noun !== noun || keep(status.uuid)) continue
      if (status.condition === 'Orphaned') this.put({ ...status, condition: 'Gone', observed: {} })
      this.#told.delete(keyOf(noun, status.uuid))
    }
  }

  all(): Status[] {
    return [...this.#told.values()]
  }

  /** SHA-256 over all statuses, without their times. */
  digest(): string {
    const hash = createHash('sha256')
    for (const line of [...this.#told.values()].map(content).sort()) hash.update(`${line}\n`)
    return hash.digest('hex')
  }
}

export const versionOf = (generation: Generation) => `${generation.incarnation}.${generation.seq}`
