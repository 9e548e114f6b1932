/** Each operation of the port as libvirt calls on one lane. Flags: libvirt 9.0 libvirt-domain.h. */
import { libvirtCodes } from '../failure-data.ts'
import type { Affect, Calls, GuestSignal, Operation } from '../port.ts'
import { stateWords } from '../states.ts'
import { blockOperations } from './block-operations.ts'
import { CallFailure, type Lane } from './connection.ts'
import { blockStats, domainInfo, interfaceStats, readDomain, statsRow, version } from './layouts.ts'
import type { Pointer } from './native.ts'

export type Handler<K extends Operation> = (lane: Lane, args: Calls[K]['args']) => Promise<Calls[K]['result']>

const DEFINE_VALIDATE = 1
const START_PAUSED = 1
const DESTROY_GRACEFUL = 1
const XML_INACTIVE = 2
const UNDEFINE = { managedSave: 1, snapshotsMetadata: 2, nvram: 4 }
const STATS_STATE = 1
/** Only domains without a definition. */
const STATS_TRANSIENT = 8
/** Never wait for a domain that is busy with another job. */
const STATS_NOWAIT = 1 << 29
const METADATA_ELEMENT = 2
const signals: Record<GuestSignal, number> = { default: 0, acpi: 1, agent: 2 }

const affects: Record<Affect, number> = { current: 0, live: 1, config: 2, both: 3 }

export async function onDomain<T>(lane: Lane, uuid: string, work: (domain: Pointer) => Promise<T>): Promise<T> {
  const domain = (await lane.call('virDomainLookupByUUIDString', lane.conn, uuid)).returned as Pointer
  try {
    return await work(domain)
  } finally {
    lane.native.callNow('virDomainFree', domain)
  }
}

type BareVerb = 'virDomainSuspend' | 'virDomainResume'
type FlagVerb =
  | 'virDomainReset'
  | 'virDomainUndefineFlags'
  | 'virDomainShutdownFlags'
  | 'virDomainDestroyFlags'
  | 'virDomainReboot'

const withFlags = (lane: Lane, uuid: string, fn: FlagVerb, flags: number) =>
  onDomain(lane, uuid, async (domain) => {
    await lane.call(fn, domain, flags)
    return null
  })
const bare = (lane: Lane, uuid: string, fn: BareVerb) =>
  onDomain(lane, uuid, async (domain) => {
    await lane.call(fn, domain)
    return null
  })

type DeviceVerb = 'virDomainAttachDeviceFlags' | 'virDomainDetachDeviceFlags' | 'virDomainUpdateDeviceFlags'
/** VIR_DOMAIN_DEVICE_MODIFY_FORCE */
const FORCE = 4
const device = (lane: Lane, uuid: string, fn: DeviceVerb, { xml, flags }: { xml: string; flags: number }) =>
  onDomain(lane, uuid, async (domain) => {
    await lane.call(fn, domain, xml, flags)
    return null
  })

async function metadata(lane: Lane, domain: Pointer, uri: string, affect: Affect = 'current'): Promise<string | null> {
  try {
    return (await lane.call('virDomainGetMetadata', domain, METADATA_ELEMENT, uri, affects[affect])).returned
  } catch (error) {
    if (error instanceof CallFailure && error.failure.libvirtCode === libvirtCodes.noDomainMetadata) return null
    throw error
  }
}

const hostInfo: Handler<'hostInfo'> = async (lane) => ({
  hostname: (await lane.call('virConnectGetHostname', lane.conn)).returned!,
  driver: (await lane.call('virConnectGetType', lane.conn)).returned!,
  libvirtVersion: version((await lane.call('virConnectGetLibVersion', lane.conn)).outs[0]!),
  hypervisorVersion: version((await lane.call('virConnectGetVersion', lane.conn)).outs[0]!),
  capabilitiesXml: (await lane.call('virConnectGetCapabilities', lane.conn)).returned!,
})

const listDomains: Handler<'listDomains'> = async (lane, { metadataUri, only }) => {
  const [uuids, names] = [new Set(only?.uuids), new Set(only?.names)]
  const transient = new Set(await eachDomain(lane, STATS_TRANSIENT, async ({ row }) => row.uuid))
  const rows = await eachDomain(lane, 0, async ({ row, domain }) => {
    if (only && !uuids.has(row.uuid) && !names.has(row.name)) return null
    const mark = metadataUri === undefined ? {} : await metadataOf(lane, domain, metadataUri)
    return mark && { ...row, persistent: !transient.has(row.uuid), ...mark }
  })
  return rows.filter((row) => row !== null)
}

