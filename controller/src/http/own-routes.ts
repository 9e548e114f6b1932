/** The paths of /v1 that are no resource's API: one job, events, audit. The rest falls through to the dialect. */
import { routes, SkerryError } from '@skerry/contract'
import type { Door, Visit } from './context.ts'
import { failed, jobAnswer, ownCaller, ownDialect, waitFrom } from './dialect-own.ts'
import { serveEvents } from './events.ts'
import { json } from './reply.ts'
import { segmentsOf } from './routes.ts'

/** Every request below `/v1`. */
export async function ownRoot(door: Door, visit: Visit): Promise<Response> {
  const special = visit.request.method === 'GET' ? specialOf(visit.path) : undefined
  if (special === undefined) return ownDialect(door, visit)
  try {
    const caller = ownCaller(door, visit.request.headers)
    visit.facts.route = `GET ${special.route}`
    if (special.kind === 'job') return await oneJob(door, visit, special.uuid)
    if (special.kind === 'events') return serveEvents(door, visit)
    if (!caller.admin) throw new SkerryError('permission-denied', 'the audit is for administrators')
    if (door.audit === undefined) throw new SkerryError('not-ready', 'this controller has no auditor')
    return json(200, await door.audit.hosts())
  } catch (error) {
    return failed(door, visit, error)
  }
}

type Special = { kind: 'job'; uuid: string; route: string } | { kind: 'events' | 'audit'; route: string }

function specialOf(path: string): Special | undefined {
  const [first, second, third] = segmentsOf(path)
  if (first === 'jobs' && second !== undefined && third === undefined && /^[0-9a-f]{32}$/i.test(second))
    return { kind: 'job', uuid: second.toLowerCase(), route: '/jobs/{uuid}' }
  const joined = `/${segmentsOf(path).join('/')}`
  if (joined === routes.events) return { kind: 'events', route: routes.events }
  return joined === routes.audit ? { kind: 'audit', route: routes.audit } : undefined
}

async function oneJob(door: Door, visit: Visit, uuid: string): Promise<Response> {
  const waitMs = waitFrom(visit.url.searchParams, door.limits.waitMs)
  const job = waitMs > 0 ? await door.engine.wait(uuid, waitMs) : door.engine.job(uuid)
  if (job === undefined) throw new SkerryError('job-expired', `there is no job ${uuid}, or it ended long ago`, { job: uuid })
  visit.facts.job = uuid
  return jobAnswer(job, 200)
}
