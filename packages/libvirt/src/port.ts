/**
 * The port to libvirt. A call is data (operation, arguments) and so is its answer, because the real implementation lives in
 * another process that may be killed at any time. uuids are 32 hex digits without dashes, memory is in bytes, times in ms.
 */
import type { Iotune } from './domain-spec.ts'
import type { FfiName } from './ffi/native.ts'
import type { DomainState, LifecycleName } from './states.ts'

export interface DomainRow {
  uuid: string
  name: string
  /** The hypervisor's id while active, else null. */
  id: number | null
  state: DomainState
  reason: string
  /** It has a definition; a domain that was undefined while it runs has none, and vanishes when it ends. */
  persistent: boolean
  /** The domain's metadata element of the asked namespace as XML; null when it has none; absent when not asked for. */
  metadata?: string | null
}

/** Domains that have one of these uuids or one of these names. */
export interface DomainNames {
  uuids: string[]
  names: string[]
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

/** Work on the chain of files of a running domain's disk. */
export interface BlockJob {
  type: 'pull' | 'copy' | 'commit' | 'active-commit' | 'other'
  /** How far it is, in units of its own. */
  done: number
  total: number
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
  /** Two round trips for uuid, name, id, state, persistence; one more per domain when `metadataUri` is given. */
  listDomains: Call<{ metadataUri?: string; only?: DomainNames }, DomainRow[]>
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
  /** `xml` is the device's element. */
  domainAttachDevice: OnDomain<null, { xml: string; affect: Affect }>
  /**
   * Of a running domain the guest is only asked to let go: the device is gone when the domain's XML no longer holds it, and the
   * event `deviceRemoved` comes. Asking again while it thinks about it may fail.
   */
  domainDetachDevice: OnDomain<null, { xml: string; affect: Affect }>
  /**
   * Puts another medium into a CD drive, or takes it out; `xml` is the drive's element as it shall be. Forced: a guest that has locked
   * the tray loses the medium all the same.
   */
  domainChangeMedia: OnDomain<null, { xml: string; affect: Affect }>
  /**
   * `xml`: `snapshotXml`. The running domain goes on writing into other files, all at the same moment; these must exist and lie on those
   * that it wrote into before. What is kept of it is in the files only.
   */
  domainSnapshotDisks: OnDomain<null, { xml: string }>
  /** Begins to copy into the file of a running disk what the chain below it holds, down to `base` (null: all), on which it lies then. */
  domainBlockPull: OnDomain<null, { disk: string; base: string | null }>
  /** Begins to write the file of a running disk into that on which it lies. It goes on, mirroring, until `domainBlockJobEnd`. */
  domainBlockCommit: OnDomain<null, { disk: string; top: string; base: string }>
  /** Null: none is under way; whether it succeeded is seen from the chain. */
  domainBlockJob: OnDomain<BlockJob | null, { disk: string }>
  /** `pivot`: the domain goes on in what a commit has written into; fails while that is not in step yet. `abort` leaves it as it was. */
  domainBlockJobEnd: OnDomain<null, { disk: string; how: 'pivot' | 'abort' }>
  /** Of a running domain's disk; larger only. The guest sees it at once. */
  domainBlockResize: OnDomain<null, { disk: string; sizeBytes: number }>
  /** Of a running domain's disk, from now on; `iotune` takes the place of all that held it back before. */
  domainSetBlockIoTune: OnDomain<null, { disk: string; iotune: Iotune }>
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
  /** Its first words: the FFI library that it runs on, and why it passed over others. */
  | { t: 'started'; ffi: FfiName; passedOver: readonly string[] }
  | { t: 'reply'; id: number; result: unknown }
  | { t: 'failed'; id: number; failure: LibvirtFailure }
  | { t: 'lifecycle'; event: Omit<LifecycleEvent, 'at'> }
  | { t: 'connected' }
  /** Opening failed; it is tried again. */
  | { t: 'unreachable'; failure: LibvirtFailure }
  /** The connection broke; the process ends itself after this. */
  | { t: 'lost'; reason: string }
  /** Resident memory of the process. */
  | { t: 'pong'; rssBytes: number }
