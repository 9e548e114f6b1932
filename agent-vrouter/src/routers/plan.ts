/** What a router lacks. Pure. Deletions first within a router; the bridge comes last, because another agent makes it. */
import {
  type ErrorBody,
  routerNetns,
  routerPort,
  routerUplink,
  SkerryError,
  toErrorBody,
  type vrouterDesired,
} from '@skerry/contract'
import { markOf } from '@skerry/host'
import type { PlanContext, Report, Wanted } from '@skerry/reconcile'
import type { End, Inside, RouterChange, RouterHave, RouterStep } from './have.ts'
import { endsOf, type Lan, lansOf, problemOf, sourcesOf } from './lans.ts'
import { planFlat, planFlatRemoval } from './plan-flat.ts'
import { planHost, planHostRemoval } from './plan-host.ts'
import { planLans, planUplink } from './plan-links.ts'
import { planService } from './plan-service.ts'
import { LAN } from './rules.ts'

export type RouterSpec = vrouterDesired.RouterSpec
type Want = Wanted<RouterSpec>

/** `stateDir`: where the routers' folders are. */
export function planRouters(stateDir: string) {
  return (want: readonly Want[], have: readonly RouterHave[], context: Pick<PlanContext, 'buried'>): RouterChange[] => {
    const seen = new Map(have.map((h) => [h.uuid, h]))
    const leaving = have.filter((h) => context.buried.has(h.uuid))
    const removals = leaving.flatMap((h) => tag(h.uuid, planRemoval(h, { want, leaving })))
    const good = want.flatMap((w) => {
      const h = seen.get(w.uuid)
      return h && !faultOf(w, h) ? [{ w, h }] : []
    })
    const made = good.flatMap(({ w, h }) =>
      tag(w.uuid, [...planHost(w, h, good), ...planFlat(w, h, good), ...planRouter(w, h, stateDir)]),
    )
    return [...removals, ...made]
  }
}

const tag = (uuid: string, steps: readonly RouterStep[]): RouterChange[] => steps.map((step) => ({ uuid, ...step }))

function planRouter(w: Want, h: RouterHave, stateDir: string): RouterStep[] {
  const lans = lansOf(w.uuid, w.spec)
  const lan = planLans(w.uuid, lans, h)
  const uplink = planUplink(w, h)
  // A socket on an interface that was made anew hears nothing: dnsmasq has to start anew, in the namespace that now has the name.
  const fresh = h.inside === null || lans.some((one) => Object.values(endsOf(h, one)).includes(null))
  const service = planService(w, h, { stateDir, fresh })
  return [
    ...service.before,
    ...lan.remove,
    ...uplink.remove,
    ...(h.netns ? [] : [{ op: 'netns.add' } as const]),
    ...planNamespace(w.spec, h.inside),
    ...lan.make,
    ...uplink.make,
    ...planRules(w.spec, lans, h.inside),
    ...service.after,
    ...lans.flatMap((one) => planPort(one, h)),
  ]
}

function planNamespace(spec: RouterSpec, inside: Inside | null): RouterStep[] {
  return [
    ...(inside?.loUp ? [] : [{ op: 'link.set', at: 'router', name: 'lo', set: { up: true } } as const]),
    // strict: a guest can't send from an address that isn't of its network
    ...(inside?.rpFilter === '1' ? [] : [{ op: 'sysctl.set', key: 'net/ipv4/conf/all/rp_filter', value: '1' } as const]),
    ...(inside?.forwarding ? [] : [{ op: 'sysctl.set', key: 'net/ipv4/ip_forward', value: '1' } as const]),
    // a router believes no advertisements, and says that it is one
    ...(!spec.v6 || inside?.forwarding6 ? [] : [{ op: 'sysctl.set', key: 'net/ipv6/conf/all/forwarding', value: '1' } as const]),
  ]
}

