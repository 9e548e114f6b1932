/**
 * libvirt's numbers as words: domain states, their reasons, lifecycle events and their details.
 * Source: libvirt 9.0 libvirt-domain.h (virDomainState, virDomain*Reason, virDomainEventType, virDomainEvent*DetailType).
 */
export const domainStates = ['nostate', 'running', 'blocked', 'paused', 'shutdown', 'shutoff', 'crashed', 'pmsuspended'] as const
export type DomainState = (typeof domainStates)[number]

const reasons: { readonly [S in DomainState]: readonly string[] } = {
  nostate: ['unknown'],
  running: [
    'unknown',
    'booted',
    'migrated',
    'restored',
    'from-snapshot',
    'unpaused',
    'migration-canceled',
    'save-canceled',
    'wakeup',
    'crashed',
    'postcopy',
    'postcopy-failed',
  ],
  blocked: ['unknown'],
  paused: [
    'unknown',
    'user',
    'migration',
    'save',
    'dump',
    'ioerror',
    'watchdog',
    'from-snapshot',
    'shutting-down',
    'snapshot',
    'crashed',
    'starting-up',
    'postcopy',
    'postcopy-failed',
    'api-error',
  ],
  shutdown: ['unknown', 'user'],
  shutoff: ['unknown', 'shutdown', 'destroyed', 'crashed', 'migrated', 'saved', 'failed', 'from-snapshot', 'daemon'],
  crashed: ['unknown', 'panicked'],
  pmsuspended: ['unknown'],
}

/** The words for a state and its reason; numbers that a newer libvirt may send become `nostate` and `reason-<n>`. */
export function stateWords(state: number, reason: number): { state: DomainState; reason: string } {
  const word = domainStates[state] ?? 'nostate'
  return { state: word, reason: reasons[word][reason] ?? `reason-${reason}` }
}

const lifecycleEvents: readonly (readonly [LifecycleName, readonly string[]])[] = [
  ['defined', ['added', 'updated', 'renamed', 'from-snapshot']],
  ['undefined', ['removed', 'renamed']],
  ['started', ['booted', 'migrated', 'restored', 'from-snapshot', 'wakeup']],
  [
    'suspended',
    ['paused', 'migrated', 'ioerror', 'watchdog', 'restored', 'from-snapshot', 'api-error', 'postcopy', 'postcopy-failed'],
  ],
  ['resumed', ['unpaused', 'migrated', 'from-snapshot', 'postcopy', 'postcopy-failed']],
  ['stopped', ['shutdown', 'destroyed', 'crashed', 'migrated', 'saved', 'failed', 'from-snapshot']],
  ['shutdown', ['finished', 'guest', 'host']],
  ['pmsuspended', ['memory', 'disk']],
  ['crashed', ['panicked', 'crashloaded']],
]
export type LifecycleName =
  | 'started'
  | 'stopped'
  | 'suspended'
  | 'resumed'
  | 'crashed'
  | 'defined'
  | 'undefined'
  | 'shutdown'
  | 'pmsuspended'
  /** The machine was reset while its domain runs on: an event of libvirt's own kind (VIR_DOMAIN_EVENT_ID_REBOOT). */
  | 'rebooted'
  /** A guest has let go of a device that was taken from its running domain; the detail is libvirt's alias of it. */
  | 'deviceRemoved'

/** The words for a lifecycle event; null for one that this version does not know. */
export function lifecycleWords(event: number, detail: number): { event: LifecycleName; detail: string } | null {
  const known = lifecycleEvents[event]
  return known ? { event: known[0], detail: known[1][detail] ?? `detail-${detail}` } : null
}
