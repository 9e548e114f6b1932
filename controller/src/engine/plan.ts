/** What a call would do, without doing it: its steps, its cascade, what its deciding steps would write (DESIGN §8). */
import { createHash } from 'node:crypto'
import { canonicalJson, type Row } from '@skerry/contract'
import type { Graph } from '@skerry/graph'
import { stepNames, stepsOf } from '@skerry/workflow'
import { touched } from '../desired/project.ts'
import { cascadeOf } from '../workflows/cascade.ts'
import type { Ctx, World } from '../workflows/world.ts'
import { prepare } from './accept.ts'
import type { Call, PlanView } from './port.ts'

export interface PlanPorts {
  graph: Graph
  world: World
  newId(): string
  /** asks agents what these documents would change there */
  dryRun(names: readonly string[], job: string): Promise<Row[]>
}

/** Runs the first, pure steps for their changes only, up to the first one that needs more than the graph as it is. */
async function changesOf(
  _call: Call,
  ports: PlanPorts,
  input: Ctx['input'],
  workflow: string,
): Promise<{ shown: Row[]; names: string[]; bases: Row[] }> {
  const { actions } = await import('../workflows/index.ts')
  const action = actions.get(workflow)!
  const shown: Row[] = []
  const bases: Row[] = []
  const names = new Set<string>()
  const ctx = {
    job: '0'.repeat(32),
    input,
    outputs: {} as Record<string, unknown>,
    world: { ...ports.world, graph: ports.graph },
    commandId: 'plan',
    undoing: false,
    remainingMs: () => 0,
    progress: () => undefined,
  }
  for (const step of stepsOf(action.workflow)) {
    const outcome = await Promise.resolve()
      .then(() => (step.when?.(ctx as unknown as Ctx) === false ? undefined : onlyGraph(step, ctx as unknown as Ctx)))
      .catch(() => null) // this step decides from what earlier ones would have written: the plan ends here
    if (outcome === null) break
    ctx.outputs[step.name] = outcome?.output
    for (const guard of outcome?.change?.guards ?? []) bases.push(guard as unknown as Row)
    for (const op of outcome?.change?.ops ?? [])
      shown.push({
        step: step.name,
        op: op.o,
        resource: op.t,
        key: op.k,
        ...('v' in op ? { values: op.v } : {}),
        ...('delta' in op ? { field: op.field, delta: op.delta } : {}),
      })
    for (const name of touched(outcome?.change?.ops ?? [], ports.graph)) names.add(name)
  }
  return { shown, names: [...names], bases }
}

/** A step that reaches for an agent is not run: the world of a plan has none. */
function onlyGraph(step: ReturnType<typeof stepsOf>[number], ctx: Ctx) {
  const none = () => Promise.reject(new Error('a plan asks no agent'))
  const agents = { ...ctx.world.agents, converge: none, gone: none, command: none, status: () => undefined, alive: () => false }
  return step.do({ ...ctx, world: { ...ctx.world, agents, secrets: { put: none, shred: none } } } as unknown as Ctx)
}

export async function planOf(call: Call, ports: PlanPorts): Promise<PlanView> {
  const prepared = prepare(ports.graph, call, ports.newId)
  const { workflow } = prepared.action
  const deletes = call.api.method === 'DELETE' && call.api.workflow?.endsWith('.delete')
  const cascade = deletes
    ? cascadeOf(ports.graph, prepared.input.table, prepared.input.uuid).order.map((s) => {
        const name = ports.graph.get(s.table, s.key)?.['name'] as string | undefined
        return { resource: s.table, uuid: s.key, ...(name ? { name } : {}), action: s.action }
      })
    : []
  const { shown, names, bases } = await changesOf(call, ports, prepared.input as Ctx['input'], workflow.name)
  const agents = await ports.dryRun(names, '0'.repeat(32))
  // What the plan was made from: if any of it has moved, the hash is another one.
  const base = {
    api: call.api.api,
    params: call.params,
    cascade,
    bases: bases.filter((b) => b['g'] === 'version' || b['g'] === 'field'),
  }
  return {
    workflow: workflow.name,
    steps: stepNames(workflow),
    cascade,
    changes: shown,
    agents,
    hash: createHash('sha256').update(canonicalJson(base)).digest('hex'),
  }
}
