/** From the documents that agents hold of a VM back to the rows that they were made from, under the same uuids. Pure. */
import {
  bridgeName,
  deviceIdOf,
  type Guard,
  type kvmDesired,
  type Op,
  type Row,
  SkerryError,
  type storageDesired,
  storePath,
  tapName,
} from '@skerry/contract'
import type { Graph } from '@skerry/graph'
import { ipToLong, usedIpKey } from '../place/address.ts'
import { oneFile } from '../workflows/volume.rows.ts'
import { adoptedSnapshots } from './adopt-snapshots.ts'
import { dropOrphans } from './find.ts'
import { FOR_ORPHAN, networkOfCard, rangeOf } from './holds.ts'

export interface Adoption {
  guards: Guard[]
  ops: Op[]
}

const cannot = (orphan: Readonly<Row>, because: string, details: Row = {}) =>
  new SkerryError('illegal-state', `cannot adopt ${orphan['noun']} ${orphan['name']}: ${because}`, {
    orphanUuid: orphan['uuid'],
    ...details,
  })

const advice: Record<string, string> = {
  bridge: 'create its L2 network again with --resource-uuid, and attach it: the bridge is then the network’s own',
  router: 'create its L3 network again with --resource-uuid, and its range and services: the router is then the network’s own',
  pool: 'add its storage again with --resource-uuid, and attach it: the folder is then the storage’s own',
  volume: 'no VM instance that anybody knows of has it',
  lease: 'no VM instance that anybody knows of has it',
}

/** Throws why this can't be adopted. */
export function needAdoptable(graph: Graph, orphan: Readonly<Row>): void {
  if (orphan['outside'] === true) return // its own check names all that hinders at once
  if (orphan['partOfUuid'] !== null) {
    const whole = graph.get('orphan', orphan['partOfUuid'] as string)
    throw cannot(orphan, `it is a part of VM ${whole?.['name']}: adopt that`, { adopt: orphan['partOfUuid'] })
  }
  if (orphan['noun'] !== 'vm')
    throw cannot(orphan, advice[orphan['noun'] as string] ?? 'only VM instances can be adopted', {
      resourceUuid: orphan['ownUuid'],
    })
  if (orphan['spec'] === null) throw cannot(orphan, 'its agent does not hold its document, so nobody knows what it was made from')
}

/** The parts of an orphaned VM that are orphans themselves. */
export const partsOf = (graph: Graph, orphanUuid: string): string[] => [...graph.by('orphan', 'partOfUuid', orphanUuid)]

/** What a VM and its volumes are, as documents say it. */
export interface Documents {
  spec: kvmDesired.VmSpec
  volumeOf(volumeUuid: string): storageDesired.VolumeSpec
}

/** Everything of a VM in one commit: its rows in, its orphans out. Throws `illegal-state`, `not-found`, `address-in-use`. */
export function adoption(graph: Graph, orphanUuid: string, now: number): Adoption {
  const orphan = graph.get('orphan', orphanUuid)!
  needAdoptable(graph, orphan)
  const spec = orphan['spec'] as unknown as kvmDesired.VmSpec
  return adoptionOf(graph, orphan, { spec, volumeOf: (uuid) => volumeSpec(graph, orphan, uuid) }, now)
}

/** As `adoption`, of what these documents say, whoever holds them. */
export function adoptionOf(graph: Graph, orphan: Readonly<Row>, { spec, volumeOf }: Documents, now: number): Adoption {
  const orphanUuid = orphan['uuid'] as string
  const at = placeOf(graph, orphan)
  const uuid = orphan['ownUuid'] as string
  const dropped = [orphanUuid, ...partsOf(graph, orphanUuid)]
  const disks = spec.disks.map((disk) => diskRow(graph, orphan, { disk, volume: volumeOf(disk.volumeUuid), at, now }))
  const cards = spec.nics.map((nic, i) => cardRows(graph, orphan, { nic, deviceId: i, now }))
  const root = disks.find((_, i) => spec.disks[i]?.boot) ?? disks[0]
  const vm = vmRow(graph, orphan, { spec, at, root, network: cards[0]?.card['l3NetworkUuid'] ?? null, now })
  const on = vm['hostUuid'] !== null
  const count = (t: string, k: string, field: string, delta: number): Op => ({ o: 'add', t, k, field, delta })
  return {
    guards: [
      ...dropped.map((k): Guard => ({ g: 'version', t: 'orphan', k, seq: graph.version('orphan', k)! })),
      { g: 'absent', t: 'vmInstance', k: uuid },
      ...disks.map((d): Guard => ({ g: 'absent', t: 'volume', k: d['uuid'] as string })),
      ...cards.map(({ card }): Guard => ({ g: 'absent', t: 'vmNic', k: card['uuid'] as string })),
    ],
    ops: [
      ...dropOrphans(graph, dropped, now),
      { o: 'put', t: 'vmInstance', k: uuid, v: vm },
      ...(on ? [count('host', at.hostUuid, 'availableCpuCapacity', -spec.cpuNum)] : []),
      ...(on ? [count('host', at.hostUuid, 'availableMemoryCapacity', -spec.memoryBytes)] : []),
      ...disks.flatMap((d): Op[] => [
        { o: 'put', t: 'volume', k: d['uuid'] as string, v: d },
        ...adoptedSnapshots(d, volumeOf(d['uuid'] as string), now),
        count('localStorageHost', `${d['primaryStorageUuid']}:${at.hostUuid}`, 'availableCapacity', -(d['size'] as number)),
        count('primaryStorage', d['primaryStorageUuid'] as string, 'availableCapacity', -(d['size'] as number)),
      ]),
      ...cards.flatMap((c): Op[] => c.ops),
    ],
  }
}

