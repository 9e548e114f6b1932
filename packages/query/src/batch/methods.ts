/** Methods of lists, maps, texts and numbers: those of Groovy that scripts of queries use. */
import { closestWord } from '../closest.ts'
import { sizeOf } from './copy.ts'
import { listOf, numeric } from './operators.ts'
import {
  Callable,
  compared,
  type Fields,
  isMap,
  isSame,
  isTrue,
  joined,
  kindOf,
  Moment,
  newMap,
  textOf,
  wordOf,
  wrong,
} from './values.ts'

/** Something that may ask and pause on its way. */
export type Running<T = unknown> = Generator<unknown, T, unknown>

/** What methods need of who runs the script. */
export interface Runs {
  apply(f: Callable, args: readonly unknown[]): Running
  /** Counts work that takes no steps of its own. */
  work(amount: number): void
}

type Method = (of: never, args: readonly unknown[], runs: Runs) => unknown

function closureOf(args: readonly unknown[], name: string): Callable {
  const last = args.at(-1)
  if (last instanceof Callable) return last
  throw wrong(`${name} takes a closure, as in ${name} { it.uuid }`)
}

/** Element by element; of maps, entries with `key` and `value`. */
function* eachOf(of: unknown[] | Fields, f: Callable, runs: Runs): Generator<unknown, [unknown, unknown][], unknown> {
  const results: [unknown, unknown][] = []
  const entries: [unknown, unknown[]][] = Array.isArray(of)
    ? of.map((one) => [one, [one]])
    : Object.entries(of).map(([key, value]) => {
        const entry = Object.assign(newMap(), { key, value })
        return [entry, f.closure.params.length > 1 ? [key, value] : [entry]]
      })
  for (const [one, args] of entries) results.push([one, yield* runs.apply(f, args)])
  return results
}

/** Those that take a closure. */
const walking: Record<string, (of: unknown[] | Fields, f: Callable, runs: Runs) => Running> = {
  *each(of, f, runs) {
    yield* eachOf(of, f, runs)
    return of
  },
  *eachWithIndex(of, f, runs) {
    for (const [i, one] of listOf(of, 'eachWithIndex').entries()) yield* runs.apply(f, [one, i])
    return of
  },
  *collect(of, f, runs) {
    return (yield* eachOf(of, f, runs)).map(([, result]) => result)
  },
  *findAll(of, f, runs) {
    const found = (yield* eachOf(of, f, runs)).filter(([, result]) => isTrue(result)).map(([one]) => one)
    if (Array.isArray(of)) return found
    const map = newMap()
    for (const { key, value } of found as { key: string; value: unknown }[]) map[key] = value
    return map
  },
  *find(of, f, runs) {
    return (yield* eachOf(of, f, runs)).find(([, result]) => isTrue(result))?.[0] ?? null
  },
  *any(of, f, runs) {
    return (yield* eachOf(of, f, runs)).some(([, result]) => isTrue(result))
  },
  *every(of, f, runs) {
    return (yield* eachOf(of, f, runs)).every(([, result]) => isTrue(result))
  },
  *groupBy(of, f, runs) {
    const groups = newMap()
    for (const [one, key] of yield* eachOf(of, f, runs)) ((groups[textOf(key)] ??= []) as unknown[]).push(one)
    return groups
  },
  *collectEntries(of, f, runs) {
    const map = newMap()
    for (const [, pair] of yield* eachOf(of, f, runs)) {
      if (isMap(pair)) Object.assign(map, pair)
      else map[textOf(listOf(pair, 'collectEntries')[0] ?? null)] = (pair as unknown[])[1] ?? null
    }
    return map
  },
  *sort(of, f, runs) {
    const keyed = yield* eachOf(listOf(of, 'sort'), f, runs)
    return keyed.sort(([, a], [, b]) => ordered(a, b)).map(([one]) => one)
  },
}

/** Null first. */
const ordered = (a: unknown, b: unknown) => (a === null || b === null ? Number(a !== null) - Number(b !== null) : compared(a, b))

