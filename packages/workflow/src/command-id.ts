/**
 * Ids of the commands that a step sends to agents. An id is one token of a subject (`progress.<commandId>`), so it holds no
 * dot. The undo of a step has ids of its own, one an attempt: a repeated id gets the first result (DESIGN §6), which for an
 * undo that failed would be the same failure for ever.
 */

export interface CommandId {
  job: string
  step: string
  undoing: boolean
}

/** `<job>-<step>` for `do`; `<job>-<step>_undo<attempt>` for `undo`, attempts counted from 1 over the whole life of the job. */
export function commandIdOf(job: string, step: string, undoAttempt = 0): string {
  return undoAttempt === 0 ? `${job}-${step}` : `${job}-${step}_undo${undoAttempt}`
}

/** Whose command this is; undefined when the id was not made by `commandIdOf`. */
export function parseCommandId(id: string): CommandId | undefined {
  const [, job, step, undo] = /^([0-9a-z]+)-([a-zA-Z0-9-]+)(_undo\d+)?$/.exec(id) ?? []
  return job && step ? { job, step, undoing: undo !== undefined } : undefined
}
