/** Whether a connection can be as a call wants it. Pure: each throws what stands in the way, and says how it gets out. */
import { ADMIN_ACCOUNT, ipsecDesired, type Row, SkerryError } from '@skerry/contract'
import type { Graph } from '@skerry/graph'
import { localCidrsOf } from '../desired/ipsec-networks.ts'
import { routerOf } from '../desired/router.ts'
import { notThere } from '../identity/decide.ts'
import { maySee } from '../identity/whose.ts'
import { ipToLong, networkOf } from '../place/address.ts'
import { cidrOf, needVipFor } from './vip.check.ts'
import { need } from './world.ts'

const { MAX_IPSEC_CIDRS } = ipsecDesired

const lengthOf = (cidr: string) => Number(cidr.split('/')[1])
const contains = (cidr: string, ip: string) => networkOf(ip, lengthOf(cidr)) === cidrOf(cidr).split('/')[0]
const overlap = (a: string, b: string) =>
  lengthOf(a) <= lengthOf(b) ? contains(a, b.split('/')[0]!) : contains(b, a.split('/')[0]!)

/** A list in a call names what the gate of the API doesn't look at: the caller must see them. */
export function needVisibleL3s(graph: Graph, accountUuid: string, uuids: readonly string[]): void {
  if (accountUuid === ADMIN_ACCOUNT || graph.get('account', accountUuid)?.['type'] === 'SystemAdmin') return
  for (const k of uuids) {
    const row = graph.get('l3Network', k)
    if (!row || !maySee(graph, accountUuid, 'l3Network', row)) throw notThere('l3-network', 'l3Network', k)
  }
}

/** Throws why a connection can't be so. `row`: as it would be, with `peerCidrs` and `l3NetworkUuids`. */
export function needPossible(graph: Graph, row: Readonly<Row>): void {
  const vip = needVipFor(graph, row['vipUuid'], 'ipsecConnection', row['uuid'])
  const l3s = row['l3NetworkUuids'] as string[]
  const peers = (row['peerCidrs'] as { cidr: string }[]).map(({ cidr }) => cidr)
  const about = { ipsecConnectionUuid: row['uuid'], vipUuid: vip['uuid'] }
  needIds(row, vip)
  needOneRouter(graph, row, l3s)
  needOtherPeer(graph, row)
  const locals = localCidrsOf(graph, l3s)
  if (locals.length > MAX_IPSEC_CIDRS || peers.length > MAX_IPSEC_CIDRS)
    throw new SkerryError('illegal-state', `a connection has at most ${MAX_IPSEC_CIDRS} networks on each side`, about)
  for (const peer of peers) {
    if (contains(peer, row['peerAddress'] as string))
      throw new SkerryError(
        'invalid-argument',
        `the peer ${row['peerAddress']} itself is inside ${peer}: its own address can't be behind its tunnel`,
        {
          ...{ ...about, field: 'peerCidrs', cidr: peer },
        },
      )
    const local = locals.find((cidr) => overlap(cidr, peer))
    if (local)
      throw new SkerryError('invalid-argument', `${local} here and ${peer} of the peer have addresses in common`, {
        ...{ ...about, field: 'peerCidrs', cidr: peer },
      })
  }
  needApart(graph, row, { locals, peers })
}

function needIds(row: Readonly<Row>, vip: Readonly<Row>): void {
  if (row['peerAddress'] === vip['ip'])
    throw new SkerryError('invalid-argument', `${vip['ip']} is the address of this side`, { field: 'peerAddress' })
  if (row['idType'] !== 'ip') return
  for (const field of ['localId', 'remoteId'])
    if (typeof row[field] === 'string' && !/^\d+\.\d+\.\d+\.\d+$/.test(row[field]))
      throw new SkerryError('invalid-argument', `${field} is no address, and idType is ip: say fqdn or name for names`, { field })
}

function needOneRouter(graph: Graph, row: Readonly<Row>, l3s: readonly string[]): void {
  const vip = need(graph, 'vip', row['vipUuid'])
  for (const l3 of l3s) {
    const network = need(graph, 'l3Network', l3)
    if (l3 === vip['l3NetworkUuid'])
      throw new SkerryError(
        'illegal-state',
        `VIP ${vip['ip']} is of network ${network['name']} itself: take one of another network`,
        {
          l3NetworkUuid: l3,
        },
      )
    if (routerOf(graph, l3) !== routerOf(graph, l3s[0]!))
      throw new SkerryError(
        'illegal-state',
        `network ${network['name']} has another router than the first one of this connection: a connection is of one router`,
        { l3NetworkUuid: l3, firstL3NetworkUuid: l3s[0] },
      )
  }
}

const others = (graph: Graph, row: Readonly<Row>): Readonly<Row>[] =>
  [...graph.by('ipsecConnection', 'vipUuid', row['vipUuid'])]
    .filter((k) => k !== row['uuid'])
    .map((k) => graph.get('ipsecConnection', k)!)

/** Which key is whose must follow from the two addresses: by them IKE finds it. */
function needOtherPeer(graph: Graph, row: Readonly<Row>): void {
  const same = others(graph, row).find((other) => other['peerAddress'] === row['peerAddress'])
  if (same)
    throw new SkerryError(
      'in-use',
      `connection ${same['name']} leads from this VIP to ${row['peerAddress']} already: add networks to it`,
      {
        ipsecConnectionUuid: same['uuid'],
      },
    )
}

/** Between two networks there is one way. */
function needApart(graph: Graph, row: Readonly<Row>, of: { locals: readonly string[]; peers: readonly string[] }): void {
  const l3s = row['l3NetworkUuids'] as string[]
  if (l3s.length === 0) return
  for (const [k, other] of graph.rows('ipsecConnection')) {
    const theirs = other['l3NetworkUuids'] as string[]
    if (k === row['uuid'] || theirs.length === 0 || routerOf(graph, theirs[0]!) !== routerOf(graph, l3s[0]!)) continue
    const [locals, peers] = [localCidrsOf(graph, theirs), (other['peerCidrs'] as { cidr: string }[]).map(({ cidr }) => cidr)]
    const peer = of.peers.find((cidr) => peers.some((one) => overlap(cidr, one)))
    if (peer && of.locals.some((cidr) => locals.some((one) => overlap(cidr, one))))
      throw new SkerryError('in-use', `connection ${other['name']} of the same router leads to ${peer} already`, {
        ipsecConnectionUuid: k,
      })
  }
}

/** In order of addresses, each once, as networks. */
export const sortedCidrs = (cidrs: readonly string[]): string[] =>
  [...new Set(cidrs.map(cidrOf))].sort((a, b) => ipToLong(a.split('/')[0]!) - ipToLong(b.split('/')[0]!))