const ofLists: Record<string, (of: unknown[], args: readonly unknown[], runs: Runs) => unknown> = {
  size: (of) => of.length,
  isEmpty: (of) => of.length === 0,
  first: (of) => of[0] ?? null,
  last: (of) => of.at(-1) ?? null,
  get: (of, [i]) => of[numeric(i, 'get')] ?? null,
  join: (of, [by]) => joined(of.map(wordOf), by === undefined ? '' : textOf(by)),
  contains: (of, [one]) => of.some((other) => isSame(one ?? null, other)),
  unique: (of) => [...new Map(of.map((one) => [one instanceof Moment ? one.epochMs : one, one])).values()],
  flatten: (of, _, runs) => flattened(of, runs),
  reverse: (of) => [...of].reverse(),
  sort: (of) => [...of].sort(ordered),
  take: (of, [n]) => of.slice(0, Math.max(0, numeric(n, 'take'))),
  drop: (of, [n]) => of.slice(Math.max(0, numeric(n, 'drop'))),
  sum: (of) => (of.length === 0 ? null : of.reduce<number>((sum, one) => sum + numeric(one, 'sum'), 0)),
  max: (of) => [...of].sort(ordered).at(-1) ?? null,
  min: (of) => [...of].sort(ordered)[0] ?? null,
  add: (of, [one]) => of.push(one ?? null) > 0,
  addAll: (of, [more], runs) => {
    const list = [...listOf(more, 'addAll')]
    runs.work(list.length)
    for (const one of list) of.push(one)
    return true
  },
}

/** Lists in lists can be more than anybody has made: each is work. */
function flattened(of: readonly unknown[], runs: Runs): unknown[] {
  const flat: unknown[] = []
  const open: Iterator<unknown>[] = [of.values()]
  while (open.length > 0) {
    const { done, value } = open.at(-1)!.next()
    runs.work(1)
    if (done) open.pop()
    else if (Array.isArray(value)) open.push(value.values())
    else flat.push(value)
  }
  return flat
}

const ofMaps: Record<string, (of: Fields, args: readonly unknown[]) => unknown> = {
  size: (of) => Object.keys(of).length,
  isEmpty: (of) => Object.keys(of).length === 0,
  get: (of, [key, otherwise]) => of[textOf(key ?? null)] ?? otherwise ?? null,
  put: (of, [key, value]) => {
    of[textOf(key ?? null)] = value ?? null
    return null
  },
  containsKey: (of, [key]) => Object.hasOwn(of, textOf(key ?? null)),
  keySet: (of) => Object.keys(of),
  values: (of) => Object.values(of),
}

const ofTexts: Record<string, (of: string, args: readonly unknown[], runs: Runs) => unknown> = {
  size: (of) => of.length,
  length: (of) => of.length,
  isEmpty: (of) => of === '',
  contains: (of, [part]) => of.includes(textOf(part ?? null)),
  startsWith: (of, [part]) => of.startsWith(textOf(part ?? null)),
  endsWith: (of, [part]) => of.endsWith(textOf(part ?? null)),
  split: (of, [by], runs) => {
    runs.work(of.length)
    return of.split(textOf(by ?? ' '))
  },
  replace: (of, [what, by]) => joined(of.split(textOf(what ?? null)), textOf(by ?? '')),
  trim: (of) => of.trim(),
  toLowerCase: (of) => of.toLowerCase(),
  toUpperCase: (of) => of.toUpperCase(),
  toInteger: wholeNumber,
  toLong: wholeNumber,
}

function wholeNumber(of: string): number {
  if (!/^-?\d{1,15}$/.test(of.trim())) throw wrong(`${JSON.stringify(of.slice(0, 40))} is not a whole number`)
  return Number(of)
}

const tables: Record<string, Record<string, Method>> = { list: ofLists, map: ofMaps, text: ofTexts }

/** Calls a method. `invalid-argument` where there is none. */
export function* method(of: unknown, name: string, args: readonly unknown[], runs: Runs): Running {
  const kind = kindOf(of)
  if (name === 'toString' && kind !== 'map' && kind !== 'closure') return textOf(of)
  if (name === 'call' && of instanceof Callable) return yield* runs.apply(of, args)
  if (of === null) throw wrong(`Cannot invoke method ${name}() on null object`)
  const table = tables[kind] ?? {}
  const walks = kind === 'list' || kind === 'map'
  runs.work(sizeOf(of))
  const closure = args.at(-1) instanceof Callable || !Object.hasOwn(table, name)
  if (walks && closure && Object.hasOwn(walking, name))
    return yield* walking[name]!(of as unknown[] | Fields, closureOf(args, name), runs)
  if (Object.hasOwn(table, name)) return table[name]!(of as never, args, runs)
  const known = [...Object.keys(table), ...(walks ? Object.keys(walking) : [])]
  const closest = closestWord(name, known)
  throw wrong(`a ${kind} has no method ${name}${closest ? `; did you mean ${closest}?` : ''}`)
}
