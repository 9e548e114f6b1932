/**
 * What was made of rows lately, by the row itself. Bounded: two generations, the older one is forgotten as a whole; and what was made of a
 * row that nobody has any more goes with it, so that rows that come and go leave nothing behind.
 */
import type { Row } from '@skerry/contract'

const GENERATION = 10_000

export class RecentRows<T> {
  #now = new WeakMap<Readonly<Row>, T>()
  #before = new WeakMap<Readonly<Row>, T>()
  /** added to the newer generation */
  #added = 0

  get(row: Readonly<Row>): T | undefined {
    const value = this.#now.get(row)
    if (value !== undefined) return value
    const older = this.#before.get(row)
    return older === undefined ? undefined : this.add(row, older)
  }

  add(row: Readonly<Row>, value: T): T {
    if (this.#added >= GENERATION) {
      this.#before = this.#now
      this.#now = new WeakMap()
      this.#added = 0
    }
    this.#added += 1
    this.#now.set(row, value)
    return value
  }
}
