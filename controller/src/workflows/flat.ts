/**
 * The address of a flat network's DHCP server: one of the network's own, the same on each host. It is taken with the first service of
 * provider Flat, or the first range, and given back with the last service; with the range that it is of, another one is taken.
 */
import { flatRouter, type Guard, type Op, type Row, SkerryError } from '@skerry/contract'
import type { Graph } from '@skerry/graph'
import { dhcpAddressOf, dhcpRow, flatAgents, hasFlat } from '../desired/flat.ts'
import { freeAddresses, ipToLong, rangesOf, usedIpKey } from '../place/address.ts'
import type { World } from './world.ts'

/** Documents of a network's flat routers on hosts that answer now: the others follow when they are back. */
export function flatDocuments({ graph, agents }: Pick<World, 'graph' | 'agents'>, l3Uuid: unknown): string[] {
  const l3 = graph.get('l3Network', (l3Uuid as string | null) ?? '')
  if (!l3) return []
  const alive = flatAgents(graph, l3).filter((agent) => agents.alive(agent))
  return alive.map((agent) => `${agent}/router/${flatRouter(l3['uuid'] as string)}`)
}

interface Taking {
  graph: Graph
  /** as it will be */
  l3: Readonly<Row>
  /** of the row, where one is made */
  uuid: string
  now: number
}
export interface Taken {
  guards: Guard[]
  ops: Op[]
}
const NOTHING: Taken = { guards: [], ops: [] }

/** From the end: guests are given addresses by chance, and people take the first ones by hand. */
function lastFree(graph: Graph, ranges: readonly Row[]): { ip: string; range: Row } | undefined {
  for (const range of ranges) {
    const last = ipToLong(range['endIp'] as string) - ipToLong(range['startIp'] as string)
    for (const ip of freeAddresses(graph, range, last)) if (ip !== range['gateway']) return { ip, range }
  }
  return undefined
}

function put({ graph, l3, uuid, now }: Taking, ranges: readonly Row[]): Taken {
  const found = lastFree(graph, ranges)
  if (!found)
    throw new SkerryError('no-address', `network ${l3['name']} has no free address for its DHCP server`, {
      l3NetworkUuid: l3['uuid'],
    })
  const k = usedIpKey(l3['uuid'] as string, found.ip)
  return {
    guards: [{ g: 'absent', t: 'usedIp', k }],
    ops: [{ o: 'put', t: 'usedIp', k, v: dhcpRow({ uuid, ...found, now }) }],
  }
}

/** `added`: a range that comes with the same commit. Throws `no-address`. */
export function dhcpAddress(taking: Taking, added?: Row): Taken {
  const { graph, l3 } = taking
  const row = dhcpAddressOf(graph, l3['uuid'])
  const wanted = hasFlat(l3)
  if (wanted === (row !== undefined)) return NOTHING
  if (row) return { guards: [], ops: [{ o: 'del', t: 'usedIp', k: usedIpKey(l3['uuid'] as string, row['ip'] as string) }] }
  const ranges = [...rangesOf(graph, l3['uuid']), ...(added ? [added] : [])]
  return ranges.length === 0 ? NOTHING : put(taking, ranges)
}

/** Of networks that keep ranges when the one of their DHCP server goes. Where all addresses are taken there is none, until one is free. */
export function otherDhcpAddresses(
  graph: Graph,
  gone: (table: string) => ReadonlySet<string>,
  row: Pick<Taking, 'now'> & { uuidOf(l3: string): string },
): Op[] {
  const lost = [...gone('usedIp')]
    .map((k) => graph.get('usedIp', k))
    .filter((used) => used && used === dhcpAddressOf(graph, used['l3NetworkUuid']))
  return lost.flatMap((used): Op[] => {
    const key = used!['l3NetworkUuid'] as string
    const l3 = graph.get('l3Network', key)
    const ranges = rangesOf(graph, key).filter((range) => !gone('ipRange').has(range['uuid'] as string))
    if (!l3 || gone('l3Network').has(key) || !lastFree(graph, ranges)) return []
    return put({ graph, l3, uuid: row.uuidOf(key), now: row.now }, ranges).ops
  })
}
