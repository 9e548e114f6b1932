/** Failures as errors of the job: who was doing what, the inner code for clients, and what an undo needs to be resumed. */
import { type ErrorBody, fromErrorBody, SkerryError, toErrorBody } from '@skerry/contract'
import { z } from 'zod'
import type { JobState } from './journal.ts'

/** Kept in `details.undo` of the error while the job is undoing or stuck. */
const notes = z.object({
  /** Steps that were begun but not journaled: they are undone too. */
  underWay: z.array(z.string()),
  /** Attempts at undo so far, so that command ids never repeat. */
  attempts: z.number().int(),
})
export type UndoNotes = z.infer<typeof notes>

export interface Place {
  job: string
  workflow: string
  step: string
}

/** `thrown` as the failure of a step: its code and details, our place, and itself as the cause. */
export function failureAt(place: Place, thrown: unknown, doing = 'failed'): ErrorBody {
  const inner = fromErrorBody(toErrorBody(thrown))
  const message = `job ${place.job} (${place.workflow}) ${doing} at step ${place.step}`
  return toErrorBody(new SkerryError(inner.code, message, { ...inner.details, ...place }, { cause: inner }))
}

/** The job waits for a person: the undo of a step did not succeed. Holds the failure that began the undo. */
export function stuckAt(place: Place, thrown: unknown, failure: ErrorBody): ErrorBody {
  const message = `job ${place.job} (${place.workflow}) is stuck: the undo of step ${place.step} did not succeed`
  return toErrorBody(new SkerryError('job-stuck', message, { ...place, failure }, { cause: thrown }))
}

/** The job waits: this version of the software cannot carry it on. Holds the failure, when it was undoing. */
export function upgradeStuckAt(place: Place, why: string, failure?: ErrorBody): ErrorBody {
  const message = `job ${place.job} (${place.workflow}) cannot go on at step ${place.step}: ${why}`
  return toErrorBody(new SkerryError('upgrade-stuck', message, { ...place, ...(failure ? { failure } : {}) }))
}

/** The failure that began the undo: of a stuck job it lies in the details, unless an upgrade stopped the job on its way forward. */
export function failureOf(state: JobState, error: ErrorBody): ErrorBody {
  return state === 'stuck' ? ((error.details?.['failure'] as ErrorBody | undefined) ?? error) : error
}

export function withNotes(failure: ErrorBody, undo: UndoNotes): ErrorBody {
  return { ...failure, details: { ...failure.details, undo } }
}

export function notesOf(failure: ErrorBody): UndoNotes | undefined {
  return notes.safeParse(failure.details?.['undo']).data
}

/** As clients see it: without our own notes. */
export function withoutNotes(failure: ErrorBody): ErrorBody {
  const { undo: _, ...details } = failure.details ?? {}
  return { ...failure, details }
}
