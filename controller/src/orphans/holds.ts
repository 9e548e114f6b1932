/**
 * What an orphan uses of what the graph gives away: CPUs, memory, disk, addresses, MACs. It is taken when the orphan is found, so
 * that nobody else gets it, and given back when it goes. Pure.
 */
import {
  bridgeName,
  flatRouter,
  type kvmDesired,
  type Op,
  type OrphanHolds,
  type Row,
  type storageDesired,
  type vrouterDesired,
} from '@skerry/contract'
import type { Graph } from '@skerry/graph'
import { ipToLong, rangesOf, usedIpKey } from '../place/address.ts'

export interface Known {
  noun: string
  /** its document's spec; null: no agent holds one */
  spec: Row | null
  observed: Row
}

const NOTHING: OrphanHolds = { cpuNum: 0, memoryBytes: 0, poolUuid: null, diskBytes: 0, addresses: [], macs: [] }
const isOn = ({ spec, observed }: Known) =>
  ['Running', 'Paused'].includes(observed['power'] as string) || (spec as kvmDesired.VmSpec | null)?.power.state === 'Running'

/** The range of an L3 network that an address is in. */
export function rangeOf(graph: Graph, l3NetworkUuid: string, ip: string): Row | undefined {
  const long = ipToLong(ip)
  for (const range of rangesOf(graph, l3NetworkUuid)) {
    if (long >= ipToLong(range['startIp'] as string) && long <= ipToLong(range['endIp'] as string)) return range
  }
  return undefined
}

/** The network behind a card: the one on this bridge with a range that holds the address. */
export function networkOfCard(graph: Graph, card: { bridge: string; ip: string }): string | undefined {
  for (const [l2] of graph.rows('l2Network')) {
    if (bridgeName(l2) !== card.bridge) continue
    for (const l3 of graph.by('l3Network', 'l2NetworkUuid', l2)) if (rangeOf(graph, l3, card.ip)) return l3
  }
  return undefined
}

export function holdsOf(graph: Graph, known: Known): OrphanHolds {
  const { noun, spec } = known
  if (spec === null) return NOTHING
  if (noun === 'vm') {
    const { cpuNum, memoryBytes, nics } = spec as kvmDesired.VmSpec
    const addresses = nics.flatMap((nic) => {
      const l3NetworkUuid = networkOfCard(graph, nic)
      return l3NetworkUuid ? [{ l3NetworkUuid, ip: nic.ip }] : []
    })
    const power = isOn(known) ? { cpuNum, memoryBytes } : {}
    return { ...NOTHING, ...power, addresses, macs: nics.map((nic) => nic.mac) }
  }
  if (noun === 'lease') {
    const { routerUuid, mac, ip, ip6 } = spec as vrouterDesired.LeaseSpec
    const l3NetworkUuid = [routerUuid, flatRouter(routerUuid)].find((uuid) => graph.get('l3Network', uuid))
    const addresses = l3NetworkUuid ? [ip, ...(ip6 ? [ip6] : [])].map((one) => ({ l3NetworkUuid, ip: one })) : []
    return { ...NOTHING, addresses, macs: [mac] }
  }
  if (noun !== 'volume') return NOTHING
  const { poolUuid, sizeBytes } = spec as storageDesired.VolumeSpec
  return { ...NOTHING, poolUuid, diskBytes: sizeBytes }
}

/** While it is on it takes of its host, whoever made it. Its MACs are kept, so that no card of ours answers to the same. */
export function holdsOfOutside({ cpuNum, memoryBytes, macs }: kvmDesired.OutsideVm, { power }: Row): OrphanHolds {
  return { ...NOTHING, ...(['Running', 'Paused'].includes(power as string) ? { cpuNum, memoryBytes } : {}), macs }
}

