/** Reads every router of this host: namespaces, ends of veths, tables, dnsmasq. Only reads. */
import { lanName, routerNetns, routerPort, routerUplink, toErrorBody, type vrouterDesired } from '@skerry/contract'
import {
  type Address,
  compareShape,
  dnsmasqFiles,
  elementsIn,
  type Host,
  type Link,
  type NftObject,
  ownerOf,
  type TableShape,
} from '@skerry/host'
import type { PlanContext, Wanted } from '@skerry/reconcile'
import { z } from 'zod'
import type { Folders } from '../leases/folder.ts'
import { bridgeShape, type FlatSets, flatShape, pairOf } from './flat.ts'
import type { End, HostView, Inside, RouterHave, ServiceHave } from './have.ts'
import { hostShape, LAN, ROUTER_TABLE, routerShape, SNAT_SOURCES, sourceOf, UP, UPLINKS, uplinkOf } from './rules.ts'
import { hostsDigest, nameServers, parseServed, routerDir, routersDir, servedPath } from './service.ts'

export interface RouterPorts {
  host: Host
  /** The agent's own folder. */
  stateDir: string
  folders: Folders
  /** Name of the inet table in the host's own namespace. */
  hostTable: string
  /** A router's dnsmasq runs (again). */
  onServing?(routerUuid: string): void
}

/** Routers read at once: each takes some ten short processes. */
const PARALLEL = 8
const NETNS = /^skerry-([0-9a-f]{32})$/
const UUID = /^[0-9a-f]{32}$/

interface World {
  namespaces: Set<string>
  links: Link[]
  addresses: Address[]
  folders: Set<string>
  view: HostView
  /** Of these, routers that are flat ones. */
  flats: Set<string>
}

export async function observe(ports: RouterPorts, context: Pick<PlanContext, 'wantedOf' | 'buriedOf'>): Promise<RouterHave[]> {
  const documents = context.wantedOf('router') as readonly Wanted<vrouterDesired.RouterSpec>[]
  const flats = new Set(documents.filter(({ spec }) => spec.flat).map(({ uuid }) => uuid))
  const world = { ...(await readWorld(ports)), flats }
  const wanted = documents.map((w) => w.uuid)
  const buried = context.buriedOf('router').map((b) => b.uuid)
  const served = new Set(context.wantedOf('vip').map((vip) => (vip.spec as vrouterDesired.VipSpec).routerUuid))
  const known = [...new Set([...wanted, ...buried, ...marked(world)])].sort()
  const found: RouterHave[] = []
  const queue = [...known]
  const worker = async () => {
    for (let uuid = queue.shift(); uuid !== undefined; uuid = queue.shift()) {
      const have = { ...(await readRouter(ports, world, uuid)), vips: served.has(uuid) }
      if (wanted.includes(uuid) || exists(have)) found.push(have)
    }
  }
  await Promise.all(Array.from({ length: PARALLEL }, worker))
  return found.sort((a, b) => (a.uuid < b.uuid ? -1 : 1))
}

/** Uuids that some object on this host names as its router. */
function marked({ namespaces, links, folders }: World): string[] {
  return [
    ...[...namespaces].flatMap((name) => NETNS.exec(name)?.[1] ?? []),
    ...links.flatMap((link) => {
      const uuid = ownerOf(link.alias)
      return uuid && (isPort(link.name) || link.name === routerUplink(uuid)) ? [uuid] : []
    }),
    ...folders,
  ]
}

const isPort = (name: string) => name.startsWith(routerPort(''))

const exists = (have: RouterHave) =>
  have.netns ||
  have.port !== null ||
  Object.keys(have.ports ?? {}).length > 0 ||
  have.uplink !== null ||
  have.folder ||
  have.service.pid !== null ||
  have.host.uplinks.some((u) => u.ifname === routerUplink(have.uuid))

