/** What a router's dnsmasq lacks. Pure. A change of hosts is a reload; only another configuration or interface is a restart. */
import type { vrouterDesired } from '@skerry/contract'
import type { Wanted } from '@skerry/reconcile'
import type { RouterHave, RouterStep } from './have.ts'
import { confDigest, confOf, routerDir, wantsService } from './service.ts'

export interface ServicePlan {
  /** Before anything else of the router moves. */
  before: RouterStep[]
  /** When interface and address are there. */
  after: RouterStep[]
}

/** `fresh`: the interface that it serves is being made. */
export function planService(
  { uuid, spec }: Wanted<vrouterDesired.RouterSpec>,
  h: RouterHave,
  at: { stateDir: string; fresh: boolean },
): ServicePlan {
  const { service } = h
  const kills = service.strays.map(({ pid, startTicks }) => ({ op: 'service.kill', pid, startTicks }) as const)
  const stop: RouterStep[] = service.pid !== null ? [{ op: 'service.stop' }] : []
  if (!wantsService(spec)) return { before: [...kills, ...stop], after: [] }
  const conf = confOf(spec, routerDir(at.stateDir, uuid), h.host.nameServers)
  const write: RouterStep[] = conf === service.conf ? [] : [{ op: 'service.write', conf }]
  const forget: RouterStep[] = service.staleLeases.length > 0 ? [{ op: 'service.forget', addresses: service.staleLeases }] : []
  const start: RouterStep[] = [...write, ...forget, { op: 'service.start' }]
  if (service.pid === null) return { before: kills, after: start }
  if (at.fresh || write.length > 0 || service.served.conf !== confDigest(conf))
    return { before: [...kills, ...stop], after: start }
  const reload: RouterStep[] = service.served.hosts === service.hosts ? [] : [{ op: 'service.reload' }]
  return { before: kills, after: [...forget, ...reload] }
}
