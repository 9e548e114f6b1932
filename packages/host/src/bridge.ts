/**
 * Bridges that are ours, and links that were made to be their uplinks. The mark is the link alias `skerry:<uuid>`; a bridge without it is somebody else's and is never
 * changed or removed, whatever its name. A physical NIC is enslaved only where that can't cut the host off.
 */
import { ifname, SkerryError, uuid } from '@skerry/contract'
import { z } from 'zod'
import type { Ip, Link, Links } from './ip.ts'
import { checkInput } from './parse-json.ts'

export interface BridgeInfo {
  name: string
  /** The uuid of our mark; null: not ours. */
  uuid: string | null
  ports: string[]
  up: boolean
  mtu: number
  mac: string | null
}

export interface BridgeSpec {
  name: string
  uuid: string
  mtu?: number
  /** Fixed, so that it doesn't change with the ports. */
  mac?: string
}

export interface Bridges {
  /** All bridges, ours and others'. */
  list(): Promise<BridgeInfo[]>
  /** Makes it up and marked. One that is there with the same mark is fine; with another or none it is `in-use`. */
  create(spec: BridgeSpec): Promise<void>
  /** A bridge or an uplink that was made here. Absent is fine; not ours is `in-use`. */
  remove(name: string): Promise<void>
  /** Makes an interface a port of our bridge and sets it up. For veth and tap ends. */
  addPort(bridge: string, port: string): Promise<void>
  /** Takes a port off our bridge; not being a port of it is fine. */
  removePort(bridge: string, port: string): Promise<void>
  /** Like addPort for a NIC of the host: refuses one that doesn't exist, carries an address, or belongs elsewhere. */
  attachNic(bridge: string, nic: string): Promise<void>
  /**
   * Makes a link of its own and marks it, as port of our bridge, up and as it is described; one that is there and ours is made so again.
   * A link of that name that is not this network's is `in-use`; an interface that is to carry it and doesn't exist is `not-found`. The
   * interface that carries it is set up, and nothing else of it changes: it keeps its addresses.
   */
  makeUplink(bridge: string, spec: UplinkSpec): Promise<void>
}

/** A VLAN on an interface of the host, or a VXLAN that an address of the host sends out. */
export type UplinkSpec = {
  name: string
  /** Of the mark: the bridge's. */
  uuid: string
  mtu: number
} & ({ kind: 'vlan'; link: string; vid: number } | { kind: 'vxlan'; vni: number; local: string; port: number })
const UPLINK_KINDS: readonly (string | null)[] = ['vlan', 'vxlan']

const MARK = /^skerry:([0-9a-f]{32})$/
const uplink = { name: ifname, uuid, mtu: z.number() }
/** Numbers have their limits where links are made. */
const uplinkSpec = z.discriminatedUnion('kind', [
  z.strictObject({ ...uplink, kind: z.literal('vlan'), link: ifname, vid: z.number() }),
  z.strictObject({ ...uplink, kind: z.literal('vxlan'), vni: z.number(), local: z.string(), port: z.number() }),
])
const bridgeSpec = z.strictObject({ name: ifname, uuid, mtu: z.number().optional(), mac: z.string().optional() })

/** The alias that marks a link as ours. */
export const markOf = (ownerUuid: string) => `skerry:${ownerUuid}`
/** The uuid in a link's alias, or null. */
export const ownerOf = (alias: string | null) => alias?.match(MARK)?.[1] ?? null

