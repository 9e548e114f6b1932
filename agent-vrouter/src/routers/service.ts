/** A router's dnsmasq: its folder, its configuration, and the note of what the running process has read. Pure. */
import { createHash } from 'node:crypto'
import type { vrouterDesired } from '@skerry/contract'
import { dnsmasqFiles, renderConf, renderV6 } from '@skerry/host'
import { netmaskOf, networkAddress, networkOf } from './cidr.ts'
import { LAN } from './rules.ts'
import { vpcConf } from './service-vpc.ts'

type RouterSpec = vrouterDesired.RouterSpec

export const routersDir = (stateDir: string) => `${stateDir}/routers`
export const routerDir = (stateDir: string, routerUuid: string) => `${routersDir(stateDir)}/${routerUuid}`
/** Which texts the running process has read: a crash between writing and telling it is seen by the next pass. */
export const servedPath = (dir: string) => `${dir}/served`

export const wantsService = ({ services, networks }: RouterSpec) =>
  [services, ...(networks ?? []).map((network) => network.services)].some(({ dhcp, dns }) => dhcp || dns)

/** The whole main file. `upstream`: the host's own name servers, used where the network names none. */
export function confOf(spec: RouterSpec, dir: string, upstream: readonly string[]): string {
  if (spec.networks) return vpcConf(spec, dir, upstream) ?? ''
  const [first, ...more] = distinctNetworks(spec)
  if (!first) throw new TypeError('a router without a network') // refused as contradictory before
  const base = renderConf(
    {
      interface: LAN,
      listenAddress: spec.flat?.dhcpIp ?? first.gateway,
      network: first.cidr,
      leaseSeconds: spec.leaseSeconds,
      router: first.gateway,
      // With DNS here, guests ask the router, which knows their names and forwards the rest.
      dnsServers: spec.services.dns ? [] : spec.dns.slice(0, 8),
      upstreamDns: spec.services.dns ? [...(spec.dns.length > 0 ? spec.dns : upstream)].slice(0, 8) : [],
      domain: spec.domain ?? undefined,
      mtu: spec.mtu ?? undefined,
      classlessRoutes: spec.hostRoutes ?? [],
      dhcp: spec.services.dhcp,
      dns: spec.services.dns,
    },
    dnsmasqFiles(dir),
  )
  const lines = [
    // A line a renewal would fill a small disk; errors are still logged.
    'quiet-dhcp',
    // Only the controller names guests: none may take another's name, or `wpad`.
    'dhcp-ignore-names',
    ...more.flatMap((network, n) => networkLines(spec, network, `n${n + 1}`)),
    ...(spec.services.dhcp ? (spec.v6 ?? []).flatMap((network) => v6Lines(spec, network)) : []),
  ]
  // The site's own names have private addresses: guests of an edge must be able to resolve them.
  const kept = base.split('\n').filter((line) => line !== '' && line !== 'stop-dns-rebind')
  return `${[...kept, ...lines].join('\n')}\n`
}

/** Networks beside the first: their own range, and their own gateway as default route (a tagged option wins). */
function networkLines(spec: RouterSpec, { cidr, gateway }: { cidr: string; gateway: string }, tag: string): string[] {
  const range = [`set:${tag}`, networkAddress(cidr), 'static', netmaskOf(cidr), `${spec.leaseSeconds}s`].join(',')
  // Clients that read these routes ignore their gateway, so it is told among them.
  const routes = (spec.hostRoutes ?? []).flatMap((route) => [route.destination, route.gateway])
  const leads = spec.hostRoutes?.some((route) => route.destination === '0.0.0.0/0')
  const told = [...routes, ...(leads ? [] : ['0.0.0.0/0', gateway])].join(',')
  return [
    // a flat router has no address there: what it is asked on its interface is meant for all ranges
    spec.flat ? `shared-network=${LAN},${networkAddress(cidr)}` : `listen-address=${gateway}`,
    ...(spec.services.dhcp ? [`dhcp-range=${range}`, `dhcp-option=tag:${tag},option:router,${gateway}`] : []),
    ...(spec.services.dhcp && routes.length > 0 ? [`dhcp-option=tag:${tag},option:classless-static-route,${told}`] : []),
  ]
}

const MODES = { 'Stateful-DHCP': 'static', 'Stateless-DHCP': 'ra-stateless', SLAAC: 'ra-only' } as const
/** What a link must carry for IPv6 to be on it (RFC 8200). */
const MIN_MTU6 = 1280

function v6Lines(spec: RouterSpec, { cidr, gateway, mode }: NonNullable<RouterSpec['v6']>[number]): string[] {
  return renderV6({
    interface: LAN,
    network: cidr,
    mode: MODES[mode],
    leaseSeconds: spec.leaseSeconds,
    dnsServers: spec.services.dns ? [gateway] : (spec.dns6 ?? []).slice(0, 8),
    ...(spec.domain ? { domain: spec.domain } : {}),
    ...(spec.mtu !== null && spec.mtu >= MIN_MTU6 ? { mtu: spec.mtu } : {}),
  })
}

function distinctNetworks(spec: RouterSpec) {
  const known = new Set<string>()
  return spec.cidrs.filter(({ cidr }) => !known.has(networkOf(cidr)) && known.add(networkOf(cidr)))
}

const digest = (...texts: string[]) => createHash('sha256').update(texts.join('\0')).digest('hex')

export interface Texts {
  conf: string
  hosts: string
  names: string
}
export const confDigest = (conf: string) => digest(conf)
export const hostsDigest = ({ hosts, names }: Pick<Texts, 'hosts' | 'names'>) => digest(hosts, names)

/** Content of `servedPath`. */
export const servedText = (texts: Texts) => `${confDigest(texts.conf)} ${hostsDigest(texts)}\n`
export function parseServed(text: string | undefined): { conf: string; hosts: string } {
  const [conf = '', hosts = ''] = (text ?? '').trim().split(' ')
  return { conf, hosts }
}

/** IPv4 name servers of a resolv.conf that are reachable from a namespace: those of the loopback are not. */
export function nameServers(resolvConf: string | undefined): string[] {
  const found = [...(resolvConf ?? '').matchAll(/^\s*nameserver\s+((?:\d{1,3}\.){3}\d{1,3})\s*$/gm)].map((m) => m[1] as string)
  return [...new Set(found)].filter(
    (ip) => !ip.startsWith('127.') && ip !== '0.0.0.0' && ip.split('.').every((part) => Number(part) <= 255),
  )
}
