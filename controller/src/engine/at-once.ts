/**
 * Calls that are over in the commit that accepts them. A creation that is only a row of the graph needs no queue and no journal:
 * the job, its one step and its end are one commit, so there is nothing to resume. When that commit is refused, the call goes
 * the ordinary way, which says why.
 */
import { type Change, type Op, SkerryError } from '@skerry/contract'
import { commandIdOf, stepsOf } from '@skerry/workflow'
import type { Ctx, World } from '../workflows/world.ts'
import type { Prepared } from './accept.ts'

/** What the only step decides, with its name; undefined for workflows that take their time. */
function decided({ action, input }: Prepared, job: string, world: World): { step: string; change: Change } | undefined {
  const [step] = stepsOf(action.workflow)
  if (!action.atOnce || !step) return undefined
  const context: Ctx = {
    job,
    input,
    outputs: {},
    world,
    commandId: commandIdOf(job, step.name, 0),
    undoing: false,
    remainingMs: () => 0,
    progress: () => undefined,
  }
  const result = step.do(context)
  if (result instanceof Promise || !result?.change)
    throw new SkerryError('internal', `${action.workflow.name} is no workflow that ends at once`)
  return { step: step.name, change: result.change }
}

/** The commit that accepts a call. */
export type Acceptance = Required<Omit<Change, 'facts'>>

/** The acceptance (`ops` with the job's row, `guards`) together with the effect and the end; undefined for other workflows. */
export function endedAtOnce(
  prepared: Prepared,
  acceptance: Acceptance,
  at: { job: string; now: number; world: World },
): Change | undefined {
  const made = decided(prepared, at.job, at.world)
  if (made === undefined) return undefined
  const end = { state: 'done', step: made.step, result: {}, finishedAt: at.now }
  const ops = acceptance.ops.map(
    (op): Op => (op.o === 'put' && op.t === 'job' && op.k === at.job ? { ...op, v: { ...op.v, ...end } } : op),
  )
  const { change } = made
  return {
    guards: [...acceptance.guards, ...(change.guards ?? [])],
    ops: [...change.ops, ...ops],
    ...(change.facts ? { facts: change.facts } : {}),
  }
}
