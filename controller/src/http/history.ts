/** `/v1/history`, `/v1/<resources>/<uuid>/history` and `/v1/diff`: what the log tells, for administrators. */
import { apis, type HistoryQuery, routes, SkerryError } from '@skerry/contract'
import type { Door, Visit } from './context.ts'
import { isoDate } from './dates.ts'
import { momentFrom } from './moments.ts'
import { resolveName } from './names.ts'
import { json } from './reply.ts'

/** The query string, of which only these may be there. */
function asked<const N extends string>(visit: Visit, what: string, names: readonly N[]): Partial<Record<N, string>> {
  const given = Object.fromEntries(visit.url.searchParams)
  const stranger = Object.keys(given).find((name) => !(names as readonly string[]).includes(name))
  if (stranger === undefined) return given as Partial<Record<N, string>>
  const message = `${what} can't be asked by ${stranger}; it can by ${names.join(', ')}`
  throw new SkerryError('invalid-argument', message, { field: stranger })
}

export async function serveHistory(door: Door, visit: Visit): Promise<Response> {
  const { job, resourceUuid, limit } = asked(visit, 'history', ['job', 'resourceUuid', 'limit'])
  if ((job === undefined) === (resourceUuid === undefined) || !/^[0-9a-f]{32}$/.test(job ?? resourceUuid ?? ''))
    throw new SkerryError('invalid-argument', 'history is of one job or of one resourceUuid', { field: 'job' })
  return answerHistory(door, job ? { job } : { resourceUuid: resourceUuid! }, limit)
}

/** Of `/zones/<uuid>/history`; a name stands for a uuid while the resource is there. */
export async function serveHistoryOf(door: Door, visit: Visit, path: string): Promise<Response> {
  const { limit } = asked(visit, 'history', ['limit'])
  const { routes: found, values } = door.ownRoutes.match('GET', path)
  const route = found.find(({ byUuid }) => byUuid)
  if (route === undefined) throw new SkerryError('not-found', 'only a resource has a history')
  const uuid = resolveName(door.engine.graph, route.resource, values[0] ?? '', 'uuid')
  return answerHistory(door, { resourceUuid: uuid }, limit)
}

/** Paths of the contract that end as ours do. */
const declared: ReadonlySet<string> = new Set(apis.map(({ api }) => api.path))

/** The path of the resource whose history is asked for. */
export function historyPathOf(path: string): string | undefined {
  if (declared.has(path)) return undefined
  const at = path.lastIndexOf(routes.history)
  return at > 0 && path.slice(at) === routes.history && path.indexOf('/', 1) < at ? path.slice(0, at) : undefined
}

function limitFrom(given: string | undefined): { limit?: number } {
  if (given === undefined) return {}
  if (/^[1-9]\d{0,5}$/.test(given)) return { limit: Number(given) }
  throw new SkerryError('invalid-argument', `limit: ${given} is no number`, { field: 'limit' })
}

async function answerHistory(door: Door, of: HistoryQuery, limit: string | undefined): Promise<Response> {
  if (door.history === undefined) throw new SkerryError('not-ready', 'this controller keeps no history')
  const { entries, complete } = await door.history({ ...of, ...limitFrom(limit) })
  return json(200, { entries: entries.map((entry) => ({ ...entry, at: isoDate(entry.at) })), complete })
}

export async function serveDiff(door: Door, visit: Visit): Promise<Response> {
  const { past } = door
  if (past === undefined) throw new SkerryError('not-ready', 'this controller keeps no history')
  const { from, to, noun, uuid, limit } = asked(visit, 'a diff', ['from', 'to', 'noun', 'uuid', 'limit'])
  if (from === undefined) throw new SkerryError('invalid-argument', 'a diff needs from', { field: 'from' })
  const now = door.clock.now()
  const range = {
    from: await momentFrom(past, from, { field: 'from', now }),
    to: to === undefined ? past.newest() : await momentFrom(past, to, { field: 'to', now }),
  }
  if (range.from > range.to) throw new SkerryError('invalid-argument', 'from is later than to', { field: 'from', ...range })
  const only = { ...(noun ? { noun } : {}), ...(uuid ? { uuid } : {}), ...limitFrom(limit) }
  return json(200, { ...range, ...(await past.diff(range, only)) })
}
