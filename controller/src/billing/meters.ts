/** What a row of the graph uses up, as it stands: which quantity, of whose account. Pure. */
import type { PricedItem, Row } from '@skerry/contract'
import type { Graph } from '@skerry/graph'
import { ownerOf } from '../identity/whose.ts'

export interface Meter {
  item: PricedItem
  /** of the VM for what belongs to a guest, else of the volume or snapshot itself */
  resourceUuid: string
  resourceName: string
  accountUuid: string
  /** CPUs, bytes or addresses */
  quantity: number
}

type Read = (graph: Graph, row: Readonly<Row>) => Omit<Meter, 'accountUuid' | 'resourceUuid' | 'resourceName'>[]

/** A guest uses what it keeps from others: CPUs and memory for as long as it has its host, whatever it does there. */
const ofVm: Read = (_graph, vm) =>
  typeof vm['hostUuid'] === 'string'
    ? [
        { item: 'cpu', quantity: vm['cpuNum'] as number },
        { item: 'memory', quantity: vm['memorySize'] as number },
      ]
    : []

/** From its first byte until it is deleted; one that waits to be expunged costs nothing, because nobody can use it. */
const ofVolume: Read = (_graph, volume) =>
  volume['status'] === 'Ready' && (volume['type'] === 'Root' || volume['type'] === 'Data')
    ? [{ item: volume['type'] === 'Root' ? 'rootVolume' : 'dataVolume', quantity: volume['size'] as number }]
    : []

const ofSnapshot: Read = (graph, snapshot) =>
  snapshot['status'] === 'Ready' && graph.get('volume', snapshot['volumeUuid'] as string)?.['status'] === 'Ready'
    ? [{ item: 'snapShot', quantity: snapshot['size'] as number }]
    : []

/** An address of a guest on a public network, whether the guest runs or not: it keeps it. */
const ofAddress: Read = (graph, used) =>
  graph.get('l3Network', used['l3NetworkUuid'] as string)?.['category'] === 'Public' ? [{ item: 'publicIp', quantity: 1 }] : []

interface Kind {
  read: Read
  /** whose uuid and name a bill shows */
  named(graph: Graph, row: Readonly<Row>): Readonly<Row> | undefined
}

const itself = (_graph: Graph, row: Readonly<Row>) => row
const ofNic = (graph: Graph, used: Readonly<Row>) => {
  const nic = graph.get('vmNic', String(used['vmNicUuid']))
  return nic && graph.get('vmInstance', nic['vmInstanceUuid'] as string)
}

const kinds: Readonly<Record<string, Kind>> = {
  vmInstance: { read: ofVm, named: itself },
  volume: { read: ofVolume, named: itself },
  volumeSnapshot: { read: ofSnapshot, named: itself },
  usedIp: { read: ofAddress, named: ofNic },
}

export const meteredTables = Object.keys(kinds)

/** Rows of other tables whose meters follow from this one: [table, index field]. */
const followers: Readonly<Record<string, readonly (readonly [string, string])[]>> = {
  volume: [['volumeSnapshot', 'volumeUuid']],
  vmInstance: [['vmNic', 'vmInstanceUuid']],
  vmNic: [['usedIp', 'vmNicUuid']],
  l3Network: [['usedIp', 'l3NetworkUuid']],
}

/** The row and all whose meters may have moved with it: [table, key]. */
export function affected(graph: Graph, table: string, key: string): [string, string][] {
  const own: [string, string][] = table in kinds ? [[table, key]] : []
  const others = (followers[table] ?? []).flatMap(([of, field]) =>
    [...graph.by(of, field, key)].flatMap((follower) => affected(graph, of, follower)),
  )
  return [...own, ...others]
}

/** What the row with that key uses up; nothing where there is none. */
export function metersOf(graph: Graph, table: string, key: string): Meter[] {
  const kind = kinds[table]
  const row = graph.get(table, key)
  const shown = kind && row && kind.named(graph, row)
  if (!shown) return []
  const owner = ownerOf(graph, table, row)
  if (typeof owner !== 'object') return []
  const whose = {
    accountUuid: owner.account,
    resourceUuid: shown['uuid'] as string,
    resourceName: (shown['name'] as string | null | undefined) ?? '',
  }
  return kind.read(graph, row).map((meter) => ({ ...meter, ...whose }))
}
