/** Paths of a disk in memory: what lies directly in a folder is found without looking through the whole disk. */
import { dirname } from 'node:path'

/** By path. */
export class PathMap<T> extends Map<string, T> {
  readonly #inside: Map<string, Set<string>> = new Map()
  readonly #changed: (before: T | undefined, after: T | undefined) => void

  /** `changed`: what stands at a path is another thing now; undefined: nothing. */
  constructor(changed: (before: T | undefined, after: T | undefined) => void = () => undefined) {
    super()
    this.#changed = changed
  }

  override set(path: string, value: T): this {
    this.#changed(this.get(path), value)
    const folder = dirname(path)
    const known = this.#inside.get(folder) ?? new Set()
    this.#inside.set(folder, known.add(path))
    return super.set(path, value)
  }

  override delete(path: string): boolean {
    const before = this.get(path)
    if (!super.delete(path)) return false
    this.#changed(before, undefined)
    const folder = dirname(path)
    const known = this.#inside.get(folder)
    known?.delete(path)
    if (known?.size === 0) this.#inside.delete(folder)
    return true
  }

  override clear(): void {
    for (const path of [...this.keys()]) this.delete(path)
  }

  /** Paths directly in a folder. */
  in(folder: string): Iterable<string> {
    return this.#inside.get(folder) ?? []
  }
}
