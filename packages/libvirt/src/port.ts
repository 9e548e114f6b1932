/**
 * The port to libvirt. A call is data (operation, arguments) and so is its answer, because the real implementation lives in
 * another process that may be killed at any time. uuids are 32 hex digits without dashes, memory is in bytes, times in ms.
 */
import type { DomainState, LifecycleName } from './states.ts'

export interface DomainRow {
  uuid: string
  name: string
  /** The hypervisor's id while active, else null. */
  id: number | null
  state: DomainState
  reason: string
  /** The domain's metadata element of the asked namespace as XML; null when it has none; absent when not asked for. */
  metadata?: string | null
}

export interface HostInfo {
  hostname: string
  /** `QEMU`, `TEST`. */
  driver: string
  /** `9.0.0`. */
  libvirtVersion: string
  hypervisorVersion: string
  capabilitiesXml: string
}

export interface BlockStats {
  readRequests: number
  readBytes: number
  writeRequests: number
  writeBytes: number
}

export interface InterfaceStats {
  rxBytes: number
  rxPackets: number
  rxErrors: number
  rxDrops: number
  txBytes: number
  txPackets: number
  txErrors: number
  txDrops: number
}

/** How the guest is asked: `acpi` presses its power button, `agent` asks its guest agent, `default` leaves it to libvirt. */
export type GuestSignal = 'acpi' | 'agent' | 'default'
/** `current` = live while it runs, else the persistent definition. */
export type Affect = 'current' | 'live' | 'config' | 'both'

interface Call<A, R> {
  args: A
  result: R
}
type OnDomain<R = null, More = {}> = Call<{ uuid: string } & More, R>

export interface Calls {
  hostInfo: Call<Record<string, never>, HostInfo>
  /** One round trip for uuid, name, id, state; one more per domain when `metadataUri` is given. */
  listDomains: Call<{ metadataUri?: string }, DomainRow[]>
  domainXml: OnDomain<string, { inactive?: boolean }>
  /** Defines, or redefines the domain with the same uuid and name. `validate` checks the XML against libvirt's schema (slow). */
  domainDefineXml: Call<{ xml: string; validate?: boolean }, { uuid: string; name: string }>
  domainUndefine: OnDomain<null, { nvram?: boolean; managedSave?: boolean; snapshotsMetadata?: boolean }>
  domainCreate: OnDomain<{ id: number }, { paused?: boolean }>
  domainShutdown: OnDomain<null, { via: GuestSignal }>
  /** Cuts the power. `graceful` fails instead of SIGKILL when qemu does not end by SIGTERM. */
  domainDestroy: OnDomain<null, { graceful?: boolean }>
  domainReboot: OnDomain<null, { via: GuestSignal }>
  domainReset: OnDomain
  domainSuspend: OnDomain
  domainResume: OnDomain
  domainGetState: OnDomain<{ state: DomainState; reason: string }>
  domainInfo: OnDomain<{ state: DomainState; maxMemoryBytes: number; memoryBytes: number; cpuCount: number; cpuTimeNs: number }>
  /** `disk` is a target name (vda). */
  domainBlockStats: OnDomain<BlockStats, { disk: string }>
  /** `device` is a tap name or a MAC address. */
  domainInterfaceStats: OnDomain<InterfaceStats, { device: string }>
  /** The element of that namespace as XML, or null. */
  domainGetMetadata: OnDomain<string | null, { uri: string; affect?: Affect }>
  /** `xml` null removes it. The element must carry no prefix of its own: libvirt puts `prefix` and the namespace there. */
  domainSetMetadata: OnDomain<null, { uri: string; prefix: string; xml: string | null; affect?: Affect }>
}

export type Operation = keyof Calls

export interface LifecycleEvent {
  domainUuid: string
  name: string
  event: LifecycleName
  /** libvirt's detail, e.g. `destroyed` (power cut) or `shutdown` (the guest ended itself) of `stopped`. */
  detail: string
  /** Unix ms at which this process learnt of it. */
  at: number
}

/**
 * `connected`: events from now on arrive; what happened before must be listed again. `disconnected`: libvirt does not
 * answer, calls fail at once. `restarting`: the backend process was stuck or died and is being replaced.
 */
export type LibvirtState = 'connected' | 'disconnected' | 'restarting'

export interface Libvirt {
  /**
   * Fails with SkerryError `not-found` (no such domain), `hypervisor-failed` (details: libvirtCode, libvirtDomain, message)
   * or `deadline-exceeded`. A call that passed its deadline may still take effect: observe before repeating it.
   */
  call<K extends Operation>(op: K, args: Calls[K]['args'], opts: { timeoutMs: number }): Promise<Calls[K]['result']>
  /** Returns the function that ends the subscription. */
  onLifecycle(handler: (event: LifecycleEvent) => void): () => void
  /** Calls the handler on changes only. */
  onState(handler: (state: LibvirtState) => void): () => void
  close(): Promise<void>
}

/** A failure as data. */
export interface LibvirtFailure {
  libvirtCode: number
  libvirtDomain: number
  message: string
}

/** What the supervisor sends to the backend process. */
export type ToChild = { t: 'call'; id: number; op: Operation; args: unknown; remainingMs: number } | { t: 'ping' }

/** What the backend process sends. */
export type FromChild =
  | { t: 'reply'; id: number; result: unknown }
  | { t: 'failed'; id: number; failure: LibvirtFailure }
  | { t: 'lifecycle'; event: Omit<LifecycleEvent, 'at'> }
  | { t: 'connected' }
  /** Opening failed; it is tried again. */
  | { t: 'unreachable'; failure: LibvirtFailure }
  /** The connection broke; the process ends itself after this. */
  | { t: 'lost'; reason: string }
  | { t: 'pong' }
