/** What a process can tell of itself: how long it was held, what nobody caught, what became of its prototypes, what it keeps. */
import { setTimeout as wait } from 'node:timers/promises'
import { getHeapCodeStatistics } from 'node:v8'
import { emptyInternPool } from '@skerry/graph/intern'

const BEAT_MS = 100
/** Told of: far more than anything takes, on a machine that is slow, too. */
export const HELD_MS = 1_000

export interface Held {
  /** CPU time in one stretch */
  cpuMs: number
  /** epoch ms */
  from: number
  to: number
}

/** Stretches for which the loop was held, in CPU time: a machine that is busy with others makes none. */
export class LoopWatch {
  longest: Held = { cpuMs: 0, from: 0, to: 0 }
  readonly held: Held[] = []
  #last = this.#now()
  readonly #timer = setInterval(() => this.#beat(), BEAT_MS)

  #now() {
    const { user, system } = process.cpuUsage()
    return { cpuMs: (user + system) / 1_000, at: Date.now() }
  }

  #beat(): void {
    const now = this.#now()
    const held = { cpuMs: now.cpuMs - this.#last.cpuMs, from: this.#last.at, to: now.at }
    this.#last = now
    if (held.cpuMs > this.longest.cpuMs) this.longest = held
    if (held.cpuMs > HELD_MS) this.held.push(held)
  }

  /** What was done since was no handling of requests. */
  forget(): void {
    this.#last = this.#now()
  }

  stop(): void {
    clearInterval(this.#timer)
  }
}

/** Everything that nobody caught, from now on. */
export function uncaught(): string[] {
  const found: string[] = []
  const note = (what: string) => (error: unknown) =>
    void found.push(`${what}: ${error instanceof Error ? error.stack : String(error)}`)
  process.on('uncaughtException', note('uncaught exception'))
  process.on('unhandledRejection', note('unhandled rejection'))
  return found
}

const BUILT_IN = [
  Object,
  Array,
  String,
  Number,
  Boolean,
  Function,
  Map,
  Set,
  WeakMap,
  Date,
  Promise,
  RegExp,
  Error,
  Buffer,
  URL,
  Headers,
]

/** Names of everything that prototypes hold. */
export const prototypes = (): string =>
  JSON.stringify(
    BUILT_IN.map((kind) => [kind.name, Reflect.ownKeys(kind).map(String), Reflect.ownKeys(kind.prototype as object).map(String)]),
  )

/**
 * Bytes that are kept once garbage is gone, without what the engine has compiled (it grows for as long as rare paths come for the first
 * time, and is bounded by the program) and without strings that are pooled until the pool is full. Needs --expose-gc.
 */
export async function bytesKept(): Promise<number> {
  emptyInternPool()
  for (let i = 0; i < 4; i++) {
    globalThis.gc!()
    await wait(20)
  }
  const { heapUsed, external } = process.memoryUsage()
  const code = getHeapCodeStatistics()
  return heapUsed + external - code.code_and_metadata_size - code.bytecode_and_metadata_size
}
