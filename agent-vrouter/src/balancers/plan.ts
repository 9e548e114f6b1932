/**
 * What load balancers lack. Pure. Ports close before what answers there goes, and open when it is there. Servers, lists and certificates
 * are changed in the running process; only another configuration is a reload.
 */
import { type ErrorBody, routerNetns, SkerryError, toErrorBody } from '@skerry/contract'
import { haproxyDigest, haproxyFiles, renderHaproxy } from '@skerry/host'
import type { PlanContext, Report, Wanted } from '@skerry/reconcile'
import type { BalancerChange, BalancerHave, BalancerStep, RouterView } from './have.ts'
import { type Service, sameService, servicesOf } from './services.ts'
import { type BalancerSpec, healthOf, listenersOf, listsOf, listText, serverOf } from './spec.ts'

type Want = Wanted<BalancerSpec>

export function plan(
  want: readonly Want[],
  have: readonly BalancerHave[],
  context: Pick<PlanContext, 'buried'>,
): BalancerChange[] {
  const seen = new Map(have.map((h) => [h.uuid, h]))
  const removals = have.filter((h) => context.buried.has(h.uuid)).flatMap((h) => tag(h.uuid, planRemoval(h)))
  const made = want.flatMap((w) => {
    const h = seen.get(w.uuid)
    return h && !faultOf(w, h) ? tag(w.uuid, planBalancer(w, h)) : []
  })
  return [...removals, ...made]
}

const tag = (uuid: string, steps: readonly BalancerStep[]): BalancerChange[] => steps.map((step) => ({ uuid, ...step }))
const viewOf = (h: BalancerHave, uuid: string | undefined): RouterView | undefined => h.routers.find((r) => r.uuid === uuid)

/** What it has open in a router that it should not. */
function closing(view: RouterView | undefined, keep: readonly Service[], ip: string): BalancerStep[] {
  const remove = (view?.services ?? []).filter((s) => s.ip === ip && !keep.some((k) => sameService(k, s)))
  return view && remove.length > 0 ? [{ op: 'services.move', router: view.uuid, add: [], remove }] : []
}

function opening(view: RouterView, wanted: readonly Service[]): BalancerStep[] {
  const add = wanted.filter((s) => !view.services?.some((there) => sameService(there, s)))
  return add.length > 0 ? [{ op: 'services.move', router: view.uuid, add, remove: [] }] : []
}

function planRemoval(h: BalancerHave): BalancerStep[] {
  return [
    ...(h.made ? closing(viewOf(h, h.made.routerUuid), [], h.made.ip) : []),
    ...(h.pid !== null ? [{ op: 'process.stop' } as const] : []),
    ...(h.folder ? [{ op: 'folder.remove' } as const] : []),
  ]
}

function planBalancer({ spec }: Want, h: BalancerHave): BalancerStep[] {
  const view = viewOf(h, spec.routerUuid)!
  const { made } = h
  const moved = made !== null && (made.routerUuid !== spec.routerUuid || made.ip !== spec.ip)
  // a namespace that was made anew has no process of before
  const lost = h.pid !== null && !view.pids.includes(h.pid)
  const stop = h.pid !== null && (moved || lost || h.live === null)
  const wanted = servicesOf(spec)
  return [
    ...(moved ? closing(viewOf(h, made.routerUuid), [], made.ip) : []),
    ...closing(view, wanted, spec.ip),
    ...(stop ? [{ op: 'process.stop' } as const] : []),
    ...(made === null || moved ? [{ op: 'folder.make', made: { routerUuid: spec.routerUuid, ip: spec.ip } } as const] : []),
    ...planProcess(spec, h, h.pid !== null && !stop),
    ...opening(view, wanted),
  ]
}

function planProcess(spec: BalancerSpec, h: BalancerHave, running: boolean): BalancerStep[] {
  const listeners = listenersOf(spec)
  const digest = haproxyDigest(listeners)
  const conf = renderHaproxy(listeners)
  const write: BalancerStep[] = conf === h.conf ? [] : [{ op: 'conf.write', conf }]
  const same = running && h.live?.digest === digest
  const files = planFiles(spec, h, same)
  if (!running) return [...files, ...write, ...unused(spec, h), { op: 'process.start', router: spec.routerUuid }]
  // the file first: what a process that dies in between comes back with
  if (same) return [...files, ...write, ...planServers(spec, h), ...unused(spec, h)]
  return [...cut(spec, h), ...files, ...write, { op: 'process.reload', digest }, ...unused(spec, h)]
}

/** Connections of listeners that go end; after a reload, nobody could reach them. */
function cut(spec: BalancerSpec, { live }: BalancerHave): BalancerStep[] {
  const kept = new Set(spec.listeners.map(({ uuid }) => uuid))
  return Object.entries(live?.servers ?? {}).flatMap(([listener, servers]) =>
    kept.has(listener) ? [] : servers.map(({ name }) => ({ op: 'server.remove', listener, server: name }) as const),
  )
}

