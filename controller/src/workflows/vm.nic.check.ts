/** Whether a VM can be given a card in a network. Pure. */
import { type Row, SkerryError } from '@skerry/contract'
import type { Graph } from '@skerry/graph'
import { checkHostname } from '../desired/host-names.ts'
import { ipToLong, isReserved, rangesOf, usedIpKey } from '../place/address.ts'
import { needVm } from './volume.attach.ts'
import { need, needEnabled } from './world.ts'

/** As many as a VM can be created with. */
export const MAX_NICS = 8

/** Cards of a VM in the order of their slots. */
export function nicsOf(graph: Graph, vmUuid: unknown): Readonly<Row>[] {
  const rows = [...graph.by('vmNic', 'vmInstanceUuid', vmUuid)].map((k) => graph.get('vmNic', k)!)
  return rows.sort((a, b) => (a['deviceId'] as number) - (b['deviceId'] as number))
}

/** The lowest slot that is free. Throws `illegal-state` when there is none. */
export function freeNicSlot(graph: Graph, vm: Readonly<Row>): number {
  const taken = new Set(nicsOf(graph, vm['uuid']).map((nic) => nic['deviceId']))
  for (let id = 0; id < MAX_NICS; id++) if (!taken.has(id)) return id
  throw new SkerryError('illegal-state', `VM instance ${vm['name']} has ${MAX_NICS} network cards, the most there can be`, {
    uuid: vm['uuid'],
    limit: MAX_NICS,
  })
}

/** Throws what stands in the way of these two coming together by one more card. */
export function needReach(graph: Graph, vmUuid: unknown, l3Uuid: unknown): void {
  needNetworkFor(graph, vmUuid, l3Uuid)
  freeNicSlot(graph, need(graph, 'vmInstance', vmUuid))
}

/** Throws what keeps a VM from being in that network. */
export function needNetworkFor(graph: Graph, vmUuid: unknown, l3Uuid: unknown): void {
  const vm = needVm(graph, vmUuid, 'attached')
  const l3 = needEnabled(graph, 'l3Network', l3Uuid)
  const about = { uuid: vmUuid, l3NetworkUuid: l3Uuid }
  if (nicsOf(graph, vmUuid).some((nic) => nic['l3NetworkUuid'] === l3Uuid))
    throw new SkerryError('in-use', `VM instance ${vm['name']} has a card in network ${l3['name']} already`, about)
  for (const tag of graph.by('tag', 'resourceUuid', vmUuid))
    checkHostname(graph, { tag: graph.get('tag', tag)!['tag'] as string, l3Uuids: [l3Uuid as string], vmUuid: vmUuid as string })
  const host = need(graph, 'host', need(graph, 'volume', vm['rootVolumeUuid'])['localHostUuid'])
  const l2 = need(graph, 'l2Network', l3['l2NetworkUuid'])
  if (!(l2['attachedClusterUuids'] as string[]).includes(host['clusterUuid'] as string))
    throw new SkerryError(
      'illegal-state',
      `network ${l3['name']} does not reach the cluster of VM instance ${vm['name']}: attach its L2 network there first`,
      { ...about, l2NetworkUuid: l2['uuid'], clusterUuid: host['clusterUuid'] },
    )
  const router = graph.get('agent', (l3['routerAgentUuid'] as string | null) ?? '')
  if (l2['physicalInterface'] === 'none' && router && router['hostUuid'] !== host['uuid'])
    throw new SkerryError(
      'illegal-state',
      `network ${l3['name']} has no uplink and lives on another host than VM instance ${vm['name']}`,
      {
        ...about,
        hostUuid: router['hostUuid'],
      },
    )
}

/** The address that a call asks for, with its range. Throws `invalid-argument` outside of all ranges, `in-use` where somebody has it. */
export function fixedAddress(graph: Graph, l3: Readonly<Row>, ip: string, field = 'staticIp'): { ip: string; range: Row } {
  const ranges = rangesOf(graph, l3['uuid'])
  const at = ipToLong(ip)
  const range = ranges.find((r) => at >= ipToLong(r['startIp'] as string) && at <= ipToLong(r['endIp'] as string))
  const about = { field, ip, l3NetworkUuid: l3['uuid'] }
  if (!range) throw new SkerryError('invalid-argument', `${ip} is in no range of network ${l3['name']}`, about)
  if (isReserved(graph, l3['uuid'], ip))
    throw new SkerryError('in-use', `${ip} in network ${l3['name']} is reserved: it is given to nobody`, about)
  // Not by whom: the network may be shared with other accounts.
  if (graph.get('usedIp', usedIpKey(l3['uuid'] as string, ip)))
    throw new SkerryError('in-use', `${ip} in network ${l3['name']} is in use`, about)
  return { ip, range }
}

/** Throws `invalid-argument` for what no card can have, `in-use` where somebody has it. */
export function needUsableMac(graph: Graph, mac: string, field: string): void {
  const group = (Number.parseInt(mac.slice(0, 2), 16) & 1) === 1
  if (group || mac === '00:00:00:00:00:00')
    throw new SkerryError('invalid-argument', `${mac} is no address of a single card: it is ${group ? 'a group' : 'nobody'}'s`, {
      field,
      mac,
    })
  if (graph.get('usedMac', mac)) throw new SkerryError('in-use', `MAC address ${mac} is in use`, { field, mac })
}
