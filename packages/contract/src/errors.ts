/**
 * The one table of errors. Every failure that leaves a process has a code from here: it decides ZStack's code, the honest
 * HTTP status of `/v1`, whether a retry can help, and what a person should do. zstack codes: zstack-core §1.7.
 */
export type Retry = 'never' | 'later' | 'bug'
interface ErrorSpec {
  readonly zstack: string
  readonly status: number
  readonly retry: Retry
  readonly title: string
  readonly hint?: string
}
/** ZStack's code, status, retry, title, hint. */
const e = (...[zstack, status, retry, title, hint]: [string, number, Retry, string, string?]): ErrorSpec => ({
  zstack,
  status,
  retry,
  title,
  ...(hint ? { hint } : {}),
})

export const errors = {
  // request
  'invalid-argument': e('SYS.1007', 400, 'never', 'An argument is not valid'),
  'malformed-request': e('SYS.1007', 400, 'never', 'The request cannot be read'),
  'body-too-large': e('SYS.1007', 413, 'never', 'The request body is too large', 'Bodies may hold at most 1 MiB.'),
  'not-found': e('SYS.1003', 404, 'never', 'There is no such resource'),
  'ambiguous-name': e('SYS.1007', 409, 'never', 'Several resources have this name', 'Use one of the uuids listed as candidates.'),
  'duplicate-uuid': e('SYS.1007', 409, 'never', 'A resource with this uuid exists', 'Leave resourceUuid out, or choose another.'),
  'duplicate-name': e('SYS.1007', 409, 'never', 'This name is taken and must be unique here'),
  'duplicate-job': e('SYS.1007', 409, 'never', 'A job with this id exists for another request'),
  'job-expired': e('SYS.1003', 404, 'never', 'The job has been expired'),
  'stale-plan': e(
    'SYS.1006',
    412,
    'never',
    'What this plan was made for has changed since',
    'Ask for the plan again (dryRun) and apply that one.',
  ),
  'session-invalid': e('ID.1001', 401, 'never', 'The session is not valid or has expired', 'Log in again.'),
  'login-failed': e('ID.1000', 401, 'never', 'Wrong account name or password'),
  'permission-denied': e('ID.1002', 403, 'never', 'This account may not do that'),
  'too-many-requests': e('SYS.1006', 429, 'later', 'Too many attempts', 'Wait a minute.'),
  // state
  'illegal-state': e('SYS.1005', 409, 'never', 'The resource is in a state that does not allow this'),
  'vm-illegal-state': e('VM.1010', 409, 'never', 'The VM instance is in a state that does not allow this'),
  'in-use': e('SYS.1006', 409, 'never', 'The resource is in use', 'Remove what uses it first.'),
  conflict: e('SYS.1006', 409, 'later', 'Somebody else changed this at the same time'),
  // capacity
  'no-host': e(
    'HOST_ALLOCATION.1000',
    409,
    'later',
    'No host can take this VM instance',
    'The details say why each host was refused.',
  ),
  'no-address': e(
    'L3.1000',
    409,
    'later',
    'No free address is left in this network',
    'Add an IP range, or delete what holds addresses.',
  ),
  'address-in-use': e('L3.1000', 409, 'never', 'This address is in use'),
  'no-mac': e('VM.1009', 409, 'later', 'No free MAC address was found'),
  'no-primary-storage': e('PS.1000', 409, 'later', 'No primary storage has room for this volume'),
  'no-backup-storage': e('SYS.1006', 409, 'later', 'No backup storage can hold or give this image'),
  // hosts and agents
  'agent-absent': e('HOST.1003', 503, 'later', 'No agent answers for this host', 'Run there what `run` says.'),
  'agent-unreachable': e(
    'HOST.1010',
    503,
    'later',
    'The agent does not answer',
    'Look at the host: skerry doctor there says what is wrong.',
  ),
  'agent-timeout': e('SYS.1001', 504, 'later', 'The agent did not answer in time'),
  'deadline-exceeded': e('SYS.1001', 504, 'later', 'The time allowed for this has passed'),
  'stale-epoch': e('SYS.1006', 409, 'later', 'A newer owner has taken over'),
  'stale-generation': e('SYS.1006', 409, 'later', 'A newer version of this document is known'),
  'generation-conflict': e('SYS.1000', 409, 'bug', 'Two different documents carry the same generation'),
  'invalid-document': e('SYS.1007', 400, 'bug', 'A desired document does not fit its schema'),
  'enrolment-refused': e(
    'ID.1000',
    403,
    'never',
    'The enrolment token is unknown, used or expired',
    'Make a new one: skerry agent token',
  ),
  'host-command-failed': e('SYS.1006', 502, 'later', 'A command on the host failed'),
  'hypervisor-failed': e('VM.1001', 502, 'later', 'The hypervisor refused'),
  'guest-timeout': e('VM.1002', 504, 'later', 'The guest did not react in time', 'Use type=cold to cut its power.'),
  // images and storage
  'image-unreachable': e('IMG.1000', 502, 'later', 'The image cannot be read at its source'),
  'image-refused': e('IMG.1001', 400, 'never', 'The image is not safe or not of the stated format'),
  'image-checksum': e('IMG.1001', 400, 'never', 'The image does not have the stated checksum'),
  'disk-full': e('SYS.1016', 507, 'later', 'The disk is full', 'Free space on the named path.'),
  'volume-lost': e(
    'SYS.1016',
    500,
    'later',
    'The data of a volume is gone from its storage',
    'Restore it from a backup; it is not made anew, that would hide the loss.',
  ),
  // engine
  'store-stopped': e(
    'SYS.1016',
    503,
    'later',
    'The log cannot be written, so nothing is accepted',
    'The controller log names the disk error; repair it and restart.',
  ),
  'log-corrupt': e(
    'SYS.1016',
    500,
    'bug',
    'The log is damaged',
    'Look at the named file and offset; skerry-controller recover is the next step.',
  ),
  'job-stuck': e(
    'SYS.1006',
    500,
    'later',
    'An undo step failed; the job waits',
    'Mend the cause and retry the job: skerry job retry <uuid>',
  ),
  'upgrade-stuck': e('SYS.1006', 500, 'later', 'This job was begun by another version and cannot go on'),
  'not-ready': e('SYS.1010', 503, 'later', 'The controller is starting'),
  internal: e('SYS.1000', 500, 'bug', 'A defect in Skerry'),
} as const satisfies Record<string, ErrorSpec>