/** Bridges of the host, or of one namespace. */
export function bridges(ip: Ip, netns?: string): Bridges {
  const { links, addresses } = ip.at(netns)
  const list = async () => toBridges(await links.list())
  return {
    list,
    async create(spec) {
      const valid = checkInput('bridge', spec, bridgeSpec)
      const there = (await links.list()).find((link) => link.name === valid.name)
      if (there) {
        mustBe(there, valid.uuid)
        if (!there.up) await links.set(valid.name, { up: true })
        return
      }
      // The kernel can't set an alias while it makes a link: the mark goes onto a temporary name, then it is renamed,
      // so that a crash in between never leaves an unmarked bridge under a real name.
      const temp = `skt${valid.uuid.slice(0, 12)}`
      await links.del(temp)
      await links.add({ kind: 'bridge', name: temp, mtu: valid.mtu, mac: valid.mac, alias: markOf(valid.uuid) })
      await links.set(temp, { name: valid.name })
      await links.set(valid.name, { up: true })
    },
    async remove(name) {
      const link = await links.get(name)
      if (!link) return
      if (!UPLINK_KINDS.includes(link.kind) || ownerOf(link.alias) === null) requireOurs(link, name)
      await links.del(name)
    },
    async addPort(bridge, port) {
      const all = await links.list()
      requireOurs(find(all, bridge), bridge)
      requireFree(find(all, port), port, bridge)
      await links.set(port, { master: bridge, up: true })
    },
    async removePort(bridge, port) {
      const all = await links.list()
      requireOurs(find(all, bridge), bridge)
      if (find(all, port)?.master === bridge) await links.set(port, { master: null })
    },
    async attachNic(bridge, nic) {
      const all = await links.list()
      requireOurs(find(all, bridge), bridge)
      requireFree(find(all, nic), nic, bridge)
      const own = (await addresses.list()).filter((address) => address.dev === nic && address.scope === 'global')
      if (own.length > 0) {
        throw new SkerryError('in-use', `${nic} carries an address of the host itself, so bridging it would cut the host off`, {
          interface: nic,
          addresses: own.map((address) => address.cidr),
          remedy: 'Name an interface without an address, or move the address onto a bridge of your own first.',
        })
      }
      await links.set(nic, { master: bridge, up: true })
    },
    makeUplink: (bridge, spec) => makeUplink(links, bridge, checkInput('uplink', spec, uplinkSpec)),
  }
}

async function makeUplink(links: Links, bridge: string, { uuid: owner, ...spec }: UplinkSpec): Promise<void> {
  const { kind, name, mtu } = spec
  const all = await links.list()
  requireOurs(find(all, bridge), bridge)
  const there = find(all, name)
  if (there) mustBe(there, owner, kind)
  if (kind === 'vlan') {
    const { link } = spec
    const lower = find(all, link)
    if (!lower)
      throw new SkerryError('not-found', `there is no network interface called ${link} on this host`, { interface: link })
    if (!lower.up) await links.set(link, { up: true })
  }
  if (!there) {
    // Under a name of its own until it is marked, as a bridge is.
    const temp = `sku${owner.slice(0, 12)}`
    await links.del(temp)
    await links.add({ ...spec, name: temp, alias: markOf(owner) })
    await links.set(temp, { name })
  } else if (there.mtu !== mtu) await links.set(name, { mtu })
  await links.set(name, { master: bridge, up: true })
}

function toBridges(all: readonly Link[]): BridgeInfo[] {
  return all
    .filter((link) => link.kind === 'bridge')
    .map((link) => ({
      name: link.name,
      uuid: ownerOf(link.alias),
      ports: all
        .filter((port) => port.master === link.name)
        .map((port) => port.name)
        .sort(),
      up: link.up,
      mtu: link.mtu,
      mac: link.mac,
    }))
}

const find = (all: readonly Link[], name: string) => all.find((link) => link.name === name)

function mustBe(link: Link, ownerUuid: string, kind = 'bridge'): void {
  if (link.kind === kind && ownerOf(link.alias) === ownerUuid) return
  throw new SkerryError('in-use', `an interface called ${link.name} exists and is not ours`, {
    interface: link.name,
    kind: link.kind,
  })
}

function requireOurs(link: Link | undefined, name: string): void {
  if (!link) throw new SkerryError('not-found', `there is no bridge called ${name} on this host`, { bridge: name })
  if (link.kind !== 'bridge' || ownerOf(link.alias) === null) {
    throw new SkerryError('in-use', `${name} is not a bridge of ours, so it is left alone`, { bridge: name, kind: link.kind })
  }
}

function requireFree(port: Link | undefined, name: string, bridge: string): void {
  if (!port) throw new SkerryError('not-found', `there is no network interface called ${name} on this host`, { interface: name })
  if (port.master !== null && port.master !== bridge) {
    throw new SkerryError('in-use', `${name} belongs to ${port.master} already`, { interface: name, master: port.master })
  }
}
