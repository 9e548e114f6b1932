/** Lists that are too long to be drawn at once, as parts of answers: their elements are made one after another, when they are written. */
import type { Row } from '@skerry/contract'

/** More elements than these make a list long. As many as a query gives that names no limit: those are written in one piece. */
export const LONG = 1000

export class LongList<T> implements Iterable<T> {
  readonly #each: () => Iterable<T>
  readonly #close: () => void
  /** An element as JSON. */
  readonly write: (element: T) => string

  /** `each` gives the elements anew each time; `close` is called once nobody will ask for them any more. */
  constructor(each: () => Iterable<T>, close: () => void, write: (element: T) => string = JSON.stringify) {
    this.#each = each
    this.#close = close
    this.write = write
  }

  [Symbol.iterator](): Iterator<T> {
    return this.#each()[Symbol.iterator]()
  }

  map<R>(of: (element: T, i: number) => R): LongList<R> {
    const each = this.#each
    return new LongList(function* () {
      let i = 0
      for (const element of each()) yield of(element, i++)
    }, this.#close)
  }

  /** The same, written otherwise. */
  written(write: (element: T) => string): LongList<T> {
    return new LongList(this.#each, this.#close, write)
  }

  close(): void {
    this.#close()
  }

  /** For who writes it in one piece after all. */
  toJSON(): T[] {
    return [...this]
  }
}

/** An object of many fields, made in the same way. */
export class LongRecord {
  readonly #entries: () => Iterable<readonly [string, unknown]>

  constructor(entries: () => Iterable<readonly [string, unknown]>) {
    this.#entries = entries
  }

  entries(): Iterable<readonly [string, unknown]> {
    return this.#entries()
  }

  toJSON(): Record<string, unknown> {
    return Object.fromEntries(this.#entries())
  }
}

/** The long lists of an answer: those that it holds itself, and those in its `results` (ZQL). Nothing else is looked into. */
export function longListsIn(body: Row): LongList<unknown>[] {
  const held = (of: object) => Object.values(of).filter((value) => value instanceof LongList)
  const { results } = body
  return [...held(body), ...(Array.isArray(results) ? results.flatMap((one: Row | null) => held(one ?? {})) : [])]
}
