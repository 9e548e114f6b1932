/** What was told of each resource. Only differences are told again. */
import { hash } from 'node:crypto'
import { isDeepStrictEqual } from 'node:util'
import { type Generation, type Status, StatusDigest } from '@skerry/contract'

export type Told = Omit<Status, 'at' | 'bootId' | 'seq'>
export type Stamp = Pick<Status, 'at' | 'bootId' | 'seq'>
type Steady = (before: Record<string, unknown>, after: Record<string, unknown>) => boolean

const keyOf = (noun: string, uuid: string) => `${noun}/${uuid}`

/** All but what was observed; `at`, `bootId` and `seq` don't make a status another one. */
const sameWord = (a: Told, b: Told): boolean =>
  a.condition === b.condition && isDeepStrictEqual(a.generation, b.generation) && isDeepStrictEqual(a.error, b.error)

export class StatusBook {
  readonly #told = new Map<string, Status>()
  readonly #digest = new StatusDigest((text) => hash('sha256', text, 'buffer'))
  readonly #stamp: () => Stamp
  readonly #emit: (status: Status) => void

  constructor(stamp: () => Stamp, emit: (status: Status) => void) {
    this.#stamp = stamp
    this.#emit = emit
  }

  get(noun: string, uuid: string): Status | undefined {
    return this.#told.get(keyOf(noun, uuid))
  }

  /** Tells it if it is news. */
  put(told: Told, steady?: Steady): void {
    const key = keyOf(told.noun, told.uuid)
    const before = this.#told.get(key)
    if (before && sameWord(before, told)) {
      if (isDeepStrictEqual(before.observed, told.observed) || steady?.(before.observed, told.observed)) return
    }
    const status = { ...told, ...this.#stamp() }
    this.#told.set(key, status)
    this.#digest.put(status)
    this.#emit(status)
  }

  /**
   * Forgets the resources of a noun that are neither desired nor on the host. An orphan that went away is told as Gone (of no
   * generation): nobody else would say so. `among`: uuids of this noun to which that is limited.
   */
  retain(noun: string, keep: (uuid: string) => boolean, among?: Iterable<string>): void {
    const asked = among ? [...among].flatMap((uuid) => this.#told.get(keyOf(noun, uuid)) ?? []) : [...this.#told.values()]
    for (const status of asked) {
      if (status.noun !== noun || keep(status.uuid)) continue
      if (status.condition === 'Orphaned') this.put({ ...status, condition: 'Gone', observed: {} })
      this.#told.delete(keyOf(noun, status.uuid))
      this.#digest.forget(status)
    }
  }

  all(): Status[] {
    return [...this.#told.values()]
  }

  /** Of all statuses, without their times. */
  digest(): string {
    return this.#digest.text()
  }
}

export const versionOf = (generation: Generation) => `${generation.incarnation}.${generation.seq}`
