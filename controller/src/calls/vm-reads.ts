/** What can be done with a VM or a volume, and what a VM was told: read from the graph. Nothing changes. */
import { PREFIX, type Resource, type Row, resources, routes, SkerryError } from '@skerry/contract'
import type { Graph } from '@skerry/graph'
import { bootOrderOf } from '../desired/boot-order.ts'
import { guestTags } from '../desired/seed.ts'
import type { Call } from '../engine/port.ts'
import { render } from '../inventory/index.ts'
import { needReach } from '../workflows/vm.nic.check.ts'
import { chooseFor } from '../workflows/volume.attach.ts'
import { qosOf } from '../workflows/volume.limits.ts'
import { need } from '../workflows/world.ts'

export interface VmReadPorts {
  /** all of it: whether two resources can come together depends on what the caller may not see */
  graph: Graph
  /** what the caller sees of it */
  seen: Graph
  /** of the console proxy */
  address: { hostname: string; port: number; scheme: string }
}

export function vmReads({ graph, seen, address }: VmReadPorts): Record<string, (call: Call) => Row> {
  return {
    GetVmConsoleAddress: ({ params }) => consoleAddress(seen, params['uuid'], address),
    GetVmHostname: ({ params }) => {
      const { hostname } = told(seen, params['uuid'])
      return hostname === undefined ? {} : { hostname }
    },
    GetVmSshKey: ({ params }) => {
      const { sshKeys } = told(seen, params['uuid'])
      return sshKeys.length > 0 ? { sshKey: sshKeys.join('\n') } : {}
    },
    GetVmBootOrder: ({ params }) => ({ orders: bootOrderOf(need(seen, 'vmInstance', params['uuid'])) }),
    GetVmCapabilities: ({ params }) => ({ capabilities: capabilities(seen, params['uuid']) }),
    GetVmsCapabilities: ({ params }) => ({
      vmsCaps: Object.fromEntries((params['vmUuids'] as string[]).map((uuid) => [uuid, capabilities(seen, uuid)])),
    }),
    GetVolumeCapabilities: ({ params }) => {
      need(seen, 'volume', params['uuid'])
      // Local disks are not moved between hosts.
      return { capabilities: { MigrationInCurrentPrimaryStorage: false, MigrationToOtherPrimaryStorage: false } }
    },
    GetVolumeQos: ({ params }) => qosShown(need(seen, 'volume', params['uuid'])),
    GetVmAttachableDataVolume: ({ params }) => {
      const vm = need(seen, 'vmInstance', params['vmInstanceUuid'])['uuid']
      return found(seen, resources.volume, seen.by('volume', 'type', 'Data'), (volume) => chooseFor(graph, volume, vm))
    },
    GetDataVolumeAttachableVm: ({ params }) => {
      const volume = need(seen, 'volume', params['volumeUuid'])['uuid']
      return found(seen, resources.vmInstance, keys(seen, 'vmInstance'), (vm) => chooseFor(graph, volume, vm))
    },
    GetVmAttachableL3Network: ({ params }) => {
      const vm = need(seen, 'vmInstance', params['vmInstanceUuid'])['uuid']
      return found(seen, resources.l3Network, keys(seen, 'l3Network'), (l3) => needReach(graph, vm, l3))
    },
  }
}

function capabilities(graph: Graph, uuid: unknown): Row {
  need(graph, 'vmInstance', uuid)
  return { LiveMigration: false, VolumeMigration: false, Reimage: false, MemorySnapshot: false }
}

/** -1: as fast as it is. */
function qosShown(volume: Readonly<Row>): Row {
  const { totalBytesPerSec, readBytesPerSec, writeBytesPerSec, totalIops, readIops, writeIops } = qosOf(volume)
  return {
    volumeUuid: volume['uuid'],
    volumeBandwidth: totalBytesPerSec ?? -1,
    volumeBandwidthRead: readBytesPerSec ?? -1,
    volumeBandwidthWrite: writeBytesPerSec ?? -1,
    iopsTotal: totalIops ?? -1,
    iopsRead: readIops ?? -1,
    iopsWrite: writeIops ?? -1,
  }
}

const keys = (graph: Graph, table: string): string[] => [...graph.rows(table)].map(([key]) => key)

/** What tags tell the guest; all of it empty where none does. */
const told = (graph: Graph, vmUuid: unknown) =>
  guestTags(graph, need(graph, 'vmInstance', vmUuid)) ?? { hostname: undefined, sshKeys: [], userData: null }

/** The rows for which `check` throws nothing that says why not. */
function found(graph: Graph, resource: Resource, uuids: Iterable<string>, check: (uuid: string) => unknown): Row {
  const rows = [...uuids].filter((uuid) => {
    try {
      check(uuid)
      return true
    } catch (error) {
      if (error instanceof SkerryError) return false
      throw error
    }
  })
  return { inventories: rows.map((uuid) => render(graph, resource, graph.get(resource.name, uuid)!)) }
}

function consoleAddress(graph: Graph, uuid: unknown, { hostname, port }: VmReadPorts['address']): Row {
  const vm = need(graph, 'vmInstance', uuid)
  if (vm['state'] !== 'Running')
    throw new SkerryError('vm-illegal-state', `VM instance ${vm['name']} is ${vm['state']}: only a running one has a console`, {
      uuid,
      state: vm['state'],
      allowed: ['Running'],
    })
  const path = `${PREFIX.own}${routes.console.replace('{token}', '')}`
  return { hostIp: hostname, port, path, protocol: 'vnc', vdiPortInfo: { vncPort: port } }
}
