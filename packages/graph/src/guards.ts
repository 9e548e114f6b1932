/** Why a commit was refused, and that refusal as an error. */
import type { Guard, Op } from '@skerry/contract'
import { SkerryError } from '@skerry/contract'

export type GuardFailure =
  /** A guard does not hold. `have` is what stands in its place: version, field value, counter value, epoch. */
  | { guard: Guard; have: unknown }
  /** An operation cannot be applied: its row is missing, or it is not well formed (a defect of the caller). */
  | { op: Op; because: 'missing' | 'malformed' }

/** A counter guard judged over several guards of one commit on the same counter. */
export interface CounterSum {
  have: number
  delta: number
}

const codes = {
  version: 'conflict',
  absent: 'conflict',
  exists: 'not-found',
  field: 'illegal-state',
  counter: 'conflict',
  epoch: 'stale-epoch',
} as const

/** The refusal as an error with `details {guard, have}`. Callers that know what a guard stood for throw a better one. */
export function guardError(failure: GuardFailure): SkerryError {
  if ('op' in failure) {
    const { o, t, k } = failure.op
    const where = { op: o, table: t, key: k }
    if (failure.because === 'missing') return new SkerryError('conflict', `cannot ${o} ${t} ${k}: the row is gone`, where)
    return new SkerryError('internal', `a commit holds an operation that is not well formed`, where)
  }
  const { guard, have } = failure
  const what = guard.g === 'epoch' ? `epoch ${guard.e}` : `${guard.g} of ${guard.t} ${guard.k}`
  return new SkerryError(codes[guard.g], `a commit was refused by its guard: ${what}`, { guard, have: have ?? null })
}