interface Place {
  hostUuid: string
  clusterUuid: string
  zoneUuid: string
}

function placeOf(graph: Graph, orphan: Readonly<Row>): Place {
  const hostUuid = orphan['hostUuid'] as string | null
  const host = graph.get('host', hostUuid ?? '')
  if (!hostUuid || !host)
    throw cannot(orphan, 'its host is not in the graph: add the host first', { agentUuid: orphan['agentUuid'] })
  const uuid = orphan['ownUuid'] as string
  if (graph.get('vmInstance', uuid)) throw cannot(orphan, 'there is a VM instance with its uuid', { uuid })
  return { hostUuid, clusterUuid: host['clusterUuid'] as string, zoneUuid: host['zoneUuid'] as string }
}

/** The document of a disk, held by the storage agent of the same host. */
function volumeSpec(graph: Graph, orphan: Readonly<Row>, volumeUuid: string): storageDesired.VolumeSpec {
  for (const key of graph.by('orphan', 'ownUuid', volumeUuid)) {
    const part = graph.get('orphan', key)!
    if (part['noun'] === 'volume' && part['hostUuid'] === orphan['hostUuid'] && part['spec'] !== null)
      return part['spec'] as unknown as storageDesired.VolumeSpec
  }
  throw cannot(orphan, `no storage agent of its host holds the document of its disk ${volumeUuid}: is it connected?`, {
    volumeUuid,
  })
}

type Disk = kvmDesired.VmSpec['disks'][number]

function diskRow(
  graph: Graph,
  orphan: Readonly<Row>,
  o: { disk: Disk; volume: storageDesired.VolumeSpec; at: Place; now: number },
): Row {
  const { disk, volume: spec, at, now } = o
  const storage = graph.get('primaryStorage', spec.poolUuid)
  if (!storage || !graph.get('localStorageHost', `${spec.poolUuid}:${at.hostUuid}`))
    throw cannot(orphan, `primary storage ${spec.poolUuid} of its disk is not attached to its host here: add it again first`, {
      primaryStorageUuid: spec.poolUuid,
    })
  const below = spec.backing
  const tail = below ? storePath('', below.sha256, below.format) : ''
  const type = disk.boot ? 'Root' : 'Data'
  return {
    uuid: disk.volumeUuid,
    name: `${type.toUpperCase()}-for-${String(orphan['name']).slice(0, 240)}`,
    description: null,
    createDate: now,
    lastOpDate: now,
    primaryStorageUuid: spec.poolUuid,
    vmInstanceUuid: orphan['ownUuid'],
    diskOfferingUuid: null,
    rootImageUuid: below?.imageUuid ?? null,
    installPath: spec.path,
    type,
    format: spec.format,
    size: spec.sizeBytes,
    actualSize: null,
    deviceId: deviceIdOf(disk.target),
    state: 'Enabled',
    status: 'Ready',
    isShareable: false,
    lastVmInstanceUuid: null,
    lastDetachDate: null,
    lastAttachDate: null,
    localHostUuid: at.hostUuid,
    qos: disk.qos ?? null,
    ...oneFile,
    backing: below ? { sha256: below.sha256, format: below.format, storePath: below.sourcePath.slice(0, -tail.length) } : null,
  }
}

type Nic = kvmDesired.VmSpec['nics'][number]

