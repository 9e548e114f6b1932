/**
 * The C functions of libvirt that we call, each declared once: name, arguments, result, who frees what. Every FFI backend
 * (ffi-napi, koffi) binds itself from this table; it holds no code. Source: libvirt 9.0 headers (libvirt-host.h,
 * libvirt-domain.h, libvirt-event.h, virterror.h), whose ABI is stable since 1.0 for all that is named here.
 */

/** Buffers that the callee fills, by their size in bytes on a 64-bit Linux. */
export const outSizes = {
  'out:int': 4,
  'out:ulong': 8,
  'out:pointer': 8,
  /** VIR_UUID_STRING_BUFLEN: 36 characters and the NUL. */
  'out:uuid': 37,
  /** struct _virDomainInfo. */
  'out:domain-info': 40,
  /** struct _virDomainBlockStats: 5 long long. */
  'out:block-stats': 40,
  /** struct _virDomainInterfaceStats: 8 long long. */
  'out:interface-stats': 64,
  /** struct _virDomainBlockJobInfo: int type; ulong bandwidth; 2 u64. */
  'out:block-job': 32,
} as const

export type OutKind = keyof typeof outSizes
/** `bytes` are read by the callee. `string` is copied and NUL-terminated by the backend and lives until the call ends; `string?` may be null. */
export type InKind = 'pointer' | 'string' | 'string?' | 'bytes' | 'int' | 'uint' | 'size'
/** `string:owned` is copied, then freed with libc's free; `string:borrowed` belongs to libvirt. */
export type ReturnKind = 'void' | 'int' | 'pointer' | 'string:owned' | 'string:borrowed'

export interface Signature {
  readonly args: readonly (InKind | OutKind)[]
  readonly returns: ReturnKind
  /** The function that releases what a pointer result stands for. */
  readonly free?: string
  readonly library?: 'libvirt' | 'libc'
}

export const signatures = {
  virInitialize: { args: [], returns: 'int' },
  virSetErrorFunc: { args: ['pointer', 'pointer'], returns: 'void' },
  virConnSetErrorFunc: { args: ['pointer', 'pointer', 'pointer'], returns: 'void' },
  virConnGetLastError: { args: ['pointer'], returns: 'pointer' },

  virEventRegisterDefaultImpl: { args: [], returns: 'int' },
  virEventRunDefaultImpl: { args: [], returns: 'int' },
  virEventAddTimeout: { args: ['int', 'pointer', 'pointer', 'pointer'], returns: 'int' },

  virConnectOpen: { args: ['string'], returns: 'pointer', free: 'virConnectClose' },
  virConnectClose: { args: ['pointer'], returns: 'int' },
  virConnectIsAlive: { args: ['pointer'], returns: 'int' },
  virConnectSetKeepAlive: { args: ['pointer', 'int', 'uint'], returns: 'int' },
  virConnectRegisterCloseCallback: { args: ['pointer', 'pointer', 'pointer', 'pointer'], returns: 'int' },
  virConnectDomainEventRegisterAny: { args: ['pointer', 'pointer', 'int', 'pointer', 'pointer', 'pointer'], returns: 'int' },
  virConnectGetHostname: { args: ['pointer'], returns: 'string:owned' },
  virConnectGetType: { args: ['pointer'], returns: 'string:borrowed' },
  virConnectGetLibVersion: { args: ['pointer', 'out:ulong'], returns: 'int' },
  virConnectGetVersion: { args: ['pointer', 'out:ulong'], returns: 'int' },
  virConnectGetCapabilities: { args: ['pointer'], returns: 'string:owned' },
  virConnectGetAllDomainStats: { args: ['pointer', 'uint', 'out:pointer', 'uint'], returns: 'int' },
  virDomainStatsRecordListFree: { args: ['pointer'], returns: 'void' },

  virDomainLookupByUUIDString: { args: ['pointer', 'string'], returns: 'pointer', free: 'virDomainFree' },
  virDomainFree: { args: ['pointer'], returns: 'int' },
  virDomainGetUUIDString: { args: ['pointer', 'out:uuid'], returns: 'int' },
  virDomainGetName: { args: ['pointer'], returns: 'string:borrowed' },
  virDomainGetID: { args: ['pointer'], returns: 'int' },
  virDomainGetXMLDesc: { args: ['pointer', 'uint'], returns: 'string:owned' },
  virDomainDefineXMLFlags: { args: ['pointer', 'string', 'uint'], returns: 'pointer', free: 'virDomainFree' },
  virDomainUndefineFlags: { args: ['pointer', 'uint'], returns: 'int' },
  virDomainCreateWithFlags: { args: ['pointer', 'uint'], returns: 'int' },
  virDomainShutdownFlags: { args: ['pointer', 'uint'], returns: 'int' },
  virDomainDestroyFlags: { args: ['pointer', 'uint'], returns: 'int' },
  virDomainReboot: { args: ['pointer', 'uint'], returns: 'int' },
  virDomainReset: { args: ['pointer', 'uint'], returns: 'int' },
  virDomainSuspend: { args: ['pointer'], returns: 'int' },
  virDomainResume: { args: ['pointer'], returns: 'int' },
  virDomainGetState: { args: ['pointer', 'out:int', 'out:int', 'uint'], returns: 'int' },
  virDomainGetInfo: { args: ['pointer', 'out:domain-info'], returns: 'int' },
  virDomainBlockStats: { args: ['pointer', 'string', 'out:block-stats', 'size'], returns: 'int' },
  virDomainInterfaceStats: { args: ['pointer', 'string', 'out:interface-stats', 'size'], returns: 'int' },
  virDomainAttachDeviceFlags: { args: ['pointer', 'string', 'uint'], returns: 'int' },
  virDomainDetachDeviceFlags: { args: ['pointer', 'string', 'uint'], returns: 'int' },
  virDomainUpdateDeviceFlags: { args: ['pointer', 'string', 'uint'], returns: 'int' },
  /** Bandwidths and sizes are 64 bits wide, as size_t is. */
  virDomainBlockRebase: { args: ['pointer', 'string', 'string?', 'size', 'uint'], returns: 'int' },
  virDomainBlockCommit: { args: ['pointer', 'string', 'string?', 'string?', 'size', 'uint'], returns: 'int' },
  virDomainGetBlockJobInfo: { args: ['pointer', 'string', 'out:block-job', 'uint'], returns: 'int' },
  virDomainBlockJobAbort: { args: ['pointer', 'string', 'uint'], returns: 'int' },
  virDomainBlockResize: { args: ['pointer', 'string', 'size', 'uint'], returns: 'int' },
  /** A list of typed parameters, and how many. */
  virDomainSetBlockIoTune: { args: ['pointer', 'string', 'bytes', 'int', 'uint'], returns: 'int' },
  virDomainSnapshotCreateXML: { args: ['pointer', 'string', 'uint'], returns: 'pointer', free: 'virDomainSnapshotFree' },
  virDomainSnapshotFree: { args: ['pointer'], returns: 'int' },
  virDomainGetMetadata: { args: ['pointer', 'int', 'string?', 'uint'], returns: 'string:owned' },
  virDomainSetMetadata: { args: ['pointer', 'int', 'string?', 'string?', 'string?', 'uint'], returns: 'int' },

  free: { args: ['pointer'], returns: 'void', library: 'libc' },
} as const satisfies Record<string, Signature>

