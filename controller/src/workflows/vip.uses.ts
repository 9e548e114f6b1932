/**
 * What VIPs are used for: rows of EIPs and of rules of port forwarding, and what a VIP's own row says of them. Pure. A use and its VIP
 * change in one commit; where cards go without a call about a VIP, `endUses` brings both in line.
 */
import type { Op, Row } from '@skerry/contract'
import type { Graph } from '@skerry/graph'
import { usedIpKey } from '../place/address.ts'

export const useTables = ['eip', 'portForwardingRule'] as const
export type UseTable = (typeof useTables)[number]
export const serviceOf = { eip: 'Eip', portForwardingRule: 'PortForwarding' } as const

export interface Use {
  table: UseTable
  row: Readonly<Row>
}

export const usesOf = (graph: Graph, vipUuid: unknown): Use[] =>
  useTables.flatMap((table) => [...graph.by(table, 'vipUuid', vipUuid)].sort().map((k) => ({ table, row: graph.get(table, k)! })))

/** What a VIP's row says of its uses. A VIP is behind one router, so all its guests are in one network. */
export function vipFields(graph: Graph, vip: Readonly<Row>, uses: readonly Use[]): Row {
  const nic = uses.map(({ row }) => graph.get('vmNic', (row['vmNicUuid'] as string | null) ?? '')).find((found) => found)
  const served = (nic?.['l3NetworkUuid'] as string | undefined) ?? null
  return {
    useFor: uses[0] ? serviceOf[uses[0].table] : null,
    servedL3Uuid: served,
    peerL3NetworkUuids: served ? [served] : [],
    serviceProvider: served ? 'vrouter' : null,
    servicesRefs: uses.map(({ table, row }) => ({
      uuid: row['uuid'],
      serviceType: serviceOf[table],
      vipUuid: vip['uuid'],
      createDate: row['createDate'],
      lastOpDate: row['createDate'],
    })),
  }
}

/** The VIP's row when one of its uses is as given, or gone (null). */
export function vipAfter(graph: Graph, vip: Readonly<Row>, use: { table: UseTable; uuid: string; row: Row | null }): Row {
  const others = usesOf(graph, vip['uuid']).filter(({ row }) => row['uuid'] !== use.uuid)
  const now = use.row ? [...others, { table: use.table, row: use.row }] : others
  return vipFields(graph, vip, now.sort(byUuid))
}
const byUuid = (a: Use, b: Use) => (String(a.row['uuid']) < String(b.row['uuid']) ? -1 : 1)

/** Keys of a table's rows that go in the same commit. */
type Gone = (table: string) => ReadonlySet<string>

/** What stays of VIPs and their uses when cards, uses or VIPs go: detached, unused, and the address given back. */
export function endUses(graph: Graph, gone: Gone): Op[] {
  const detached = useTables.flatMap((table) =>
    [...gone('vmNic')]
      .flatMap((nic) => [...graph.by(table, 'vmNicUuid', nic)])
      .filter((k) => !gone(table).has(k))
      .map((k) => ({ table, k })),
  )
  const loose = new Set(detached.map(({ k }) => k))
  const touched = [...detached, ...useTables.flatMap((table) => [...gone(table)].map((k) => ({ table, k })))]
  const vips = new Set(touched.map(({ table, k }) => graph.get(table, k)?.['vipUuid'] as string))
  return [
    ...detached.map(({ table: t, k }): Op => ({ o: 'set', t, k, v: { vmNicUuid: null, guestIp: null } })),
    ...[...vips].flatMap((k): Op[] => {
      const vip = graph.get('vip', k)
      if (!vip || gone('vip').has(k)) return []
      const left = usesOf(graph, k)
        .filter(({ table, row }) => !gone(table).has(row['uuid'] as string))
        .map((use) => (loose.has(use.row['uuid'] as string) ? { ...use, row: { ...use.row, vmNicUuid: null } } : use))
      return [{ o: 'set', t: 'vip', k, v: vipFields(graph, vip, left) }]
    }),
    ...[...gone('vip')].flatMap((k): Op[] => {
      const vip = graph.get('vip', k)!
      const address = usedIpKey(vip['l3NetworkUuid'] as string, vip['ip'] as string)
      return graph.get('usedIp', address) && !gone('usedIp').has(address) ? [{ o: 'del', t: 'usedIp', k: address }] : []
    }),
  ]
}

/** Uses of VIPs that lead to a card. */
export const usesOfNic = (graph: Graph, nic: unknown): Use[] =>
  useTables.flatMap((table) => [...graph.by(table, 'vmNicUuid', nic)].map((k) => ({ table, row: graph.get(table, k)! })))

/** They follow their card when it is given another address. */
export const followAddress = (graph: Graph, nic: unknown, ip: string): Op[] =>
  usesOfNic(graph, nic).map(({ table: t, row }) => ({ o: 'set', t, k: row['uuid'] as string, v: { guestIp: ip } }))
