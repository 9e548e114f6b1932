/**
 * What a call would do, without doing it (DESIGN §8): its steps, its cascade, what they would write, and what agents would
 * change on their hosts. The workflow's own steps run on a draft of the graph; those that need an agent are left out.
 */
import { createHash } from 'node:crypto'
import {
  canonicalJson,
  type Document,
  type Guard,
  type Op,
  type Row,
  resourceOf,
  SkerryError,
  type Tombstone,
} from '@skerry/contract'
import { type CascadeStep, DraftGraph, type Graph } from '@skerry/graph'
import { type StepResult, stepNames, stepsOf, type Workflow } from '@skerry/workflow'
import { documentOf } from '../agents/documents.ts'
import { reproject, touched } from '../desired/project.ts'
import { candidates } from '../place/host.ts'
import { cascadeOf } from '../workflows/cascade.ts'
import { lostWith } from '../workflows/host.lose.ts'
import type { Ctx, EndCtx, Input, World } from '../workflows/world.ts'
import { type Prepared, prepare, vetted } from './accept.ts'
import type { Call, PlanNode, PlanView } from './port.ts'
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
/** How a step fails that lacks what an earlier one would have made, had it not been left out. */
const LACKING: ReadonlySet<string> = new Set(['agent-absent', 'not-found', 'illegal-state', 'vm-illegal-state'])
/** Thrown where a step reaches for an agent. */
class NeedsAgent extends Error {}

interface Trial {
  draft: DraftGraph
  ctx: Ctx
  /** `noun/uuid` of documents that may change */
  names: Set<string>
  shown: Row[]
  /** keys of documents that are written as such: tombstones for what no row wants */
  direct: Set<string>
  /** guards on what exists: the plan holds while these do */
  bases: Row[]
  /** a step was left out because it needs an agent */
  partial: boolean
}

/** Stands for every secret in a plan: what is shown to people never holds one. */
const NO_SECRET = '0'.repeat(32)

export async function planOf(given: Call, ports: PlanPorts): Promise<PlanView> {
  const { call, prepared, cascade, trial, hash } = await decide(given, ports)
  const { workflow } = prepared.action
  const agents = await ports.dryRun(documentsOf(trial))
  // Hosts are for administrators to see.
  const hosts = call.caller?.admin ? hostsFor(prepared, ports.graph) : {}
  const tree = cascadeTreeOf(call, ports.graph, prepared)
  return { workflow: workflow.name, steps: stepNames(workflow), cascade, ...tree, ...hosts, changes: trial.shown, agents, hash }
}

/**
 * What must hold for that plan to be what happens: the versions of everything that would go, and what its steps rest upon. `cascade`: what
 * would go, to be compared where the call is accepted. Throws `stale-plan` where the plan has another hash by now.
 */
export async function whatWasPlanned(
  given: Call,
  wanted: string,
  ports: PlanPorts,
): Promise<{ guards: Guard[]; cascade: string }> {
  const { cascade, trial, hash } = await decide(given, ports)
  if (hash !== wanted)
    throw new SkerryError('stale-plan', 'the plan has changed since it was shown', { shown: wanted, now: hash })
  const { graph } = ports
  const rows = cascade.flatMap(({ resource: t, uuid: k }): Guard[] => {
    const seq = graph.version(t, k)
    return seq === undefined ? [] : [{ g: 'version', t, k, seq }]
  })
  // What an earlier step of the plan makes true can't hold before.
  const bases = (trial.bases as Guard[]).filter((guard) => graph.check([guard], []) === undefined)
  return { guards: [...rows, ...bases], cascade: canonicalJson(cascade) }
}

/** No guard sees a row that came to be since: what would go is computed once more, in the same turn as the commit. Throws `stale-plan`. */
export function checkCascade(call: Call, graph: Graph, prepared: Prepared): void {
  if (call.cascade === undefined || canonicalJson(cascadeOfCall(call, graph, prepared)) === call.cascade) return
  throw new SkerryError('stale-plan', `other resources would go with ${call.api.api} than the plan has shown`)
}

/** The call tried out on a draft, and the hash of what it rests upon. */
async function decide(given: Call, ports: PlanPorts) {
  const call = { ...given, params: await hideSecrets(given.api, given.params, { put: async () => NO_SECRET }) }
  const prepared = prepare(ports.graph, call, ports.newId, ports.world)
  await vetted(call, prepared.input, ports.world)
  const cascade = cascadeOfCall(call, ports.graph, prepared)
  const trial = await tryOut(prepared.action.workflow, prepared.input, ports.world)
  const base = { api: call.api.api, params: call.params, cascade, bases: trial.bases }
  const hash = createHash('sha256').update(canonicalJson(base)).digest('hex')
  return { call, prepared, cascade, trial, hash }
}

/** Hosts that a plan names of each kind. */
const HOSTS = 100

function hostsFor({ action, input }: Prepared, graph: Graph): Pick<PlanView, 'hosts'> {
  if (!action.places) return {}
  const { possible, refused } = candidates(graph, action.places(input, graph))
  return { hosts: { possible: possible.slice(0, HOSTS), refused: refused.slice(0, HOSTS) } }
}

