/** Resources on which a job is at work, or waits to be. */
export class Occupied {
  readonly #counts = new Map<string, number>()

  has(uuid: string): boolean {
    return this.#counts.has(uuid)
  }

  /** Until the returned function is called. */
  occupy(uuids: readonly string[]): () => void {
    const own = new Set(uuids)
    for (const uuid of own) this.#counts.set(uuid, (this.#counts.get(uuid) ?? 0) + 1)
    return () => {
      for (const uuid of own) {
        const left = (this.#counts.get(uuid) ?? 1) - 1
        if (left > 0) this.#counts.set(uuid, left)
        else this.#counts.delete(uuid)
      }
    }
  }
}
