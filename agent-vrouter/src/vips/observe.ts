/** Reads VIPs: what was noted of them, and the legs, routes, rules and table of the routers that have any. Only reads. */
import { legName, routerLeg, routerNetns, routerPort, toErrorBody } from '@skerry/contract'
import { type Address, compareShape, elementsIn, type Host, type Link } from '@skerry/host'
import type { PlanContext, Wanted } from '@skerry/reconcile'
import { bridgeTable, pairOf } from '../routers/flat.ts'
import type { End } from '../routers/have.ts'
import { toEnd } from '../routers/observe.ts'
import type { Placed, RouterView, VipHave } from './have.ts'
import { readRecords } from './records.ts'
import { legMark, type Spec, VIP_TABLE, vipShape } from './rules.ts'

export interface VipPorts {
  host: Host
  /** The agent's own folder. */
  stateDir: string
  /** Name of the tables in the host's own namespace. */
  hostTable: string
}

interface World {
  namespaces: string[]
  links: Link[]
}

export async function observe(
  { host, stateDir, hostTable }: VipPorts,
  context: Pick<PlanContext, 'wantedOf'>,
): Promise<VipHave[]> {
  const wanted = new Map((context.wantedOf('vip') as readonly Wanted<Spec>[]).map((w) => [w.uuid, w.spec]))
  const records = await readRecords(host.files, stateDir)
  const uuids = [...new Set([...wanted.keys(), ...records.keys()])].sort()
  if (uuids.length === 0) return []
  const [namespaces, links] = await Promise.all([host.ip.netns.list(), host.ip.at().links.list()])
  const placed = new Map<string, Placed[]>()
  for (const uuid of uuids) {
    const spec = wanted.get(uuid)
    placed.set(uuid, [...(records.get(uuid) ?? []), ...(spec ? [{ routerUuid: spec.routerUuid, spec }] : [])])
  }
  const views = await readRouters(host, { namespaces, links }, [...placed.values()].flat())
  const isFlat = [...placed.values()].flat().some((one) => one.spec.flat)
  const flat = isFlat ? await host.nft.at().table(bridgeTable(hostTable)) : undefined
  const asks = flat && { asks: elementsIn(flat, 'asks').flatMap((element) => pairOf(element) ?? []) }
  const bridges = links.filter((link) => link.kind === 'bridge').map((link) => link.name)
  return uuids.map((uuid) => {
    const routers = [...new Set(placed.get(uuid)!.map((one) => one.routerUuid))]
    return { uuid, made: records.get(uuid) ?? [], routers: routers.map((router) => views.get(router)!), bridges, ...asks }
  })
}

async function readRouters(host: Host, world: World, placed: readonly Placed[]): Promise<Map<string, RouterView>> {
  const views = new Map<string, RouterView>()
  for (const uuid of new Set(placed.map((one) => one.routerUuid))) {
    const l3s = placed.filter((one) => one.routerUuid === uuid).map((one) => one.spec.l3NetworkUuid)
    views.set(uuid, await readRouter(host, world, { uuid, l3s: [...new Set(l3s)] }))
  }
  return views
}

const NOTHING = { inner: {}, rules: [], routes: {}, table: 'absent' as const, elements: {} }

async function readRouter(host: Host, world: World, of: { uuid: string; l3s: string[] }): Promise<RouterView> {
  const { uuid, l3s } = of
  const ports = endsOf(world.links, [], new Set(l3s.map((l3) => routerLeg(uuid, l3))))
  const joined = world.links
    .filter(({ name, master }) => name.startsWith(routerPort('')) && master !== null)
    .map(({ name }) => name)
  const netns = world.namespaces.includes(routerNetns(uuid))
  const outside = { uuid, netns, ports, joined, unseen: null }
  if (!netns) return { ...outside, ...NOTHING }
  try {
    return { ...outside, ...(await readInside(host, routerNetns(uuid), l3s)) }
  } catch (error) {
    // one that can't be read (removed meanwhile, broken) must not hide the others
    return { ...outside, ...NOTHING, unseen: toErrorBody(error) }
  }
}

async function readInside(host: Host, netns: string, l3s: readonly string[]) {
  const scope = host.ip.at(netns)
  const tables = ['main', ...l3s.map((l3) => String(legMark(l3)))]
  const [links, addresses, rules, listed, ...routes] = await Promise.all([
    scope.links.list(),
    scope.addresses.list(),
    host.routing.at(netns).list(),
    host.nft.at(netns).table(VIP_TABLE),
    ...tables.map((table) => scope.routes.list(table)),
  ])
  return {
    inner: endsOf(links, addresses, new Set(l3s.map(legName))),
    rules,
    routes: Object.fromEntries(tables.map((table, i) => [table, routes[i]!])),
    table: compareShape(listed, vipShape),
    elements: Object.fromEntries(vipShape.sets.map(({ name }) => [name, elementsIn(listed, name)])),
  }
}

const endsOf = (links: readonly Link[], addresses: readonly Address[], names: ReadonlySet<string>): Record<string, End> =>
  Object.fromEntries(links.filter(({ name }) => names.has(name)).map((link) => [link.name, toEnd(link, addresses)]))
