/** From a call to a job: the checks that refuse it, and the one commit that accepts it. */
import {
  type Api,
  choosesUuid,
  isRowOf,
  type Op,
  type Resource,
  type Row,
  resourceOf,
  resources,
  SkerryError,
  subjectParameter,
  tableOf,
} from '@skerry/contract'
import type { Graph } from '@skerry/graph'
import { stepRecords } from '@skerry/workflow'
import { maySee, ownerOf } from '../identity/whose.ts'
import { plainBook } from '../workflows/book.ts'
import { cascadeOf } from '../workflows/cascade.ts'
import type { Action, World } from '../workflows/world.ts'
import { callKeyOf } from './conditional.ts'
import { longCallIn } from './long-call.ts'
import type { Call, Caller } from './port.ts'
import { checkGivenTags, givenTagOps } from './tags.ts'

const targetName = (api: Api, resource: Resource) => api.target ?? subjectParameter(api.path, resource)
/** The resource that a call is about; undefined where its path names none. */
export function targetOf(api: Api, resource: Resource, params: Row): string | undefined {
  const name = targetName(api, resource)
  return name === undefined ? undefined : (params[name] as string)
}

/** The row that the call is about; undefined: there is none. */
function targetRow(graph: Graph, api: Api, resource: Resource, uuid: string): Readonly<Row> | undefined {
  const row = graph.get(tableOf(resource), uuid)
  if (row && isRowOf(resource, row)) return row
  return api.alsoOf === undefined ? undefined : graph.get(api.alsoOf, uuid)
}

/** States in which the call may be made, from the API; the error names them. */
export function checkAllowed(graph: Graph, api: Api, resource: Resource, uuid: string): void {
  if (!api.allowed) return
  const row = graph.get(tableOf(resource), uuid)
  const state = row?.[resource.states?.field ?? 'state'] as string | undefined
  if (!row || !state || api.allowed.includes(state)) return
  const code = resource.name === 'vmInstance' ? 'vm-illegal-state' : 'illegal-state'
  throw new SkerryError(
    code,
    `${resource.noun} ${row['name'] ?? uuid} is ${state}: ${api.verb} is possible when it is ${api.allowed.join(', ')}`,
    { uuid, state, allowed: [...api.allowed] },
  )
}

const unfinished = new Set(['processing', 'undoing', 'stuck'])

/**
 * A uuid that a client chose must be new: no resource has it, and no creation under way is about to. Without the second, a
 * step that finds the row of another job would take it for its own repeat. Which resource it is, is told to those that may see it.
 */
function checkNew(graph: Graph, uuid: string, caller: Caller | undefined): void {
  const told = (more: string, details: Row = {}) =>
    new SkerryError('duplicate-uuid', more, { field: 'resourceUuid', uuid, ...details })
  const mine = (table: string, row: Readonly<Row>) => !caller || caller.admin || maySee(graph, caller.accountUuid, table, row)
  const taken = Object.keys(resources).find((table) => graph.get(table, uuid))
  if (taken && mine(taken, graph.get(taken, uuid)!)) throw told(`a ${resourceOf(taken)?.noun} with uuid ${uuid} exists`)
  const job = [...graph.by('job', 'resourceUuid', uuid)].find((k) => unfinished.has(graph.get('job', k)?.['state'] as string))
  if (job && mine('job', graph.get('job', job)!)) throw told(`job ${job} is making a resource with uuid ${uuid}`, { job })
  if (taken || job) throw told(`uuid ${uuid} is taken: choose another, or none`)
}

export interface Prepared {
  action: Action
  input: { uuid: string; table: string; params: Row; accountUuid: string; cascade?: string }
  /** queue in which the job waits for its turn */
  queueKey: string
  creates: boolean
}

/**
 * What an account deletes may take along only what is its own: who uses what it has shared is not to be stopped or lose anything.
 * Administrators may. Nothing is told of what others have.
 */
function checkOwnCascade(graph: Graph, caller: Caller, { api, table, uuid }: { api: Api; table: string; uuid: string }): void {
  if (caller.admin || api.method !== 'DELETE' || !api.workflow?.endsWith('.delete') || !graph.get(table, uuid)) return
  for (const step of cascadeOf(graph, table, uuid).order) {
    const row = graph.get(step.table, step.key)
    const owner = row && ownerOf(graph, step.table, row)
    if (typeof owner !== 'object' || owner.account === caller.accountUuid) continue
    throw new SkerryError('in-use', `${resourceOf(table)?.noun} ${uuid} is used by resources of other accounts`, { uuid })
  }
}

