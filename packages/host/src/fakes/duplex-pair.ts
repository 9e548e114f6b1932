/** Two streams, each of which reads what was written to the other (Node has this from version 22 on). */
import { Duplex } from 'node:stream'

class Half extends Duplex {
  other: Half | undefined
  #waiting: (() => void) | undefined

  override _read(): void {
    const go = this.#waiting
    this.#waiting = undefined
    go?.()
  }
  /** The next chunk is taken when this one was read. */
  accept(chunk: Buffer, done: () => void): void {
    if (this.push(chunk)) done()
    else this.#waiting = done
  }
  override _write(chunk: Buffer, _encoding: string, done: () => void): void {
    if (!this.other || this.other.destroyed) done()
    else this.other.accept(chunk, done)
  }
  override _final(done: () => void): void {
    this.other?.push(null)
    done()
  }
  override _destroy(error: Error | null, done: (error: Error | null) => void): void {
    if (this.other && !this.other.destroyed) this.other.push(null)
    done(error)
  }
}

export function duplexPair(): [Duplex, Duplex] {
  const [a, b] = [new Half(), new Half()]
  a.other = b
  b.other = a
  return [a, b]
}
