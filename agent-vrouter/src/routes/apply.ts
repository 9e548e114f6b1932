/** Carries out one change of a static route. Decides nothing. */
import { routerNetns } from '@skerry/contract'
import type { RoutesChange } from './have.ts'
import type { RoutesPorts } from './observe.ts'

export async function apply({ host }: RoutesPorts, { uuid, op, route }: RoutesChange): Promise<void> {
  const { routes } = host.ip.at(routerNetns(uuid))
  return op === 'route.set' ? routes.replace(route) : routes.del(route)
}
