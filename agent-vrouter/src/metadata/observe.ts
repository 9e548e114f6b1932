/** Reads what guests are served: what was noted of it, who is let in, and whether the servers run. Only reads. */
import { routerNetns, toErrorBody } from '@skerry/contract'
import { elementsIn, type Host, lighttpdFiles } from '@skerry/host'
import type { PlanContext } from '@skerry/reconcile'
import { METADATA_READERS, readerOf } from '../routers/flat.ts'
import { ROUTER_TABLE } from '../routers/rules.ts'
import { routerDir } from '../routers/service.ts'
import type { Made, MetadataHave, RouterView } from './have.ts'
import type { Want } from './plan.ts'
import { readRecords } from './records.ts'

export interface MetadataPorts {
  host: Host
  /** The agent's own folder. */
  stateDir: string
}

export async function observe(ports: MetadataPorts, context: Pick<PlanContext, 'wantedOf'>): Promise<MetadataHave[]> {
  const wanted = new Map((context.wantedOf('metadata') as readonly Want[]).map((w) => [w.uuid, w.spec]))
  const records = await readRecords(ports.host.files, ports.stateDir)
  const uuids = [...new Set([...wanted.keys(), ...records.keys()])].sort()
  if (uuids.length === 0) return []
  const namespaces = new Set(await ports.host.ip.netns.list())
  const routersOf = (uuid: string) => [
    ...new Set([
      ...(records.get(uuid) ?? []).map(({ router }) => router),
      ...(wanted.has(uuid) ? [wanted.get(uuid)!.routerUuid] : []),
    ]),
  ]
  const views = new Map<string, RouterView>()
  for (const router of new Set(uuids.flatMap(routersOf)))
    views.set(router, await readRouter(ports, router, namespaces.has(routerNetns(router))))
  return uuids.map((uuid) => {
    const made: Made[] = records.get(uuid) ?? []
    return { uuid, made, routers: routersOf(uuid).map((router) => views.get(router)!) }
  })
}

async function readRouter({ host, stateDir }: MetadataPorts, uuid: string, netns: boolean): Promise<RouterView> {
  const dir = routerDir(stateDir, uuid)
  const [running, folders] = await Promise.all([host.lighttpd.running(dir), host.files.list(lighttpdFiles(dir).root)])
  const outside = { uuid, netns, unseen: null, folders: folders ?? [] }
  if (!netns) return { ...outside, readers: null, server: running ? 'elsewhere' : 'absent' }
  try {
    const [table, pids] = await Promise.all([
      host.nft.at(routerNetns(uuid)).table(ROUTER_TABLE),
      running ? host.ip.netns.pids(routerNetns(uuid)) : ([] as number[]),
    ])
    const lets = table?.some((object) => 'set' in object && object.set.name === METADATA_READERS) ?? false
    const readers = lets ? elementsIn(table, METADATA_READERS).flatMap((element) => readerOf(element) ?? []) : null
    return { ...outside, readers, server: !running ? 'absent' : pids.includes(running.pid) ? 'running' : 'elsewhere' }
  } catch (error) {
    // one that can't be read (removed meanwhile, broken) must not hide the others
    return { ...outside, readers: null, server: 'absent', unseen: toErrorBody(error) }
  }
}
