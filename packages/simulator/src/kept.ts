/** `<dir>/<address>.json`: what a simulated machine is when it is off. Secret: its agents' keys are in it. */
import { type MachineBehaviour, machineBehaviour, SkerryError, simulatedAddress } from '@skerry/contract'
import type { Files } from '@skerry/host'
import { z } from 'zod'
import { savedMachine } from './machine/saved.ts'

const machineFile = z.object({ v: z.literal(1), behaviour: machineBehaviour, machine: savedMachine })
const ordinaryFile = z.object({ v: z.literal(1), behaviour: machineBehaviour })
type MachineFile = z.infer<typeof machineFile>

const ORDINARY = 'ordinary.json'

export class MachineDisk {
  readonly #files: Pick<Files, 'read' | 'write' | 'list' | 'makeDir' | 'remove'>
  readonly #dir: string
  /** by address: the state of its disk that was written last */
  readonly #written = new Map<string, number>()
  #ordinary = ''

  constructor(files: Pick<Files, 'read' | 'write' | 'list' | 'makeDir' | 'remove'>, dir: string) {
    this.#files = files
    this.#dir = dir
  }

  async load(): Promise<{
    ordinary: MachineBehaviour | undefined
    machines: ({ address: string } & Omit<MachineFile, 'v'>)[]
  }> {
    await this.#files.makeDir(this.#dir, 0o700)
    const names = (await this.#files.list(this.#dir)) ?? []
    const machines = []
    for (const name of names) {
      const address = name.replace(/\.json$/, '')
      if (!simulatedAddress.safeParse(address).success) continue
      machines.push({ address, ...(await this.#read(name, machineFile)) })
    }
    const ordinary = names.includes(ORDINARY) ? (await this.#read(ORDINARY, ordinaryFile)).behaviour : undefined
    return { ordinary, machines }
  }

  /** Only when it has moved on since. */
  async save(address: string, state: number, content: () => Omit<MachineFile, 'v'>): Promise<void> {
    if (this.#written.get(address) === state) return
    await this.#files.write(`${this.#dir}/${address}.json`, JSON.stringify({ v: 1, ...content() }), 0o600)
    this.#written.set(address, state)
  }

  async saveOrdinary(behaviour: MachineBehaviour): Promise<void> {
    const text = JSON.stringify({ v: 1, behaviour })
    if (text === this.#ordinary) return
    await this.#files.write(`${this.#dir}/${ORDINARY}`, text, 0o600)
    this.#ordinary = text
  }

  async drop(address: string): Promise<void> {
    this.#written.delete(address)
    await this.#files.remove(`${this.#dir}/${address}.json`)
  }

  async #read<T extends z.ZodType>(name: string, schema: T): Promise<z.infer<T>> {
    const path = `${this.#dir}/${name}`
    try {
      return schema.parse(JSON.parse((await this.#files.read(path)) ?? ''))
    } catch (cause) {
      throw new SkerryError('internal', `${path} cannot be read; move it away to begin without it`, { path }, { cause })
    }
  }
}
