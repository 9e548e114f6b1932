/** What is seen of a VIP, and what is done to it. */
import type { ErrorBody } from '@skerry/contract'
import type { FlowMatch, LinkChange, Route, RoutingRule, ShapeState } from '@skerry/host'
import type { Change, Observed } from '@skerry/reconcile'
import type { ArpPair } from '../routers/flat.ts'
import type { End } from '../routers/have.ts'
import type { Elements, Spec } from './rules.ts'

/** A router with VIPs; the same for all of them in a pass. */
export interface RouterView {
  uuid: string
  netns: boolean
  /** It is there, but could not be read. */
  unseen: ErrorBody | null
  /** Ends of legs on the host, by name. */
  ports: Record<string, End>
  /** Ends in the namespace, by name. */
  inner: Record<string, End>
  rules: RoutingRule[]
  /** By table. */
  routes: Record<string, Route[]>
  table: ShapeState
  elements: Elements
  /** Bridges' ends by which guests reach it. */
  joined: string[]
}

export interface Placed {
  routerUuid: string
  spec: Spec
}

export interface VipHave extends Observed {
  /** As it was made here, in the folder of which router. */
  made: Placed[]
  /** Those that it concerns. */
  routers: RouterView[]
  bridges: string[]
  /** Guests of flat networks for whom their router stands in for their gateway; absent: there is no table of that. */
  asks?: ArpPair[]
}

export type VipStep =
  | { op: 'leg.add'; name: string; peer: string; mac: string }
  | { op: 'leg.del'; at: 'router' | 'host'; name: string }
  | { op: 'leg.set'; at: 'router' | 'host'; name: string; set: LinkChange }
  | { op: 'leg.attach'; name: string; bridge: string }
  /** Fails, to be tried again soon: the bridge is agent-kvm's to make. */
  | { op: 'leg.await'; bridge: string }
  | { op: 'address.add' | 'address.del'; dev: string; cidr: string }
  /** Tells the neighbours where its addresses are. */
  | { op: 'leg.announce'; dev: string; mac: string }
  | { op: 'route.set'; route: Route }
  | { op: 'rule.add' | 'rule.del'; rule: RoutingRule }
  | { op: 'table.make'; elements: Elements }
  | { op: 'table.move'; add: Elements; remove: Elements }
  | { op: 'gate.move'; add: readonly ArpPair[]; remove: readonly ArpPair[] }
  /** Tells guests where their gateway is from now on. */
  | { op: 'gate.announce'; mac: string }
  | { op: 'flows.forget'; flows: FlowMatch[] }
  | { op: 'record.write'; spec: Spec }
  | { op: 'record.remove' }
  /** The router waited with its guests for this. */
  | { op: 'port.attach'; port: string; bridge: string }

export type VipChange = Change & { router: string } & VipStep
