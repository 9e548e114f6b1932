/**
 * How far hosts and storage may be filled, by the names of ZStack's configuration and with its defaults (zstack-core §3.14,
 * Appendix B). Pure. Ratios and reserves become limits of counters, so a changed one holds from the next commit on, and nothing
 * has to be counted anew.
 */
import { type ConfigKey, type Row, sizeOfText } from '@skerry/contract'
import type { Graph } from '@skerry/graph'
import { configText, configValue } from '../configs/value.ts'

const THRESHOLD = 'primaryStorage.primaryStorage.used.physicalCapacity.forecast.threshold'

/** Whose tags reserve memory, and the setting that says whether they do. The first that has one wins. */
const levels = [
  ['hostAllocator.reservedCapacity.hostLevel', 'uuid', 'reservedMemory::'],
  ['hostAllocator.reservedCapacity.clusterLevel', 'clusterUuid', 'host::reservedMemory::'],
  ['hostAllocator.reservedCapacity.zoneLevel', 'zoneUuid', 'host::reservedMemory::'],
] as const

export interface PlaceSettings {
  /** Memory of a host that its VMs never get: bytes. */
  reservedMemory(host: Readonly<Row>): number
  /** How low `availableMemoryCapacity` may get: above 0 what is reserved, below 0 what is promised twice. */
  memoryFloor(host: Readonly<Row>): number
  /** The same for `availableCapacity` of a host's part of a primary storage. */
  diskFloor(part: Readonly<Row>): number
  /** Physical bytes that must stay free there before more is promised than there is. */
  physicalFloor(part: Readonly<Row>): number
  cpuRatio(host: Readonly<Row>): number
  /** Whether a VM that is bound to hosts or clusters may start elsewhere when they have no room. */
  bindingIsSoft(): boolean
}

/** The size that a tag of this resource gives after its prefix. */
function taggedSize(graph: Graph, resourceUuid: unknown, prefix: string): number | undefined {
  for (const key of graph.by('tag', 'resourceUuid', resourceUuid)) {
    const text = graph.get('tag', key)?.['tag']
    if (typeof text !== 'string' || !text.startsWith(prefix)) continue
    const size = sizeOfText(text.slice(prefix.length))
    if (size !== undefined) return size
  }
  return undefined
}

/** A setting read once for all hosts where none has its own: most sites' are so, and thousands of hosts ask. */
function reader(graph: Graph): (key: ConfigKey, of: () => readonly string[]) => number {
  const site = new Map<ConfigKey, number | undefined>()
  return (key, of) => {
    if (!site.has(key)) site.set(key, graph.countBy('resourceConfig', 'key', key) === 0 ? configValue(graph, key) : undefined)
    return site.get(key) ?? configValue(graph, key, of())
  }
}

/** Settings as the graph has them now: not to be kept over a commit. */
export function settingsOf(graph: Graph): PlaceSettings {
  const read = reader(graph)
  const places = (host: Readonly<Row>) => () => ['uuid', 'clusterUuid', 'zoneUuid'].map((field) => host[field] as string)
  const storageOf = (part: Readonly<Row>) => () => [part['primaryStorageUuid'] as string]
  let tagged: readonly (typeof levels)[number][] | undefined
  const reservedMemory = (host: Readonly<Row>) => {
    tagged ??= levels.filter(([level]) => configText(graph, level) === 'true')
    for (const [, field, prefix] of tagged) {
      const size = taggedSize(graph, host[field], prefix)
      if (size !== undefined) return size
    }
    return read('kvm.reservedMemory', places(host))
  }
  const beyond = (ratio: number, total: unknown) => Math.floor((ratio - 1) * ((total as number | undefined) ?? 0))
  const diskRatio = (part: Readonly<Row>) => read('mevoco.overProvisioning.primaryStorage', storageOf(part))
  return {
    reservedMemory,
    memoryFloor: (host) =>
      reservedMemory(host) - beyond(read('mevoco.overProvisioning.memory', places(host)), host['totalMemoryCapacity']),
    diskFloor: (part) =>
      read('primaryStorage.reservedCapacity', storageOf(part)) - beyond(diskRatio(part), part['totalCapacity']),
    physicalFloor: (part) =>
      diskRatio(part) <= 1
        ? Number.NEGATIVE_INFINITY
        : (1 - read(THRESHOLD, storageOf(part))) * (part['totalPhysicalCapacity'] as number),
    cpuRatio: (host) => read('host.cpu.overProvisioning.ratio', places(host)),
    bindingIsSoft: () => configText(graph, 'vm.resourceBinding.strategy') === 'Soft',
  }
}
