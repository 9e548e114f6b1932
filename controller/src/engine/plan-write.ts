/**
 * What a synchronous write would record, without recording it. Its handler runs over a state that only listens: the first commit ends
 * the call, and is the plan. So these handlers decide and commit before they act on anything else.
 */
import { createHash } from 'node:crypto'
import { type Change, canonicalJson, type Row, resourceOf, SkerryError } from '@skerry/contract'
import type { Graph } from '@skerry/graph'
import { stepsOf } from '@skerry/workflow'
import { plainBook } from '../workflows/book.ts'
import { shownOp } from './plan.ts'
import type { Call, PlanView } from './port.ts'
import type { State } from './state.ts'

/** Synchronous calls that write, over a state. */
export type Writes = (state: State) => Record<string, (call: Call) => Promise<Row> | Row>

/** Thrown in place of the commit. */
class Decided extends Error {
  readonly change: Change

  constructor(change: Change) {
    super('a plan commits nothing')
    this.change = change
  }
}

const listening = (state: State): State =>
  new Proxy(state, {
    get(target, name) {
      if (name === 'commit') return (change: Change) => Promise.reject(new Decided(change))
      const value: unknown = Reflect.get(target, name, target)
      return typeof value === 'function' ? value.bind(target) : value
    },
  })

/** Throws as the call itself would, and `invalid-argument` for a call that writes nothing. */
export async function planOfWrite(call: Call, state: State, writes: Writes): Promise<PlanView> {
  if (call.api.api === 'RetryJob') return planOfRetry(call, state.graph)
  const handler = writes(listening(state))[call.api.api]
  if (!handler)
    throw new SkerryError('invalid-argument', `${call.api.api} changes nothing of the site that could be planned`, {
      field: 'dryRun',
    })
  const change = await decided(() => handler(call))
  const changes = change.ops.filter(({ t }) => resourceOf(t)?.apis.some(({ query }) => query))
  const versions = change.ops.map(({ t, k }) => state.graph.version(t, k) ?? null)
  return viewOf(call, {
    ...{ workflow: call.api.workflow ?? call.api.api, steps: [call.api.verb] },
    ...{ changes: changes.map((op) => ({ step: call.api.verb, ...shownOp(op) })) },
    base: { guards: change.guards ?? [], versions },
  })
}

/** Nothing would change where the handler ends without a commit. */
async function decided(run: () => Promise<Row> | Row): Promise<Change> {
  try {
    await run()
    return { ops: [] }
  } catch (thrown) {
    if (thrown instanceof Decided) return thrown.change
    throw thrown
  }
}

/** The steps that would be undone, in their order. */
function planOfRetry(call: Call, graph: Graph): PlanView {
  const uuid = call.params['uuid'] as string
  const job = needStuck(graph, uuid)
  const begun = new Set([job['step']])
  for (const key of graph.by('jobStep', 'jobUuid', uuid)) {
    const { step, state } = graph.get('jobStep', key)!
    if (state === 'done') begun.add(step)
    else begun.delete(step)
  }
  const { workflow, steps: recorded } = job as unknown as { workflow: string; steps: string[] }
  const known = plainBook.begun({ workflow, steps: recorded })
  if (!known)
    throw new SkerryError('illegal-state', `job ${uuid} is one of ${workflow}, which this version does not know`, { job: uuid })
  const undone = stepsOf(known).filter(({ name, undo }) => undo !== undefined && begun.has(name))
  const steps = undone.map(({ name }) => name).reverse()
  return viewOf(call, { workflow, steps, changes: [], base: { version: graph.version('job', uuid) ?? null } })
}

/** A job whose undo failed. Throws `not-found` and `illegal-state`. */
export function needStuck(graph: Graph, job: string): Readonly<Row> {
  const row = graph.get('job', job)
  if (!row) throw new SkerryError('not-found', `there is no job ${job}`, { job })
  if (row['state'] === 'stuck') return row
  throw new SkerryError('illegal-state', `job ${job} is ${row['state']}: only a stuck one can be retried`, {
    job,
    state: row['state'],
    allowed: ['stuck'],
  })
}

type Told = Pick<PlanView, 'workflow' | 'steps' | 'changes'>

function viewOf({ api, params }: Call, { base, ...told }: Told & { base: Row }): PlanView {
  const hash = createHash('sha256')
    .update(canonicalJson({ api: api.api, params, ...base }))
    .digest('hex')
  return { ...told, cascade: [], agents: [], hash }
}