async function readWorld({ host, stateDir, hostTable }: RouterPorts): Promise<Omit<World, 'flats'>> {
  const { links, addresses, sysctl } = host.ip.at()
  const nft = host.nft.at()
  const shape = hostShape(hostTable)
  const [namespaces, allLinks, allAddresses, folders, table, flat, forwarding, forwardDrop, servers] = await Promise.all([
    host.ip.netns.list(),
    links.list(),
    addresses.list(),
    host.files.list(routersDir(stateDir)),
    nft.table(shape.table),
    nft.table(bridgeShape(hostTable).table),
    sysctl.read('net/ipv4/ip_forward'),
    foreignForwardDrop(host, hostTable),
    readNameServers(host),
  ])
  const view: HostView = {
    forwarding,
    forwardDrop,
    rules: compareShape(table, shape),
    uplinks: elementsIn(table, UPLINKS).flatMap((element) => uplinkOf(element) ?? []),
    bridges: allLinks.filter((link) => link.kind === 'bridge').map((link) => link.name),
    ...(flat ? { flat: { rules: compareShape(flat, bridgeShape(hostTable)), sets: flatSets(flat) } } : {}),
    nameServers: servers,
  }
  const uuids = (folders ?? []).filter((name) => UUID.test(name))
  return { namespaces: new Set(namespaces), links: allLinks, addresses: allAddresses, folders: new Set(uuids), view }
}

const flatSets = (table: readonly NftObject[]): FlatSets => ({
  ports: elementsIn(table, 'ports').filter((element) => typeof element === 'string'),
  gates: elementsIn(table, 'gates').flatMap((element) => pairOf(element) ?? []),
  asks: elementsIn(table, 'asks').flatMap((element) => pairOf(element) ?? []),
})

const chainList = z.object({
  nftables: z.array(
    z.object({
      chain: z
        .object({ family: z.string(), table: z.string(), hook: z.string().optional(), policy: z.string().optional() })
        .optional(),
    }),
  ),
})

/**
 * A base chain of others at the forward hook with policy `drop` (Docker, ufw). Asked for only where others have tables.
 * Rules of iptables-legacy don't show in nft.
 */
async function foreignForwardDrop(host: Host, hostTable: string): Promise<boolean> {
  const others = (await host.nft.at().tables()).filter((t) => t.name !== hostTable && (t.family === 'ip' || t.family === 'inet'))
  if (others.length === 0) return false
  const { stdout } = await host.exec.run('nft', ['-j', 'list', 'chains'], { timeoutMs: 10_000 })
  const chains = chainList.parse(JSON.parse(stdout)).nftables.flatMap((entry) => entry.chain ?? [])
  const isOther = (family: string, name: string) => others.some((t) => t.family === family && t.name === name)
  return chains.some((c) => c.hook === 'forward' && c.policy === 'drop' && isOther(c.family, c.table))
}

/** systemd-resolved writes only its loopback stub into resolv.conf; the real servers stand beside. */
async function readNameServers({ files }: Host): Promise<string[]> {
  for (const path of ['/etc/resolv.conf', '/run/systemd/resolve/resolv.conf']) {
    const servers = nameServers(await files.read(path))
    if (servers.length > 0) return servers
  }
  return []
}

async function readRouter(ports: RouterPorts, world: World, uuid: string): Promise<Omit<RouterHave, 'vips'>> {
  const netns = world.namespaces.has(routerNetns(uuid))
  const own = routerPort(uuid)
  const port = endOf(world, own)
  const others = world.links.filter((link) => isPort(link.name) && link.name !== own)
  const uplink = endOf(world, routerUplink(uuid))
  const folder = world.folders.has(uuid)
  const [inside, service] = await Promise.all([
    netns
      ? readInside(ports.host, routerNetns(uuid), world.flats.has(uuid) ? flatShape : routerShape)
      : { inside: null, unseen: null },
    folder ? readService(ports, routerDir(ports.stateDir, uuid)) : NO_SERVICE,
  ])
  const ends = {
    ports: byName(others.filter((link) => ownerOf(link.alias) === uuid)),
    strangers: byName(others.filter((link) => ownerOf(link.alias) !== uuid)),
  }
  return { uuid, netns, ...inside, port, ...ends, uplink, folder, service, host: world.view }
}

