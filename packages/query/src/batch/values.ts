/** Values of scripts: null, truth, numbers, texts, times, lists, maps (objects without a prototype), closures. */
import { SkerryError } from '@skerry/contract'
import type { Closure } from './syntax.ts'

/** A time that stays one until it is written: compared as a number, in texts ISO 8601. */
export class Moment {
  readonly epochMs: number
  constructor(epochMs: number) {
    this.epochMs = epochMs
  }
  toString(): string {
    return new Date(this.epochMs).toISOString()
  }
}

/** A closure, and what it sees around itself. */
export class Callable {
  readonly closure: Closure
  readonly scope: Scope
  constructor(closure: Closure, scope: Scope) {
    this.closure = closure
    this.scope = scope
  }
}

/** Names that are known at a place, and outside of it. */
export class Scope {
  private readonly names = new Map<string, unknown>()
  private readonly outer: Scope | undefined
  constructor(outer?: Scope) {
    this.outer = outer
  }

  define(name: string, value: unknown): void {
    this.names.set(name, value)
  }

  /** The scope that has the name. */
  holding(name: string): Scope | undefined {
    return this.names.has(name) ? this : this.outer?.holding(name)
  }

  get(name: string): unknown {
    return this.names.get(name)
  }

  known(): string[] {
    return [...this.names.keys(), ...(this.outer?.known() ?? [])]
  }
}

export type Fields = Record<string, unknown>

export const isMap = (value: unknown): value is Fields =>
  typeof value === 'object' && value !== null && Object.getPrototypeOf(value) === null

/** An empty map: without a prototype, so that no key means anything else than itself. */
export const newMap = (): Fields => Object.create(null) as Fields

export const wrong = (message: string): SkerryError => new SkerryError('invalid-argument', message, {})

export function kindOf(value: unknown): string {
  if (value === null) return 'null'
  if (Array.isArray(value)) return 'list'
  if (isMap(value)) return 'map'
  if (value instanceof Moment) return 'time'
  if (value instanceof Callable) return 'closure'
  return typeof value === 'string' ? 'text' : typeof value
}

/** What is nothing, zero or empty is false. */
export function isTrue(value: unknown): boolean {
  if (Array.isArray(value)) return value.length > 0
  if (isMap(value)) return Object.keys(value).length > 0
  return Boolean(value)
}

/** Longest text that a script may make. */
const MAX_TEXT = 1024 * 1024

/** Texts after each other. Throws where that would be too long, before it is made. */
export function joined(texts: readonly string[], between = ''): string {
  const length = texts.reduce((sum, text) => sum + text.length + between.length, 0)
  if (length > MAX_TEXT + between.length) throw wrong(`a text may have at most ${MAX_TEXT} characters`)
  return texts.join(between)
}

/** In a text. Of lists only what stands in them itself: lists in lists can be longer than anything. */
export function textOf(value: unknown): string {
  if (Array.isArray(value)) return joined(['[', joined(value.map(wordOf), ', '), ']'])
  return wordOf(value)
}

export function wordOf(value: unknown): string {
  const kind = kindOf(value)
  if (kind === 'map' || kind === 'list' || kind === 'closure')
    throw wrong(`a ${kind} can't stand in a text: name one of its fields or elements`)
  return String(value)
}

const MAX_DEPTH = 64

/** A field of a map, of each element of a list (also of lists in it; nothing is null), an element by its number. */
export function partOf(value: unknown, key: unknown, work: (amount: number) => void, depth = 0): unknown {
  if (isMap(value)) return value[String(key)] ?? null
  if (Array.isArray(value)) {
    if (typeof key === 'number') return value[key < 0 ? value.length + key : key] ?? null
    if (depth > MAX_DEPTH) throw wrong(`lists are more than ${MAX_DEPTH} levels inside each other`)
    work(value.length)
    return value.map((one) => (one === null ? null : partOf(one, key, work, depth + 1)))
  }
  if (value === null) throw wrong(`Cannot get property '${String(key)}' on null object`)
  throw wrong(`a ${kindOf(value)} has no field ${JSON.stringify(key)}`)
}

/** Order of two numbers, texts or times. */
export function compared(a: unknown, b: unknown): number {
  const [left, right] = [comparable(a), comparable(b)]
  if (typeof left !== typeof right) throw wrong(`cannot compare a ${kindOf(a)} with a ${kindOf(b)}`)
  return left < right ? -1 : left > right ? 1 : 0
}

function comparable(value: unknown): number | string {
  if (value instanceof Moment) return value.epochMs
  if (typeof value === 'number' || typeof value === 'string') return value
  throw wrong(`a ${kindOf(value)} is neither less nor more than another`)
}

export function isSame(a: unknown, b: unknown): boolean {
  for (const value of [a, b]) {
    const kind = kindOf(value)
    if (kind === 'list' || kind === 'map' || kind === 'closure') {
      if (a === null || b === null) return false
      throw wrong(`== compares numbers, texts, times and truth, not a ${kind}`)
    }
  }
  return a instanceof Moment && b instanceof Moment ? a.epochMs === b.epochMs : a === b
}
