/** How a failure is shown and which exit code it gives: what failed, where, what may help, and the job to look at. */
import { type ErrorCode, SkerryError } from '@skerry/contract/errors'

/** 0 ok · 1 failure · 2 usage · 3 not found · 4 conflict or illegal state · 5 unreachable · 6 permission */
export const exitCodes = { ok: 0, failure: 1, usage: 2, notFound: 3, conflict: 4, unreachable: 5, permission: 6 } as const
export type ExitCode = (typeof exitCodes)[keyof typeof exitCodes]

const byCode: Partial<Record<ErrorCode, ExitCode>> = {
  'not-found': exitCodes.notFound,
  'job-expired': exitCodes.notFound,
  'permission-denied': exitCodes.permission,
  'session-invalid': exitCodes.permission,
  'login-failed': exitCodes.permission,
  'enrolment-refused': exitCodes.permission,
  'invalid-argument': exitCodes.usage,
  'malformed-request': exitCodes.usage,
  'not-ready': exitCodes.unreachable,
  'agent-unreachable': exitCodes.unreachable,
}

/** Known by name, so that the client needn't be loaded to fail. */
const isUnreachable = (error: unknown): error is Error & { url: string } =>
  error instanceof Error && error.name === 'UnreachableError'

export function exitCodeOf(error: unknown): ExitCode {
  if (isUnreachable(error)) return exitCodes.unreachable
  if (!(error instanceof SkerryError)) return exitCodes.failure
  const { status } = error.spec
  return byCode[error.code] ?? (status === 409 || status === 412 ? exitCodes.conflict : exitCodes.failure)
}

/** Facts that say where it happened. */
const places = ['host', 'hostUuid', 'managementIp', 'agent', 'agentUuid', 'step', 'path'] as const

function line(label: string, value: string | undefined): string[] {
  return value === undefined || value === '' ? [] : [`  ${label}: ${value}`]
}

function facts(error: SkerryError): string[] {
  const where = places
    .flatMap((name) => (error.details[name] === undefined ? [] : [`${name} ${String(error.details[name])}`]))
    .join(', ')
  const { allowed, candidates, job, remedy, api } = error.details
  const denied = error.code === 'permission-denied' && typeof api === 'string'
  return [
    ...line('where', where),
    ...line('allowed', Array.isArray(allowed) ? allowed.join(', ') : undefined),
    ...(Array.isArray(candidates) ? candidates.flatMap((one) => line('candidate', Object.values(one as object).join('  '))) : []),
    ...line('hint', typeof remedy === 'string' ? remedy : error.spec.hint),
    ...line('run', typeof error.details['run'] === 'string' ? error.details['run'] : undefined),
    ...line('run', denied ? `skerry why --calling ${api}` : undefined),
    ...line('job', typeof job === 'string' ? job : undefined),
  ]
}

function causes(error: unknown): string[] {
  if (!(error instanceof Error)) return []
  const code = 'code' in error && typeof error.code === 'string' && !(error instanceof SkerryError) ? ` (${error.code})` : ''
  return [...line('cause', error.message === '' ? code.trim() : error.message + code), ...causes(error.cause)]
}

/** Text for a person. `what`: what the command was doing, such as `cannot start vm hello`. */
export function failureText(what: string, error: unknown): string {
  if (isUnreachable(error)) {
    return [
      `error: ${what}: ${error.message}`,
      ...causes(error.cause),
      '  hint: Is the controller running there? scripts/up starts it; skerry login --url says where it is.',
    ].join('\n')
  }
  if (!(error instanceof SkerryError))
    return [
      `error: ${what}: ${error instanceof Error ? error.message : String(error)}`,
      ...causes(error instanceof Error ? error.cause : undefined),
    ].join('\n')
  return [`error: ${what}: ${error.message}`, ...facts(error), ...causes(error.cause)].join('\n')
}
