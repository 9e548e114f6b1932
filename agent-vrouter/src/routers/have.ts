/** What is seen of a router, and what is done to it. */
import type { ErrorBody } from '@skerry/contract'
import type { LinkChange, ShapeState } from '@skerry/host'
import type { Change, Observed } from '@skerry/reconcile'
import type { FlatSets } from './flat.ts'
import type { UplinkElement } from './rules.ts'

/** One end of a veth. */
export interface End {
  up: boolean
  mtu: number
  alias: string | null
  master: string | null
  /** In CIDR form, without those that the kernel makes by itself; empty for the bridge's end, whose addresses nobody reads. */
  addresses: string[]
}

/** Inside the namespace. */
export interface Inside {
  loUp: boolean
  lan: End | null
  /** In each of several networks, by name. */
  lans?: Record<string, End>
  up: End | null
  /** Next hop of the default route. */
  defaultVia: string | null
  forwarding: boolean
  /** of IPv6; absent: not */
  forwarding6?: boolean
  rpFilter: string
  rules: ShapeState
  /** Elements of `snat_sources`. */
  sources: string[]
}

export interface ServiceHave {
  /** Of the process that runs on this router's folder. */
  pid: number | null
  /** Others that were started on it: their pid file is lost. */
  strays: { pid: number; startTicks: number }[]
  conf: string | null
  /** Digests: of the files as they are, and of what the process has read. */
  hosts: string
  served: { conf: string; hosts: string }
  /** Leased addresses that no host line allows to that MAC. */
  staleLeases: string[]
}

/** Of the host; the same for all routers of a pass. */
export interface HostView {
  forwarding: string
  /** Somebody else's forward chain drops by policy, which no accept of ours overrules. */
  forwardDrop: boolean
  rules: ShapeState
  uplinks: UplinkElement[]
  bridges: string[]
  /** The table of the bridge family; absent: there is none. */
  flat?: { rules: ShapeState; sets: FlatSets }
  /** Name servers of the host that a router can reach. */
  nameServers: string[]
}

export interface RouterHave extends Observed {
  netns: boolean
  /** It is there, but could not be read. */
  unseen: ErrorBody | null
  inside: Inside | null
  port: End | null
  /** Bridges' ends of several networks that carry its mark, by name. */
  ports?: Record<string, End>
  /** Interfaces with a name that it wants, and without its mark. */
  strangers?: Record<string, End>
  uplink: End | null
  folder: boolean
  /** VIPs on it are wanted: they let its guests in when it is made anew. */
  vips: boolean
  service: ServiceHave
  host: HostView
}

type Step =
  | { op: 'netns.add' | 'netns.del' }
  /** `at`: in the router's namespace, or in the host's own */
  | { op: 'veth.add'; name: string; peer: string; mac?: string; mtu?: number }
  | { op: 'veth.del'; at: 'router' | 'host'; name: string }
  | { op: 'link.set'; at: 'router' | 'host'; name: string; set: LinkChange }
  | { op: 'address.add' | 'address.del'; at: 'router' | 'host'; dev: string; cidr: string }
  | { op: 'sysctl.set'; key: string; value: string }
  | { op: 'route.default'; via: string }
  /** The whole table. */
  | { op: 'rules.make'; sources: string[]; flat?: true }
  | { op: 'rules.move'; add: string[]; remove: string[] }
  | { op: 'host.forward'; before: string }
  | { op: 'host.rules.make'; uplinks: UplinkElement[] }
  | { op: 'host.rules.move'; add: UplinkElement[]; remove: UplinkElement[] }
  | { op: 'host.rules.drop' }
  | { op: 'flat.make'; sets: FlatSets }
  | { op: 'flat.move'; add: Pick<FlatSets, 'ports' | 'gates'>; remove: Pick<FlatSets, 'ports' | 'gates'> }
  | { op: 'flat.drop' }
  | { op: 'service.write'; conf: string }
  | { op: 'service.start' | 'service.stop' | 'service.reload' }
  | { op: 'service.forget'; addresses: string[] }
  | { op: 'service.kill'; pid: number; startTicks: number }
  /** `port`: the bridge's end */
  | { op: 'port.attach'; port: string; bridge: string }
  /** Fails, to be tried again soon: the bridge is agent-kvm's to make. */
  | { op: 'port.await'; bridge: string }
  | { op: 'folder.remove' }

export type RouterChange = Change & Step
export type RouterStep = Step
