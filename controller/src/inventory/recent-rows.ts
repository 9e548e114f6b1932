/** What was made of rows lately, by the row itself. Bounded: two generations, the older one is forgotten as a whole. */
import type { Row } from '@skerry/contract'

const GENERATION = 10_000

export class RecentRows<T> {
  #now = new Map<Readonly<Row>, T>()
  #before = new Map<Readonly<Row>, T>()

  get(row: Readonly<Row>): T | undefined {
    const value = this.#now.get(row)
    if (value !== undefined) return value
    const older = this.#before.get(row)
    return older === undefined ? undefined : this.add(row, older)
  }

  add(row: Readonly<Row>, value: T): T {
    if (this.#now.size >= GENERATION) {
      this.#before = this.#now
      this.#now = new Map()
    }
    this.#now.set(row, value)
    return value
  }
}
