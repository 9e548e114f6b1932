/**
 * Whether this version of the software can carry a job on: the same steps in the same versions, readable input and outputs.
 * It never guesses, and never skips. That the workflow itself has a new version does not matter: what a job must not go on
 * by, a step says.
 */
import type { Engine, Execution } from './execution.ts'
import type { JobRecord } from './journal.ts'
import { stepNamesIn, stepRecords, stepsOf, type Workflow } from './workflow.ts'

export interface Mismatch {
  step: string
  why: string
}

/** The job as it can be carried on, or why it can't. `workflow`: a text says why there is none. */
export function resume(engine: Engine, job: string, record: JobRecord, workflow: Workflow | string): Execution | Mismatch {
  const known = stepNamesIn(record.steps)
  const at = known.find((step) => record.done[step] === undefined) ?? known.at(-1) ?? 'finish'
  if (typeof workflow === 'string') return { step: at, why: workflow }
  const changed = changedStep(record, workflow)
  if (changed) return changed
  const input = workflow.input.safeParse(record.input)
  if (!input.success) return { step: at, why: `its input does not parse: ${input.error.message}` }
  const outputs = new Map<string, unknown>()
  for (const step of stepsOf(workflow)) {
    const entry = record.done[step.name]
    if (entry === undefined) continue
    const output = step.output ? step.output.safeParse(entry.output) : { success: true as const, data: entry.output }
    if (!output.success) return { step: step.name, why: `its journaled output does not parse: ${output.error.message}` }
    outputs.set(step.name, output.data)
  }
  return { engine, job, record, workflow, input: input.data, outputs }
}

function changedStep({ steps, done, version }: JobRecord, workflow: Workflow): Mismatch | undefined {
  const now = stepRecords(workflow)
  const [names, known] = [stepNamesIn(now), stepNamesIn(steps)]
  const since = ` (it was begun by version ${version} of ${workflow.name}, this is ${workflow.version})`
  const missing = [...known, ...Object.keys(done)].find((step) => !names.includes(step))
  if (missing !== undefined) return { step: missing, why: `there is no such step any more${since}` }
  const i = now.findIndex((step, n) => steps[n] !== step)
  if (i < 0) return undefined
  if (known[i] !== names[i]) return { step: names[i]!, why: `the job did not record this step at this place${since}` }
  return { step: names[i]!, why: `the job recorded this step as ${steps[i]}, it is ${now[i]} now${since}` }
}