function cardRows(graph: Graph, orphan: Readonly<Row>, o: { nic: Nic; deviceId: number; now: number }): { card: Row; ops: Op[] } {
  const { nic, deviceId, now } = o
  const l3NetworkUuid = networkOfCard(graph, nic)
  const range = l3NetworkUuid ? rangeOf(graph, l3NetworkUuid, nic.ip) : undefined
  const l2 = graph.get('l3Network', l3NetworkUuid ?? '')?.['l2NetworkUuid'] as string | undefined
  if (!l3NetworkUuid || !range || !l2 || bridgeName(l2) !== nic.bridge || nic.tap !== tapName(nic.nicUuid))
    throw cannot(
      orphan,
      `the network of its card ${nic.mac} (${nic.ip} on ${nic.bridge}) is not in the graph: create it again first`,
      {
        ip: nic.ip,
        bridge: nic.bridge,
      },
    )
  const key = usedIpKey(l3NetworkUuid, nic.ip)
  for (const [table, k] of [
    ['usedIp', key],
    ['usedMac', nic.mac],
  ] as const) {
    const holder = graph.get(table, k)
    if (holder && holder['usedFor'] !== FOR_ORPHAN) {
      const used = `${table === 'usedIp' ? nic.ip : nic.mac} is in use`
      const details = { orphanUuid: orphan['uuid'], vmNicUuid: holder['vmNicUuid'] }
      throw new SkerryError(
        'address-in-use',
        `cannot adopt VM ${orphan['name']}: ${used}; delete what has it, or remove the orphan`,
        details,
      )
    }
  }
  const dates = { createDate: now, lastOpDate: now }
  const at = { l3NetworkUuid, ip: nic.ip, netmask: range['netmask'], gateway: range['gateway'], ipVersion: 4 }
  const uuid = nic.nicUuid
  const names = { uuid, name: `nic${deviceId}`, vmInstanceUuid: orphan['ownUuid'], internalName: nic.tap, deviceId }
  const card: Row = {
    ...{ ...names, ...at, mac: nic.mac },
    ...{ hypervisorType: 'KVM', driverType: 'virtio', type: 'VNIC', state: 'enable', unplugged: false },
    ...dates,
  }
  const address = { name: nic.ip, ...at, ipRangeUuid: range['uuid'], ipInLong: ipToLong(nic.ip), usedFor: null, vmNicUuid: uuid }
  const usedIp = { uuid: graph.get('usedIp', key)?.['uuid'] ?? uuid, ...address, ...dates }
  return {
    card,
    ops: [
      { o: 'put', t: 'usedIp', k: key, v: usedIp },
      { o: 'put', t: 'usedMac', k: nic.mac, v: { uuid, name: nic.mac, vmNicUuid: uuid, ...dates } },
      { o: 'put', t: 'vmNic', k: uuid, v: card },
    ],
  }
}

function vmRow(
  graph: Graph,
  orphan: Readonly<Row>,
  o: { spec: kvmDesired.VmSpec; at: Place; root: Row | undefined; network: unknown; now: number },
): Row {
  const { spec, at, root, now } = o
  const { power: seen } = orphan['observed'] as { power?: string }
  const on = seen === 'Running' || seen === 'Paused' || (seen === 'Unknown' && spec.power.state === 'Running')
  const image = graph.get('image', (root?.['rootImageUuid'] as string | null | undefined) ?? '')
  // A guest that is off though it should run powered itself off: it stays off.
  const wanted = on ? 'Running' : 'Stopped'
  const cause = spec.power.state === wanted ? spec.power.cause : 'adopted'
  return {
    uuid: orphan['ownUuid'],
    name: spec.name,
    description: null,
    createDate: now,
    lastOpDate: now,
    ...{ zoneUuid: at.zoneUuid, clusterUuid: at.clusterUuid },
    hostUuid: on ? at.hostUuid : null,
    lastHostUuid: at.hostUuid,
    imageUuid: root?.['rootImageUuid'] ?? null,
    instanceOfferingUuid: null,
    rootVolumeUuid: root?.['uuid'] ?? null,
    defaultL3NetworkUuid: o.network,
    platform: image?.['platform'] ?? 'Linux',
    architecture: image?.['architecture'] ?? null,
    type: 'UserVm',
    hypervisorType: 'KVM',
    cpuNum: spec.cpuNum,
    memorySize: spec.memoryBytes,
    reservedMemorySize: 0,
    cpuSpeed: 0,
    allocatorStrategy: 'LeastVmPreferredHostAllocatorStrategy',
    state: seen === 'Paused' ? 'Paused' : wanted,
    guestOsType: image?.['guestOsType'] ?? null,
    stateCause: null,
    placementEpoch: spec.placementEpoch,
    ...{ power: wanted, powerCause: cause, powerMode: spec.power.mode },
    bootOrder: spec.bootOrder ?? null,
    ...(spec.power.pause ? { paused: seen === 'Paused', pauseOrder: spec.power.pause.order } : {}),
    destroyedAt: null,
  }
}
