/**
 * `/v1`: the same paths and bodies as ZStack's, with ISO dates, problem documents, honest status codes, names for uuids,
 * `dryRun=true` and `wait=30s`. Knows no resource.
 */
import { PREFIX, type Row, SkerryError, toErrorBody } from '@skerry/contract'
import type { Call, Caller, JobView } from '../engine/port.ts'
import { answer } from './answer.ts'
import { authorize, callerOf, sessionFrom } from './auth.ts'
import { checkIfMatch, checkIfPlan, etag } from './conditional.ts'
import { apiOf, type Door, ended, type Visit } from './context.ts'
import { isoDate } from './dates.ts'
import { jobUuidFrom, timeoutFrom, webHookFrom } from './jobs.ts'
import { resolveName, resolveNames } from './names.ts'
import { checkParams, type Received, receive } from './params.ts'
import { problem, problemFrom, problemOf } from './problem.ts'
import { findMany, findOne, textOf } from './query.ts'
import { Refusal } from './refusal.ts'
import { json, jsonText } from './reply.ts'
import { callSync } from './sync.ts'

/** Every request below `/v1` that is an API's. */
export async function ownDialect(door: Door, visit: Visit): Promise<Response> {
  try {
    return await dispatch(door, visit)
  } catch (error) {
    return failed(door, visit, error)
  }
}

/** What was thrown as a problem document; defects are logged. */
export function failed(door: Door, visit: Visit, error: unknown): Response {
  if (!(error instanceof Refusal) && toErrorBody(error).code === 'internal')
    door.log.error({ ...visit.facts, error: toErrorBody(error) }, 'a request failed for no good reason')
  return problemFrom(error)
}

/** The caller; a missing or bad header is 401 here, not ZStack's 400. */
export function ownCaller(door: Door, headers: Headers): Caller {
  try {
    return callerOf(door.engine, sessionFrom(headers, ['Bearer', 'OAuth']))
  } catch (error) {
    if (error instanceof Refusal) throw new Refusal(401, error.message)
    throw error
  }
}

async function dispatch(door: Door, visit: Visit): Promise<Response> {
  const { request, path, url } = visit
  const match = door.ownRoutes.match(request.method, path)
  const caller = match.routes.some(({ api }) => !api.session) ? undefined : ownCaller(door, request.headers)
  const received = await receive(
    match,
    { request, method: request.method, path, search: url.searchParams, socket: visit.socket },
    door.limits,
    true,
  )
  const { api } = received.route
  visit.facts.route = `${api.method} ${received.route.path}`
  if (url.searchParams.has('at')) throw new Refusal(400, 'history (at=) is not kept by this version')
  if (caller) authorize(api, caller)
  if (api.query) return answerQuery(door, visit, received)
  const call = callFrom(door, visit, received, caller)
  checkIfMatch(door.engine, request.headers, received, call.params)
  if (url.searchParams.get('dryRun') === 'true') return dryRun(door, call)
  return api.sync ? answerSync(door, visit, call) : acceptAsync(door, visit, call)
}

async function answerSync(door: Door, visit: Visit, call: Call): Promise<Response> {
  return json(200, answer(call.api, await callSync(door, visit, call), isoDate))
}

async function dryRun(door: Door, call: Call): Promise<Response> {
  if (call.api.sync) throw new Refusal(400, `${call.api.api} changes nothing that could be planned`)
  return json(200, { plan: await door.engine.plan(call) })
}

function callFrom(door: Door, visit: Visit, received: Received, caller: Caller | undefined): Call {
  const { headers } = visit.request
  const { graph } = door.engine
  const names = Object.keys(received.variables)
  const input = resolveNames(graph, received.route, received.input)
  const variables = Object.fromEntries(names.map((name) => [name, String(input[name])]))
  const checked = checkParams({ ...received, input, variables })
  if (!checked.ok) throw checked.error
  const key = headers.get('Idempotency-Key')
  if (key !== null && (key.length === 0 || key.length > 255))
    throw new Refusal(400, 'Idempotency-Key must have 1 to 255 characters')
  const timeoutMs = timeoutFrom(headers)
  const webHook = webHookFrom(headers)
  const jobUuid = jobUuidFrom(headers)
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

async function answerQuery(door: Door, visit: Visit, received: Received): Promise<Response> {
  const { route, variables } = received
  const { graph } = door.engine
  const search = visit.url.searchParams
  if (!route.byUuid) return jsonText(200, textOf(graph, await findMany(door, route, search), isoDate))
  const uuid = resolveName(door.engine.graph, route.resource, variables['uuid'] ?? '', 'uuid')
  const found = findOne(door.engine, route, uuid, search)
  if (found.version === undefined)
    throw new SkerryError('not-found', `there is no ${route.resource.noun} ${uuid}`, { resource: route.resource.name, uuid })
  const tag = etag(found.version)
  if (visit.request.headers.get('If-None-Match') === tag) return new Response(null, { status: 304, headers: { etag: tag } })
  return jsonText(200, textOf(graph, found, isoDate), { etag: tag })
}

async function acceptAsync(door: Door, visit: Visit, call: Call): Promise<Response> {
  const waitMs = waitFrom(visit.url.searchParams, door.limits.waitMs)
  await checkIfPlan(door.engine, visit.request.headers, call)
  const accepted = await door.engine.accept(call)
  visit.facts.job = accepted.uuid
  const job = waitMs > 0 && !ended(accepted) ? ((await door.engine.wait(accepted.uuid, waitMs)) ?? accepted) : accepted
  return waitMs > 0 && ended(job) ? endedAnswer(call, job) : jobAnswer(job, 202)
}

/** 201 for what made a resource, 200 for the rest, a problem for what failed. */
function endedAnswer(call: Call, job: JobView): Response {
  if (job.state !== 'done') return problem(jobProblem(job))
  const created = 'resourceUuid' in call.api.params.shape && call.api.method === 'POST'
  return json(created ? 201 : 200, answer(call.api, job.result, isoDate), { 'x-job-uuid': job.uuid })
}

const jobProblem = (job: JobView) =>
  problemOf(job.error ?? toErrorBody(new SkerryError('internal', 'the job failed without saying why')), { job: job.uuid })

/** A job as /v1 shows it: state, steps, progress, and how it ended. */
export function jobBody(job: JobView): Row {
  const api = apiOf(job)
  return {
    uuid: job.uuid,
    api: job.api,
    state: job.state,
    step: job.step,
    steps: job.steps,
    ...(job.progress ? { progress: { ...job.progress, at: isoDate(job.progress.at) } } : {}),
    createDate: isoDate(job.createDate),
    finishedAt: job.finishedAt === null ? null : isoDate(job.finishedAt),
    ...(job.state === 'done' && api ? { result: answer(api, job.result, isoDate) } : {}),
    ...(job.state === 'failed' || job.state === 'stuck' ? { error: jobProblem(job) } : {}),
  }
}

export function jobAnswer(job: JobView, status: 200 | 202): Response {
  const location = `${PREFIX.own}/jobs/${job.uuid}`
  return json(status, { job: jobBody(job), location }, { location })
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
