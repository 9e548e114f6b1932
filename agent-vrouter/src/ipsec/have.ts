/** What is seen of tunnels, and what is done to them. */
import type { ErrorBody, ipsecDesired } from '@skerry/contract'
import type { CharonView, RoutingRule, ShapeState } from '@skerry/host'
import type { Change, Observed } from '@skerry/reconcile'
import type { Placed } from '../routers/records.ts'
import type { Elements, Spec } from './rules.ts'

/** A router with tunnels; the same for all of them in a pass. */
export interface RouterView {
  uuid: string
  netns: boolean
  /** It is there, but could not be read. */
  unseen: ErrorBody | null
  /** Null: none runs, or it doesn't answer. */
  charon: CharonView | null
  /** One runs, whether it answers or not. */
  running: boolean
  table: ShapeState
  elements: Elements
  rules: RoutingRule[]
}

export interface IpsecHave extends Observed {
  /** As it was made here, in the folder of which router. */
  made: Placed<Spec>[]
  /** Those that it concerns. */
  routers: RouterView[]
  /** By what charon and its peer say; null: it is not wanted, or nothing runs. */
  state: { status: (typeof ipsecDesired.ipsecStatus)['options'][number]; cause: string | null } | null
}

export type IpsecStep =
  | { op: 'charon.start' | 'charon.stop' }
  | { op: 'connection.load'; spec: Spec }
  | { op: 'connection.unload'; name: string }
  | { op: 'rule.add' | 'rule.del'; rule: RoutingRule }
  | { op: 'table.make'; elements: Elements }
  | { op: 'table.move'; add: Elements; remove: Elements }
  | { op: 'table.drop' }
  | { op: 'record.write'; spec: Spec }
  /** With its key. */
  | { op: 'record.remove' }

export type IpsecChange = Change & { router: string } & IpsecStep
