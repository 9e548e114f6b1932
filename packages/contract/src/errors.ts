/**
 * The one table of errors. Every failure that leaves a process has a code from here: it decides ZStack's code, the honest
 * HTTP status of `/v1`, whether a retry can help, and what a person should do. zstack codes: zstack-core §1.7.
 */
import { type ErrorSpec, e, type Retry } from './error-spec.ts'
import { networkErrors } from './errors-network.ts'

export type { Retry } from './error-spec.ts'

export const errors = {
  ...networkErrors,
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
  'history-gone': e(
    'SYS.1003',
    410,
    'never',
    'The log does not reach back so far',
    'What is kept is set by --history-days and --history-mib of the controller.',
  ),
  'session-invalid': e('ID.1001', 401, 'never', 'The session is not valid or has expired', 'Log in again.'),
  'login-failed': e('ID.1000', 401, 'never', 'Wrong account name or password'),
  'too-many-sessions': e('ID.1006', 429, 'later', 'There are as many sessions as there may be', 'Log out where you need none.'),
  'permission-denied': e('ID.1002', 403, 'never', 'This account may not do that'),
  'quota-exceeded': e(
    'ID.1003',
    409,
    'later',
    'The account has as much as it may have',
    'Delete what is not needed, or ask an administrator for more: skerry update quota',
  ),
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
  'agent-too-old': e(
    'HOST.1003',
    409,
    'later',
    'The agent on this host is too old for this',
    'Upgrade the agent of the named host, then try again: what it has runs on as it is.',
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
  'guest-keeps-volume': e(
    'VM.1002',
    504,
    'later',
    'The guest does not let go of the volume',
    'Unmount it in the guest, or stop the VM instance, then detach it again.',
  ),
  'guest-keeps-nic': e(
    'VM.1002',
    504,
    'later',
    'The guest does not let go of the network card',
    'Take it down in the guest, or stop the VM instance, then detach it again.',
  ),
  // images and storage
  'image-unreachable': e('IMG.1000', 502, 'later', 'The image cannot be read at its source'),
  'image-refused': e('IMG.1001', 400, 'never', 'The image is not safe or not of the stated format'),
  'image-checksum': e('IMG.1001', 400, 'never', 'The image does not have the stated checksum'),
  'upload-offset': e(
    'SYS.1006',
    409,
    'later',
    'These bytes do not follow those that are there',
    'Ask how many are there (HEAD), and go on from that.',
  ),
  'upload-ended': e(
    'SYS.1006',
    410,
    'never',
    'This upload has ended',
    'The image says why: skerry get image <image>. Delete it and begin anew.',
  ),
  'storage-unreachable': e(
    'SYS.1006',
    502,
    'later',
    'The storage server cannot be reached',
    'Look at the server, its sshd and the way to it.',
  ),
  'storage-login-failed': e(
    'SYS.1006',
    502,
    'never',
    'The storage server does not let us in',
    'Set user name and password anew: skerry update backup-storage',
  ),
  'storage-host-key': e(
    'SYS.1006',
    409,
    'never',
    'The storage server is not the one that it was',
    'If you know why its host key changed, give its hostname again (updateSftpBackupStorage): the next connection pins the new one.',
  ),
  'disk-full': e('SYS.1016', 507, 'later', 'The disk is full', 'Free space on the named path.'),
  'volume-lost': e(
    'SYS.1016',
    500,
    'later',
    'The data of a volume is gone from its storage',
    'Restore it from a backup; it is not made anew, that would hide the loss.',
  ),
  'volume-layered': e(
    'SYS.1006',
    409,
    'later',
    'Newer files of a volume lie over the one that is to be written',
    'Nothing is started or changed on it, that would destroy what lies over it. Look which snapshots the volume has.',
  ),
  'too-many-snapshots': e('SYS.1006', 409, 'never', 'The volume has as many snapshots as there can be', 'Delete some of them.'),
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
  'log-newer': e(
    'SYS.1016',
    500,
    'never',
    'The log was written by a newer version of Skerry',
    'Nothing was changed. Start the newer version again, or restore a backup that this version made.',
  ),
  'job-canceled': e('LONG_JOB.1000', 409, 'never', 'The long job was canceled'),
  'long-job-unsupported': e('LONG_JOB.1003', 400, 'never', 'This can be no long job'),
  'upgrade-stuck': e(
    'SYS.1006',
    500,
    'later',
    'This job was begun by another version and cannot go on',
    'Start the version that began it again, or one that knows its steps; then: skerry job retry <uuid>',
  ),
  'plugin-failed': e(
    'SYS.1006',
    503,
    'later',
    'A plugin did not do what it was asked',
    'skerry get plugins says why; skerry change-state plugin <name> --state-event disable goes on without it.',
  ),
  'plugin-refused': e('SYS.1007', 409, 'never', 'A plugin refuses this'),
  'not-ready': e('SYS.1010', 503, 'later', 'The controller is starting'),
  // backup and restore
  'backup-failed': e('SYS.1006', 500, 'later', 'The backup could not be made'),
  'backup-damaged': e('SYS.1006', 400, 'never', 'The backup is damaged', 'Use another one: nothing of this one was taken.'),
  restored: e(
    'SYS.1006',
    409,
    'never',
    'The job was under way when the backup was made that this controller was restored from',
    'What it had made on hosts is shown by skerry get orphans; call again what is missing.',
  ),
  'hosts-unheard': e(
    'SYS.1010',
    503,
    'later',
    'Since the restore not every host has said what it holds',
    'Wait for the hosts named, or give up what will never come back: skerry lose host <host>',
  ),
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
