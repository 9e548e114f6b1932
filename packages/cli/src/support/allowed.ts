/**
 * What of each thing may go into a support bundle: fields are named here, everything else stays out. So a secret that some
 * version adds somewhere is not in a bundle before somebody says so. Pure.
 */
import type { Row } from '@skerry/contract'

export const fields = {
  agent: [
    'uuid',
    'name',
    'kind',
    'hostUuid',
    'managementIp',
    'status',
    'version',
    'schemas',
    'bootId',
    'createDate',
    'lastOpDate',
  ],
  job: [
    'uuid',
    'name',
    'api',
    'workflow',
    'version',
    'resourceUuid',
    'resourceType',
    'state',
    'steps',
    'step',
    'createDate',
    'finishedAt',
  ],
  resource: [
    'uuid',
    'name',
    'state',
    'status',
    'type',
    'hostUuid',
    'clusterUuid',
    'zoneUuid',
    'stateCause',
    'createDate',
    'lastOpDate',
  ],
  condition: ['id', 'code', 'severity', 'noun', 'uuid', 'name', 'message', 'since', 'title', 'heals', 'hint'],
  difference: ['host', 'kind', 'id', 'expected', 'observed', 'remedy'],
  /** of `up.json` */
  site: ['siteName', 'url', 'managementIp', 'manager', 'libvirt'],
  /** of one line that Skerry logged */
  line: [
    ...[
      'level',
      'time',
      'name',
      'msg',
      'message',
      'route',
      'status',
      'ms',
      'job',
      'account',
      'agentUuid',
      'kind',
      'noun',
      'uuid',
    ],
    ...[
      'code',
      'condition',
      'doing',
      'seq',
      'version',
      'bootId',
      'signal',
      'url',
      'service',
      'pid',
      'why',
      'delayMs',
      'hostUuid',
    ],
    ...['step', 'state', 'api', 'jobs', 'documents', 'replayed', 'tornBytes', 'queue', 'task', 'subject', 'document'],
  ],
} as const satisfies Record<string, readonly string[]>

export const pick = (row: Row, names: readonly string[]): Row =>
  Object.fromEntries(names.filter((name) => row[name] !== undefined).map((name) => [name, row[name]]))

const MAX_STACK_LINES = 12
const MAX_TEXT = 500
const short = (value: unknown) => (typeof value === 'string' ? value.slice(0, MAX_TEXT) : undefined)

/** An error as it is logged or shown: code, message and where; its cause likewise. Details are left out: they may hold anything. */
export function errorOf(value: unknown): Row | undefined {
  if (typeof value !== 'object' || value === null) return undefined
  const { type, code, message, detail, retry, hint, stack, cause } = value as Row
  const lines = typeof stack === 'string' ? stack.split('\n').slice(0, MAX_STACK_LINES).join('\n') : undefined
  const known = {
    type: short(type),
    code: short(code),
    message: short(message ?? detail),
    retry: short(retry),
    hint: short(hint),
    stack: lines,
  }
  const inner = errorOf(cause)
  return { ...pick(known, Object.keys(known)), ...(inner ? { cause: inner } : {}) }
}

/** One line of a log of ours; what is no JSON (a crash, a daemon of others) as it is, but short. */
export function logLine(line: string): string {
  let facts: unknown
  try {
    facts = JSON.parse(line)
  } catch {
    return line.slice(0, MAX_TEXT) // not one of ours
  }
  if (typeof facts !== 'object' || facts === null) return line.slice(0, MAX_TEXT)
  const error = errorOf((facts as Row)['err'] ?? (facts as Row)['error'])
  return JSON.stringify({ ...pick(facts as Row, fields.line), ...(error ? { err: error } : {}) })
}
