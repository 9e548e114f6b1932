/**
 * A call of our own dialect, once its door (HTTP, NATS) has read it: rights, names, parameters, conditions, and the engine. What a
 * door may not decide is decided here, so that all doors decide the same.
 */
import { type Row, SkerryError } from '@skerry/contract'
import type { Graph } from '@skerry/graph'
import { zqlCalls } from '../calls/zql.ts'
import type { Call, Caller, JobView, PlanView } from '../engine/port.ts'
import { withRefs } from '../identity/resource-refs.ts'
import { withServiceRefs } from '../inventory/index.ts'
import { authorize } from './auth.ts'
import { asPlanned, ifMatchGuards } from './conditional.ts'
import { type Door, ended } from './context.ts'
import { jobUuidFrom, timeoutFrom, webHookFrom } from './jobs.ts'
import { asOf, momentFrom } from './moments.ts'
import { resolveName, resolveNames } from './names.ts'
import { checkParams, type Received } from './params.ts'
import { type Found, findMany, findOne } from './query.ts'
import { Refusal } from './refusal.ts'
import { callSync } from './sync.ts'

export interface Asked {
  received: Received
  /** undefined on anonymous APIs */
  caller: Caller | undefined
  /** `Idempotency-Key`, `If-Match`, `If-Plan`, `X-API-Timeout`, `X-Job-UUID`, `X-Web-Hook` */
  headers: Headers
  /** what a query asks, and the controls `dryRun`, `wait`, `at` */
  search: URLSearchParams
  /** of the client, for the login limit */
  address: string
  /** told before a call with a web hook is accepted */
  hooked?(jobUuid: string): void
}

export type Outcome =
  | { kind: 'found'; found: Found }
  | { kind: 'reply'; call: Call; reply: Row }
  | { kind: 'plan'; plan: PlanView }
  /** `job` has ended only where that was waited for */
  | { kind: 'job'; call: Call; job: JobView; ended: boolean }

/** Throws `Refusal` for what can't be read, `SkerryError` for what is refused; nothing is changed then. */
export async function conduct(door: Door, asked: Asked): Promise<Outcome> {
  const { received, caller, search } = asked
  const { api } = received.route
  if (caller) authorize(door.engine, received.route, caller)
  const at = search.get('at')
  if (at !== null)
    return api.api === 'ZQLQuery' ? zqlThen(door, asked, at) : { kind: 'found', found: await findThen(door, asked, at) }
  if (api.query) return { kind: 'found', found: await find(door, asked) }
  const call = callFrom(door, asked)
  const matched = ifMatchGuards(door.engine.guard.seen(caller), asked.headers, received, call.params)
  if (search.get('dryRun') === 'true') return { kind: 'plan', plan: await door.engine.plan(call) }
  if (api.sync && asked.headers.has('If-Plan')) throw new Refusal(400, `${api.api} is done at once: it takes no If-Plan`)
  if (api.sync) return { kind: 'reply', call, reply: await callSync(door, asked, call) }
  return accept(door, asked, matched.length > 0 ? { ...call, guards: matched } : call)
}

async function find(door: Door, { received: { route, variables }, search, caller }: Asked): Promise<Found> {
  if (!route.byUuid) return findMany(door, route, search, caller)
  const seen = door.engine.guard.seen(caller)
  const uuid = resolveName(seen, route.resource, variables['uuid'] ?? '', 'uuid')
  const found = findOne(seen, route, uuid, search)
  if (found.version === undefined)
    throw new SkerryError('not-found', `there is no ${route.resource.noun} ${uuid}`, { resource: route.resource.name, uuid })
  return found
}

/** The graph as it was then, for who may look at it. */
async function graphThen(door: Door, { caller }: Asked, text: string): Promise<Graph> {
  if (!caller?.admin || caller.userUuid !== undefined)
    throw new SkerryError('permission-denied', 'what was before is for administrators: rights of then may not be those of now')
  if (door.past === undefined) throw new SkerryError('not-ready', 'this controller keeps no history')
  return door.past.graphAt(await momentFrom(door.past, text, { field: 'at', now: door.clock.now() }))
}

