/** The bridges that are ours, and what stands where a wanted one should be. */
import { bridgeName, type kvmDesired, SkerryError } from '@skerry/contract'
import { type Host, type Link, ownerOf } from '@skerry/host'
import type { PlanContext, Wanted } from '@skerry/reconcile'
import type { MemoryPort } from '../memory.ts'
import { type Carrier, type OwnLink, ownersOfUplinks, ownLinks, seeCarrier } from './uplink.ts'

export interface SeenBridge {
  /** L2 network. */
  uuid: string
  name: string
  /** The bridge of that name with our mark for this uuid. */
  there: { up: boolean; mtu: number; ports: string[]; ipv6Off: boolean } | null
  /** Other bridges with the same mark: what a crash left of making one. */
  strays: string[]
  /** An interface of that name that is not ours. */
  foreign: { kind: string | null } | null
  /** The wanted uplink, if one is wanted. */
  uplink: { name: string; there: { master: string | null; addresses: string[] } | null } | null
  /** The NIC that we made a port of it. */
  attached: string | null
  /** Uplinks that were made for it, wanted or not; absent: none. */
  own?: OwnLink[]
  /** Where its VLAN is to be; absent: it wants none. */
  carrier?: Carrier
  /** Taps of wanted guests that belong on it and on no other: their bridge was removed under them. */
  loose?: string[]
  /** Taps of wanted guests on it whose packets have another size than its own are wanted to have. */
  unequal?: string[]
  /** Interfaces that could be an uplink; only listed when the wanted one is missing. */
  interfaces: string[]
}

export interface BridgePorts {
  host: Host
  memory: MemoryPort
}

interface Looked {
  links: readonly Link[]
  addresses: readonly { dev: string; cidr: string; scope: string }[]
  /** The bridge of each tap that a wanted guest has. */
  taps: ReadonlyMap<string, string>
}

/** Every wanted bridge (there or not), and every one with our mark. */
export async function observeBridges(ports: BridgePorts, context: PlanContext): Promise<SeenBridge[]> {
  const scope = ports.host.ip.at()
  const wanted = context.wantedOf('bridge') as readonly Wanted<kvmDesired.BridgeSpec>[]
  const needsAddresses = wanted.some(
    (w) => w.spec.vxlan !== undefined || (w.spec.physicalInterface !== null && w.spec.vlan === undefined),
  )
  const guests = context.wantedOf('vm') as readonly Wanted<kvmDesired.VmSpec>[]
  const looked: Looked = {
    links: await scope.links.list(),
    addresses: needsAddresses ? await scope.addresses.list() : [],
    taps: new Map(guests.flatMap(({ spec }) => spec.nics.map(({ tap, bridge }) => [tap, bridge] as const))),
  }
  const seen = wanted.map(({ uuid, spec }) => seeWanted({ uuid, spec }, looked, ports))
  const known = new Set(wanted.map((w) => w.uuid))
  const ours = looked.links.filter(isOurs).map((link) => ownerOf(link.alias) as string)
  const marked = new Set([...ours, ...ownersOfUplinks(looked.links)])
  for (const uuid of marked) if (!known.has(uuid)) seen.push(seeUnwanted(uuid, looked, ports))
  return Promise.all(seen)
}

const isOurs = (link: Link): boolean => link.kind === 'bridge' && ownerOf(link.alias) !== null
const marksOf = (uuid: string, { links }: Looked): Link[] => links.filter((link) => isOurs(link) && ownerOf(link.alias) === uuid)