function planRules(spec: RouterSpec, lans: readonly Lan[], inside: Inside | null): RouterStep[] {
  const sources = sourcesOf(lans)
  if (inside?.rules !== 'ok') return [{ op: 'rules.make', sources, ...(spec.flat ? { flat: true as const } : {}) }]
  const add = sources.filter((source) => !inside.sources.includes(source))
  const remove = inside.sources.filter((source) => !sources.includes(source))
  return add.length + remove.length > 0 ? [{ op: 'rules.move', add, remove }] : []
}

function planPort(lan: Lan, h: RouterHave): RouterStep[] {
  const { host, vips } = h
  const { bridge } = lan
  if (!host.bridges.includes(bridge)) return [{ op: 'port.await', bridge }]
  const { port, inner } = endsOf(h, lan)
  const rebuilt = !inner // its port is a new one
  // Guests with an EIP would begin connections under another address. If the VIPs fail, the next pass lets the guests in.
  if (rebuilt && vips && (lan.name === LAN || h.inside === null)) return []
  return port?.master === bridge && !rebuilt ? [] : [{ op: 'port.attach', port: lan.port, bridge }]
}

/** All that carries this router's mark. */
function planRemoval(h: RouterHave, { want, leaving }: { want: readonly Want[]; leaving: readonly RouterHave[] }): RouterStep[] {
  const ours = (end: End | null) => end !== null && (end.alias === null || end.alias === markOf(h.uuid))
  return [
    ...h.service.strays.map(({ pid, startTicks }) => ({ op: 'service.kill', pid, startTicks }) as const),
    ...(h.service.pid !== null ? [{ op: 'service.stop' } as const] : []),
    ...(ours(h.port) ? [{ op: 'veth.del', at: 'host', name: routerPort(h.uuid) } as const] : []),
    ...Object.keys(h.ports ?? {}).map((name) => ({ op: 'veth.del', at: 'host', name }) as const),
    ...(ours(h.uplink) ? [{ op: 'veth.del', at: 'host', name: routerUplink(h.uuid) } as const] : []),
    ...planHostRemoval(h, { want, leaving }),
    ...planFlatRemoval(h, { want, leaving }),
    ...(h.netns ? [{ op: 'netns.del' } as const] : []),
    ...(h.folder ? [{ op: 'folder.remove' } as const] : []),
  ]
}

/** Why this document can't be carried out now: nothing is changed then. */
export function faultOf({ uuid, spec }: Want, have: RouterHave): ErrorBody | undefined {
  const problem = problemOf(uuid, spec)
  if (problem)
    return toErrorBody(
      new SkerryError('invalid-document', `the document of a router is contradictory: ${problem}`, { routerUuid: uuid }),
    )
  if (have.unseen)
    return toErrorBody(
      new SkerryError('host-command-failed', 'the namespace of a router cannot be read', {
        netns: routerNetns(uuid),
        cause: have.unseen,
      }),
    )
  const ports = lansOf(uuid, spec).map((lan) => [lan.port, have.strangers?.[lan.port] ?? endsOf(have, lan).port] as const)
  for (const [name, end] of [...ports, [routerUplink(uuid), have.uplink] as const]) {
    if (end && end.alias !== null && end.alias !== markOf(uuid))
      return toErrorBody(
        new SkerryError('in-use', `an interface called ${name} exists and is not this router's`, {
          interface: name,
          alias: end.alias,
        }),
      )
  }
  return undefined
}

/** `observed`: {netns, dnsmasqPid, uplink, forwardDrop}; `forwardDrop` warns that the host's firewall may stop what goes out. */
export function report(want: Want | undefined, have: RouterHave | undefined): Report {
  const observed = {
    netns: have?.netns ?? false,
    dnsmasqPid: have?.service.pid ?? null,
    uplink: have?.uplink != null,
    forwardDrop: have?.host.forwardDrop ?? false,
  }
  const error = want && have ? faultOf(want, have) : undefined
  if (!error) return { condition: 'Ready', observed }
  return { condition: error.code === 'invalid-document' ? 'Refused' : 'Failed', observed, error }
}
