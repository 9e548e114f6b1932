/**
 * The configuration of a dnsmasq that serves several networks. What guests of a network are told carries that network's tag, so that
 * nobody is told what is another's. Pure.
 */
import type { vrouterDesired } from '@skerry/contract'
import { dnsmasqFiles, renderConf } from '@skerry/host'
import { netmaskOf, networkAddress, networkOf } from './cidr.ts'
import { type Lan, lansOf } from './lans.ts'

/** What may be told beyond the link: the servers that a router names, each at most 8. */
const MAX_SERVERS = 8

const isServed = ({ services }: Lan) => services.dhcp || services.dns

/** Undefined: none of the networks has a service. `upstream`: name servers of the host, used where the router has none. */
export function vpcConf(spec: vrouterDesired.RouterSpec, dir: string, upstream: readonly string[]): string | undefined {
  const lans = lansOf('', spec).filter(isServed)
  const [first] = lans
  if (!first?.cidrs[0]) return undefined
  const base = renderConf(
    {
      interface: first.name,
      listenAddress: first.cidrs[0].gateway,
      network: first.cidrs[0].cidr,
      leaseSeconds: spec.leaseSeconds,
      dnsServers: [],
      upstreamDns: [...(spec.dns.length > 0 ? spec.dns : upstream)].slice(0, MAX_SERVERS),
      classlessRoutes: [],
      dhcp: lans.some(({ services }) => services.dhcp),
      dns: lans.some(({ services }) => services.dns),
    },
    dnsmasqFiles(dir),
  )
  // Its range has no tag; names of the site have private addresses.
  const kept = base
    .split('\n')
    .filter((line) => line !== '' && line !== 'stop-dns-rebind' && !/^(dhcp-range|interface|listen-address)=/.test(line))
  const lines = ['quiet-dhcp', 'dhcp-ignore-names', ...lans.flatMap((lan, n) => lanLines(spec, lan, n))]
  return `${[...kept, ...lines].join('\n')}\n`
}

function lanLines(spec: vrouterDesired.RouterSpec, lan: Lan, n: number): string[] {
  const { name, services, domain, dns, mtu, hostRoutes } = lan
  const known = new Set<string>()
  const networks = lan.cidrs.filter(({ cidr }) => !known.has(networkOf(cidr)) && known.add(networkOf(cidr)))
  const ranges = networks.flatMap(({ cidr, gateway }, m) => {
    const tag = `l${n}n${m}`
    const option = (text: string) => `dhcp-option=tag:${tag},option:${text}`
    const servers = services.dns ? [gateway] : dns.slice(0, MAX_SERVERS)
    const routes = hostRoutes.map((route) => `${route.destination},${route.gateway}`)
    // Clients that read these routes ignore their gateway, so it is told among them.
    if (!hostRoutes.some((route) => route.destination === '0.0.0.0/0')) routes.push(`0.0.0.0/0,${gateway}`)
    return [
      `dhcp-range=set:${tag},${networkAddress(cidr)},static,${netmaskOf(cidr)},${spec.leaseSeconds}s`,
      option(`router,${gateway}`),
      ...(servers.length > 0 ? [option(`dns-server,${servers.join(',')}`)] : []),
      ...(mtu === null ? [] : [option(`mtu,${mtu}`)]),
      ...(hostRoutes.length > 0 ? [option(`classless-static-route,${routes.join(',')}`)] : []),
    ]
  })
  return [
    `interface=${name}`,
    ...networks.map(({ gateway }) => `listen-address=${gateway}`),
    ...(services.dhcp ? ranges : [`no-dhcp-interface=${name}`]),
    ...(domain === null ? [] : networks.map(({ cidr }) => `domain=${domain},${networkOf(cidr)}`)),
    ...(domain === null || !services.dns ? [] : [`local=/${domain}/`]),
  ]
}
