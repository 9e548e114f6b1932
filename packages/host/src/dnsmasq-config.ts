/** dnsmasq's files, written from checked data. Pure. Each value is checked for form, so that none can add a line or a field. */
import { cidr4, hostname, ifname, ipv4, ipv6, mac } from '@skerry/contract'
import { z } from 'zod'
import { checkInput } from './parse-json.ts'

export const dnsmasqConfig = z.strictObject({
  /** The interface, inside the namespace, that it serves; it listens nowhere else. */
  interface: ifname,
  /** The server's own address there: DNS for the guests. */
  listenAddress: ipv4,
  /** The network whose hosts get addresses; only listed hosts get one. */
  network: cidr4,
  leaseSeconds: z.number().int().min(120).max(31_536_000),
  /** Absent: guests get no default route. */
  router: ipv4.optional(),
  /** Handed to guests; empty: the server's own address. */
  dnsServers: z.array(ipv4).max(8),
  /** Where it forwards what it doesn't know; empty: nothing is forwarded. */
  upstreamDns: z.array(ipv4).max(8),
  domain: hostname.optional(),
  mtu: z.number().int().min(68).max(65535).optional(),
  /** RFC 3442. Clients that read it ignore `router`, so the default route is added to it. */
  classlessRoutes: z.array(z.strictObject({ destination: cidr4, gateway: ipv4 })).max(64),
  dhcp: z.boolean(),
  dns: z.boolean(),
  /** Runs as this user after start. */
  user: z
    .string()
    .regex(/^[a-z_][a-z0-9_-]{0,31}$/)
    .default('nobody'),
})
export type DnsmasqConfig = z.input<typeof dnsmasqConfig>

export const dnsmasqHost = z.strictObject({ mac, ip: ipv4, ip6: ipv6.optional(), hostname: hostname.optional() })
export type DnsmasqHost = z.infer<typeof dnsmasqHost>

/** Paths of one instance: all below its own folder. */
export interface DnsmasqFiles {
  conf: string
  hosts: string
  names: string
  leases: string
  pid: string
  log: string
}
export const dnsmasqFiles = (dir: string): DnsmasqFiles => ({
  conf: `${dir}/dnsmasq.conf`,
  hosts: `${dir}/hosts`,
  names: `${dir}/names`,
  leases: `${dir}/leases`,
  pid: `${dir}/pid`,
  log: `${dir}/log`,
})

/** The main file: all that needs a restart to change. Throws `invalid-argument`. */
export function renderConf(config: DnsmasqConfig, files: DnsmasqFiles): string {
  const c = checkInput('dnsmasq configuration', config, dnsmasqConfig)
  const lines = [
    `interface=${c.interface}`,
    `listen-address=${c.listenAddress}`,
    'bind-interfaces',
    'except-interface=lo',
    'no-resolv',
    'no-hosts',
    'no-poll',
    `user=${c.user}`,
    `pid-file=${files.pid}`,
    `log-facility=${files.log}`,
    ...(c.dns ? dnsLines(c, files) : ['port=0']),
    ...(c.dhcp ? dhcpLines(c, files) : []),
  ]
  return `${lines.join('\n')}\n`
}

type Checked = z.output<typeof dnsmasqConfig>

function dnsLines(c: Checked, files: DnsmasqFiles): string[] {
  return [
    'port=53',
    `addn-hosts=${files.names}`,
    'bogus-priv',
    'domain-needed',
    'stop-dns-rebind',
    ...c.upstreamDns.map((server) => `server=${server}`),
    ...(c.domain ? [`domain=${c.domain}`, `local=/${c.domain}/`, 'expand-hosts'] : []),
  ]
}

function dhcpLines(c: Checked, files: DnsmasqFiles): string[] {
  const [base, length] = c.network.split('/') as [string, string]
  const routes = c.classlessRoutes.map((route) => `${route.destination},${route.gateway}`)
  const leads = c.classlessRoutes.some((route) => route.destination === '0.0.0.0/0')
  if (routes.length > 0 && c.router && !leads) routes.push(`0.0.0.0/0,${c.router}`)
  const dns = c.dnsServers.length > 0 ? c.dnsServers : c.dns ? [c.listenAddress] : []
  return [
    'dhcp-authoritative',
    'dhcp-no-override',
    // The controller hands out addresses; a ping before each offer would only cost seconds.
    'no-ping',
    'dhcp-lease-max=20000',
    `dhcp-range=${networkAddress(base, Number(length))},static,${netmask(Number(length))},${c.leaseSeconds}s`,
    `dhcp-hostsfile=${files.hosts}`,
    `dhcp-leasefile=${files.leases}`,
    // An option without a value keeps dnsmasq from announcing itself by default.
    `dhcp-option=option:router${c.router ? `,${c.router}` : ''}`,
    `dhcp-option=option:dns-server${dns.map((server) => `,${server}`).join('')}`,
    ...(c.mtu ? [`dhcp-option=option:mtu,${c.mtu}`] : []),
    ...(c.domain && !c.dns ? [`domain=${c.domain}`] : []),
    ...(routes.length > 0 ? [`dhcp-option=option:classless-static-route,${routes.join(',')}`] : []),
  ]
}

/**
 * The hosts file: re-read at SIGHUP. No `set:TAG` may ever stand in it: dnsmasq 2.90 dies at SIGHUP when a host with a tag
 * has a lease.
 */
export function renderHosts(hosts: readonly DnsmasqHost[]): string {
  const checked = checkHosts(hosts)
  return checked
    .map(
      ({ mac, ip, ip6, hostname }) => `${[mac, ip, ...(ip6 ? [`[${ip6}]`] : []), ...(hostname ? [hostname] : [])].join(',')}\n`,
    )
    .join('')
}

/** Names for DNS: a host resolves before it has asked for its lease. */
export function renderNames(hosts: readonly DnsmasqHost[]): string {
  return checkHosts(hosts)
    .flatMap(({ ip, ip6, hostname }) => (hostname ? [ip, ...(ip6 ? [ip6] : [])].map((at) => `${at} ${hostname}\n`) : []))
    .join('')
}

function checkHosts(hosts: readonly DnsmasqHost[]): DnsmasqHost[] {
  const checked = hosts.map((host) => checkInput('dnsmasq host', host, dnsmasqHost))
  checkInput(
    'dnsmasq hosts',
    checked,
    z
      .array(dnsmasqHost)
      .refine(distinct('mac'), 'two hosts with one MAC')
      .refine(distinct('ip'), 'two hosts with one address')
      .refine(distinct('ip6'), 'two hosts with one address'),
  )
  return [...checked].sort((a, b) => (a.mac < b.mac ? -1 : 1))
}

const distinct = (key: 'mac' | 'ip' | 'ip6') => (hosts: DnsmasqHost[]) => {
  const values = hosts.flatMap((host) => host[key] ?? [])
  return new Set(values).size === values.length
}

const toNumber = (ip: string) => ip.split('.').reduce((sum, part) => sum * 256 + Number(part), 0)
const toText = (n: number) => [24, 16, 8, 0].map((shift) => (n >>> shift) & 255).join('.')
const maskNumber = (length: number) => (length === 0 ? 0 : (0xffffffff << (32 - length)) >>> 0)
const netmask = (length: number) => toText(maskNumber(length))
const networkAddress = (base: string, length: number) => toText((toNumber(base) & maskNumber(length)) >>> 0)