/** What `read` makes of each domain that the flag lets through. */
async function eachDomain<T>(lane: Lane, only: number, read: (seen: ReturnType<typeof statsRow>) => Promise<T>): Promise<T[]> {
  const { native } = lane
  const { returned, outs } = await lane.call('virConnectGetAllDomainStats', lane.conn, STATS_STATE, STATS_NOWAIT | only)
  const records = native.pointerIn(outs[0]!)
  if (!records) return []
  try {
    const all: T[] = []
    for (let i = 0; i < returned; i++) all.push(await read(statsRow(native, native.pointerAt(records, i * 8)!)))
    return all
  } finally {
    native.callNow('virDomainStatsRecordListFree', records)
  }
}

/** Null when the domain went away since it was listed. */
async function metadataOf(lane: Lane, domain: Pointer, uri: string): Promise<{ metadata: string | null } | null> {
  try {
    return { metadata: await metadata(lane, domain, uri) }
  } catch (error) {
    if (error instanceof CallFailure && error.failure.libvirtCode === libvirtCodes.noDomain) return null
    throw error
  }
}

export const operations: { [K in Operation]: Handler<K> } = {
  hostInfo,
  listDomains,
  domainXml: (lane, { uuid, inactive }) =>
    onDomain(lane, uuid, async (d) => (await lane.call('virDomainGetXMLDesc', d, inactive ? XML_INACTIVE : 0)).returned!),
  domainDefineXml: async (lane, { xml, validate }) => {
    const domain = (await lane.call('virDomainDefineXMLFlags', lane.conn, xml, validate ? DEFINE_VALIDATE : 0))
      .returned as Pointer
    const { uuid, name } = readDomain(lane.native, domain)
    lane.native.callNow('virDomainFree', domain)
    return { uuid, name }
  },
  domainUndefine: (lane, { uuid, nvram, managedSave, snapshotsMetadata }) => {
    const flags =
      (nvram ? UNDEFINE.nvram : 0) |
      (managedSave ? UNDEFINE.managedSave : 0) |
      (snapshotsMetadata ? UNDEFINE.snapshotsMetadata : 0)
    return withFlags(lane, uuid, 'virDomainUndefineFlags', flags)
  },
  domainCreate: (lane, { uuid, paused }) =>
    onDomain(lane, uuid, async (domain) => {
      await lane.call('virDomainCreateWithFlags', domain, paused ? START_PAUSED : 0)
      return { id: lane.native.callNow('virDomainGetID', domain).returned }
    }),
  domainShutdown: (lane, { uuid, via }) => withFlags(lane, uuid, 'virDomainShutdownFlags', signals[via]),
  domainDestroy: (lane, { uuid, graceful }) => withFlags(lane, uuid, 'virDomainDestroyFlags', graceful ? DESTROY_GRACEFUL : 0),
  domainReboot: (lane, { uuid, via }) => withFlags(lane, uuid, 'virDomainReboot', signals[via]),
  domainReset: (lane, { uuid }) => withFlags(lane, uuid, 'virDomainReset', 0),
  domainSuspend: (lane, { uuid }) => bare(lane, uuid, 'virDomainSuspend'),
  domainResume: (lane, { uuid }) => bare(lane, uuid, 'virDomainResume'),
  domainGetState: (lane, { uuid }) =>
    onDomain(lane, uuid, async (domain) => {
      const { outs } = await lane.call('virDomainGetState', domain, 0)
      return stateWords(outs[0]!.readInt32LE(0), outs[1]!.readInt32LE(0))
    }),
  domainInfo: (lane, { uuid }) =>
    onDomain(lane, uuid, async (d) => domainInfo((await lane.call('virDomainGetInfo', d)).outs[0]!)),
  domainBlockStats: (lane, { uuid, disk }) =>
    onDomain(lane, uuid, async (d) => blockStats((await lane.call('virDomainBlockStats', d, disk, 40)).outs[0]!)),
  domainInterfaceStats: (lane, { uuid, device }) =>
    onDomain(lane, uuid, async (d) => interfaceStats((await lane.call('virDomainInterfaceStats', d, device, 64)).outs[0]!)),
  domainAttachDevice: (lane, { uuid, xml, affect }) =>
    device(lane, uuid, 'virDomainAttachDeviceFlags', { xml, flags: affects[affect] }),
  domainDetachDevice: (lane, { uuid, xml, affect }) =>
    device(lane, uuid, 'virDomainDetachDeviceFlags', { xml, flags: affects[affect] }),
  domainChangeMedia: (lane, { uuid, xml, affect }) =>
    device(lane, uuid, 'virDomainUpdateDeviceFlags', { xml, flags: affects[affect] | FORCE }),
  ...blockOperations,
  domainGetMetadata: (lane, { uuid, uri, affect }) => onDomain(lane, uuid, (domain) => metadata(lane, domain, uri, affect)),
  domainSetMetadata: (lane, { uuid, uri, prefix, xml, affect }) =>
    onDomain(lane, uuid, async (domain) => {
      await lane.call('virDomainSetMetadata', domain, METADATA_ELEMENT, xml, prefix, uri, affects[affect ?? 'current'])
      return null
    }),
}