/** The tree of a deletion, leaf first; nothing for other calls. */
function cascadeOfCall(call: Call, graph: Graph, { input }: Prepared): PlanView['cascade'] {
  if (call.api.workflow === 'host.lose') return lostWith(graph, input.uuid)
  if (!cascades(call)) return []
  return cascadeOf(graph, input.table, input.uuid).order.map((step) => shownStep(graph, step))
}

const cascades = ({ api }: Call) => api.method === 'DELETE' && api.workflow?.endsWith('.delete')

function shownStep(graph: Graph, { table, key, action }: CascadeStep): PlanView['cascade'][number] {
  const name = graph.get(table, key)?.['name'] as string | undefined
  return { resource: table, uuid: key, ...(name ? { name } : {}), action }
}

/** What the deletion itself plans by, as a tree. */
function cascadeTreeOf(call: Call, graph: Graph, { input }: Prepared): { tree?: PlanNode } {
  if (!cascades(call)) return {}
  const below = new Map<string, (PlanNode & { children: PlanNode[] })[]>()
  // Leaf first: what stands below a row is known when the row comes. A row whose parent went before it hangs on the root.
  const { order } = cascadeOf(graph, input.table, input.uuid)
  const last = new Map(order.map((step, i) => [`${step.table} ${step.key}`, i]))
  const root = `${input.table} ${input.uuid}`
  for (const [i, step] of order.entries()) {
    const own = `${step.table} ${step.key}`
    const node = { ...shownStep(graph, step), children: below.get(own) ?? [] }
    const parent = step.parent ? `${step.parent.table} ${step.parent.key}` : root
    if (own === root && step.action === 'delete') return { tree: { ...node, children: below.get(root) ?? [] } }
    const at = (last.get(parent) ?? -1) > i ? parent : root
    below.set(at, [...(below.get(at) ?? []), node])
  }
  return {}
}

async function tryOut(workflow: Workflow<Input, World>, input: Input, world: World): Promise<Trial> {
  // Steps only read of the graph what the draft has; the type says more than they use.
  const draft = new DraftGraph(world.graph)
  const outputs: Record<string, unknown> = {}
  const ctx = {
    ...{ job: NO_JOB, input, outputs, commandId: 'plan', undoing: false, remainingMs: () => 0, progress: () => undefined },
    world: { ...world, graph: draft as unknown as Graph, ...withoutAgents(world) },
  } as unknown as Ctx
  const trial: Trial = { draft, ctx, names: new Set(), shown: [], direct: new Set(), bases: [], partial: false }
  for (const step of stepsOf(workflow)) {
    const result = await attempt(trial, () => (step.when?.(ctx) === false ? undefined : step.do(ctx)))
    outputs[step.name] = result?.output
    take(trial, step.name, result?.change)
  }
  if (workflow.finish) take(trial, 'finish', (await attempt(trial, () => workflow.finish!(ctx as EndCtx)))?.change)
  return trial
}

/**
 * A step that needs an agent shows nothing, and from then on so does one that lacks what the agent would have answered. Anything
 * else that is thrown is what is wrong with the call, or a defect: both are told.
 */
async function attempt(trial: Trial, run: () => unknown): Promise<StepResult | undefined> {
  try {
    return ((await run()) ?? undefined) as StepResult | undefined
  } catch (error) {
    if (error instanceof NeedsAgent) trial.partial = true
    else if (!trial.partial || (error instanceof SkerryError && !LACKING.has(error.code))) throw error
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
  for (const op of change.ops) if (op.t === 'desired' && op.o === 'put') trial.direct.add(op.k)
  for (const op of change.ops) trial.shown.push({ step, ...shownOp(op) })
}

/** A write as a plan shows it: without what its resource shows nobody. */
export const shownOp = (op: Op): Row => ({
  op: op.o,
  resource: op.t,
  key: op.k,
  ...('v' in op ? { values: unhidden(op.t, op.v) } : {}),
  ...('delta' in op ? { field: op.field, delta: op.delta } : {}),
})

function unhidden(table: string, values: Row): Row {
  const hidden = resourceOf(table)?.hidden ?? []
  return Object.fromEntries(Object.entries(values).filter(([field]) => !hidden.includes(field)))
}

/** The documents that would be sent, by agent. */
function documentsOf({ draft, names, direct }: Trial): Map<string, (Document | Tombstone)[]> {
  const graph = draft as unknown as Graph
  const ops = reproject(graph, names, null, specHash)
  draft.apply(ops)
  const found = new Map<string, (Document | Tombstone)[]>()
  for (const k of new Set([...ops.map((op) => op.k), ...direct])) {
    const agentUuid = k.slice(0, k.indexOf('/'))
    const document = documentOf(graph, k)
    if (document) found.set(agentUuid, [...(found.get(agentUuid) ?? []), document])
  }
  return found
}

function withoutAgents(world: World): Pick<World, 'agents' | 'secrets' | 'deploy' | 'jobs' | 'consoleSecret'> {
  const none = () => Promise.reject(new NeedsAgent('a plan asks no agent'))
  const looks = { status: world.agents.status.bind(world.agents), alive: world.agents.alive.bind(world.agents) }
  return {
    agents: { ...looks, converge: none, gone: none, remind: none, command: none },
    secrets: { put: none, shred: none },
    jobs: { accept: none, retry: none, known: () => undefined, ended: none },
    consoleSecret: () => '',
    ...(world.deploy ? { deploy: { ...world.deploy, bring: none } } : {}),
  }
}