export type ErrorCode = keyof typeof errors

export interface ErrorBody {
  code: ErrorCode
  /** What the failing component was doing, in one sentence. */
  message: string
  retry: Retry
  hint?: string
  /** Facts: agent, host, step, job, uuids, allowed states, candidates. Never secrets. */
  details?: Record<string, unknown>
  cause?: ErrorBody
}

/** `new SkerryError('in-use', 'cannot delete zone z', { zoneUuid }, { cause })`. Message says what *we* were doing; the cause keeps its own. */
export class SkerryError extends Error {
  readonly code: ErrorCode
  readonly details: Record<string, unknown>
  constructor(code: ErrorCode, message?: string, details: Record<string, unknown> = {}, options?: { cause?: unknown }) {
    super(message ?? errors[code].title, options)
    this.name = 'SkerryError'
    this.code = code
    this.details = details
  }
  get spec(): ErrorSpec {
    return errors[this.code]
  }
}

/** Any thrown value as the wire form; the chain of causes is kept. */
export function toErrorBody(thrown: unknown): ErrorBody {
  if (thrown instanceof SkerryError) {
    return {
      code: thrown.code,
      message: thrown.message,
      retry: thrown.spec.retry,
      ...(thrown.spec.hint ? { hint: thrown.spec.hint } : {}),
      ...(Object.keys(thrown.details).length > 0 ? { details: thrown.details } : {}),
      ...(thrown.cause !== undefined ? { cause: toErrorBody(thrown.cause) } : {}),
    }
  }
  const message = thrown instanceof Error ? thrown.message : String(thrown)
  const cause = thrown instanceof Error ? thrown.cause : undefined
  return { code: 'internal', message, retry: 'bug', ...(cause !== undefined ? { cause: toErrorBody(cause) } : {}) }
}

/** The wire form as an error that can be thrown again on this side. */
export function fromErrorBody(body: ErrorBody): SkerryError {
  const code: ErrorCode = Object.hasOwn(errors, body.code) ? body.code : 'internal'
  return new SkerryError(code, body.message, body.details ?? {}, body.cause ? { cause: fromErrorBody(body.cause) } : undefined)
}
