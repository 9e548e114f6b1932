/**
 * `/zstack/v1`: ZStack's wire, exactly as its own clients expect it (zstack-wire, zstack-core §1). Knows no resource.
 * What can't be read is 400 text; what an asynchronous call refuses is 202 and a failed job; what a synchronous one
 * refuses is 503 with an error object.
 */
import { type ErrorBody, type ErrorCode, errors, PREFIX, type Row, routes, SkerryError, toErrorBody } from '@skerry/contract'
import type { Call, JobView } from '../engine/port.ts'
import { timeoutOf } from '../engine/timeouts.ts'
import { answer, withSchema } from './answer.ts'
import { authorize, type Credential, callerOf, credentialOf } from './auth.ts'
import { apiOf, type Door, type Visit } from './context.ts'
import { zstackDate } from './dates.ts'
import { jobUuidFrom, timeoutFrom, webHookFrom } from './jobs.ts'
import { checkParams, type Received, receive } from './params.ts'
import { written } from './pieces.ts'
import { bodyOf, findMany, findOne } from './query.ts'
import { Refusal } from './refusal.ts'
import { json, stepOf, text } from './reply.ts'
import { callSync, retryAfter } from './sync.ts'

/** ZStack's error object. `opaque` carries our own code and facts; its clients keep it as a map. */
export function zstackError(error: ErrorBody): Row {
  const spec = errors[error.code as ErrorCode] ?? errors.internal
  const step = stepOf(error)
  return {
    code: spec.zstack,
    description: spec.title,
    details: error.message,
    ...(error.hint ? { elaboration: error.hint } : {}),
    ...(step ? { location: step } : {}),
    ...(error.cause ? { cause: zstackError(error.cause) } : {}),
    opaque: { ...error.details, code: error.code, retry: error.retry },
  }
}

const failure = (error: ErrorBody, headers: Record<string, string> = {}) =>
  json(error.code === 'too-many-requests' ? 429 : 503, { error: zstackError(error) }, headers)

const jobPath = routes.apiJob.replace('{uuid}', '')

/** Every request below `/zstack/v1`. */
export async function zstackDialect(door: Door, visit: Visit): Promise<Response> {
  try {
    if (visit.path.startsWith(jobPath)) return poll(door, visit)
    return await dispatch(door, visit)
  } catch (error) {
    if (error instanceof Refusal)
      return text(error.status, error.message, error.allow.length > 0 ? { allow: error.allow.join(', ') } : {})
    const body = toErrorBody(error)
    if (body.code === 'internal') door.log.error({ ...visit.facts, error: body }, 'a request failed for no good reason')
    return failure(body, retryAfter(error))
  }
}

/** `/api-jobs/<uuid>`: no authentication, because polls come with stale sessions (zstack-wire). */
function poll(door: Door, visit: Visit): Response {
  visit.facts.route = `GET ${routes.apiJob}`
  if (visit.request.method !== 'GET') throw new Refusal(405, 'a job can only be read', ['GET'])
  const uuid = visit.path.slice(jobPath.length).replace(/\/+$/, '').toLowerCase()
  const refused = door.refused.get(uuid)
  if (refused) return failure(refused)
  const job = door.engine.job(uuid)
  if (job === undefined) throw new Refusal(404, 'the job has been expired')
  visit.facts.job = uuid
  const { status, body } = pollBody(job, wantsSchema(visit))
  return json(status, body)
}

/**
 * What a poll of the job answers, and what a webhook posts: 202 `{}` while it runs, 200 with the result, or 503 with the
 * error object. `schema`: add the map of class names.
 */
export function pollBody(job: JobView, schema: boolean): { status: 200 | 202 | 503; body: Row } {
  if (job.state === 'processing' || job.state === 'undoing') return { status: 202, body: {} }
  if (job.state !== 'done') {
    const error = job.error ?? toErrorBody(new SkerryError('internal', `job ${job.uuid} failed without saying why`))
    return { status: 503, body: { error: zstackError(error) } }
  }
  const api = apiOf(job)
  if (api === undefined)
    throw new SkerryError('internal', `job ${job.uuid} is of an API that this version does not know`, { api: job.api })
  const body = answer(api, job.result, zstackDate)
  return { status: 200, body: schema ? withSchema(api, body) : body }
}

const wantsSchema = (visit: Visit) => visit.request.headers.get('X-JSON-Schema') === 'true'

/** `dryRun` and `at` change what a request means; here they would be ignored and somebody would delete by accident (DESIGN §8). */
function refuseOwnControls(search: URLSearchParams): void {
  for (const name of ['dryRun', 'at']) if (search.has(name)) throw new Refusal(400, `${name} exists only under ${PREFIX.own}`)
}

