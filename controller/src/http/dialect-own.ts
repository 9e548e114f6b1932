/**
 * `/v1`: the same paths and bodies as ZStack's, with ISO dates, problem documents, honest status codes, names for uuids,
 * `dryRun=true` and `wait=30s`. Knows no resource.
 */
import { PREFIX, type Row, SkerryError, toErrorBody } from '@skerry/contract'
import type { Caller, JobView } from '../engine/port.ts'
import { answer } from './answer.ts'
import { callerOf, credentialOf } from './auth.ts'
import { etag } from './conditional.ts'
import { conduct, type Outcome } from './conduct.ts'
import { apiOf, type Door, type Visit } from './context.ts'
import { csvAnswer } from './csv.ts'
import { isoDate } from './dates.ts'
import { receive } from './params.ts'
import { written } from './pieces.ts'
import { type Problem, problem, problemFrom, problemOf } from './problem.ts'
import { type Found, longBodyOf, textOf } from './query.ts'
import { Refusal } from './refusal.ts'
import { json, jsonText } from './reply.ts'

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

/** The caller; a missing or bad header is 401 here, not ZStack's 400 or 403. */
export async function ownCaller(door: Door, visit: Visit): Promise<Caller> {
  try {
    return callerOf(door.engine, await credentialOf(door, visit, ['Bearer', 'OAuth']))
  } catch (error) {
    if (error instanceof Refusal) throw new Refusal(401, error.message)
    throw error
  }
}

async function dispatch(door: Door, visit: Visit): Promise<Response> {
  const { request, path, url } = visit
  const match = door.ownRoutes.match(request.method, path)
  const caller = match.routes.some(({ api }) => !api.session) ? undefined : await ownCaller(door, visit)
  const received = await receive(
    match,
    { request, method: request.method, path, search: url.searchParams, socket: visit.socket },
    door.limits,
    true,
  )
  visit.facts.route = `${received.route.api.method} ${received.route.path}`
  const hooked = (jobUuid: string) => door.unflushed?.begin(jobUuid, visit.outgoing)
  const from = { headers: request.headers, search: url.searchParams, address: visit.address }
  return responseOf(door, visit, await conduct(door, { received, caller, ...from, hooked }))
}

function responseOf(door: Door, visit: Visit, outcome: Outcome): Response {
  if (outcome.kind === 'found') return foundAnswer(door, visit, outcome.found)
  if (outcome.kind === 'plan') return json(200, { plan: outcome.plan })
  if (outcome.kind === 'reply') {
    const body = answer(outcome.call.api, outcome.reply, isoDate)
    return csvAnswer(visit.request, outcome.call.api, body) ?? written(door, visit, body)
  }
  visit.facts.job = outcome.job.uuid
  if (!outcome.ended) return jobAnswer(outcome.job, 202)
  const { status, body } = endedBody(outcome)
  return status >= 400 ? problem(body as unknown as Problem) : json(status, body, { 'x-job-uuid': outcome.job.uuid })
}

function foundAnswer(door: Door, visit: Visit, found: Found): Response {
  const long = longBodyOf(found, isoDate)
  if (long) return written(door, visit, long)
  if (found.version === undefined) return jsonText(200, textOf(found, isoDate))
  const tag = etag(found.version)
  if (visit.request.headers.get('If-None-Match') === tag) return new Response(null, { status: 304, headers: { etag: tag } })
  return jsonText(200, textOf(found, isoDate), { etag: tag })
}

/** 201 for what made a resource, 200 for the rest, a problem for what failed. */
export function endedBody({ call, job }: Extract<Outcome, { kind: 'job' }>): { status: number; body: Row } {
  if (job.state !== 'done') {
    const failure = jobProblem(job)
    return { status: failure.status, body: { ...failure } }
  }
  const created = 'resourceUuid' in call.api.params.shape && call.api.method === 'POST'
  return { status: created ? 201 : 200, body: answer(call.api, job.result, isoDate) }
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
    ...(job.skipped ? { skipped: job.skipped } : {}),
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
