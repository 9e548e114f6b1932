/** The paths of /v1 that are no resource's API: one job, events, audit, conditions. The rest falls through to the dialect. */
import { routes, SkerryError } from '@skerry/contract'
import type { Caller } from '../engine/port.ts'
import { serveBackup } from './backup.ts'
import { conditionPaths } from './conditions.ts'
import { jobOf } from './conduct.ts'
import type { Door, Visit } from './context.ts'
import { failed, jobAnswer, ownCaller, ownDialect } from './dialect-own.ts'
import { serveEvents } from './events.ts'
import { historyPathOf, serveDiff, serveHistory, serveHistoryOf } from './history.ts'
import { json } from './reply.ts'
import { segmentsOf } from './routes.ts'
import { isUploadPath, serveUpload } from './uploads.ts'
import { serveWorkflows, workflowPathOf } from './workflows.ts'

/** Every request below `/v1`. */
export async function ownRoot(door: Door, visit: Visit): Promise<Response> {
  if (isUploadPath(visit.path)) return serveUpload(door, visit)
  try {
    const special = visit.request.method === 'GET' ? specialOf(visit.path) : undefined
    if (special === undefined) return ownDialect(door, visit)
    const caller = await ownCaller(door, visit)
    visit.facts.route = `GET ${special.route}`
    if (special.kind === 'job') return await oneJob(door, visit, { uuid: special.uuid, caller })
    if (special.kind === 'events') return await serveEvents(door, visit, caller)
    if (special.kind === 'workflows') return serveWorkflows(door, visit, special.name)
    if (!caller.admin || caller.userUuid !== undefined)
      throw new SkerryError('permission-denied', `${special.route} is for administrators`)
    if (special.kind === 'backup') return serveBackup(door, visit)
    if (special.kind === 'history') return await serveHistory(door, visit)
    if (special.kind === 'historyOf') return await serveHistoryOf(door, visit, special.path)
    if (special.kind === 'diff') return await serveDiff(door, visit)
    if (special.kind === 'conditions') return conditions(door, visit, special.route)
    if (door.audit === undefined) throw new SkerryError('not-ready', 'this controller has no auditor')
    return json(200, await door.audit.hosts())
  } catch (error) {
    return failed(door, visit, error)
  }
}

type Special =
  | { kind: 'job'; uuid: string; route: string }
  | { kind: 'historyOf'; path: string; route: string }
  | { kind: 'workflows'; name: string; route: string }
  | { kind: 'events' | 'audit' | 'backup' | 'conditions' | 'history' | 'diff'; route: string }

function specialOf(path: string): Special | undefined {
  const [first, second, third] = segmentsOf(path)
  if (first === 'jobs' && second !== undefined && third === undefined && /^[0-9a-f]{32}$/i.test(second))
    return { kind: 'job', uuid: second.toLowerCase(), route: '/jobs/{uuid}' }
  const joined = `/${segmentsOf(path).join('/')}`
  if (joined in conditionPaths) return { kind: 'conditions', route: joined }
  const name = workflowPathOf(joined)
  if (name !== undefined) return { kind: 'workflows', name, route: `${routes.workflows}${name === '' ? '' : '/{name}'}` }
  if (joined === routes.history) return { kind: 'history', route: routes.history }
  if (joined === routes.diff) return { kind: 'diff', route: routes.diff }
  const of = historyPathOf(joined)
  if (of !== undefined) return { kind: 'historyOf', path: of, route: `/{resource}/{uuid}${routes.history}` }
  if (joined === routes.backup) return { kind: 'backup', route: routes.backup }
  if (joined === routes.events) return { kind: 'events', route: routes.events }
  return joined === routes.audit ? { kind: 'audit', route: routes.audit } : undefined
}

function conditions(door: Door, visit: Visit, route: string): Response {
  if (door.conditions === undefined) throw new SkerryError('not-ready', 'this controller watches no conditions')
  return conditionPaths[route]!(door, visit, door.conditions)
}

async function oneJob(door: Door, visit: Visit, { uuid, caller }: { uuid: string; caller: Caller }): Promise<Response> {
  const job = await jobOf(door, uuid, { search: visit.url.searchParams, caller })
  visit.facts.job = uuid
  return jobAnswer(job, 200)
}
