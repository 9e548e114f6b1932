/**
 * iproute2: links, addresses, routes, namespaces, net sysctls. `ip.at(netns)` sees one namespace, `ip.at()` the host's own.
 * Deleting what isn't there is fine (an undo meets that); making what is there is an error. It never decides ownership:
 * the caller marks by name prefix, alias (`skerry:<uuid>`) or route protocol, and touches only its own.
 */
import { z } from 'zod'
import type { Exec, RunOptions } from './exec.ts'
import { type Flood, flood } from './ip-fdb.ts'
import { type Links, links, removeQuietly } from './ip-links.ts'
import * as shape from './ip-schema.ts'
import { checkInput, parseToolJson } from './parse-json.ts'

export type { Flood } from './ip-fdb.ts'
export type { Link, LinkChange, LinkSpec, Links } from './ip-links.ts'

export interface Address {
  dev: string
  /** `10.0.0.1/24`, `fe80::1/64` */
  cidr: string
  scope: string
  /** the kernel made it of an advertisement, and takes it away again */
  dynamic?: boolean
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
  /** Packets for there are thrown away; it has neither `via` nor `dev`. */
  blackhole?: true
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
  flood: Flood
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
export type Run = (args: readonly string[], opts?: Partial<RunOptions>) => Promise<string>

/** The real `ip`. */
export function ip(exec: Exec): Ip {
  const bare: Run = async (args, opts) => (await exec.run('ip', args, { timeoutMs: TIMEOUT_MS, ...opts })).stdout
  return {
    netns: namespaces(bare),
    at(netns) {
      if (netns !== undefined) checkInput('namespace', netns, shape.netnsName)
      // `-n` is cheaper than `ip netns exec` (no mount namespace)
      const run: Run = netns === undefined ? bare : (args, opts) => bare(['-n', netns, ...args], opts)
      const bridge: Run = async (args, opts) => {
        const at = netns === undefined ? args : ['-n', netns, ...args]
        return (await exec.run('bridge', at, { timeoutMs: TIMEOUT_MS, ...opts })).stdout
      }
      return {
        ...{ links: links(run), addresses: addresses(run), routes: routes(run) },
        ...{ sysctl: sysctl(exec, netns), flood: flood(bridge) },
      }
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
  ...(r.blackhole ? ['blackhole'] : []),
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

function stderrOf(error: unknown): string {
  const details = (error as { details?: { stderr?: unknown } }).details
  return typeof details?.stderr === 'string' ? details.stderr : ''
}
