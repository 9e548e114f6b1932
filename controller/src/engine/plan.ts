/**
 * What a call would do, without doing it (DESIGN §8): its steps, its cascade, what they would write, and what agents would
 * change on their hosts. The workflow's own steps run on a draft of the graph; those that need an agent are left out.
 */
import { createHash } from 'node:crypto'
import { canonicalJson, type Document, type Op, type Row, SkerryError, type Tombstone } from '@skerry/contract'
import { DraftGraph, type Graph } from '@skerry/graph'
import { type StepResult, stepNames, stepsOf, type Workflow } from '@skerry/workflow'
import { documentOf } from '../agents/documents.ts'
import { reproject, touched } from '../desired/project.ts'
import { cascadeOf } from '../workflows/cascade.ts'
import type { Ctx, EndCtx, Input, World } from '../workflows/world.ts'
import { type Prepared, prepare } from './accept.ts'
import type { Call, PlanView } from './port.ts'
import { hideSecrets } from './secret-params.ts'
import { specHash } from './state.ts'

export interface PlanPorts {
  graph: Graph
  world: World
  newId(): string
  /** asks agents what these documents would change there */
  dryRun(documents: ReadonlyMap<string, (Document | Tombstone)[]>): Promise<Row[]>
}

const NO_JOB = '0'.repeat(32)
/** Thrown where a step reaches for an agent. */
class NeedsAgent extends Error {}

interface Trial {
  draft: DraftGraph
  ctx: Ctx
  /** `noun/uuid` of documents that may change */
  names: Set<string>
  shown: Row[]
  /** guards on what exists: the plan holds while these do */
  bases: Row[]
}

/** Stands for every secret in a plan: what is shown to people never holds one. */
const NO_SECRET = '0'.repeat(32)

export async function planOf(given: Call, ports: PlanPorts): Promise<PlanView> {
  const call = { ...given, params: await hideSecrets(given.api, given.params, { put: async () => NO_SECRET }) }
  const prepared = prepare(ports.graph, call, ports.newId)
  const { workflow } = prepared.action
  const cascade = cascadeOfCall(call, ports.graph, prepared)
  const trial = await tryOut(workflow, prepared.input, ports.world)
  const agents = await ports.dryRun(documentsOf(trial))
  const base = { api: call.api.api, params: call.params, cascade, bases: trial.bases }
  const hash = createHash('sha256').update(canonicalJson(base)).digest('hex')
  return { workflow: workflow.name, steps: stepNames(workflow), cascade, changes: trial.shown, agents, hash }
}

/** The tree of a deletion, leaf first; nothing for other calls. */
function cascadeOfCall(call: Call, graph: Graph, { input }: Prepared): PlanView['cascade'] {
  if (call.api.method !== 'DELETE' || !call.api.workflow?.endsWith('.delete')) return []
  return cascadeOf(graph, input.table, input.uuid).order.map((step) => {
    const name = graph.get(step.table, step.key)?.['name'] as string | undefined
    return { resource: step.table, uuid: step.key, ...(name ? { name } : {}), action: step.action }
  })
}

async function tryOut(workflow: Workflow<Input, World>, input: Input, world: World): Promise<Trial> {
  // Steps only read of the graph what the draft has; the type says more than they use.
  const draft = new DraftGraph(world.graph)
  const outputs: Record<string, unknown> = {}
  const ctx = {
    ...{ job: NO_JOB, input, outputs, commandId: 'plan', undoing: false, remainingMs: () => 0, progress: () => undefined },
    world: { ...world, graph: draft as unknown as Graph, ...withoutAgents(world) },
  } as unknown as Ctx
  const trial: Trial = { draft, ctx, names: new Set(), shown: [], bases: [] }
  for (const step of stepsOf(workflow)) {
    const result = await attempt(() => (step.when?.(ctx) === false ? undefined : step.do(ctx)))
    outputs[step.name] = result?.output
    take(trial, step.name, result?.change)
  }
  if (workflow.finish) take(trial, 'finish', (await attempt(() => workflow.finish!(ctx as EndCtx)))?.change)
  return trial
}

/** A step that needs an agent, or what an agent would have answered, shows nothing; what is wrong with the call is thrown. */
async function attempt(run: () => unknown): Promise<StepResult | undefined> {
  try {
    return ((await run()) ?? undefined) as StepResult | undefined
  } catch (error) {
    if (error instanceof SkerryError) throw error
    return undefined
  }
}

function take(trial: Trial, step: string, change: StepResult['change']): void {
  if (!change) return
  for (const guard of change.guards ?? []) if (guard.g === 'version' || guard.g === 'field') trial.bases.push(guard)
  const graph = trial.draft as unknown as Graph
  for (const name of touched(change.ops, graph)) trial.names.add(name)
  trial.draft.apply(change.ops)
  for (const name of touched(change.ops, graph)) trial.names.add(name)
  for (const op of change.ops) trial.shown.push({ step, ...shownOp(op) })
}

const shownOp = (op: Op): Row => ({
  op: op.o,
  resource: op.t,
  key: op.k,
  ...('v' in op ? { values: op.v } : {}),
  ...('delta' in op ? { field: op.field, delta: op.delta } : {}),
})

/** The documents that would be sent, by agent. */
function documentsOf({ draft, names }: Trial): Map<string, (Document | Tombstone)[]> {
  const graph = draft as unknown as Graph
  const ops = reproject(graph, names, null, specHash)
  draft.apply(ops)
  const found = new Map<string, (Document | Tombstone)[]>()
  for (const { k } of ops) {
    const agentUuid = k.slice(0, k.indexOf('/'))
    const document = documentOf(graph, k)
    if (document) found.set(agentUuid, [...(found.get(agentUuid) ?? []), document])
  }
  return found
}

function withoutAgents(world: World): Pick<World, 'agents' | 'secrets'> {
  const none = () => Promise.reject(new NeedsAgent('a plan asks no agent'))
  const looks = { status: world.agents.status.bind(world.agents), alive: world.agents.alive.bind(world.agents) }
  return { agents: { ...looks, converge: none, gone: none, command: none }, secrets: { put: none, shred: none } }
}
