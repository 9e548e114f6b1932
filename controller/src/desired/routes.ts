/** A VPC router with a route table → its static routes. */
import type { Row, vrouterDesired } from '@skerry/contract'
import type { Graph } from '@skerry/graph'
import type { Projection } from './projection.ts'
import { vpcAgents } from './vpc.ts'

const routersWith = (graph: Graph, table: unknown): string[] =>
  [...graph.by('vRouterRouteTableRef', 'routeTableUuid', table)].map(
    (k) => graph.get('vRouterRouteTableRef', k)!['virtualRouterVmUuid'] as string,
  )

export const routes: Projection = {
  noun: 'routes',
  kind: 'vrouter',
  touchedBy: {
    vpcRouter: (row) => [row['uuid'] as string],
    vRouterRouteTableRef: (row) => [row['virtualRouterVmUuid'] as string],
    vRouterRouteEntry: (row, graph) => routersWith(graph, row['routeTableUuid']),
  },
  agents(graph, uuid) {
    const router = graph.get('vpcRouter', uuid)
    return router && graph.get('vRouterRouteTableRef', uuid) ? vpcAgents(graph, router) : []
  },
  spec(graph, uuid): Row {
    const table = graph.get('vRouterRouteTableRef', uuid)!['routeTableUuid']
    const entries = [...graph.by('vRouterRouteEntry', 'routeTableUuid', table)]
      .sort()
      .map((k) => graph.get('vRouterRouteEntry', k)!)
    const spec: vrouterDesired.RoutesSpec = {
      routes: entries.map(({ destination, target, distance }) => ({
        ...{ destination: destination as string, via: target as string | null, distance: distance as number },
      })),
    }
    return spec
  },
}
