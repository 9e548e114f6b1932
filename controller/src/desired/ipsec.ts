/** An IPsec connection that is enabled and has networks on both sides → the router of its VIP. */
import type { ipsecDesired, Row } from '@skerry/contract'
import type { Graph } from '@skerry/graph'
import { isWanted, l3sOf, localCidrsOf, peerCidrsOf } from './ipsec-networks.ts'
import type { Projection } from './projection.ts'
import { routerOf } from './router.ts'
import { vips } from './vip.ts'

/** Names of algorithms in strongSwan's words. */
const ENCRYPTIONS: Readonly<Record<string, string>> = {
  '3des': '3des',
  'aes-128': 'aes128',
  'aes-192': 'aes192',
  'aes-256': 'aes256',
}
/** By number in IKE (RFC 3526, 5903, 5114). */
const GROUPS: Readonly<Record<number, string>> = {
  ...{ 2: 'modp1024', 5: 'modp1536', 14: 'modp2048', 15: 'modp3072', 16: 'modp4096', 17: 'modp6144', 18: 'modp8192' },
  ...{ 19: 'ecp256', 20: 'ecp384', 21: 'ecp521', 22: 'modp1024s160', 23: 'modp2048s224', 24: 'modp2048s256' },
  ...{ 25: 'ecp192', 26: 'ecp224' },
}

export const ikeProposal = (row: Readonly<Row>): string =>
  [ENCRYPTIONS[row['ikeEncryptionAlgorithm'] as string], row['ikeAuthAlgorithm'], GROUPS[row['ikeDhGroup'] as number]].join('-')

export function espProposal(row: Readonly<Row>): string {
  const group = GROUPS[Number(/^dh-group(\d+)$/.exec(row['pfs'] as string)?.[1] ?? 0)]
  const base = [ENCRYPTIONS[row['policyEncryptionAlgorithm'] as string], row['policyAuthAlgorithm']]
  return [...base, ...(group === undefined ? [] : [group])].join('-')
}

/** Who a side says that it is: its address, or the name that was given. */
const idOf = (row: Readonly<Row>, id: unknown, address: string): string =>
  typeof id !== 'string' ? address : row['idType'] === 'ip' ? id : `fqdn:${id}`

const ofL3 = (graph: Graph, l3: unknown) => [...graph.by('ipsecConnection', 'l3NetworkUuids', l3)]

export const ipsecs: Projection = {
  noun: 'ipsec',
  kind: 'vrouter',
  touchedBy: {
    ipsecConnection: (row) => [row['uuid'] as string],
    vip: (row, graph) => [...graph.by('ipsecConnection', 'vipUuid', row['uuid'])],
    l3Network: (row, graph) => ofL3(graph, row['uuid']),
    ipRange: (row, graph) => ofL3(graph, row['l3NetworkUuid']),
    vpcRouter: (row, graph) => [...graph.by('l3Network', 'vpcRouterUuid', row['uuid'])].flatMap((l3) => ofL3(graph, l3)),
  },
  agents(graph, uuid) {
    const row = graph.get('ipsecConnection', uuid)
    return row && isWanted(graph, row) ? vips.agents(graph, row['vipUuid'] as string) : []
  },
  spec(graph, uuid): Row {
    const row = graph.get('ipsecConnection', uuid)! as Row
    const vip = graph.get('vip', row['vipUuid'] as string)! as Row
    const l3s = l3sOf(row)
    const [ip, peerAddress] = [vip['ip'] as string, row['peerAddress'] as string]
    const spec: ipsecDesired.IpsecSpec = {
      routerUuid: routerOf(graph, l3s[0]!),
      l3NetworkUuid: vip['l3NetworkUuid'] as string,
      ...{ ip, peerAddress },
      keyUuid: (row['authKey'] as { $secret: string }).$secret,
      localId: idOf(row, row['localId'], ip),
      peerId: idOf(row, row['remoteId'], peerAddress),
      ikeVersion: row['ikeVersion'] as ipsecDesired.IpsecSpec['ikeVersion'],
      ikeProposal: ikeProposal(row),
      espProposal: espProposal(row),
      ikeLifeSeconds: row['ikeLifeTime'] as number,
      lifeSeconds: row['lifeTime'] as number,
      localCidrs: localCidrsOf(graph, l3s).sort(),
      peerCidrs: peerCidrsOf(row).sort(),
    }
    return spec
  },
}
