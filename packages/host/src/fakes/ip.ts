/** iproute2 in memory: namespaces with links, addresses, routes and sysctls; veth pairs die together. */
import { ifname } from '@skerry/contract'
import type { Address, Ip, IpScope, Link, LinkChange, LinkSpec, Route } from '../ip.ts'
import { floodInput } from '../ip-fdb.ts'
import * as shape from '../ip-schema.ts'
import { checkInput } from '../parse-json.ts'
import { commandFailed, type Gate } from './gate.ts'

interface FakeLink extends Omit<Link, 'running'> {
  peerIndex?: number
  /** Of a VXLAN: whom it floods to. */
  peers?: string[]
}
interface FakeNamespace {
  links: FakeLink[]
  addresses: Address[]
  routes: Route[]
  sysctls: Map<string, string>
  pids: Set<number>
}

export class FakeNetwork {
  /** '' is the host's own namespace. */
  readonly namespaces = new Map<string, FakeNamespace>()
  private nextIndex = 1

  constructor() {
    this.addNamespace('')
  }
  addNamespace(name: string): void {
    const lo: FakeLink = { ...this.blank('lo', null), mtu: 65536, mac: '00:00:00:00:00:00' }
    this.namespaces.set(name, { links: [lo], addresses: [], routes: [], sysctls: new Map(), pids: new Set() })
  }
  /** As after a boot: only the host's own namespace with its NICs. */
  reset(): void {
    this.namespaces.clear()
    this.addNamespace('')
  }
  in(name: string): FakeNamespace {
    const found = this.namespaces.get(name)
    if (!found) throw commandFailed(`Cannot open network namespace "${name}": No such file or directory`)
    return found
  }
  blank(name: string, kind: string | null): FakeLink {
    const index = this.nextIndex++
    const mac = `02:00:00:00:${[index >> 8, index & 255].map((part) => part.toString(16).padStart(2, '0')).join(':')}`
    return { name, index, kind, up: false, mtu: 1500, mac, master: null, alias: null }
  }
  /** Not by the port: a NIC of the machine. */
  addNic(name: string, cidr?: string): void {
    const host = this.in('')
    host.links.push({ ...this.blank(name, null), up: true })
    if (cidr) host.addresses.push({ dev: name, cidr, scope: 'global' })
  }
  dropLink(ns: FakeNamespace, link: FakeLink): void {
    ns.links = ns.links.filter((other) => other !== link)
    ns.addresses = ns.addresses.filter((address) => address.dev !== link.name)
    ns.routes = ns.routes.filter((route) => route.dev !== link.name)
    for (const port of ns.links) if (port.master === link.name) port.master = null
    for (const upper of ns.links.filter((other) => other.vlan?.link === link.name)) this.dropLink(ns, upper)
    for (const other of this.namespaces.values()) {
      const peer = other.links.find((candidate) => candidate.index === link.peerIndex && candidate.peerIndex === link.index)
      if (peer) this.dropLink(other, peer)
    }
  }
  peerOf(link: FakeLink): FakeLink | undefined {
    if (link.peerIndex === undefined) return undefined
    return [...this.namespaces.values()].flatMap((ns) => ns.links).find((candidate) => candidate.index === link.peerIndex)
  }
}

/** The `Ip` port over a fake network. */
export function fakeIp(net: FakeNetwork, gate: Gate): Ip {
  return {
    netns: gate.wrap('ip.netns', {
      list: async () => [...net.namespaces.keys()].filter(Boolean),
      async add(name: string) {
        if (net.namespaces.has(checkInput('namespace', name, shape.netnsName))) throw commandFailed(`netns ${name}: File exists`)
        net.addNamespace(name)
      },
      async del(name: string) {
        const ns = net.namespaces.get(checkInput('namespace', name, shape.netnsName))
        for (const link of ns?.links ?? []) if (ns) net.dropLink(ns, link)
        net.namespaces.delete(name)
      },
      pids: async (name: string) => [...net.in(name).pids],
    }),
    at: (netns = '') => scope(net, netns, gate),
  }
}

function scope(net: FakeNetwork, netns: string, gate: Gate): IpScope {
  return {
    links: gate.wrap('ip.links', links(net, netns)),
    addresses: gate.wrap('ip.addresses', addresses(net, netns)),
    routes: gate.wrap('ip.routes', routes(net, netns)),
    flood: gate.wrap('ip.flood', flood(net, netns)),
    sysctl: gate.wrap('ip.sysctl', {
      read: async (key: string) => net.in(netns).sysctls.get(checkInput('sysctl', key, shape.sysctlKey)) ?? '0',
      async write(key: string, value: string | number) {
        net.in(netns).sysctls.set(checkInput('sysctl', key, shape.sysctlKey), String(value))
      },
    }),
  }
}

const mustFind = (ns: FakeNamespace, name: string): FakeLink => {
  const found = ns.links.find((link) => link.name === name)
  if (!found) throw commandFailed(`Cannot find device "${name}"`)
  return found
}

