/** VM instance → domain on its host, or, while it is stopped, on the host that ran it last. */
import { bridgeName, type kvmDesired, type Row, tapName, volumePath } from '@skerry/contract'
import type { Graph } from '@skerry/graph'
import { agentOn } from './agents-of.ts'
import type { Projection } from './projection.ts'

/** How long a guest may take to power itself off before its power is cut. */
export const GRACE_MS = 60_000

const hostOf = (vm: Row) => (vm['hostUuid'] ?? vm['lastHostUuid']) as string | null

function disks(graph: Graph, vmUuid: string, rootVolumeUuid: unknown): kvmDesired.VmSpec['disks'] {
  const rows = [...graph.by('volume', 'vmInstanceUuid', vmUuid)].map((k) => graph.get('volume', k)!)
  rows.sort((a, b) => (a['deviceId'] as number) - (b['deviceId'] as number))
  return rows.map((volume, i) => {
    const pool = graph.get('primaryStorage', volume['primaryStorageUuid'] as string)?.['url'] as string
    const format = volume['format'] as 'qcow2' | 'raw'
    return {
      volumeUuid: volume['uuid'] as string,
      path: volumePath(pool, volume['uuid'] as string, format),
      format,
      target: `vd${String.fromCharCode(97 + i)}`,
      boot: volume['uuid'] === rootVolumeUuid,
    }
  })
}

function nics(graph: Graph, vmUuid: string): kvmDesired.VmSpec['nics'] {
  const rows = [...graph.by('vmNic', 'vmInstanceUuid', vmUuid)].map((k) => graph.get('vmNic', k)!)
  rows.sort((a, b) => (a['deviceId'] as number) - (b['deviceId'] as number))
  return rows.map((nic) => {
    const l2 = graph.get('l3Network', nic['l3NetworkUuid'] as string)?.['l2NetworkUuid'] as string
    const uuid = nic['uuid'] as string
    return { nicUuid: uuid, mac: nic['mac'] as string, bridge: bridgeName(l2), tap: tapName(uuid), ip: nic['ip'] as string }
  })
}

export const vms: Projection = {
  noun: 'vm',
  kind: 'kvm',
  touchedBy: {
    vmInstance: (row) => [row['uuid'] as string],
    volume: (row) => (typeof row['vmInstanceUuid'] === 'string' ? [row['vmInstanceUuid']] : []),
    vmNic: (row) => [row['vmInstanceUuid'] as string],
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
    const spec: kvmDesired.VmSpec = {
      name: vm['name'] as string,
      cpuNum: vm['cpuNum'] as number,
      memoryBytes: vm['memorySize'] as number,
      disks: disks(graph, uuid, vm['rootVolumeUuid']),
      nics: nics(graph, uuid),
      power: {
        state: vm['power'] as 'Running' | 'Stopped',
        cause: vm['powerCause'] as string,
        mode: vm['powerMode'] === 'cold' ? 'cold' : 'grace',
        graceMs: GRACE_MS,
      },
      placementEpoch: vm['placementEpoch'] as number,
      autonomy: 'local',
    }
    return spec
  },
}
