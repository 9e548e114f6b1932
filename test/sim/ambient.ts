/**
 * What a process has of its own accord - clocks, timers, random numbers, a thread pool - taken from the seed instead, so that one
 * seed is one history, whatever the machine is busy with. Imported before anything else of a simulation, and of nothing else.
 */
import crypto from 'node:crypto'
import { createRequire, syncBuiltinESMExports } from 'node:module'
import { seeded } from '../harness/seeded.ts'
import { Scheduler } from './scheduler.ts'

const WALL_BEGAN = Date.UTC(2030, 0, 1)
const require = createRequire(import.meta.url)
const real = { now: performance.now.bind(performance), immediate: setImmediate, timeout: setTimeout, clear: clearTimeout }

/** Real time and a real turn of the event loop, for what measures the simulation itself. */
export const outside = real

interface Current {
  scheduler: Scheduler
  random: () => number
}
let current: Current = begin(0)

function begin(seed: number): Current {
  return { scheduler: new Scheduler(real.immediate), random: seeded(seed) }
}

/** Everything from now on comes from this seed. What an earlier one left behind never runs again. */
export function beginSeed(seed: number): Scheduler {
  current.scheduler.stop()
  current = begin(seed)
  return current.scheduler
}

/** Milliseconds since 1970 at which each history begins. */
export const wallBegan = WALL_BEGAN

const wall = () => Math.floor(WALL_BEGAN + current.scheduler.nowMs())
function bytes(size: number): Buffer {
  const made = Buffer.alloc(size)
  for (let i = 0; i < size; i++) made[i] = Math.floor(current.random() * 256)
  return made
}

function uuid(): string {
  const hex = bytes(16).toString('hex')
  const variant = (8 + (Number.parseInt(hex[16]!, 16) % 4)).toString(16)
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-4${hex.slice(13, 16)}-${variant}${hex.slice(17, 20)}-${hex.slice(20)}`
}

type Run = (...args: unknown[]) => void
const later = (fn: Run, ms = 0, ...args: unknown[]) => handleOf(current.scheduler.set(() => fn(...args), ms))
const atOnce = (fn: Run, ...args: unknown[]) => handleOf(current.scheduler.soon(() => fn(...args)))
/** Node's own have these methods, and code calls them. */
const handleOf = (timer: object) => Object.assign(timer, { ref: () => timer, unref: () => timer, hasRef: () => true })
const clear = (timer: unknown) => current.scheduler.clear(timer)

function repeating(fn: Run, ms = 0, ...args: unknown[]): unknown {
  const { scheduler } = current
  const handle = handleOf({ stop: scheduler.every(Math.max(1, ms), () => fn(...args)) })
  return handle
}
const clearRepeating = (handle: unknown) => (handle as { stop?(): void } | undefined)?.stop?.()

class SimulatedDate extends Date {
  constructor(...args: unknown[]) {
    super(...((args.length === 0 ? [wall()] : args) as [number]))
  }
  static override now(): number {
    return wall()
  }
}

const clearAny = (timer: unknown) => {
  clear(timer)
  clearRepeating(timer)
}
const timers = {
  setTimeout: later,
  clearTimeout: clearAny,
  setInterval: repeating,
  clearInterval: clearAny,
  setImmediate: atOnce,
  clearImmediate: clear,
}
Object.assign(globalThis, timers, { Date: SimulatedDate })
Object.assign(require('node:timers'), timers)
Object.assign(require('node:timers/promises'), {
  setTimeout: (ms: number, value: unknown) => new Promise((resolve) => void later(() => resolve(value), ms)),
  setImmediate: (value: unknown) => new Promise((resolve) => void atOnce(() => resolve(value))),
})
Math.random = () => current.random()
performance.now = () => current.scheduler.nowMs()

/** Passwords cost nothing here: it is not their strength that is tried. */
function scrypt(secret: crypto.BinaryLike, salt: crypto.BinaryLike, size: number, ...rest: unknown[]): void {
  const made = crypto.hkdfSync('sha256', Buffer.from(secret as string), Buffer.from(salt as string), 'scrypt', size)
  const done = rest.at(-1) as (error: null, key: Buffer) => void
  atOnce(() => done(null, Buffer.from(made)))
}
Object.assign(require('node:crypto'), {
  scrypt,
  randomUUID: uuid,
  randomFillSync: (into: Uint8Array) => {
    into.set(bytes(into.length))
    return into
  },
  randomBytes: (size: number, done?: (error: null, made: Buffer) => void) =>
    done ? atOnce(() => done(null, bytes(size))) : bytes(size),
})
syncBuiltinESMExports()
// Of a thread pool otherwise: done at once, it takes no time that the seed knows nothing of.
crypto.webcrypto.subtle.digest = async (algorithm, data) => {
  const name = (typeof algorithm === 'string' ? algorithm : algorithm.name).replace('-', '')
  const made = crypto
    .createHash(name)
    .update(Buffer.from(data as ArrayBuffer))
    .digest()
  return made.buffer.slice(made.byteOffset, made.byteOffset + made.byteLength) as ArrayBuffer
}
