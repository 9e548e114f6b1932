/** Times, errors and commits of the log in words. Pure. */
import type { Row } from '@skerry/contract'
import type { ShownEntry } from '@skerry/sdk'

/** `2026-11-23 04:00:12.345`, of ISO text: seconds are too coarse for what jobs do. */
export const moment = (iso: unknown): string => (typeof iso === 'string' ? iso.replace('T', ' ').replace(/Z$/, '') : 'not yet')

const isRow = (value: unknown): value is Row => typeof value === 'object' && value !== null && !Array.isArray(value)

/** An error with its facts and causes; of a placement, each host and why it was refused. */
export function errorLines(error: Row): string[] {
  const details = isRow(error['details']) ? error['details'] : {}
  const { refused, ...facts } = details
  const told = Object.entries(facts).filter(([, value]) => value !== null && typeof value !== 'object')
  return [
    `${error['code']}: ${error['message'] ?? error['detail'] ?? error['title'] ?? ''}`,
    ...(Array.isArray(refused) ? refused.filter(isRow).map((one) => `  ${one['host']}: ${one['because']}`) : []),
    ...(told.length > 0 ? [`  ${told.map(([name, value]) => `${name} ${value}`).join(', ')}`] : []),
    ...(error['hint'] ? [`  hint: ${error['hint']}`] : []),
    ...(isRow(error['cause']) ? errorLines(error['cause']).map((line) => `  because ${line}`) : []),
  ]
}

const fieldsOf = (fields: Record<string, unknown>) =>
  Object.entries(fields)
    .filter(([field]) => !['createDate', 'lastOpDate'].includes(field))
    .map(([field, value]) => `${field}=${value === null ? '-' : String(value)}`)
    .join(' ')

const happened = { put: 'made', set: 'changed', del: 'removed', add: 'counted' } as const

/** One commit on one line: its step, its facts, else what it changed. `uuid`: the resource that it is told for, if any. */
export function inShort(entry: ShownEntry, uuid?: string): string {
  const step = entry.step ? `step ${entry.step.name} ${entry.step.state}` : ''
  const facts = entry.facts
    .filter((fact) => uuid === undefined || fact.uuid === uuid)
    .map(({ noun, event, data }) => `${noun} ${event}${data ? ` ${fieldsOf(data)}` : ''}`.trimEnd())
  const changes = entry.changes
    .filter((change) => (uuid === undefined ? change.table !== 'job' : change.key === uuid) && change.op !== 'add')
    .map(({ table, op, fields }) => `${table} ${happened[op]}${op === 'set' && fields ? `: ${fieldsOf(fields)}` : ''}`)
  const job = entry.changes.find(({ table }) => table === 'job')
  const documents = entry.documents > 0 ? `${entry.documents} documents for agents` : ''
  const ofJob = job?.op === 'put' ? 'accepted' : job?.fields?.['state'] ? `job ${job.fields['state']}` : ''
  const rest = [facts.length > 0 ? facts.join('; ') : changes.join('; '), documents].filter(Boolean).join('; ')
  const by = entry.actor.startsWith('agent:') ? 'its agent says: ' : ''
  return by + ([step || ofJob, rest].filter(Boolean).join(': ') || 'bookkeeping')
}
