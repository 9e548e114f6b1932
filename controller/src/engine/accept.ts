/** From a call to a job: the checks that refuse it, and the one commit that accepts it. */
import { type Api, type Op, type Resource, type Row, resourceOf, resources, SkerryError } from '@skerry/contract'
import type { Graph } from '@skerry/graph'
import { stepNames } from '@skerry/workflow'
import { actions } from '../workflows/index.ts'
import type { Action } from '../workflows/world.ts'
import type { Call } from './port.ts'

/** Path variables that name the resource of a call, in the order in which they are tried. */
export function targetOf(api: Api, resource: Resource, params: Row): string | undefined {
  const own = `${resource.name}Uuid`
  if (api.path.includes('{uuid}')) return params['uuid'] as string
  if (api.path.includes(`{${own}}`)) return params[own] as string
  return undefined
}

/** States in which the call may be made, from the API; the error names them. */
export function checkAllowed(graph: Graph, api: Api, resource: Resource, uuid: string): void {
  if (!api.allowed) return
  const row = graph.get(resource.name, uuid)
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
 * step that finds the row of another job would take it for its own repeat.
 */
function checkNew(graph: Graph, uuid: string): void {
  const taken = Object.keys(resources).find((table) => graph.get(table, uuid))
  if (taken)
    throw new SkerryError('duplicate-uuid', `a ${resourceOf(taken)?.noun} with uuid ${uuid} exists`, {
      field: 'resourceUuid',
      uuid,
    })
  const job = [...graph.by('job', 'resourceUuid', uuid)].find((k) => unfinished.has(graph.get('job', k)?.['state'] as string))
  if (job)
    throw new SkerryError('duplicate-uuid', `job ${job} is making a resource with uuid ${uuid}`, {
      field: 'resourceUuid',
      uuid,
      job,
    })
}

export interface Prepared {
  action: Action
  input: { uuid: string; table: string; params: Row; accountUuid: string }
  /** queue in which the job waits for its turn */
  queueKey: string
  creates: boolean
}

/** Everything that can refuse a call before anything is recorded. */
export function prepare(graph: Graph, call: Call, newId: () => string): Prepared {
  const { api, resource, params } = call
  const action = api.workflow ? actions.get(api.workflow) : undefined
  if (!action) throw new SkerryError('internal', `API ${api.api} has no workflow`, { api: api.api })
  const target = targetOf(api, resource, params)
  const asked = params['resourceUuid'] as string | undefined
  const uuid = target ?? asked ?? newId()
  if (target !== undefined && !graph.get(resource.name, target))
    throw new SkerryError('not-found', `there is no ${resource.noun} ${target}`, { resource: resource.name, uuid: target })
  if (target !== undefined) checkAllowed(graph, api, resource, target)
  else if (asked !== undefined) checkNew(graph, asked)
  action.check?.({ graph, params, uuid, table: resource.name })
  const input = { uuid, table: resource.name, params, accountUuid: call.caller?.accountUuid ?? 'anonymous' }
  return { action, input, queueKey: action.queueKey?.(input) ?? uuid, creates: target === undefined }
}

/** Rows of the tags that a creation brings along. */
function tagOps(input: Prepared['input'], newId: () => string, now: number): Op[] {
  const given = (kind: 'System' | 'User', list: unknown): Op[] =>
    ((list as string[] | undefined) ?? []).map((tag) => {
      const uuid = newId()
      const resourceType = `${input.table.charAt(0).toUpperCase()}${input.table.slice(1)}VO`
      return {
        o: 'put',
        t: 'tag',
        k: uuid,
        v: { uuid, resourceUuid: input.uuid, resourceType, tag, type: kind, createDate: now, lastOpDate: now },
      }
    })
  return [...given('System', input.params['systemTags']), ...given('User', input.params['userTags'])]
}

/** Time that a call may take when its client names none (zstack-core §3.1: 30 min; images and VMs longer). */
const TIMEOUT_MS: Record<string, number> = {
  AddImage: 72 * 3_600_000,
  CreateVmInstance: 12 * 3_600_000,
  ExpungeVmInstance: 3 * 3_600_000,
}
const DEFAULT_TIMEOUT_MS = 30 * 60_000

/** Epoch ms at which the call's job gives up. */
export const deadlineOf = (call: Call, now: number): number =>
  now + (call.timeoutMs ?? TIMEOUT_MS[call.api.api] ?? DEFAULT_TIMEOUT_MS)

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
  ports: { now: number; newId: () => string },
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
    resourceUuid: prepared.input.uuid,
    resourceType: resourceOf(call.resource.name)?.name ?? null,
    state: 'processing',
    input: prepared.input as unknown as Row,
    steps: stepNames(workflow),
    step: null,
    result: null,
    error: null,
    finishedAt: null,
    deadline: job.deadline,
    bodyHash: job.bodyHash,
    queueKey: prepared.queueKey,
  }
  const ops: Op[] = [{ o: 'put', t: 'job', k: job.jobUuid, v: row }]
  if (prepared.creates) ops.push(...tagOps(prepared.input, ports.newId, now))
  if (call.webHook) ops.push({ o: 'put', t: 'hook', k: job.jobUuid, v: { uuid: job.jobUuid, url: call.webHook, attempts: 0 } })
  if (!call.idempotencyKey) return { ops }
  const keyGuard = `${prepared.input.accountUuid}:${call.idempotencyKey}`
  ops.push({ o: 'put', t: 'callKey', k: keyGuard, v: { job: job.jobUuid, bodyHash: job.bodyHash } })
  return { ops, keyGuard }
}
