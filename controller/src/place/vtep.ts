/** VTEPs: which address of a host lies in the network that a VXLAN pool has for a cluster. Pure. */
import { type Op, type Row, SkerryError, VXLAN_POOL, VXLAN_PORT } from '@skerry/contract'
import type { Graph } from '@skerry/graph'
import { isIpv4, networkOf } from './address.ts'

/** The forms with and without braces: ZStack's clients write the network in braces. */
const TAG = /^l2NetworkUuid::([0-9a-f]{32})::clusterUuid::([0-9a-f]{32})::cidr::\{?([0-9./]+)\}?$/
const CIDR = /^\d+\.\d+\.\d+\.\d+\/(\d+)$/

/** The network that the tags of an attachment say. Throws `invalid-argument` where they say none. */
export function vtepCidrOf({ systemTags, l2NetworkUuid, clusterUuid }: Row): string {
  const example = `l2NetworkUuid::${l2NetworkUuid}::clusterUuid::${clusterUuid}::cidr::{10.0.0.0/24}`
  for (const tag of (systemTags as string[] | undefined) ?? []) {
    const [, pool, cluster, cidr] = TAG.exec(tag) ?? []
    if (pool !== l2NetworkUuid || cluster !== clusterUuid || cidr === undefined) continue
    const length = Number(CIDR.exec(cidr)?.[1] ?? Number.NaN)
    if (
      length >= 1 &&
      length <= 32 &&
      cidr
        .split('/')[0]!
        .split('.')
        .every((part) => Number(part) <= 255)
    )
      return cidr
  }
  const message = `a VXLAN pool is attached with the network of the hosts' VTEPs, as the system tag ${example}`
  throw new SkerryError('invalid-argument', message, { field: 'systemTags', example })
}

const liesIn = (ip: string, cidr: string): boolean => {
  const [base, length] = cidr.split('/') as [string, string]
  return networkOf(ip, Number(length)) === networkOf(base, Number(length))
}

interface Own {
  dev: string
  cidr: string
}
const ownOf = (host: Readonly<Row>): Own[] => (host['addresses'] as Own[] | undefined) ?? []

/** The addresses of a host inside a network. */
export const addressesIn = (host: Readonly<Row>, cidr: string): { ip: string; dev: string }[] =>
  ownOf(host)
    .map(({ dev, cidr: own }) => ({ ip: own.split('/')[0]!, dev }))
    .filter(({ ip }) => isIpv4(ip) && liesIn(ip, cidr))

/** The only one, or what is wrong: none, or several. */
export function vtepAddress(host: Readonly<Row>, cidr: string): { ip: string; dev: string } {
  const found = addressesIn(host, cidr)
  if (found.length === 1) return found[0]!
  const own = ownOf(host).map((one) => one.cidr)
  const details = { hostUuid: host['uuid'], cidr, addresses: own }
  if (found.length > 1) {
    const several = found.map(({ ip }) => ip).join(', ')
    const message = `host ${host['name']} has several addresses in ${cidr}: ${several}; say with CreateVxlanVtep which is its VTEP`
    throw new SkerryError('invalid-argument', message, details)
  }
  const has = own.length > 0 ? `it has ${own.join(', ')}` : 'its addresses are not known: reconnect it'
  throw new SkerryError('invalid-argument', `host ${host['name']} has no address in ${cidr}; ${has}`, details)
}

export const vtepOf = (graph: Graph, poolUuid: string, hostUuid: string): Readonly<Row> | undefined =>
  [...graph.by('vtep', 'poolUuid', poolUuid)].map((k) => graph.get('vtep', k)!).find((row) => row['hostUuid'] === hostUuid)

export const vtepRow = (o: {
  uuid: string
  poolUuid: string
  hostUuid: string
  ip: string
  dev: string | null
  now: number
}): Op => ({
  o: 'put',
  t: 'vtep',
  k: o.uuid,
  v: {
    ...{ uuid: o.uuid, name: o.ip, createDate: o.now, lastOpDate: o.now },
    ...{
      hostUuid: o.hostUuid,
      poolUuid: o.poolUuid,
      vtepIp: o.ip,
      port: VXLAN_PORT,
      type: 'KVM_HOST_VXLAN',
      physicalInterface: o.dev,
    },
  },
})

/** VTEPs that a host gets by what it tells of its addresses: in the pools of its cluster in which it has none, where there is one to take. */
export function vtepsToGet(graph: Graph, host: Readonly<Row>, o: { idOf: (poolUuid: string) => string; now: number }): Op[] {
  return [...graph.by('l2Network', 'attachedClusterUuids', host['clusterUuid'])].flatMap((poolUuid): Op[] => {
    const pool = graph.get('l2Network', poolUuid)!
    const cidr = (pool['attachedCidrs'] as Record<string, string> | undefined)?.[host['clusterUuid'] as string]
    if (pool['type'] !== VXLAN_POOL || cidr === undefined || vtepOf(graph, poolUuid, host['uuid'] as string)) return []
    const [only, ...more] = addressesIn(host, cidr)
    if (!only || more.length > 0) return []
    return [vtepRow({ uuid: o.idOf(poolUuid), poolUuid, hostUuid: host['uuid'] as string, ...only, now: o.now })]
  })
}

/** Networks that have a VNI of a pool. */
export const networksOf = (graph: Graph, poolUuid: unknown): string[] => [...graph.by('l2Network', 'poolUuid', poolUuid)]