/** What ZQL would have answered then. Names are those of now. */
async function zqlThen(door: Door, asked: Asked, text: string): Promise<Outcome> {
  const call = callFrom(door, asked)
  const graph = withServiceRefs(withRefs(await graphThen(door, asked, text)))
  const frozen = { graph, close: () => {} }
  const ports = { graph, freeze: () => frozen, monotonic: () => performance.now(), pause: door.pause }
  return { kind: 'reply', call, reply: await zqlCalls(ports).ZQLQuery(call) }
}

/** What a query would have answered then. */
async function findThen(door: Door, asked: Asked, text: string): Promise<Found> {
  const { received, caller } = asked
  const { route, variables } = received
  if (!route.api.query) throw new Refusal(400, 'at= is for looking: nothing can be called in the past')
  const graph = await graphThen(door, asked, text)
  // `at` is nothing that a query knows.
  const search = new URLSearchParams(asked.search)
  search.delete('at')
  if (!route.byUuid) {
    const found = await findMany({ ...door, engine: asOf(door.engine, graph) }, route, search, caller)
    return { ...found, seen: graph }
  }
  const uuid = resolveName(graph, route.resource, variables['uuid'] ?? '', 'uuid')
  const found = findOne(graph, route, uuid, search)
  if (found.version !== undefined) return found
  throw new SkerryError('not-found', `there was no ${route.resource.noun} ${uuid}`, {
    resource: route.resource.name,
    uuid,
    seq: graph.seq,
  })
}

function callFrom(door: Door, { received, caller, headers }: Asked): Call {
  const names = Object.keys(received.variables)
  const input = resolveNames(door.engine.guard.seen(caller), received.route, received.input)
  const variables = Object.fromEntries(names.map((name) => [name, String(input[name])]))
  const checked = checkParams({ ...received, input, variables })
  if (!checked.ok) throw checked.error
  const key = headers.get('Idempotency-Key')
  if (key !== null && (key.length === 0 || key.length > 255))
    throw new Refusal(400, 'Idempotency-Key must have 1 to 255 characters')
  const timeoutMs = timeoutFrom(headers)
  const webHook = webHookFrom(headers)
  const jobUuid = jobUuidFrom(headers) ?? (webHook === undefined ? undefined : door.newUuid())
  return {
    api: received.route.api,
    resource: received.route.resource,
    params: checked.params,
    bodyHash: received.bodyHash,
    ...(caller ? { caller } : {}),
    ...(key === null ? {} : { idempotencyKey: key }),
    ...(timeoutMs === undefined ? {} : { timeoutMs }),
    ...(webHook === undefined ? {} : { webHook }),
    ...(jobUuid === undefined ? {} : { jobUuid }),
  }
}

async function accept(door: Door, asked: Asked, call: Call): Promise<Outcome> {
  const waitMs = waitFrom(asked.search, door.limits.waitMs)
  const bound = await asPlanned(door.engine, asked.headers, call)
  if (call.webHook !== undefined && call.jobUuid !== undefined) asked.hooked?.(call.jobUuid)
  const accepted = await door.engine.accept(bound)
  const job = waitMs > 0 && !ended(accepted) ? ((await door.engine.wait(accepted.uuid, waitMs)) ?? accepted) : accepted
  return { kind: 'job', call, job, ended: waitMs > 0 && ended(job) }
}

const expired = (job: string) => new SkerryError('job-expired', `there is no job ${job}, or it ended long ago`, { job })

/** One job, waited for as `wait=` says. Throws `job-expired`. */
export async function jobOf(door: Door, uuid: string, { search, caller }: Pick<Asked, 'search' | 'caller'>): Promise<JobView> {
  if (!door.engine.guard.seesJob(caller, uuid)) throw expired(uuid)
  const waitMs = waitFrom(search, door.limits.waitMs)
  const job = waitMs > 0 ? await door.engine.wait(uuid, waitMs) : door.engine.job(uuid)
  if (job === undefined) throw expired(uuid)
  return job
}

/** `wait=30s`, `500ms`, `2m` or bare seconds, as ms; no more than `limit`. */
export function waitFrom(search: URLSearchParams, limit: number): number {
  const given = search.get('wait')
  if (given === null || given === '') return 0
  const [, amount, unit] = /^(\d{1,9})(ms|s|m)?$/.exec(given) ?? []
  if (amount === undefined) throw new Refusal(400, 'wait must be a time such as 30s, 500ms or 2m')
  const scale = unit === 'ms' ? 1 : unit === 'm' ? 60_000 : 1000
  return Math.min(Number(amount) * scale, limit)
}