function links(net: FakeNetwork, netns: string): IpScope['links'] {
  const toLink = ({ peerIndex, peers: _, ...link }: FakeLink): Link => {
    const peer = peerIndex === undefined ? undefined : net.peerOf({ ...link, peerIndex })
    return { ...link, running: link.up && (peerIndex === undefined || peer?.up === true) }
  }
  return {
    list: async () => net.in(netns).links.map(toLink),
    get: async (name) =>
      net
        .in(netns)
        .links.map(toLink)
        .find((link) => link.name === name),
    async add(input) {
      addLink(net, net.in(netns), checkInput('link', input, shape.linkSpec))
    },
    async set(name, change) {
      changeLink(net, { ns: net.in(netns), name }, checkInput('link change', change, shape.linkChange))
    },
    async del(name) {
      const ns = net.in(netns)
      const link = ns.links.find((candidate) => candidate.name === name)
      if (link) net.dropLink(ns, link)
    },
  }
}

function addLink(net: FakeNetwork, ns: FakeNamespace, spec: LinkSpec): void {
  if (ns.links.some((link) => link.name === spec.name)) throw commandFailed('RTNETLINK answers: File exists')
  const common = { mtu: spec.mtu ?? 1500, alias: spec.alias ?? null }
  const mac = (spec.kind === 'bridge' || spec.kind === 'veth') && spec.mac ? { mac: spec.mac } : {}
  const link: FakeLink = { ...net.blank(spec.name, spec.kind), ...common, ...mac }
  if (spec.kind === 'vlan') Object.assign(link, vlanOn(ns, spec))
  if (spec.kind === 'vxlan') Object.assign(link, vxlanIn(ns, spec))
  if (spec.kind === 'veth') {
    const there = spec.peer.netns === undefined ? ns : net.in(spec.peer.netns)
    if (there.links.some((other) => other.name === spec.peer.name)) throw commandFailed('RTNETLINK answers: File exists')
    const peer: FakeLink = { ...net.blank(spec.peer.name, 'veth'), mtu: common.mtu, peerIndex: link.index }
    if (spec.peer.mac) peer.mac = spec.peer.mac
    link.peerIndex = peer.index
    there.links.push(peer)
  }
  ns.links.push(link)
}

/** What a VLAN has of the link that carries it. */
function vlanOn(ns: FakeNamespace, { link, vid, mtu }: Extract<LinkSpec, { kind: 'vlan' }>): Partial<FakeLink> {
  const lower = mustFind(ns, link)
  if (ns.links.some((other) => other.vlan?.link === link && other.vlan.vid === vid))
    throw commandFailed('RTNETLINK answers: File exists')
  if (mtu !== undefined && mtu > lower.mtu) throw commandFailed('RTNETLINK answers: Numerical result out of range')
  return { mtu: mtu ?? lower.mtu, mac: lower.mac, vlan: { link, vid } }
}

/** One number of one port is there once. */
function vxlanIn(ns: FakeNamespace, { vni, local, port }: Extract<LinkSpec, { kind: 'vxlan' }>): Partial<FakeLink> {
  if (ns.links.some((other) => other.vxlan?.vni === vni && other.vxlan.port === port))
    throw commandFailed('Error: A VXLAN device with the specified VNI already exists.')
  return { vxlan: { vni, local, port }, peers: [] }
}

function changeLink(net: FakeNetwork, at: { ns: FakeNamespace; name: string }, change: LinkChange): void {
  const { ns } = at
  const link = mustFind(ns, at.name)
  if (change.master) mustFind(ns, change.master)
  if (change.name && ns.links.some((other) => other !== link && other.name === change.name))
    throw commandFailed('RTNETLINK answers: File exists')
  const target = change.netns === undefined ? undefined : net.in(change.netns)
  const lower = link.vlan && mustFind(ns, link.vlan.link)
  if (lower && change.up && !lower.up) throw commandFailed('RTNETLINK answers: Network is down')
  if (lower && change.mtu !== undefined && change.mtu > lower.mtu)
    throw commandFailed('RTNETLINK answers: Numerical result out of range')
  if (change.master !== undefined) link.master = change.master
  if (change.mtu !== undefined) link.mtu = change.mtu
  if (change.mac !== undefined) link.mac = change.mac
  if (change.alias !== undefined) link.alias = change.alias || null
  if (change.name !== undefined) rename(ns, link, change.name)
  if (target) {
    ns.links = ns.links.filter((other) => other !== link)
    ns.addresses = ns.addresses.filter((address) => address.dev !== link.name)
    ns.routes = ns.routes.filter((route) => route.dev !== link.name)
    Object.assign(link, { up: false, master: null })
    target.links.push(link)
  }
  if (change.up !== undefined) link.up = change.up
  if (change.up === false) ns.routes = ns.routes.filter((route) => route.dev !== link.name)
  for (const upper of ns.links.filter((other) => other.vlan?.link === link.name)) {
    // as the kernel does: VLANs go down and up with what carries them, and are never larger
    if (change.up !== undefined) upper.up = change.up
    upper.mtu = Math.min(upper.mtu, link.mtu)
  }
}

