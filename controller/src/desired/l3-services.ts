/** What an L3 network says of its services, and whose namespace gives them. Pure look-ups. */
import type { Row } from '@skerry/contract'
import type { Graph } from '@skerry/graph'

export const hasService = (l3: Row, service: string) =>
  (l3['networkServices'] as { networkServiceType: string }[]).some((s) => s.networkServiceType === service)

/** Whose namespace serves a network: its own router, or the one of its VPC. */
export const routerOf = (graph: Graph, l3: string): string =>
  (graph.get('l3Network', l3)?.['vpcRouterUuid'] as string | null | undefined) ?? l3
