/** The networks of a router, told in one way whether it has one of its own or is the router of several. Pure. */
import { lanName, routerPort, type vrouterDesired } from '@skerry/contract'
import { contains, contains6, networkOf, overlaps, prefixLength } from './cidr.ts'
import { flatAddresses } from './flat.ts'
import type { End, RouterHave } from './have.ts'
import { LAN } from './rules.ts'

type Spec = vrouterDesired.RouterSpec

export interface Lan {
  /** Inside the namespace, and the bridge's end. */
  name: string
  port: string
  /** Its MAC follows from this uuid. */
  of: string
  bridge: string
  cidrs: Spec['cidrs']
  v6: NonNullable<Spec['v6']>
  mtu: number | null
  services: Spec['services']
  domain: string | null
  dns: string[]
  hostRoutes: NonNullable<Spec['hostRoutes']>
  flat?: NonNullable<Spec['flat']>
}

export function lansOf(uuid: string, spec: Spec): Lan[] {
  if (spec.networks)
    return spec.networks.map(({ l3NetworkUuid, hostRoutes = [], ...network }) => ({
      ...{ ...network, hostRoutes, v6: [], of: l3NetworkUuid },
      ...{ name: lanName(l3NetworkUuid), port: routerPort(l3NetworkUuid) },
    }))
  const { bridge, cidrs, v6 = [], mtu, services, domain, dns, hostRoutes = [], flat } = spec
  if (bridge === null) return []
  const own = { name: LAN, port: routerPort(uuid), of: uuid, bridge, cidrs, v6, mtu, services, domain, dns, hostRoutes }
  return [{ ...own, ...(flat ? { flat } : {}) }]
}

export interface LanEnds {
  port: End | null
  inner: End | null
}

export const endsOf = (h: Pick<RouterHave, 'port' | 'ports' | 'inside'>, { name, port }: Pick<Lan, 'name' | 'port'>): LanEnds =>
  name === LAN
    ? { port: h.port, inner: h.inside?.lan ?? null }
    : { port: h.ports?.[port] ?? null, inner: h.inside?.lans?.[name] ?? null }

/** Addresses of the router in a network, in CIDR form. */
export const addressesOf = ({ cidrs, v6, flat }: Pick<Lan, 'cidrs' | 'v6' | 'flat'>): string[] => [
  ...(flat ? flatAddresses({ cidrs, flat }) : []),
  ...new Set([...(flat ? [] : cidrs), ...v6].map(({ cidr, gateway }) => `${gateway}/${prefixLength(cidr)}`)),
]

/** Networks whose guests leave under the router's address. */
export const sourcesOf = (lans: readonly Lan[]): string[] => [
  ...new Set(lans.filter(({ services }) => services.snat).flatMap(({ cidrs }) => cidrs.map(({ cidr }) => networkOf(cidr)))),
]

/** What is contradictory in a document. */
export function problemOf(uuid: string, spec: Spec): string | undefined {
  const { uplink, networks } = spec
  if (networks ? spec.bridge !== null || spec.cidrs.length > 0 : spec.bridge === null || spec.cidrs.length === 0)
    return 'it is the router of one network, or of several, and not of both'
  const [first] = spec.cidrs
  if (spec.flat && !(first && contains(first.cidr, spec.flat.dhcpIp)))
    return `its address ${spec.flat.dhcpIp} is not in ${first?.cidr}`
  const lans = lansOf(uuid, spec)
  const outside = lans.flatMap(({ v6 }) => v6).find(({ cidr, gateway }) => !contains6(cidr, gateway))
  if (outside) return `gateway ${outside.gateway} is not in ${outside.cidr}`
  const all = lans.flatMap((lan) => lan.cidrs.map((one) => ({ ...one, lan })))
  for (const [n, { cidr, gateway, lan }] of all.entries()) {
    if (!contains(cidr, gateway)) return `gateway ${gateway} is not in ${cidr}`
    const other = all.slice(0, n).find((c) => (c.lan !== lan || networkOf(c.cidr) !== networkOf(cidr)) && overlaps(c.cidr, cidr))
    if (other) return `${cidr} and ${other.cidr} overlap`
    if (uplink && contains(cidr, uplink.routerIp)) return `its uplink ${uplink.routerIp} is in ${cidr}`
  }
  if (new Set(lans.map(({ name }) => name)).size < lans.length) return 'two of its networks have one name on the host'
  if (!uplink) return undefined
  const subnet = `${uplink.hostIp}/${uplink.prefixLen}`
  return contains(subnet, uplink.routerIp) && uplink.hostIp !== uplink.routerIp
    ? undefined
    : `its uplink ${uplink.routerIp} is not beside ${uplink.hostIp}`
}
