/** `/v1/conditions`, its stream, and `/v1/status`: what is wrong now, and the site at a glance. For administrators. */
import { conditionCodes, routes, type Severity, type SiteCondition, SkerryError, severities, subjects } from '@skerry/contract'
import type { Door, Visit } from './context.ts'
import { eventStream } from './events.ts'
import type { ConditionSource } from './ports.ts'
import { json } from './reply.ts'

const PARAMETERS = ['noun', 'uuid', 'resourceUuid', 'severity', 'code', 'limit'] as const
type Parameter = (typeof PARAMETERS)[number]

/** A dead host may have thousands: an answer of all of them would be megabytes. */
const LIMIT = 1_000
const STATUS_LIMIT = 200

const ORDER: Readonly<Record<Severity, number>> = { critical: 0, warning: 1, info: 2 }

/** `/v1` shows times as ISO text. */
const shown = (condition: SiteCondition) => ({ ...condition, since: new Date(condition.since).toISOString() })

function wanted(search: URLSearchParams): (c: SiteCondition) => boolean {
  const asked = new Map<Parameter, string>()
  for (const [name, value] of search) {
    if (!(PARAMETERS as readonly string[]).includes(name))
      throw new SkerryError('invalid-argument', `conditions can't be asked by ${name}; they can by ${PARAMETERS.join(', ')}`, {
        field: name,
      })
    if (name === 'severity') known(name, value, severities)
    if (name === 'code') known(name, value, conditionCodes)
    asked.set(name as Parameter, value)
  }
  const { noun, uuid, resourceUuid, severity, code } = Object.fromEntries(asked) as Partial<Record<Parameter, string>>
  return (c) =>
    (noun === undefined || c.noun === noun) &&
    (uuid === undefined || c.uuid === uuid) &&
    (resourceUuid === undefined || c.resourceUuids.includes(resourceUuid)) &&
    (severity === undefined || c.severity === severity) &&
    (code === undefined || c.code === code)
}

function known(field: string, value: string, values: readonly string[]): void {
  if (!values.includes(value))
    throw new SkerryError('invalid-argument', `there is no ${field} ${value}; there are ${values.join(', ')}`, {
      field,
      allowed: values,
    })
}

function limitOf(text: string | null): number {
  if (text === null) return LIMIT
  if (!/^\d{1,5}$/.test(text)) throw new SkerryError('invalid-argument', `limit: ${text} is no number`, { field: 'limit' })
  return Number(text)
}

/** Worst first, oldest first. */
const sorted = (conditions: SiteCondition[]): SiteCondition[] =>
  conditions.sort((a, b) => ORDER[a.severity] - ORDER[b.severity] || a.since - b.since)

function serveConditions(_door: Door, visit: Visit, source: ConditionSource): Response {
  const search = visit.url.searchParams
  const found = sorted(source.list().filter(wanted(search)))
  const limit = limitOf(search.get('limit'))
  return json(200, { conditions: found.slice(0, limit).map(shown), total: found.length, counts: source.overview().conditions })
}

function serveConditionStream(door: Door, visit: Visit, source: ConditionSource): Response {
  return eventStream(door, visit, async function* (signal) {
    for await (const { change, at, condition } of source.stream(signal))
      yield {
        subject: subjects.alarm(condition.code, condition.uuid ?? undefined, change),
        data: { change, at: new Date(at).toISOString(), condition: shown(condition) },
      }
  })
}

function serveStatus(source: ConditionSource): Response {
  const { conditions: counts, ...site } = source.overview()
  return json(200, { ...site, counts, conditions: sorted(source.list()).slice(0, STATUS_LIMIT).map(shown) })
}

/** The paths of this file by route. */
export const conditionPaths: Readonly<Record<string, (door: Door, visit: Visit, source: ConditionSource) => Response>> = {
  [routes.conditions]: serveConditions,
  [routes.conditionStream]: serveConditionStream,
  [routes.status]: (_door, _visit, source) => serveStatus(source),
}
