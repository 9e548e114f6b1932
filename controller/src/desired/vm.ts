/** VM instance → domain on its host, or, while it is stopped, on the host that ran it last. */
import { bridgeName, diskTarget, type kvmDesired, type Row, tapName, volumePath } from '@skerry/contract'
import type { Graph } from '@skerry/graph'
import { agentOn } from './agents-of.ts'
import { bootOrderOf } from './boot-order.ts'
import { isGuarded } from './nic-security.ts'
import type { Projection } from './projection.ts'
import { seededIn, seedOf } from './seed.ts'

/** How long a guest may take to power itself off before its power is cut. */
export const GRACE_MS = 60_000

const hostOf = (vm: Row) => (vm['hostUuid'] ?? vm['lastHostUuid']) as string | null

function disks(graph: Graph, vmUuid: string, rootVolumeUuid: unknown): kvmDesired.VmSpec['disks'] {
  const all = [...graph.by('volume', 'vmInstanceUuid', vmUuid)].map((k) => graph.get('volume', k)!)
  const rows = all.filter((v) => v['status'] === 'Ready' && !v['detaching'])
  rows.sort((a, b) => (a['deviceId'] as number) - (b['deviceId'] as number))
  return rows.map((volume) => {
    const pool = graph.get('primaryStorage', volume['primaryStorageUuid'] as string)?.['url'] as string
    const format = volume['format'] as 'qcow2' | 'raw'
    return {
      volumeUuid: volume['uuid'] as string,
      path: (volume['installPath'] as string | null) ?? volumePath(pool, volume['uuid'] as string, format),
      format,
      target: diskTarget(volume['deviceId'] as number),
      boot: volume['uuid'] === rootVolumeUuid,
      ...(volume['qos'] ? { qos: volume['qos'] as kvmDesired.VolumeQos } : {}),
    }
  })
}

function nics(graph: Graph, vmUuid: string): kvmDesired.VmSpec['nics'] {
  const all = [...graph.by('vmNic', 'vmInstanceUuid', vmUuid)].map((k) => graph.get('vmNic', k)!)
  const rows = all.filter((nic) => !nic['unplugged'])
  rows.sort((a, b) => (a['deviceId'] as number) - (b['deviceId'] as number))
  return rows.map((nic) => {
    const l2 = graph.get('l3Network', nic['l3NetworkUuid'] as string)?.['l2NetworkUuid'] as string
    const uuid = nic['uuid'] as string
    const card = { nicUuid: uuid, mac: nic['mac'] as string, bridge: bridgeName(l2), tap: tapName(uuid), ip: nic['ip'] as string }
    return isGuarded(graph, nic) ? { ...card, guarded: true } : card
  })
}

/** An installer's drive needs a driver in its guest: kernels for clouds have none for SATA, Windows none for virtio. */
function cdrom(graph: Graph, vm: Readonly<Row>): NonNullable<kvmDesired.VmSpec['cdrom']> {
  const [key] = graph.by('vmCdRom', 'vmInstanceUuid', vm['uuid'])
  const drive = key === undefined ? undefined : graph.get('vmCdRom', key)
  const path = drive?.['inserted'] ? (drive['isoInstallPath'] as string) : null
  return { path, bus: ['Linux', 'Paravirtualization'].includes(vm['platform'] as string) ? 'scsi' : 'sata' }
}

export const vms: Projection = {
  noun: 'vm',
  kind: 'kvm',
  touchedBy: {
    vmInstance: (row) => [row['uuid'] as string],
    volume: (row) => (typeof row['vmInstanceUuid'] === 'string' ? [row['vmInstanceUuid']] : []),
    vmNic: (row) => [row['vmInstanceUuid'] as string],
    vmNicSecurityGroupRef: (row) => [row['vmInstanceUuid'] as string],
    vmCdRom: (row) => [row['vmInstanceUuid'] as string],
    tag: (row) => (row['resourceType'] === 'VmInstanceVO' ? [row['resourceUuid'] as string] : []),
    sshKeyPair: (row) => row['vmInstanceUuids'] as string[],
    l3Network: (row, graph) => seededIn(graph, row['uuid'] as string),
    agent: (row, graph) =>
      typeof row['hostUuid'] === 'string'
        ? [...graph.by('vmInstance', 'hostUuid', row['hostUuid']), ...graph.by('vmInstance', 'lastHostUuid', row['hostUuid'])]
        : [],
  },
  agents(graph, uuid) {
    const vm = graph.get('vmInstance', uuid)
    if (!vm || ['Created', 'Destroyed', 'Expunging'].includes(vm['state'] as string)) return []
    const root = graph.get('volume', (vm['rootVolumeUuid'] as string | null) ?? '')
    if (root?.['status'] !== 'Ready') return []
    const agent = agentOn(graph, hostOf(vm as Row), 'kvm')
    return agent ? [agent] : []
  },
  spec(graph, uuid): Row {
    const vm = graph.get('vmInstance', uuid)!
    const seed = seedOf(graph, vm)
    const spec: kvmDesired.VmSpec = {
      name: vm['name'] as string,
      cpuNum: vm['cpuNum'] as number,
      memoryBytes: vm['memorySize'] as number,
      disks: disks(graph, uuid, vm['rootVolumeUuid']),
      nics: nics(graph, uuid),
      cdrom: cdrom(graph, vm),
      power: {
        state: vm['power'] as 'Running' | 'Stopped',
        cause: vm['powerCause'] as string,
        mode: vm['powerMode'] === 'cold' ? 'cold' : 'grace',
        graceMs: GRACE_MS,
        ...(vm['pauseOrder'] ? { pause: { paused: vm['paused'] === true, order: vm['pauseOrder'] as number } } : {}),
      },
      ...(vm['bootOrder'] ? { bootOrder: [...bootOrderOf(vm)] } : {}),
      placementEpoch: vm['placementEpoch'] as number,
      autonomy: 'local',
      ...(seed ? { seed } : {}),
    }
    return spec
  },
}
