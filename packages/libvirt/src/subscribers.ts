/** Handlers of one kind of notice. One that throws silences no other: its error goes to `onError`. */
export class Subscribers<T> {
  readonly #handlers = new Set<(notice: T) => void>()
  readonly #onError: (error: unknown) => void

  constructor(onError: (error: unknown) => void) {
    this.#onError = onError
  }

  add(handler: (notice: T) => void): () => void {
    const own = (notice: T): void => handler(notice)
    this.#handlers.add(own)
    return () => void this.#handlers.delete(own)
  }

  notify(notice: T): void {
    for (const handler of [...this.#handlers]) {
      try {
        handler(notice)
      } catch (error) {
        this.#onError(error)
      }
    }
  }
}
