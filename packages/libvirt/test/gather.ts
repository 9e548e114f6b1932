/** Collects notices and waits for one that is expected, with a ceiling far above what it takes. */
export interface Gathered<T> {
  readonly all: T[]
  add(notice: T): void
  until(wanted: (notice: T) => boolean, timeoutMs?: number): Promise<T>
}

export function gather<T>(): Gathered<T> {
  const all: T[] = []
  const waiting = new Set<() => void>()
  return {
    all,
    add: (notice) => {
      all.push(notice)
      for (const check of [...waiting]) check()
    },
    until: (wanted, timeoutMs = 15_000) =>
      new Promise((resolve, reject) => {
        const timer = setTimeout(() => {
          waiting.delete(check)
          reject(new Error(`the expected notice did not come within ${timeoutMs} ms; came: ${JSON.stringify(all)}`))
        }, timeoutMs)
        const check = (): void => {
          const found = all.find(wanted)
          if (found === undefined) return
          clearTimeout(timer)
          waiting.delete(check)
          resolve(found)
        }
        waiting.add(check)
        check()
      }),
  }
}
