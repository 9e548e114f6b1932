/** Reads tunnels: what was noted of them, and the charon, table and routing rules of the routers that have any. Only reads. */
import { routerNetns, toErrorBody } from '@skerry/contract'
import { type CharonView, compareShape, elementsIn, type Host } from '@skerry/host'
import type { PlanContext, Wanted } from '@skerry/reconcile'
import type { Placed } from '../routers/records.ts'
import type { IpsecHave, RouterView } from './have.ts'
import type { TunnelKeeper } from './keeper.ts'
import { charonDir, ipsecRecords, type SealedKey } from './records.ts'
import { connectionName, IPSEC_TABLE, ipsecShape, type Spec } from './rules.ts'
import { stateOf } from './state.ts'

export interface IpsecPorts {
  host: Host
  /** The agent's own folder. */
  stateDir: string
  keeper: Pick<TunnelKeeper, 'tend' | 'causeOf'>
  /** Asks the controller for the key of a connection. */
  askKey(connectionUuid: string): Promise<SealedKey>
  unseal(sealed: string, context: string): Uint8Array
}

export async function observe(ports: IpsecPorts, context: Pick<PlanContext, 'wantedOf'>): Promise<IpsecHave[]> {
  const { host, stateDir, keeper } = ports
  const wanted = new Map((context.wantedOf('ipsec') as readonly Wanted<Spec>[]).map((w) => [w.uuid, w.spec]))
  const records = await ipsecRecords.read(host.files, stateDir)
  const uuids = [...new Set([...wanted.keys(), ...records.keys()])].sort()
  if (uuids.length === 0) return []
  const placed = new Map<string, Placed<Spec>[]>()
  for (const uuid of uuids) {
    const spec = wanted.get(uuid)
    placed.set(uuid, [...(records.get(uuid) ?? []), ...(spec ? [{ routerUuid: spec.routerUuid, spec }] : [])])
  }
  const namespaces = await host.ip.netns.list()
  const views = new Map<string, RouterView>()
  for (const router of new Set([...placed.values()].flat().map((one) => one.routerUuid))) {
    const view = await readRouter(ports, namespaces, router)
    views.set(router, view)
    await keeper.tend(router, loaded(view, placed))
  }
  return uuids.map((uuid) => {
    const routers = [...new Set(placed.get(uuid)!.map((one) => one.routerUuid))].map((router) => views.get(router)!)
    const spec = wanted.get(uuid)
    const charon = routers.find((view) => view.uuid === spec?.routerUuid)?.charon
    const state = spec && charon ? stateOf(uuid, spec, { charon, cause: keeper.causeOf(uuid) }) : null
    return { uuid, made: records.get(uuid) ?? [], routers, state }
  })
}

/** What its charon has of these. */
function loaded({ uuid: router, charon }: RouterView, placed: ReadonlyMap<string, Placed<Spec>[]>): Map<string, Spec> {
  const found = new Map<string, Spec>()
  for (const [uuid, places] of placed)
    for (const { routerUuid, spec } of places)
      if (routerUuid === router && charon?.connections.includes(connectionName(uuid, spec))) found.set(uuid, spec)
  return found
}

const NOTHING = { table: 'absent' as const, elements: { peers: [], outward: [], inward: [] }, rules: [] }

async function readRouter(
  { host, stateDir }: Pick<IpsecPorts, 'host' | 'stateDir'>,
  namespaces: readonly string[],
  uuid: string,
): Promise<RouterView> {
  const netns = namespaces.includes(routerNetns(uuid))
  const dir = charonDir(stateDir, uuid)
  const running = (await host.charon.running(dir)) !== undefined
  const charon = running ? await lookAt(host, dir) : null
  const outside = { uuid, netns, running, charon, unseen: null }
  if (!netns) return { ...outside, ...NOTHING }
  try {
    const [listed, rules] = await Promise.all([
      host.nft.at(routerNetns(uuid)).table(IPSEC_TABLE),
      host.routing.at(routerNetns(uuid)).list(),
    ])
    const of = (name: string) => elementsIn(listed, name)
    const elements = { peers: of('peers'), outward: of('outward'), inward: of('inward') }
    return { ...outside, table: compareShape(listed, ipsecShape), elements, rules }
  } catch (error) {
    // one that can't be read (removed meanwhile, broken) must not hide the others
    return { ...outside, ...NOTHING, unseen: toErrorBody(error) }
  }
}

/** One that doesn't answer is started anew. */
async function lookAt(host: Pick<Host, 'charon'>, dir: string): Promise<CharonView | null> {
  try {
    return await host.charon.at(dir).look()
  } catch {
    return null
  }
}
