/**
 * [format] The highest epochs of resources that this agent has no document of (an image is only ever the subject of
 * commands): `<dir>/fences/<noun>.json`. Bounded: the longest unheard resources are forgotten first.
 */
import { Low } from 'lowdb'
import { z } from 'zod'
import { CheckedFile, type Damage, documentNames, type LedgerFiles } from './checked-file.ts'

const MAX_PER_NOUN = 5_000
const fenceFile = z.object({ v: z.literal(1), epochs: z.record(z.string(), z.number().int()) })
type FenceFile = z.infer<typeof fenceFile>

export class Fences {
  readonly #files: LedgerFiles
  readonly #dir: string
  readonly #nouns = new Map<string, Map<string, number>>()

  constructor(files: LedgerFiles, dir: string) {
    this.#files = files
    this.#dir = dir
  }

  async load(): Promise<Damage[]> {
    await this.#files.makeDir(this.#dir, 0o700)
    const damaged: Damage[] = []
    for (const noun of await documentNames(this.#files, this.#dir)) {
      const file = this.#file(noun)
      const found = await file.read()
      if (file.damage) damaged.push(file.damage)
      this.#nouns.set(noun, new Map(Object.entries(found?.epochs ?? {})))
    }
    return damaged
  }

  get(noun: string, uuid: string): number {
    return this.#nouns.get(noun)?.get(uuid) ?? 0
  }

  async raise(noun: string, uuid: string, epoch: number): Promise<void> {
    const epochs = new Map(this.#nouns.get(noun))
    epochs.delete(uuid) // so that it stands last
    epochs.set(uuid, epoch)
    for (const oldest of epochs.keys()) {
      if (epochs.size <= MAX_PER_NOUN) break
      epochs.delete(oldest)
    }
    await new Low<FenceFile>(this.#file(noun), { v: 1, epochs: Object.fromEntries(epochs) }).write()
    this.#nouns.set(noun, epochs)
  }

  #file(noun: string): CheckedFile<FenceFile> {
    return new CheckedFile(this.#files, `${this.#dir}/${noun}.json`, fenceFile)
  }
}
