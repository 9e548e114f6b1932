/** C structs read from memory. Layouts: libvirt 9.0 libvirt-domain.h and libvirt-common.h on 64-bit little-endian Linux. */
import { type Iotune, iotuneNames } from '../domain-spec.ts'
import type { BlockJob, BlockStats, DomainRow, InterfaceStats } from '../port.ts'
import { type DomainState, stateWords } from '../states.ts'
import type { Native, Pointer } from './native.ts'

const KIB = 1024
const u64 = (buffer: Buffer, offset: number): number => Number(buffer.readBigUInt64LE(offset))
/** libvirt says -1 for a counter that the hypervisor does not keep. */
const counter = (buffer: Buffer, index: number): number => Math.max(0, Number(buffer.readBigInt64LE(index * 8)))

/** 9000001 → 9.0.1. */
export function version(out: Buffer): string {
  const n = u64(out, 0)
  return `${Math.floor(n / 1_000_000)}.${Math.floor(n / 1000) % 1000}.${n % 1000}`
}

/** uuid (32 hex), name, id of a virDomainPtr: all local knowledge of the client. */
export function readDomain(native: Native, domain: Pointer): { uuid: string; name: string; id: number | null } {
  const uuid = native.callNow('virDomainGetUUIDString', domain).outs[0]!.toString('latin1', 0, 36).replaceAll('-', '')
  const name = native.callNow('virDomainGetName', domain).returned ?? ''
  const id = native.callNow('virDomainGetID', domain).returned
  return { uuid, name, id: id < 0 ? null : id }
}

/** struct virDomainInfo: u8 state; ulong maxMem KiB @8; ulong memory KiB @16; u16 nrVirtCpu @24; u64 cpuTime ns @32. */
export function domainInfo(out: Buffer) {
  return {
    state: stateWords(out.readUInt8(0), 0).state as DomainState,
    maxMemoryBytes: u64(out, 8) * KIB,
    memoryBytes: u64(out, 16) * KIB,
    cpuCount: out.readUInt16LE(24),
    cpuTimeNs: u64(out, 32),
  }
}

/** struct virDomainBlockStats: rd_req, rd_bytes, wr_req, wr_bytes, errs. */
export function blockStats(out: Buffer): BlockStats {
  return {
    readRequests: counter(out, 0),
    readBytes: counter(out, 1),
    writeRequests: counter(out, 2),
    writeBytes: counter(out, 3),
  }
}

/** struct virDomainInterfaceStats: rx_bytes, rx_packets, rx_errs, rx_drop, tx_… */
export function interfaceStats(out: Buffer): InterfaceStats {
  return {
    rxBytes: counter(out, 0),
    rxPackets: counter(out, 1),
    rxErrors: counter(out, 2),
    rxDrops: counter(out, 3),
    txBytes: counter(out, 4),
    txPackets: counter(out, 5),
    txErrors: counter(out, 6),
    txDrops: counter(out, 7),
  }
}

/** virDomainBlockJobType. */
const jobTypes: readonly BlockJob['type'][] = ['other', 'pull', 'copy', 'commit', 'active-commit']

/** struct virDomainBlockJobInfo: int type; ulong bandwidth @8; u64 cur @16; u64 end @24. */
export function blockJob(out: Buffer): BlockJob {
  return { type: jobTypes[out.readInt32LE(0)] ?? 'other', done: u64(out, 16), total: u64(out, 24) }
}

/** struct virTypedParameter: char field[80]; int type @80; union @88. */
const TYPED_PARAMETER_BYTES = 96

const ULLONG = 4

/** What a disk is held back by, as typed parameters: all of them, so that what is not said is lifted. */
export function iotuneParameters(iotune: Iotune): { bytes: Buffer; count: number } {
  const bytes = Buffer.alloc(iotuneNames.length * TYPED_PARAMETER_BYTES)
  for (const [n, [key, name]] of iotuneNames.entries()) {
    const start = n * TYPED_PARAMETER_BYTES
    bytes.write(name, start, 'latin1')
    bytes.writeInt32LE(ULLONG, start + 80)
    bytes.writeBigUInt64LE(BigInt(iotune[key] ?? 0), start + 88)
  }
  return { bytes, count: iotuneNames.length }
}

/** struct virDomainStatsRecord: virDomainPtr dom; virTypedParameterPtr params @8; int nparams @16. */
export function statsRow(native: Native, record: Pointer): { row: Omit<DomainRow, 'persistent'>; domain: Pointer } {
  const domain = native.pointerAt(record, 0)!
  const params = native.pointerAt(record, 8)
  const count = native.bytes(record, 16, 4).readInt32LE(0)
  const all = params ? native.bytes(params, 0, count * TYPED_PARAMETER_BYTES) : Buffer.alloc(0)
  const values = new Map<string, number>()
  for (let at = 0; at < all.length; at += TYPED_PARAMETER_BYTES) {
    const field = all.toString('latin1', at, all.indexOf(0, at))
    values.set(field, all.readInt32LE(at + 88))
  }
  const state = stateWords(values.get('state.state') ?? 0, values.get('state.reason') ?? 0)
  return { row: { ...readDomain(native, domain), ...state }, domain }
}