function planFiles(spec: BalancerSpec, h: BalancerHave, live: boolean): BalancerStep[] {
  const lists = [...listsOf(spec)].flatMap(([file, entries]): BalancerStep[] =>
    h.lists[file] === listText(entries) ? [] : [{ op: 'list.set', file, entries, live: live && h.lists[file] !== undefined }],
  )
  const certificates = spec.listeners.flatMap(({ uuid, certificate }): BalancerStep[] =>
    certificate && h.certificates[uuid] !== certificate.fingerprint
      ? [{ op: 'certificate.put', listener: uuid, certificate, live: live && h.certificates[uuid] !== undefined }]
      : [],
  )
  return [...lists, ...certificates]
}

/** Files of listeners that are no more, and certificates of those that have none. */
function unused(spec: BalancerSpec, h: BalancerHave): BalancerStep[] {
  const lists = listsOf(spec)
  const secure = new Set(spec.listeners.filter((l) => l.certificate).map((l) => l.uuid))
  return [
    ...Object.keys(h.lists).filter((file) => !lists.has(file)),
    ...Object.keys(h.certificates)
      .filter((uuid) => !secure.has(uuid))
      .map(haproxyFiles.certificate),
  ].map((file) => ({ op: 'file.remove', file }) as const)
}

function planServers(spec: BalancerSpec, { live }: BalancerHave): BalancerStep[] {
  return spec.listeners.flatMap((l): BalancerStep[] => {
    const there = new Map((live?.servers[l.uuid] ?? []).map((server) => [server.name, server]))
    const wanted = l.servers.map(serverOf)
    const stays = (name: string) => {
      const [want, have] = [wanted.find((s) => s.name === name), there.get(name)]
      return want !== undefined && have !== undefined && want.ip === have.ip && want.port === have.port
    }
    const listener = l.uuid
    return [
      ...[...there.keys()].filter((name) => !stays(name)).map((server) => ({ op: 'server.remove', listener, server }) as const),
      ...wanted
        .filter(({ name }) => !stays(name))
        .map((server) => ({ op: 'server.add', listener, server, health: healthOf(l) }) as const),
      ...wanted
        .filter(({ name, weight }) => stays(name) && there.get(name)!.weight !== weight)
        .map(({ name: server, weight }) => ({ op: 'server.weigh', listener, server, weight }) as const),
    ]
  })
}

/** Why this document can't be carried out now: nothing is changed then. */
export function faultOf({ uuid, spec }: Want, have: BalancerHave): ErrorBody | undefined {
  const problem = problemOf(spec)
  const about = { loadBalancerUuid: uuid }
  if (problem)
    return toErrorBody(new SkerryError('invalid-document', `the document of a load balancer is contradictory: ${problem}`, about))
  const view = viewOf(have, spec.routerUuid)
  const netns = routerNetns(spec.routerUuid)
  if (!view?.netns)
    return toErrorBody(new SkerryError('not-found', 'the router of the load balancer is not on this host', { ...about, netns }))
  if (view.unseen || view.services === null)
    return toErrorBody(
      new SkerryError('host-command-failed', 'the router of the load balancer cannot be read', { netns, cause: view.unseen }),
    )
  return undefined
}

function problemOf(spec: BalancerSpec): string | undefined {
  const ports = spec.listeners.map(({ port }) => port)
  const twice = ports.find((port, at) => ports.indexOf(port) !== at)
  if (twice !== undefined) return `two listeners have port ${twice}`
  const bare = spec.listeners.find((l) => l.protocol === 'https' && !l.certificate)
  if (bare) return `its listener on port ${bare.port} has no certificate`
  try {
    renderHaproxy(listenersOf(spec))
    return undefined
  } catch (error) {
    if (error instanceof SkerryError) return `${error.message} ${JSON.stringify(error.details)}`
    throw error
  }
}

/** `observed.servers`: by listener and server, what its checks say. */
export function report(want: Want | undefined, have: BalancerHave | undefined): Report {
  const checked = (listener: string) => want?.spec.listeners.find(({ uuid }) => uuid === listener)?.health !== null
  const servers = Object.fromEntries(
    Object.entries(have?.live?.servers ?? {}).map(([listener, all]) => [
      listener,
      Object.fromEntries(
        all.map(({ name, up }) => [name, up === null ? (checked(listener) ? 'Pending' : 'Unchecked') : up ? 'Up' : 'Down']),
      ),
    ]),
  )
  const error = want && have ? faultOf(want, have) : undefined
  if (!error) return { condition: 'Ready', observed: { servers } }
  return { condition: error.code === 'invalid-document' ? 'Refused' : 'Failed', observed: { servers }, error }
}
