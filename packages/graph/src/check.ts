/** The judgement over guards and operations. Reads the graph, changes nothing. */
import type { Guard, Op, Row } from '@skerry/contract'
import type { CounterSum, GuardFailure } from './guards.ts'

/** What the judgement needs to know of the graph. */
interface Rows {
  readonly epoch: number
  get(t: string, k: string): Readonly<Row> | undefined
  version(t: string, k: string): number | undefined
  count(t: string): number
}

type CounterGuard = Extract<Guard, { g: 'counter' }>

const counterId = (guard: { t: string; k: string; field: string }) => `${guard.t}\n${guard.k}\n${guard.field}`

/** Deltas summed over all guards of the commit on one counter, so that two halves cannot each fit where the whole doesn't. */
export function counterSums(graph: Rows, guards: readonly Guard[]): Map<string, CounterSum> | undefined {
  let sums: Map<string, CounterSum> | undefined
  for (const guard of guards) {
    if (guard.g !== 'counter') continue
    sums ??= new Map()
    const sum = sums.get(counterId(guard))
    if (sum) sum.delta += guard.delta
    else sums.set(counterId(guard), { have: counter(graph.get(guard.t, guard.k), guard.field), delta: guard.delta })
  }
  return sums
}

/** A counter's value; an absent field counts as 0, what is no number as NaN, which no limit admits. */
function counter(row: Readonly<Row> | undefined, field: string): number {
  if (row === undefined) return Number.NaN
  const value = Object.hasOwn(row, field) ? row[field] : undefined
  return value === undefined || value === null ? 0 : typeof value === 'number' ? value : Number.NaN
}

export function checkGuard(graph: Rows, guard: Guard, sums: Map<string, CounterSum> | undefined): GuardFailure | undefined {
  switch (guard.g) {
    case 'version': {
      const have = graph.version(guard.t, guard.k)
      return have === guard.seq ? undefined : { guard, have }
    }
    case 'absent':
      return graph.get(guard.t, guard.k) === undefined ? undefined : { guard, have: graph.version(guard.t, guard.k) }
    case 'exists':
      return graph.get(guard.t, guard.k) === undefined ? { guard, have: undefined } : undefined
    case 'field': {
      const row = graph.get(guard.t, guard.k)
      const have = row && Object.hasOwn(row, guard.field) ? row[guard.field] : undefined
      const value = have ?? null
      return row !== undefined && guard.in.some((allowed) => allowed === value) ? undefined : { guard, have }
    }
    case 'counter':
      return checkCounter(guard, sums?.get(counterId(guard)))
    case 'epoch':
      return guard.e >= graph.epoch ? undefined : { guard, have: graph.epoch }
    default:
      return { guard, have: 'unknown guard' }
  }
}

function checkCounter(guard: CounterGuard, sum: CounterSum | undefined): GuardFailure | undefined {
  const after = sum === undefined ? Number.NaN : sum.have + sum.delta
  // Written so that NaN (no such row, no number) fails.
  const fits = after >= (guard.min ?? Number.NEGATIVE_INFINITY) && after <= (guard.max ?? Number.POSITIVE_INFINITY)
  return fits ? undefined : { guard, have: sum?.have }
}

const TABLE = /^[a-z][A-Za-z0-9]{0,63}$/
const CONTROL = /[\u0000-\u001f\u007f]/

/** Operations see the effect of those before them: a row put by the same commit can be set, a deleted one cannot. */
export function checkOps(graph: Rows, ops: readonly Op[]): GuardFailure | undefined {
  const pending = ops.length > 1 ? new Map<string, Readonly<Row> | null>() : undefined
  for (const op of ops) {
    const id = pending ? `${op.t}\n${op.k}` : ''
    const before = pending?.get(id)
    const row = before === undefined ? graph.get(op.t, op.k) : (before ?? undefined)
    if (!wellFormed(graph, op)) return { op, because: 'malformed' }
    if (row === undefined && op.o !== 'put') return { op, because: 'missing' }
    if (op.o === 'add' && !(Number.isFinite(op.delta) && Number.isFinite(counter(row, op.field))))
      return { op, because: 'malformed' }
    if (!pending) continue
    if (op.o === 'put') pending.set(id, op.v)
    else if (op.o === 'del') pending.set(id, null)
    else if (op.o === 'set') pending.set(id, { ...row, ...op.v })
  }
  return undefined
}

function wellFormed(graph: Rows, op: Op): boolean {
  if (op.o !== 'put') return op.o === 'del' || op.o === 'add' || (op.o === 'set' && isRow(op.v))
  if (typeof op.k !== 'string' || op.k.length === 0 || op.k.length > 256 || CONTROL.test(op.k)) return false
  return isRow(op.v) && (graph.count(op.t) > 0 || TABLE.test(op.t))
}

const isRow = (value: unknown): value is Row => typeof value === 'object' && value !== null && !Array.isArray(value)
