/**
 * Uplinks that are made for a bridge: what there is of them, what is wanted, and what is in the way. Pure. An interface that carries one
 * is not a port of the bridge, so it may have the host's own address.
 */
import { type kvmDesired, SkerryError, vlanName, vxlanName } from '@skerry/contract'
import { type Address, type Link, ownerOf, type UplinkSpec } from '@skerry/host'

/** A link with this network's mark that is no bridge. */
export interface OwnLink {
  name: string
  vlan: { link: string; vid: number } | null
  up: boolean
  mtu: number
  master: string | null
  /** Only of a VXLAN. */
  vxlan?: { vni: number; local: string | null; port: number; peers: string[] }
}

/** What the wanted uplink is to be on: an interface, or an address of the host. */
export type Carrier = ({ nic: string } | { vtepIp: string | null }) & {
  /** `mtu`: the largest that the uplink may have. */
  there: { mtu: number } | null
  /** The wanted name, or the wanted number, is another's. */
  taken: { interface: string; kind: string | null; owner: string | null } | null
}

/** Of VXLAN over IPv4: Ethernet 14, VXLAN 8, UDP 8, IP 20. */
const VXLAN_HEADERS = 50
/** IPv6 asks for that much of every link (RFC 8200 §5). */
const LEAST_MTU = 1280

const isMade = (link: Link): boolean => (link.kind === 'vlan' || link.kind === 'vxlan') && ownerOf(link.alias) !== null

/** Networks that have such links here. */
export const ownersOfUplinks = (links: readonly Link[]): string[] =>
  links.filter(isMade).map((link) => ownerOf(link.alias) as string)

/** Without the peers of VXLANs. */
export const ownLinks = (uuid: string, links: readonly Link[]): OwnLink[] =>
  links
    .filter((link) => isMade(link) && ownerOf(link.alias) === uuid)
    .map(({ name, vlan, vxlan, up, mtu, master }) => ({
      ...{ name, vlan: vlan ?? null, up, mtu, master },
      ...(vxlan ? { vxlan: { ...vxlan, peers: [] } } : {}),
    }))

interface Machine {
  links: readonly Link[]
  addresses: readonly Address[]
}

export function seeCarrier(uuid: string, spec: kvmDesired.BridgeSpec, { links, addresses }: Machine): Carrier | undefined {
  const { physicalInterface: nic, vlan, vxlan } = spec
  const name = vxlan ? vxlanName(uuid) : vlanName(nic ?? '', vlan ?? 0, uuid)
  const isSame = (link: Link) =>
    vxlan ? link.vxlan?.vni === vxlan.vni && link.vxlan.port === vxlan.port : link.vlan?.link === nic && link.vlan?.vid === vlan
  const inTheWay = links.find((link) => (link.name === name || isSame(link)) && !(isMade(link) && ownerOf(link.alias) === uuid))
  const taken = inTheWay ? { interface: inTheWay.name, kind: inTheWay.kind, owner: ownerOf(inTheWay.alias) } : null
  const mtuOf = (dev: string | undefined) => links.find((link) => link.name === dev)?.mtu
  if (vxlan) {
    const { vtepIp } = vxlan
    const mtu = mtuOf(addresses.find(({ cidr }) => cidr.split('/')[0] === vtepIp)?.dev)
    return { vtepIp, there: mtu === undefined ? null : { mtu: Math.max(LEAST_MTU, mtu - VXLAN_HEADERS) }, taken }
  }
  if (nic === null || vlan === undefined) return undefined
  const mtu = mtuOf(nic)
  return { nic, there: mtu === undefined ? null : { mtu }, taken }
}

/** As it should be. Its packets are no larger than what carries it can take. */
export function wantedUplink(uuid: string, spec: kvmDesired.BridgeSpec, carrier: Carrier | undefined): UplinkSpec | undefined {
  if (!carrier?.there) return undefined
  const mtu = Math.min(spec.mtu ?? carrier.there.mtu, carrier.there.mtu)
  const { physicalInterface: link, vlan: vid, vxlan } = spec
  if (vxlan?.vtepIp) {
    const { vni, port, vtepIp: local } = vxlan
    return { kind: 'vxlan', name: vxlanName(uuid), uuid, vni, local, port, mtu }
  }
  return link === null || vid === undefined ? undefined : { kind: 'vlan', name: vlanName(link, vid, uuid), uuid, link, vid, mtu }
}

/** Is this link the wanted one, whatever its state? */
export function isThat(own: OwnLink, want: UplinkSpec | undefined): boolean {
  if (own.name !== want?.name) return false
  if (want.kind === 'vlan') return own.vlan?.link === want.link && own.vlan.vid === want.vid
  return own.vxlan?.vni === want.vni && own.vxlan.local === want.local && own.vxlan.port === want.port
}

/** Is it as wanted, port of that bridge? */
export const isRight = (own: OwnLink, want: UplinkSpec, bridge: string): boolean =>
  isThat(own, want) && own.up && own.master === bridge && own.mtu === want.mtu

/** Peers to flood to that are missing, and those that are too many. */
export function floodChange(have: readonly string[], want: readonly string[]): { add: string[]; del: string[] } | undefined {
  const add = want.filter((peer) => !have.includes(peer))
  const del = have.filter((peer) => !want.includes(peer))
  return add.length + del.length > 0 ? { add, del } : undefined
}

/** Why it can't be made. */
export function hindrance(carrier: Carrier, interfaces: readonly string[]): SkerryError | undefined {
  const { there, taken } = carrier
  if (!there) return 'nic' in carrier ? missing(carrier.nic, interfaces) : noVtep(carrier.vtepIp)
  if (!taken) return undefined
  const whose = taken.owner === null ? 'is not ours' : `belongs to L2 network ${taken.owner}`
  const [what, on] =
    'nic' in carrier ? [`this VLAN of ${carrier.nic}`, { nic: carrier.nic }] : ['this VNI', { vtepIp: carrier.vtepIp }]
  return new SkerryError('in-use', `${taken.interface} carries ${what}, or has the name for it, and ${whose}`, {
    ...taken,
    ...on,
  })
}

const missing = (nic: string, interfaces: readonly string[]) =>
  new SkerryError('invalid-argument', `there is no network interface called ${nic} on this host`, { interface: nic, interfaces })

const noVtep = (vtepIp: string | null) =>
  new SkerryError(
    'invalid-argument',
    vtepIp === null
      ? 'this host has no VTEP in the VXLAN pool: none of its addresses is known to lie inside the VTEP network'
      : `this host has no address ${vtepIp}, which it is to send VXLAN from`,
    { vtepIp, remedy: 'Give the host an address inside the VTEP network of the pool, and reconnect the host.' },
  )
