/**
 * One plugin as the controller has it: asked with a deadline, killed when it misses one, begun anew when it is asked again, and left
 * alone for a while after several failures in a row. Nothing that it does makes a caller wait longer than its deadline.
 */
import { SkerryError } from '@skerry/contract'
import { checkedManifest, type Manifest } from './manifest.ts'
import type { Question } from './messages.ts'
import type { PluginProcess, ProcessHandlers } from './process.ts'

export interface HostPorts {
  /** of its file, until it has told its name */
  name: string
  config: Record<string, unknown>
  start(handlers: ProcessHandlers): PluginProcess
  timers: { nowMs(): number; set(run: () => void, ms: number): unknown; clear(handle: unknown): void }
  log(line: string): void
  /** Its health is another than before. */
  onHealth(health: Health): void
}

export interface Health {
  status: 'Ready' | 'Degraded'
  cause: string | null
}

/** Of a process that begins, beside other work on a small machine. */
export const LOAD_MS = 20_000
const MAX_OPEN = 200
/** After so many failures in a row it is left alone, twice as long each time. */
const FAULTS = 3
const REST_MS = 30_000
const REST_MAX_MS = 600_000

interface Open {
  resolve(value: unknown): void
  reject(error: SkerryError): void
}

export class PluginHost {
  readonly #p: HostPorts
  readonly #open = new Map<number, Open>()
  #process: PluginProcess | undefined
  #loaded: Promise<unknown> | undefined
  #manifest: Manifest | undefined
  #ids = 0
  #faults = 0
  #restUntil = Number.NEGATIVE_INFINITY
  #health: Health = { status: 'Ready', cause: null }
  #on = true

  constructor(ports: HostPorts) {
    this.#p = ports
  }

  get name(): string {
    return this.#manifest?.name ?? this.#p.name
  }
  get health(): Health {
    return this.#health
  }
  get pid(): number | undefined {
    return this.#process?.pid
  }

  /** What it brings. Throws `plugin-failed`; asked again, it is begun again. */
  async load(): Promise<Manifest> {
    this.#begin()
    await this.#loaded
    return this.#manifest!
  }

  /** Live: what it is asked while it is off is answered by `plugin-failed` at once. */
  switch(on: boolean): void {
    this.#on = on
    this.#faults = 0
    this.#restUntil = Number.NEGATIVE_INFINITY
    if (on) this.#tell({ status: 'Ready', cause: null })
    else this.#end('it was switched off')
  }

  /** Throws `plugin-refused` with its own words, else `plugin-failed`. */
  async ask(question: Exclude<Question, { ask: 'load' }>, timeoutMs: number): Promise<unknown> {
    if (!this.#on) throw this.#failure('it is switched off')
    if (this.#p.timers.nowMs() < this.#restUntil) throw this.#failure(this.#health.cause ?? 'it failed several times')
    if (this.#open.size >= MAX_OPEN) throw this.#failure(`${MAX_OPEN} calls wait for it already`)
    this.#begin()
    await this.#loaded
    return this.#put(question, timeoutMs)
  }

  /** What it answered can't be: it counts as a failure. Gives the error to throw. */
  lied(why: string): SkerryError {
    this.#fault(why)
    return this.#failure(why)
  }

  stop(): void {
    this.#on = false
    this.#end('the controller ends')
  }

  #begin(): void {
    if (this.#process) return
    const process = this.#p.start({
      onAnswer: (message) => this.#answered(message),
      onLog: this.#p.log,
      onEnd: (reason) => {
        if (this.#process !== process) return
        this.#process = undefined
        this.#loaded = undefined
        if (this.#on) this.#fault(reason)
        for (const { reject } of this.#open.values()) reject(this.#failure(reason))
        this.#open.clear()
      },
    })
    this.#process = process
    this.#loaded = this.#put({ ask: 'load', config: this.#p.config }, LOAD_MS).then((given) => this.#take(given))
    // Whoever asks next hears of it; nobody may be waiting now.
    this.#loaded.catch(() => undefined)
  }

  #take(given: unknown): void {
    let manifest: Manifest
    try {
      manifest = checkedManifest(given)
    } catch (error) {
      this.#end((error as Error).message)
      throw error
    }
    if (this.#manifest && JSON.stringify(this.#manifest) !== JSON.stringify(manifest)) {
      this.#end('it brings other things than when it was loaded first')
      throw this.#failure('it brings other things than when it was loaded first: start the controller anew to take them')
    }
    this.#manifest = manifest
  }

  #put(question: Question, timeoutMs: number): Promise<unknown> {
    const id = ++this.#ids
    return new Promise((resolve, reject) => {
      // A loop without end answers nothing any more, so all that it was asked ends with it.
      const timer = this.#p.timers.set(() => this.#end(`it gave no answer within ${timeoutMs} ms`), timeoutMs)
      const settle =
        <T>(then: (value: T) => void) =>
        (value: T) => {
          this.#p.timers.clear(timer)
          then(value)
        }
      this.#open.set(id, { resolve: settle(resolve), reject: settle(reject) })
      this.#process?.send({ id, ...question } as never)
    })
  }

  #answered(message: Parameters<ProcessHandlers['onAnswer']>[0]): void {
    const open = this.#open.get(message.id)
    if (!open) {
      this.#end('it answered what it was not asked')
      return
    }
    this.#open.delete(message.id)
    if (!('error' in message)) {
      this.#faults = 0
      this.#tell({ status: 'Ready', cause: null })
      open.resolve(message.ok)
      return
    }
    const { refused, message: why } = message.error
    if (!refused) this.#fault(why)
    open.reject(refused ? new SkerryError('plugin-refused', why, { plugin: this.name }) : this.#failure(why))
  }

  #end(reason: string): void {
    this.#process?.kill(reason)
  }

  #fault(cause: string): void {
    this.#faults += 1
    if (this.#faults >= FAULTS)
      this.#restUntil = this.#p.timers.nowMs() + Math.min(REST_MS * 2 ** (this.#faults - FAULTS), REST_MAX_MS)
    this.#tell({ status: 'Degraded', cause })
  }

  #tell(health: Health): void {
    if (health.status === this.#health.status && health.cause === this.#health.cause) return
    this.#health = health
    this.#p.onHealth(health)
  }

  #failure(why: string): SkerryError {
    return new SkerryError('plugin-failed', `plugin ${this.name} failed: ${why}`, { plugin: this.name, why })
  }
}
