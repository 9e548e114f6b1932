/** Links of iproute2: real and virtual interfaces, bridges, VLANs, VXLANs. */
import { ifname } from '@skerry/contract'
import { z } from 'zod'
import type { Run } from './ip.ts'
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
  /** Of a `vlan` only: the link that carries its tagged frames, and the tag. */
  vlan?: { link: string; vid: number }
  /** Of a `vxlan` only; `local: null`: whatever address the route to a peer says. */
  vxlan?: { vni: number; local: string | null; port: number }
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
  | { kind: 'vlan'; name: string; link: string; vid: number; mtu?: number; alias?: string }
  /** It learns which peer has which MAC; where to flood to is said by its forwarding entries. */
  | { kind: 'vxlan'; name: string; vni: number; local: string; port: number; mtu?: number; alias?: string }

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

export interface Links {
  list(): Promise<Link[]>
  get(name: string): Promise<Link | undefined>
  add(spec: LinkSpec): Promise<void>
  set(name: string, change: LinkChange): Promise<void>
  del(name: string): Promise<void>
}

/** Links of the namespace that `run` works in. */
export function links(run: Run): Links {
  const list = async () =>
    parseToolJson('ip link', await run(['-j', '-d', 'link', 'show']), z.array(shape.link), []).map(shape.toLink)
  // The whole list: `ip link show NAME` answers "no such device" with the same exit code as any failure.
  const get = async (name: string) => (await list()).find((link) => link.name === name)
  return {
    list,
    get,
    async add(spec) {
      const valid = checkInput('link', spec, shape.linkSpec)
      const on = valid.kind === 'vlan' ? ['link', valid.link] : []
      await run(['link', 'add', ...on, 'name', valid.name, ...macAndMtu(valid), 'type', valid.kind, ...kindArgs(valid)])
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
  if (spec.kind === 'vlan') return ['id', String(spec.vid)]
  if (spec.kind === 'vxlan') return ['id', String(spec.vni), 'local', spec.local, 'dstport', String(spec.port), 'learning']
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

/** Removes; a failure counts only if the thing is still there: the observation is trusted, not the exit code. */
export async function removeQuietly(remove: () => Promise<unknown>, isThere: () => Promise<boolean>): Promise<void> {
  try {
    await remove()
  } catch (error) {
    if (await isThere()) throw error
  }
}
