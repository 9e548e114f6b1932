/**
 * What nft says of tunnels, in a table of their own in the router's namespace: which packets belong to one. It only marks them; what
 * becomes of a marked packet is said in the router's own table, and both it and that of VIPs leave its addresses as they are.
 */
import { createHash } from 'node:crypto'
import type { ipsecDesired } from '@skerry/contract'
import { type CharonChild, type CharonConnection, type NftElement, type NftTable, nftables, type TableShape } from '@skerry/host'
import { networkOf } from '../routers/cidr.ts'
import { ESP_DEVICE, LANS, LEGS, MARK } from '../routers/rules.ts'

const { anyOf, iifname, mangle, match, meta, payload, prefix } = nftables

export type Spec = ipsecDesired.IpsecSpec

export const IPSEC_TABLE: NftTable = { family: 'inet', name: 'skerry_ipsec' }

const pair = { concat: [payload('ip', 'saddr'), payload('ip', 'daddr')] }
const back = { concat: [payload('ip', 'daddr'), payload('ip', 'saddr')] }
const fromLeg = match(meta('iifname'), LEGS)
const [inward, outward, ofPeer] = [match(pair, '@inward'), match(pair, '@outward'), match(back, '@peers')]
const belongs = mangle(meta('mark'), MARK.tunnel)
const addresses = ['ipv4_addr', 'ipv4_addr']

export const ipsecShape: TableShape = {
  table: IPSEC_TABLE,
  sets: [
    // (its own address, the peer's)
    { name: 'peers', type: addresses },
    { name: 'outward', type: addresses, flags: ['interval'] },
    { name: 'inward', type: addresses, flags: ['interval'] },
  ],
  // after the marks of VIPs: who has an EIP goes into the tunnel too
  chains: [{ name: 'mark', type: 'filter', hook: 'prerouting', prio: -140, policy: 'accept' }],
  rules: [
    { chain: 'mark', expr: [match(meta('iifname'), LANS), outward, belongs] },
    // charon has decrypted it; what came in the open is none
    { chain: 'mark', expr: [iifname(ESP_DEVICE), inward, belongs] },
    {
      chain: 'mark',
      expr: [fromLeg, ofPeer, match(payload('udp', 'dport'), anyOf(500, 4500)), mangle(meta('mark'), MARK.ike)],
    },
  ],
}

export type Elements = Record<'peers' | 'outward' | 'inward', NftElement[]>

/** What stands in the sets for these connections of one router; each once. */
export function elementsOf(specs: readonly Spec[]): Elements {
  const all: Elements = { peers: [], outward: [], inward: [] }
  const seen = new Set<string>()
  const add = (set: keyof Elements, element: NftElement) => {
    const key = `${set} ${nftables.elementKey(element)}`
    if (!seen.has(key)) all[set].push(element)
    seen.add(key)
  }
  const net = (cidr: string) => prefix(networkOf(cidr))
  for (const { ip, peerAddress, localCidrs, peerCidrs } of specs) {
    add('peers', { concat: [ip, peerAddress] })
    for (const local of localCidrs)
      for (const peer of peerCidrs) {
        add('outward', { concat: [net(local), net(peer)] })
        add('inward', { concat: [net(peer), net(local)] })
      }
  }
  return all
}

/** What charon calls it: another content is another connection. */
export const connectionName = (uuid: string, spec: Spec) =>
  `${uuid}.${createHash('sha256').update(JSON.stringify(spec)).digest('hex').slice(0, 12)}`
/** Undefined: not one of ours. */
export const uuidOf = (connection: string) => /^([0-9a-f]{32})\.[0-9a-f]{12}$/.exec(connection)?.[1]

/** IKEv1 carries one pair of networks in each; later ones carry all in one. */
export function childrenOf({ ikeVersion, localCidrs, peerCidrs }: Spec): CharonChild[] {
  const [locals, peers] = [localCidrs.map(networkOf), peerCidrs.map(networkOf)]
  if (ikeVersion !== 'ikev1') return [{ name: 'net', localCidrs: locals, peerCidrs: peers }]
  const pairs = locals.flatMap((local) => peers.map((peer) => ({ localCidrs: [local], peerCidrs: [peer] })))
  return pairs.map((one, n) => ({ name: `net-${n}`, ...one }))
}

export const toConnection = (uuid: string, spec: Spec): CharonConnection => ({
  name: connectionName(uuid, spec),
  version: spec.ikeVersion,
  local: { address: spec.ip, id: spec.localId },
  peer: { address: spec.peerAddress, id: spec.peerId },
  ...{ ikeProposal: spec.ikeProposal, espProposal: spec.espProposal },
  ...{ ikeLifeSeconds: spec.ikeLifeSeconds, lifeSeconds: spec.lifeSeconds },
  children: childrenOf(spec),
})