async function dispatch(door: Door, visit: Visit): Promise<Response> {
  const { request, path, url } = visit
  refuseOwnControls(url.searchParams)
  const match = door.zstackRoutes.match(request.method, path)
  // Anonymous APIs answer whatever header they carry.
  const anonymous = match.routes.some(({ api }) => !api.session)
  const credential = anonymous ? undefined : await credentialOf(door, visit, ['OAuth'])
  const jobUuid = jobUuidFrom(request.headers)
  const received = await receive(
    match,
    { request, method: request.method, path, search: url.searchParams, socket: visit.socket },
    door.limits,
    false,
  )
  const { api } = received.route
  visit.facts.route = `${api.method} ${received.route.path}`
  if (jobUuid !== undefined && request.method !== 'GET') refuseDuplicate(door, jobUuid)
  if (api.sync) return answerSync(door, visit, received, credential)
  return acceptAsync(door, visit, received, { credential, jobUuid: jobUuid ?? door.newUuid() })
}

function refuseDuplicate(door: Door, jobUuid: string): void {
  if (door.refused.get(jobUuid) ?? door.engine.job(jobUuid))
    throw new Refusal(400, `duplicate job uuid[${jobUuid}] in X-Job-UUID`)
}

async function answerSync(door: Door, visit: Visit, received: Received, credential?: Credential): Promise<Response> {
  const { route, variables } = received
  const caller = credential && callerOf(door.engine, credential)
  if (caller) authorize(door.engine, route, caller)
  if (route.api.query) {
    const search = visit.url.searchParams
    const found = route.byUuid
      ? findOne(door.engine.guard.seen(caller), route, variables['uuid'] ?? '', search)
      : await findMany(door, route, search, caller)
    return written(door, visit, withSchema(route.api, bodyOf(found, zstackDate)))
  }
  const checked = checkParams(received)
  if (!checked.ok) {
    if (checked.notANumber) throw new Refusal(400, checked.error.message)
    throw checked.error
  }
  const call: Call = {
    api: route.api,
    resource: route.resource,
    params: checked.params,
    bodyHash: received.bodyHash,
    ...(caller ? { caller } : {}),
  }
  const body = answer(route.api, await callSync(door, visit, call), zstackDate)
  return written(door, visit, wantsSchema(visit) ? withSchema(route.api, body) : body)
}

/** 202 always; what is wrong is told by the poll, except what ZStack's server refuses while it binds the message. */
async function acceptAsync(
  door: Door,
  visit: Visit,
  received: Received,
  o: { credential: Credential | undefined; jobUuid: string },
): Promise<Response> {
  const { headers } = visit.request
  const timeoutMs = timeoutFrom(headers)
  const webHook = webHookFrom(headers)
  visit.facts.job = o.jobUuid
  if (webHook !== undefined) door.unflushed?.begin(o.jobUuid, visit.outgoing)
  try {
    const caller = callerOf(door.engine, o.credential ?? { session: '' })
    authorize(door.engine, received.route, caller)
    const checked = checkParams(received)
    if (!checked.ok) throw checked.notANumber ? new Refusal(400, checked.error.message) : checked.error
    const { api, resource } = received.route
    await door.engine.accept({
      api,
      resource,
      params: checked.params,
      caller,
      jobUuid: o.jobUuid,
      bodyHash: received.bodyHash,
      ...(timeoutMs === undefined ? {} : { timeoutMs }),
      ...(webHook === undefined ? {} : { webHook }),
    })
  } catch (error) {
    if (error instanceof Refusal) throw error
    if (error instanceof SkerryError && error.code === 'duplicate-job')
      throw new Refusal(400, `duplicate job uuid[${o.jobUuid}] in X-Job-UUID`)
    const body = toErrorBody(error)
    if (body.code === 'internal') door.log.error({ ...visit.facts, error: body }, 'a call could not be accepted')
    door.refused.add(o.jobUuid, body)
    // Who has no session may not make us call others again and again.
    const again = body.code !== 'session-invalid'
    const message = { jobUuid: o.jobUuid, body: { error: zstackError(body) }, again }
    if (webHook !== undefined) door.notifyRefused?.({ url: webHook, ...message })
  }
  const location = `${visit.url.protocol}//${visit.url.host}${PREFIX.zstack}${jobPath}${o.jobUuid}`
  return json(202, {
    location,
    apiTimeout: timeoutOf({ api: received.route.api, ...(timeoutMs === undefined ? {} : { timeoutMs }) }),
  })
}