function flood(net: FakeNetwork, netns: string): IpScope['flood'] {
  const peersOf = (dev: string): string[] => {
    const link = mustFind(net.in(netns), checkInput('interface name', dev, ifname))
    if (!link.peers) throw commandFailed('RTNETLINK answers: Operation not supported')
    return link.peers
  }
  return {
    list: async (dev) => [...(mustFind(net.in(netns), checkInput('interface name', dev, ifname)).peers ?? [])].sort(),
    async add(dev, peer) {
      checkInput('forwarding entry', { dev, peer }, floodInput)
      const peers = peersOf(dev)
      if (!peers.includes(peer)) peers.push(peer)
    },
    async del(dev, peer) {
      checkInput('forwarding entry', { dev, peer }, floodInput)
      const peers = peersOf(dev)
      if (peers.includes(peer)) peers.splice(peers.indexOf(peer), 1)
    },
  }
}

function rename(ns: FakeNamespace, link: FakeLink, name: string): void {
  for (const port of ns.links) {
    if (port.master === link.name) port.master = name
    if (port.vlan?.link === link.name) port.vlan = { ...port.vlan, link: name }
  }
  for (const entry of [...ns.addresses, ...ns.routes]) if (entry.dev === link.name) entry.dev = name
  link.name = name
}

function addresses(net: FakeNetwork, netns: string): IpScope['addresses'] {
  return {
    list: async () => net.in(netns).addresses.map((address) => ({ ...address })),
    async add(dev, cidr) {
      checkInput('address', { dev, cidr }, shape.addressInput)
      const ns = net.in(netns)
      mustFind(ns, dev)
      if (!ns.addresses.some((address) => address.dev === dev && address.cidr === cidr))
        ns.addresses.push({ dev, cidr, scope: 'global' })
    },
    async del(dev, cidr) {
      checkInput('address', { dev, cidr }, shape.addressInput)
      const ns = net.in(netns)
      ns.addresses = ns.addresses.filter((address) => address.dev !== dev || address.cidr !== cidr)
    },
  }
}

/** Connected routes of the kernel's own making are not modelled: callers only look at routes of their own protocol. */
function routes(net: FakeNetwork, netns: string): IpScope['routes'] {
  const sameKey = (a: Route, b: Route) => a.dst === b.dst && a.table === b.table && (a.metric ?? 0) === (b.metric ?? 0)
  return {
    async list(table = 'main') {
      const there = net.in(netns).routes.filter((route) => route.table === table)
      return there.map((route) => ({ ...route }))
    },
    async replace(input) {
      const ns = net.in(netns)
      const route = { protocol: 'static', table: 'main', ...checkInput('route', input, shape.routeInput) }
      const others = ns.routes.filter((other) => !sameKey(other, route))
      if (route.blackhole) return void (ns.routes = [...others, route])
      const dev = route.dev ?? ns.links.find((link) => link.up && reaches(ns, link.name, route.via))?.name
      if (dev === undefined) throw commandFailed('RTNETLINK answers: Network is unreachable')
      if (!mustFind(ns, dev).up) throw commandFailed('RTNETLINK answers: Network is down')
      if (route.via && !reaches(ns, dev, route.via) && !linkRoute(ns, { ...route, dev }))
        throw commandFailed('Error: Nexthop has invalid gateway.')
      ns.routes = [...others, { ...route, dev }]
    },
    async del(input) {
      const ns = net.in(netns)
      const gone = { table: 'main', ...checkInput('route', input, shape.routeInput) }
      ns.routes = ns.routes.filter(
        (route) =>
          !(route.dst === gone.dst && route.table === gone.table && (gone.metric === undefined || route.metric === gone.metric)),
      )
    },
  }
}

/** Does a route of the same table say that the gateway is on this link? */
const linkRoute = (ns: FakeNamespace, { via = '', dev, table }: Route) =>
  ns.routes.some((r) => r.table === table && r.dev === dev && !r.via && r.dst !== 'default' && within(r.dst, via))

/** Does an IPv4 gateway lie in a network of the interface? (IPv6 gateways are taken as reachable.) */
function reaches(ns: FakeNamespace, dev: string, via: string | undefined): boolean {
  if (via === undefined) return false
  if (via.includes(':')) return true
  return ns.addresses.some(({ dev: owner, cidr }) => owner === dev && within(cidr, via))
}

function within(cidr: string, ip: string): boolean {
  const number = (text: string) => text.split('.').reduce((sum, part) => sum * 256 + Number(part), 0)
  const [base, length] = cidr.split('/') as [string, string]
  const size = 2 ** (32 - Number(length))
  return !base.includes(':') && Math.floor(number(base) / size) === Math.floor(number(ip) / size)
}