/** The call as it is for the row that it names: appliances are started by the calls of VMs. */
function meant(graph: Graph, { api, resource, params }: Call): { api: Api; resource: Resource } {
  const { otherwise } = api
  const uuid = otherwise && targetOf(api, resource, params)
  const other = otherwise && resourceOf(otherwise.of)
  if (!other || uuid === undefined || graph.get(tableOf(resource), uuid) || !graph.get(other.name, uuid)) return { api, resource }
  const { allowed: _, otherwise: __, ...rest } = api
  const { workflow, allowed } = otherwise
  return { api: { ...rest, target: targetName(api, resource)!, workflow, ...(allowed ? { allowed } : {}) }, resource: other }
}

/** Everything that can refuse a call before anything is recorded. */
export function prepare(graph: Graph, call: Call, newId: () => string, world: Pick<World, 'deploy' | 'workflows'>): Prepared {
  const { params } = call
  const { api, resource } = meant(graph, call)
  const action = api.workflow ? (world.workflows ?? plainBook).action(api.workflow) : undefined
  if (!action) throw new SkerryError('internal', `API ${api.api} has no workflow`, { api: api.api })
  const target = targetOf(api, resource, params)
  const asked = choosesUuid(api) ? (params['resourceUuid'] as string | undefined) : undefined
  const uuid = target ?? asked ?? action.subject?.(params) ?? newId()
  const row = target === undefined ? undefined : targetRow(graph, api, resource, target)
  if (target !== undefined && row === undefined)
    throw new SkerryError('not-found', `there is no ${resource.noun} ${target}`, { resource: resource.name, uuid: target })
  if (target !== undefined) checkAllowed(graph, api, resource, target)
  else if (asked !== undefined) checkNew(graph, asked, call.caller)
  if (target === undefined) checkGivenTags(graph, resource.name, params)
  const deploys = (address: string) => world.deploy?.covers(address) ?? false
  if (call.caller) checkOwnCascade(graph, call.caller, { api, table: resource.name, uuid })
  action.check?.({ graph, params, uuid, table: resource.name, accountUuid: call.caller?.accountUuid, deploys })
  const inner = longCallIn(call)
  if (inner) prepare(graph, { ...call, ...inner }, newId, world)
  const shown = call.cascade === undefined ? {} : { cascade: call.cascade }
  const input = { uuid, table: resource.name, params, accountUuid: call.caller?.accountUuid ?? 'anonymous', ...shown }
  const run = action.chosen ? { ...action, workflow: action.chosen(uuid) } : action
  return { action: run, input, queueKey: action.queueKey?.(input, graph) ?? uuid, creates: target === undefined }
}

/** What plugins have against a call. Theirs is the last word before it is recorded. */
export const vetted = async (
  { api, params }: Call,
  input: Prepared['input'],
  { plugins }: Pick<World, 'plugins'>,
): Promise<void> => plugins?.vet({ api: api.api, method: api.method, params }, input)

export interface JobRow {
  jobUuid: string
  deadline: number | null
  bodyHash: string
}

/** The commit that accepts a call: job, dedupe key, webhook, tags. */
export function acceptanceOps(
  call: Call,
  prepared: Prepared,
  job: JobRow,
  ports: { now: number; newId: () => string; graph: Graph },
): { ops: Op[]; keyGuard?: string } {
  const { workflow } = prepared.action
  const { now } = ports
  const row: Row = {
    uuid: job.jobUuid,
    name: call.api.api,
    description: null,
    createDate: now,
    lastOpDate: now,
    api: call.api.api,
    workflow: workflow.name,
    version: workflow.version,
    accountUuid: prepared.input.accountUuid,
    ...(call.caller?.userUuid === undefined ? {} : { userUuid: call.caller.userUuid }),
    resourceUuid: prepared.input.uuid,
    resourceType: resourceOf(prepared.input.table)?.name ?? null,
    state: 'processing',
    input: prepared.input as unknown as Row,
    steps: stepRecords(workflow),
    ...(workflow.declared ? { declared: workflow.declared } : {}),
    step: null,
    result: null,
    error: null,
    finishedAt: null,
    deadline: job.deadline,
    bodyHash: job.bodyHash,
    queueKey: prepared.queueKey,
  }
  const ops: Op[] = [{ o: 'put', t: 'job', k: job.jobUuid, v: row }]
  if (prepared.creates) ops.push(...givenTagOps(ports.graph, prepared.input, ports))
  if (call.webHook) ops.push({ o: 'put', t: 'hook', k: job.jobUuid, v: { uuid: job.jobUuid, url: call.webHook, attempts: 0 } })
  if (!call.idempotencyKey) return { ops }
  const keyGuard = callKeyOf(prepared.input.accountUuid, call.idempotencyKey)
  ops.push({ o: 'put', t: 'callKey', k: keyGuard, v: { job: job.jobUuid, bodyHash: job.bodyHash } })
  return { ops, keyGuard }
}