async function seeWanted(
  want: { uuid: string; spec: kvmDesired.BridgeSpec },
  looked: Looked,
  ports: BridgePorts,
): Promise<SeenBridge> {
  const { uuid, spec } = want
  const named = looked.links.find((link) => link.name === spec.name)
  const marked = marksOf(uuid, looked)
  const ours = marked.find((link) => link.name === spec.name)
  const carrier = seeCarrier(uuid, spec, looked)
  const uplink = spec.physicalInterface === null || carrier ? null : seeUplink(spec.physicalInterface, looked)
  const loose = looked.links.filter((link) => looked.taps.get(link.name) === spec.name && link.master === null)
  const unequal = looked.links.filter((link) => looked.taps.get(link.name) === spec.name && link.mtu !== (spec.mtu ?? link.mtu))
  return {
    uuid,
    name: spec.name,
    ...(unequal.length > 0 ? { unequal: unequal.map((link) => link.name).sort() } : {}),
    ...(loose.length > 0 ? { loose: loose.map((link) => link.name).sort() } : {}),
    there: ours ? await stateOf(ours, looked, ports.host) : null,
    strays: marked.filter((link) => link !== ours).map((link) => link.name),
    foreign: named && !ours ? { kind: named.kind } : null,
    uplink,
    attached: attachedOf(uuid, ports),
    ...(await ownOf(uuid, looked, ports)),
    ...(carrier ? { carrier } : {}),
    interfaces: (uplink && !uplink.there) || (carrier && !carrier.there) ? candidates(looked) : [],
  }
}

async function ownOf(uuid: string, { links }: Looked, { host }: BridgePorts): Promise<Pick<SeenBridge, 'own'>> {
  const own = ownLinks(uuid, links)
  for (const { name, vxlan } of own) if (vxlan) vxlan.peers = await host.ip.at().flood.list(name)
  return own.length > 0 ? { own } : {}
}

/** Buried or unknown: the first bridge with the mark stands for all of them. Of one whose bridge was removed by hand, uplinks are left. */
async function seeUnwanted(uuid: string, looked: Looked, ports: BridgePorts): Promise<SeenBridge> {
  const [first, ...rest] = marksOf(uuid, looked)
  const there = first ? await stateOf(first, looked, ports.host) : null
  const strays = rest.map((link) => link.name)
  const none = { foreign: null, uplink: null, interfaces: [] }
  return {
    uuid,
    name: first?.name ?? bridgeName(uuid),
    there,
    strays,
    ...none,
    attached: attachedOf(uuid, ports),
    ...(await ownOf(uuid, looked, ports)),
  }
}

function attachedOf(uuid: string, { memory }: BridgePorts): string | null {
  const { uplink } = memory.facts('bridge', uuid)
  return typeof uplink === 'string' ? uplink : null
}

async function stateOf(link: Link, { links }: Looked, host: Host): Promise<NonNullable<SeenBridge['there']>> {
  const ports = links.filter((port) => port.master === link.name).map((port) => port.name)
  return { up: link.up, mtu: link.mtu, ports: ports.sort(), ipv6Off: await isIpv6Off(host, link.name) }
}

async function isIpv6Off(host: Host, name: string): Promise<boolean> {
  try {
    return (await host.ip.at().sysctl.read(ipv6Key(name))) === '1'
  } catch (error) {
    if (isMissing(error)) return true // a kernel without IPv6, or the bridge has just gone
    throw error
  }
}

export const ipv6Key = (name: string): string => `net/ipv6/conf/${name}/disable_ipv6`

/** A file of /proc that is not there. */
export function isMissing(error: unknown): boolean {
  return error instanceof SkerryError && String(error.details['stderr'] ?? '').includes('No such file')
}

function seeUplink(name: string, { links, addresses }: Looked): NonNullable<SeenBridge['uplink']> {
  const link = links.find((candidate) => candidate.name === name)
  const own = addresses.filter((address) => address.dev === name && address.scope === 'global').map((address) => address.cidr)
  return { name, there: link ? { master: link.master, addresses: own } : null }
}

/** What a person could have meant: everything but loopback and what hypervisors and we made. */
const candidates = ({ links }: Looked): string[] =>
  links
    .filter((link) => link.name !== 'lo' && link.kind !== 'bridge' && link.kind !== 'tun' && !link.name.startsWith('sk'))
    .filter((link) => ownerOf(link.alias) === null)
    .map((link) => link.name)
