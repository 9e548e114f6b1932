/** Whether this version of the software can carry a job on: the same steps, readable input and outputs. It never guesses. */
import type { Engine, Execution } from './execution.ts'
import type { JobRecord } from './journal.ts'
import { stepNames, stepsOf, type Workflow } from './workflow.ts'

export interface Mismatch {
  step: string
  why: string
}

/** The job as it can be carried on, or why it can't. */
export function resume(engine: Engine, job: string, record: JobRecord, workflow: Workflow | undefined): Execution | Mismatch {
  const at = record.steps.find((step) => record.done[step] === undefined) ?? record.steps.at(-1) ?? 'finish'
  if (workflow === undefined) return { step: at, why: `there is no workflow ${record.workflow} any more` }
  if (workflow.version !== record.version)
    return { step: at, why: `it was begun by version ${record.version}, this is ${workflow.version}` }
  const names = stepNames(workflow)
  const missing = [...record.steps, ...Object.keys(record.done)].find((step) => !names.includes(step))
  if (missing !== undefined) return { step: missing, why: 'there is no such step any more' }
  const moved = names.find((step, i) => record.steps[i] !== step)
  if (moved !== undefined) return { step: moved, why: 'the job did not record this step at this place' }
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
