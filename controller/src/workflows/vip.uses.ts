/**
 * What VIPs are used for: rows of EIPs and of rules of port forwarding, and what a VIP's own row says of them. Pure. A use and its VIP
 * change in one commit; where cards go without a call about a VIP, `endUses` brings both in line.
 */
import type { Op, Row } from '@skerry/contract'
import type { Graph } from '@skerry/graph'
import { isFlat } from '../desired/flat.ts'
import { usedIpKey } from '../place/address.ts'
import { balancersWithout, LB } from './load-balancer.rows.ts'

export const useTables = ['eip', 'portForwardingRule'] as const
export type UseTable = (typeof useTables)[number]
/** Of networks, not of a card. */
const networkUses = ['ipsecConnection'] as const
const allUses = [...useTables, ...networkUses, LB] as const
export type AnyUse = (typeof allUses)[number]
export const serviceOf = {
  eip: 'Eip',
  portForwardingRule: 'PortForwarding',
  ipsecConnection: 'IPsec',
  loadBalancer: 'LoadBalancer',
} as const

export interface Use {
  table: AnyUse
  row: Readonly<Row>
}

export const usesOf = (graph: Graph, vipUuid: unknown): Use[] =>
  allUses.flatMap((table) => [...graph.by(table, 'vipUuid', vipUuid)].sort().map((k) => ({ table, row: graph.get(table, k)! })))

function providerOf(graph: Graph, l3Uuid: string, uses: readonly Use[]): string {
  const l3 = graph.get('l3Network', l3Uuid)
  return l3 && uses.some(({ table }) => isFlat(l3, serviceOf[table])) ? 'Flat' : 'vrouter'
}

/** What a VIP's row says of its uses. A VIP is behind one router, so all its guests are in one network. */
export function vipFields(graph: Graph, vip: Readonly<Row>, uses: readonly Use[]): Row {
  const nic = uses.map(({ row }) => graph.get('vmNic', (row['vmNicUuid'] as string | null) ?? '')).find((found) => found)
  const ofNetworks = uses.flatMap(({ row }) => (row['l3NetworkUuids'] as string[] | undefined) ?? [])
  const served = (nic?.['l3NetworkUuid'] as string | undefined) ?? ofNetworks[0] ?? null
  return {
    useFor: uses[0] ? serviceOf[uses[0].table] : null,
    servedL3Uuid: served,
    peerL3NetworkUuids: served ? [...new Set([served, ...ofNetworks])] : [],
    serviceProvider: served ? providerOf(graph, served, uses) : null,
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
export function vipAfter(graph: Graph, vip: Readonly<Row>, use: { table: AnyUse; uuid: string; row: Row | null }): Row {
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
  const shortened = [...withoutNetworks(graph, gone), ...balancersWithout(graph, gone)]
  const loose = new Map<string, Row>([
    ...detached.map(({ k }) => [k, { vmNicUuid: null }] as const),
    ...shortened.map(({ k, v }) => [k, v] as const),
  ])
  const touched = [...detached, ...shortened, ...allUses.flatMap((table) => [...gone(table)].map((k) => ({ table, k })))]
  const vips = new Set(touched.map(({ table, k }) => graph.get(table, k)?.['vipUuid'] as string))
  return [
    ...detached.map(({ table: t, k }): Op => ({ o: 'set', t, k, v: { vmNicUuid: null, guestIp: null } })),
    ...shortened.map(({ table: t, k, v }): Op => ({ o: 'set', t, k, v })),
    ...[...vips].flatMap((k): Op[] => {
      const vip = graph.get('vip', k)
      if (!vip || gone('vip').has(k)) return []
      const left = usesOf(graph, k)
        .filter(({ table, row }) => !gone(table).has(row['uuid'] as string))
        .map((use) => ({ ...use, row: { ...use.row, ...loose.get(use.row['uuid'] as string) } }))
      return [{ o: 'set', t: 'vip', k, v: vipFields(graph, vip, left) }]
    }),
    ...[...gone('vip')].flatMap((k): Op[] => {
      const vip = graph.get('vip', k)!
      const address = usedIpKey(vip['l3NetworkUuid'] as string, vip['ip'] as string)
      return graph.get('usedIp', address) && !gone('usedIp').has(address) ? [{ o: 'del', t: 'usedIp', k: address }] : []
    }),
  ]
}

/** Uses that stay, when networks that they carry go. */
function withoutNetworks(graph: Graph, gone: Gone): { table: AnyUse; k: string; v: Row }[] {
  const l3s = gone('l3Network')
  return networkUses.flatMap((table) => {
    const keys = new Set([...l3s].flatMap((l3) => [...graph.by(table, 'l3NetworkUuids', l3)]))
    return [...keys]
      .filter((k) => !gone(table).has(k))
      .map((k) => {
        const row = graph.get(table, k)!
        const refs = (row['l3NetworkRefs'] as { l3NetworkUuid: string }[]).filter((ref) => !l3s.has(ref.l3NetworkUuid))
        return { table, k, v: { l3NetworkRefs: refs, l3NetworkUuids: refs.map((ref) => ref.l3NetworkUuid) } }
      })
  })
}

/** Uses of VIPs that lead to a card. */
export const usesOfNic = (graph: Graph, nic: unknown): Use[] =>
  useTables.flatMap((table) => [...graph.by(table, 'vmNicUuid', nic)].map((k) => ({ table, row: graph.get(table, k)! })))

/** They follow their card when it is given another address. */
export const followAddress = (graph: Graph, nic: unknown, ip: string): Op[] =>
  usesOfNic(graph, nic).map(({ table: t, row }) => ({ o: 'set', t, k: row['uuid'] as string, v: { guestIp: ip } }))