export type FunctionName = keyof typeof signatures

/** Functions of ours that libvirt calls; pointers arrive as the backend's pointer values. */
export const callbackSignatures = {
  /** virErrorFunc(userData, error). */
  error: { args: ['pointer', 'pointer'], returns: 'void' },
  /** virEventTimeoutCallback(timer, opaque). */
  timeout: { args: ['int', 'pointer'], returns: 'void' },
  /** virConnectDomainEventCallback(conn, dom, event, detail, opaque). */
  lifecycle: { args: ['pointer', 'pointer', 'int', 'int', 'pointer'], returns: 'int' },
  /** virConnectDomainEventGenericCallback(conn, dom, opaque). */
  reboot: { args: ['pointer', 'pointer', 'pointer'], returns: 'void' },
  /** virConnectDomainEventDeviceRemovedCallback(conn, dom, devAlias, opaque). */
  deviceRemoved: { args: ['pointer', 'pointer', 'pointer', 'pointer'], returns: 'void' },
  /** virConnectCloseFunc(conn, reason, opaque). */
  close: { args: ['pointer', 'int', 'pointer'], returns: 'void' },
} as const

export type CallbackName = keyof typeof callbackSignatures

type InputOf<K, P> = K extends 'string'
  ? string
  : K extends 'string?'
    ? string | null
    : K extends 'pointer'
      ? P
      : K extends 'bytes'
        ? Buffer
        : number
type InputsOf<A extends readonly unknown[], P> = A extends readonly [infer H, ...infer R]
  ? H extends OutKind
    ? InputsOf<R, P>
    : [InputOf<H, P>, ...InputsOf<R, P>]
  : []
/** The arguments a caller gives: out-buffers are made by the backend. P is the backend's pointer. */
export type Inputs<F extends FunctionName, P> = InputsOf<(typeof signatures)[F]['args'], P>
export type Returned<F extends FunctionName, P> = (typeof signatures)[F]['returns'] extends infer R
  ? R extends 'pointer'
    ? P | null
    : R extends 'string:owned' | 'string:borrowed'
      ? string | null
      : R extends 'int'
        ? number
        : undefined
  : never
type CallbackArgsOf<A extends readonly unknown[], P> = A extends readonly [infer H, ...infer R]
  ? [H extends 'pointer' ? P : number, ...CallbackArgsOf<R, P>]
  : []
export type CallbackArgs<C extends CallbackName, P> = CallbackArgsOf<(typeof callbackSignatures)[C]['args'], P>
