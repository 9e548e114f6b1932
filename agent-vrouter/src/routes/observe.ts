/** Reads the static routes of VPC routers: those that carry our protocol number. Only reads. */
import { routerNetns, toErrorBody, type vrouterDesired } from '@skerry/contract'
import type { Host } from '@skerry/host'
import type { PlanContext } from '@skerry/reconcile'
import type { RoutesHave } from './have.ts'

export interface RoutesPorts {
  host: Pick<Host, 'ip'>
}

/** In rtnetlink's protocol field, where no routing daemon that is known has a number. */
export const OURS = '219'

export async function observe({ host }: RoutesPorts, context: Pick<PlanContext, 'wantedOf' | 'buriedOf'>): Promise<RoutesHave[]> {
  const vpcs = context.wantedOf('router').filter(({ spec }) => (spec as vrouterDesired.RouterSpec).networks)
  const wanted = context.wantedOf('routes')
  const uuids = [...new Set([...wanted, ...context.buriedOf('routes'), ...vpcs].map(({ uuid }) => uuid))].sort()
  if (uuids.length === 0) return []
  const namespaces = await host.ip.netns.list()
  const seen: RoutesHave[] = []
  for (const uuid of uuids) seen.push(await readRouter(host, uuid, namespaces.includes(routerNetns(uuid))))
  const named = new Set(wanted.map(({ uuid }) => uuid))
  return seen.filter((have) => have.routes.length > 0 || named.has(have.uuid))
}

async function readRouter({ ip }: Pick<Host, 'ip'>, uuid: string, netns: boolean): Promise<RoutesHave> {
  const nothing = { uuid, netns, unseen: null, near: [], routes: [] }
  if (!netns) return nothing
  try {
    const scope = ip.at(routerNetns(uuid))
    const [links, addresses, routes] = await Promise.all([scope.links.list(), scope.addresses.list(), scope.routes.list()])
    const up = new Set(links.filter((link) => link.up && link.name !== 'lo').map((link) => link.name))
    const near = addresses.filter(({ dev, cidr }) => up.has(dev) && !cidr.includes(':')).map(({ cidr }) => cidr)
    return { ...nothing, near, routes: routes.filter(({ protocol }) => protocol === OURS) }
  } catch (error) {
    // one that can't be read must not hide the others
    return { ...nothing, unseen: toErrorBody(error) }
  }
}
