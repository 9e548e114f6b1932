/**
 * iproute2: links, addresses, routes, namespaces, net sysctls. `ip.at(netns)` sees one namespace, `ip.at()` the host's own.
 * Deleting what isn't there is fine (an undo meets that); making what is there is an error. It never decides ownership:
 * the caller marks by name prefix, alias (`skerry:<uuid>`) or route protocol, and touches only its own.
 */
import { ifname } from '@skerry/contract'
import { z } from 'zod'
import type { Exec, RunOptions } from './exec.ts'
import * as shape from './ip-schema.ts'
import { checkInput, parseToolJson } from './parse-json.ts'

export interface Link {
  name: string
  index: number
  /** `bridge`, `veth`, `tun`, `vxlan` …; null for a real NIC and for lo. */
  kind: string | null
  /** Administratively up. */
  up: boolean
  /** Up and with a carrier. */
  running: boolean
  mtu: number
  mac: string | null
  master: string | null
  /** The free text of `ip link set alias`: our mark lives here. */
  alias: string | null
}

export type LinkSpec =
  | { kind: 'bridge'; name: string; mac?: string; mtu?: number; alias?: string }
  | {
      kind: 'veth'
      name: string
      mac?: string
      mtu?: number
      alias?: string
      peer: { name: string; mac?: string; netns?: string }
    }

export interface LinkChange {
  up?: boolean
  /** Null takes it off its bridge. */
  master?: string | null
  mtu?: number
  mac?: string
  alias?: string
  name?: string
  /** Moves it to that namespace; it arrives down and without addresses. */
  netns?: string
}

export interface Address {
  dev: string
  /** `10.0.0.1/24`, `fe80::1/64` */
  cidr: string
  scope: string
}

export interface Route {
  /** `default`, or a network in CIDR form; a host route ends in /32 or /128. */
  dst: string
  /** Absent: directly connected. */
  via?: string
  dev?: string
  src?: string
  metric?: number
  /** Who made it, a name or number of rtnetlink's protocol field; ours are found again by it. Default `static`. */
  protocol?: string
  /** Default `main`. */
  table?: string
}

export interface Links {
  list(): Promise<Link[]>
  get(name: string): Promise<Link | undefined>
  add(spec: LinkSpec): Promise<void>
  set(name: string, change: LinkChange): Promise<void>
  del(name: string): Promise<void>
}
export interface Addresses {
  list(): Promise<Address[]>
  /** An address that is there already is fine. */
  add(dev: string, cidr: string): Promise<void>
  del(dev: string, cidr: string): Promise<void>
}
export interface Routes {
  /** One table (default `main`), both families. */
  list(table?: string): Promise<Route[]>
  /** Makes it, or changes the one with the same dst, metric and table. */
  replace(route: Route): Promise<void>
  del(route: Route): Promise<void>
}
export interface Sysctl {
  /** `net/ipv4/ip_forward`: below /proc/sys, slashes, because interface names may hold dots. */
  read(key: string): Promise<string>
  write(key: string, value: string | number): Promise<void>
}
export interface IpScope {
  links: Links
  addresses: Addresses
  routes: Routes
  sysctl: Sysctl
}
export interface Namespaces {
  list(): Promise<string[]>
  add(name: string): Promise<void>
  /** The namespace itself lives on until its last process ends. */
  del(name: string): Promise<void>
  /** Processes that run in it. */
  pids(name: string): Promise<number[]>
}
export interface Ip {
  netns: Namespaces
  at(netns?: string): IpScope
}

const TIMEOUT_MS = 10_000
type Run = (args: readonly string[], opts?: Partial<RunOptions>) => Promise<string>

/** The real `ip`. */
export function ip(exec: Exec): Ip {
  const bare: Run = async (args, opts) => (await exec.run('ip', args, { timeoutMs: TIMEOUT_MS, ...opts })).stdout
  return {
    netns: namespaces(bare),
    at(netns) {
      if (netns !== undefined) checkInput('namespace', netns, shape.netnsName)
      // `-n` is cheaper than `ip netns exec` (no mount namespace)
      const run: Run = netns === undefined ? bare : (args, opts) => bare(['-n', netns, ...args], opts)
      return { links: links(run), addresses: addresses(run), routes: routes(run), sysctl: sysctl(exec, netns) }
    },
  }
}

function namespaces(run: Run): Namespaces {
  const list = async () => parseToolJson('ip netns', await run(['-j', 'netns', 'list']), shape.netnsList, []).map((ns) => ns.name)
  return {
    list,
    async add(name) {
      await run(['netns', 'add', checkInput('namespace', name, shape.netnsName)])
    },
    async del(name) {
      checkInput('namespace', name, shape.netnsName)
      await removeQuietly(
        () => run(['netns', 'del', name]),
        async () => (await list()).includes(name),
      )
    },
    async pids(name) {
      const text = await run(['netns', 'pids', checkInput('namespace', name, shape.netnsName)])
      return text.split('\n').filter(Boolean).map(Number)
    },
  }
}

function links(run: Run): Links {
  const list = async () =>
    parseToolJson('ip link', await run(['-j', '-d', 'link', 'show']), z.array(shape.link), []).map(shape.toLink)
  // The whole list: `ip link show NAME` answers "no such device" with the same exit code as any failure.
  const get = async (name: string) => (await list()).find((link) => link.name === name)
  return {
    list,
    get,
    async add(spec) {
      const valid = checkInput('link', spec, shape.linkSpec)
      await run(['link', 'add', 'name', valid.name, ...macAndMtu(valid), 'type', valid.kind, ...kindArgs(valid)])
      if (valid.alias !== undefined) await run(['link', 'set', 'dev', valid.name, 'alias', valid.alias])
    },
    async set(name, change) {
      const args = changeArgs(checkInput('link change', change, shape.linkChange))
      checkInput('interface name', name, ifname)
      if (args.length > 0) await run(['link', 'set', 'dev', name, ...args])
    },
    async del(name) {
      checkInput('interface name', name, ifname)
      await removeQuietly(
        () => run(['link', 'del', 'dev', name]),
        async () => (await get(name)) !== undefined,
      )
    },
  }
}

