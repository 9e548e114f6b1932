/** What is seen of a router's static routes, and what is done to them. */
import type { ErrorBody } from '@skerry/contract'
import type { Route } from '@skerry/host'
import type { Change, Observed } from '@skerry/reconcile'

export interface RoutesHave extends Observed {
  netns: boolean
  /** It is there, but could not be read. */
  unseen: ErrorBody | null
  /** Networks of its interfaces that are up, in CIDR form. */
  near: string[]
  /** Those of ours. */
  routes: Route[]
}

export type RoutesChange = Change & { op: 'route.set' | 'route.del'; route: Route }