/** Takes (`sign` −1) or gives back (+1) the capacity of one orphan. What isn't in the graph has nothing to count. */
export function countOps(graph: Graph, row: Readonly<Row>, sign: 1 | -1): Op[] {
  const { cpuNum, memoryBytes, poolUuid, diskBytes } = row['holds'] as OrphanHolds
  const hostUuid = row['hostUuid'] as string | null
  const ops: Op[] = []
  const add = (t: string, k: string, field: string, by: number) => {
    if (by !== 0 && graph.get(t, k)) ops.push({ o: 'add', t, k, field, delta: sign * by })
  }
  if (hostUuid === null) return ops
  add('host', hostUuid, 'availableCpuCapacity', cpuNum)
  add('host', hostUuid, 'availableMemoryCapacity', memoryBytes)
  if (poolUuid !== null && graph.get('localStorageHost', `${poolUuid}:${hostUuid}`)) {
    add('localStorageHost', `${poolUuid}:${hostUuid}`, 'availableCapacity', diskBytes)
    add('primaryStorage', poolUuid, 'availableCapacity', diskBytes)
  }
  return ops
}

export const FOR_ORPHAN = 'orphan'

/** Brings the addresses and MACs that are kept for orphans in line with these orphans: all that there will be, and those that went. */
export function addressOps(graph: Graph, after: readonly Readonly<Row>[], gone: readonly Readonly<Row>[], now: number): Op[] {
  const ops: Op[] = []
  const wantedIps = new Set<string>()
  const wantedMacs = new Set<string>()
  for (const row of after) {
    const { addresses, macs } = row['holds'] as OrphanHolds
    for (const { l3NetworkUuid, ip } of addresses) {
      const key = usedIpKey(l3NetworkUuid, ip)
      const first = !wantedIps.has(key)
      wantedIps.add(key)
      const range = rangeOf(graph, l3NetworkUuid, ip)
      if (first && range && !graph.get('usedIp', key))
        ops.push({ o: 'put', t: 'usedIp', k: key, v: addressRow(row['uuid'] as string, { ip, range, now }) })
    }
    for (const mac of macs) {
      const first = !wantedMacs.has(mac)
      wantedMacs.add(mac)
      if (first && !graph.get('usedMac', mac))
        ops.push({ o: 'put', t: 'usedMac', k: mac, v: macRow(row['uuid'] as string, mac, now) })
    }
  }
  for (const row of gone) ops.push(...letGo(graph, row['holds'] as OrphanHolds, { wantedIps, wantedMacs }))
  return ops
}

/** Twice the same removal in one commit does no harm: the graph refuses only what was never there, so it is made once. */
function letGo(graph: Graph, holds: OrphanHolds, o: { wantedIps: Set<string>; wantedMacs: Set<string> }): Op[] {
  const ops: Op[] = []
  for (const { l3NetworkUuid, ip } of holds.addresses) {
    const key = usedIpKey(l3NetworkUuid, ip)
    if (o.wantedIps.has(key) || graph.get('usedIp', key)?.['usedFor'] !== FOR_ORPHAN) continue
    o.wantedIps.add(key)
    ops.push({ o: 'del', t: 'usedIp', k: key })
  }
  for (const mac of holds.macs) {
    if (o.wantedMacs.has(mac) || graph.get('usedMac', mac)?.['usedFor'] !== FOR_ORPHAN) continue
    o.wantedMacs.add(mac)
    ops.push({ o: 'del', t: 'usedMac', k: mac })
  }
  return ops
}

function addressRow(orphanUuid: string, { ip, range, now }: { ip: string; range: Row; now: number }): Row {
  const { l3NetworkUuid, uuid: ipRangeUuid, netmask, gateway } = range
  return {
    uuid: orphanUuid,
    name: ip,
    ...{ l3NetworkUuid, ipRangeUuid, ip, ipInLong: ipToLong(ip), netmask, gateway, ipVersion: 4 },
    usedFor: FOR_ORPHAN,
    vmNicUuid: null,
    createDate: now,
    lastOpDate: now,
  }
}

const macRow = (orphanUuid: string, mac: string, now: number): Row => ({
  uuid: orphanUuid,
  name: mac,
  vmNicUuid: null,
  usedFor: FOR_ORPHAN,
  createDate: now,
  lastOpDate: now,
})