const macAndMtu = (spec: { mac?: string; mtu?: number }) => [
  ...(spec.mac ? ['address', spec.mac] : []),
  ...(spec.mtu ? ['mtu', String(spec.mtu)] : []),
]

function kindArgs(spec: LinkSpec): string[] {
  // A bridge that blocks for 15 s after a port came up would eat a guest's first DHCP requests.
  if (spec.kind === 'bridge') return ['stp_state', '0', 'forward_delay', '0']
  const { peer } = spec
  return ['peer', 'name', peer.name, ...macAndMtu({ mac: peer.mac, mtu: spec.mtu }), ...(peer.netns ? ['netns', peer.netns] : [])]
}

function changeArgs(change: LinkChange): string[] {
  return [
    ...(change.master === null ? ['nomaster'] : change.master !== undefined ? ['master', change.master] : []),
    ...(change.mtu !== undefined ? ['mtu', String(change.mtu)] : []),
    ...(change.mac !== undefined ? ['address', change.mac] : []),
    ...(change.alias !== undefined ? ['alias', change.alias] : []),
    ...(change.name !== undefined ? ['name', change.name] : []),
    ...(change.netns !== undefined ? ['netns', change.netns] : []),
    ...(change.up !== undefined ? [change.up ? 'up' : 'down'] : []),
  ]
}

function addresses(run: Run): Addresses {
  const list = async () =>
    parseToolJson('ip addr', await run(['-j', 'addr', 'show']), z.array(shape.addr), []).flatMap(shape.toAddresses)
  return {
    list,
    async add(dev, cidr) {
      checkInput('address', { dev, cidr }, shape.addressInput)
      // nodad: a duplicate-address wait of 1–2 s helps nobody where the controller hands out addresses
      const noWait = cidr.includes(':') ? ['nodad'] : []
      await run(['addr', 'replace', cidr, 'dev', dev, ...noWait])
    },
    async del(dev, cidr) {
      checkInput('address', { dev, cidr }, shape.addressInput)
      await removeQuietly(
        () => run(['addr', 'del', cidr, 'dev', dev]),
        async () => (await list()).some((address) => address.dev === dev && address.cidr === cidr),
      )
    },
  }
}

function routes(run: Run): Routes {
  const list = async (table = 'main') => {
    const both = await Promise.all(['-4', '-6'].map((family) => listFamily(run, family, table)))
    return both.flat()
  }
  return {
    list,
    async replace(route) {
      const r = checkInput('route', route, shape.routeInput)
      await run([...family(r.dst, r.via), 'route', 'replace', ...routeArgs(r), 'proto', r.protocol ?? 'static'])
    },
    async del(route) {
      const r = checkInput('route', route, shape.routeInput)
      await removeQuietly(
        () => run([...family(r.dst, r.via), 'route', 'del', ...routeArgs(r)]),
        async () =>
          (await list(r.table)).some((have) => have.dst === r.dst && (r.metric === undefined || have.metric === r.metric)),
      )
    },
  }
}

const family = (dst: string, via?: string) => [dst.includes(':') || via?.includes(':') ? '-6' : '-4']

const routeArgs = (r: Route) => [
  r.dst,
  ...(r.via ? ['via', r.via] : []),
  ...(r.dev ? ['dev', r.dev] : []),
  ...(r.src ? ['src', r.src] : []),
  ...(r.metric !== undefined ? ['metric', String(r.metric)] : []),
  'table',
  r.table ?? 'main',
]

async function listFamily(run: Run, familyFlag: string, table: string): Promise<Route[]> {
  checkInput('routing table', table, shape.tableName)
  try {
    const text = await run(['-j', familyFlag, 'route', 'show', 'table', table])
    return parseToolJson('ip route', text, z.array(shape.route), []).map((r) => shape.toRoute(r, familyFlag === '-6', table))
  } catch (error) {
    // A table exists in the kernel only while a route is in it.
    if (stderrOf(error).includes('table does not exist')) return []
    throw error
  }
}

function sysctl(exec: Exec, netns: string | undefined): Sysctl {
  // /proc/sys/net shows the namespace of the process that opens it, so a program in there has to read and write.
  const run = async (cmd: string, key: string, input?: string) =>
    exec.run(cmd, [`/proc/sys/${checkInput('sysctl', key, shape.sysctlKey)}`], { timeoutMs: TIMEOUT_MS, netns, input })
  return {
    read: async (key) => (await run('cat', key)).stdout.trim(),
    async write(key, value) {
      await run('tee', key, `${value}\n`)
    },
  }
}

/** Removes; a failure counts only if the thing is still there: the observation is trusted, not the exit code. */
async function removeQuietly(remove: () => Promise<unknown>, isThere: () => Promise<boolean>): Promise<void> {
  try {
    await remove()
  } catch (error) {
    if (await isThere()) throw error
  }
}

function stderrOf(error: unknown): string {
  const details = (error as { details?: { stderr?: unknown } }).details
  return typeof details?.stderr === 'string' ? details.stderr : ''
}