export const toEnd = (link: Link, addresses: readonly Address[]): End => ({
  up: link.up,
  mtu: link.mtu,
  alias: link.alias,
  master: link.master,
  addresses: addresses
    .filter((a) => a.dev === link.name && (!a.cidr.includes(':') || (a.scope === 'global' && !a.dynamic)))
    .map((a) => a.cidr),
})

const byName = (links: readonly Link[], addresses: readonly Address[] = []): Record<string, End> =>
  Object.fromEntries(links.map((link) => [link.name, toEnd(link, addresses)]))

function endOf({ links, addresses }: Pick<World, 'links' | 'addresses'>, name: string): End | null {
  const link = links.find((candidate) => candidate.name === name)
  return link ? toEnd(link, addresses) : null
}

/** A namespace that can't be read (removed meanwhile, broken) must not hide the other routers. */
async function readInside(host: Host, netns: string, shape: TableShape): Promise<Pick<RouterHave, 'inside' | 'unseen'>> {
  try {
    return { inside: await readNamespace(host, netns, shape), unseen: null }
  } catch (error) {
    return { inside: null, unseen: toErrorBody(error) }
  }
}

async function readNamespace(host: Host, netns: string, shape: TableShape): Promise<Inside> {
  const scope = host.ip.at(netns)
  const [links, addresses, routes, forwarding, forwarding6, rpFilter, table] = await Promise.all([
    scope.links.list(),
    scope.addresses.list(),
    scope.routes.list(),
    scope.sysctl.read('net/ipv4/ip_forward'),
    scope.sysctl.read('net/ipv6/conf/all/forwarding'),
    scope.sysctl.read('net/ipv4/conf/all/rp_filter'),
    host.nft.at(netns).table(ROUTER_TABLE),
  ])
  const sources = elementsIn(table, SNAT_SOURCES).map(sourceOf)
  const strange = sources.includes(undefined)
  return {
    loUp: links.find((link) => link.name === 'lo')?.up ?? false,
    lan: endOf({ links, addresses }, LAN),
    lans: byName(
      links.filter(({ name }) => name.startsWith(lanName('')) && name !== LAN),
      addresses,
    ),
    up: endOf({ links, addresses }, UP),
    defaultVia: routes.find((route) => route.dst === 'default' && !route.via?.includes(':'))?.via ?? null,
    forwarding: forwarding === '1',
    forwarding6: forwarding6 === '1',
    rpFilter,
    rules: strange ? 'differs' : compareShape(table, shape),
    sources: sources.filter((source) => source !== undefined),
  }
}

const NO_SERVICE: ServiceHave = {
  pid: null,
  strays: [],
  conf: null,
  hosts: hostsDigest({ hosts: '', names: '' }),
  served: parseServed(undefined),
  staleLeases: [],
}

async function readService({ host, folders }: Pick<RouterPorts, 'host' | 'folders'>, dir: string): Promise<ServiceHave> {
  const { files, dnsmasq } = host
  const paths = dnsmasqFiles(dir)
  const [running, conf, served, folder] = await Promise.all([
    dnsmasq.running(dir),
    files.read(paths.conf),
    files.read(servedPath(dir)),
    folders.read(dir),
  ])
  // All processes are looked through only where ours is missing.
  const strays = running ? [] : (await host.process.list()).filter((p) => p.cmdline.includes(`--conf-file=${paths.conf}`))
  return {
    pid: running?.pid ?? null,
    strays: strays.map(({ pid, startTicks }) => ({ pid, startTicks })),
    conf: conf ?? null,
    hosts: folder.digest,
    served: parseServed(served),
    staleLeases: folder.stale.map((lease) => lease.ip),
  }
}
