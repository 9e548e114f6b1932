/** Storage strategies of plugins: they order the primary storages of a host that could take a volume, and no others. */
import { type Row, SkerryError } from '@skerry/contract'
import type { Graph } from '@skerry/graph'
import type { PluginHost, StorageView } from '@skerry/plugin'
import { needPool, type PoolRequest, possiblePools } from '../place/pool.ts'
import { type Asking, pluginOf } from './named.ts'
import { tagsOf } from './shown.ts'

/** Storages that a plugin is shown. */
const STORAGES = 200
const RANK_MS = 5_000

export async function rankStorages(
  graph: Graph,
  plugin: PluginHost,
  { strategy, request }: { strategy: string; request: PoolRequest },
): Promise<string[]> {
  const storages = possiblePools(graph, request)
    .slice(0, STORAGES)
    .map(({ storage, part }): StorageView => {
      const { uuid, name, zoneUuid } = storage as { uuid: string; name: string; zoneUuid: string }
      const bytes = (field: string) => part[field] as number
      return {
        ...{ uuid, name, zoneUuid, tags: tagsOf(graph, uuid), volumes: graph.countBy('volume', 'primaryStorageUuid', uuid) },
        ...{ availableCapacity: bytes('availableCapacity'), totalCapacity: bytes('totalCapacity') },
        availablePhysicalCapacity: bytes('availablePhysicalCapacity'),
      }
    })
  if (storages.length === 0) return []
  const call: Row = { diskBytes: request.diskBytes, hostUuid: request.host['uuid'], storages }
  const answer = await plugin.ask({ ask: 'rank-storages', strategy, call }, RANK_MS)
  const known = new Set(storages.map(({ uuid }) => uuid))
  if (!Array.isArray(answer) || new Set(answer).size !== answer.length || !answer.every((uuid) => known.has(uuid)))
    throw plugin.lied(`strategy ${strategy} must give uuids of the primary storages that it was shown, each once`)
  return answer
}

/**
 * What `take` makes of the storage that the plugin prefers, and that still has the room. Throws `plugin-failed` where it can't be
 * asked, `no-primary-storage` where it wants none.
 */
export async function storageBy<T>(
  { graph, plugins }: Asking,
  { strategy = '', ...request }: PoolRequest,
  take: (primaryStorageUuid: string) => T,
): Promise<T> {
  const plugin = pluginOf(strategy)?.plugin
  if (!plugins) throw new SkerryError('plugin-failed', `plugin ${plugin} failed: no plugin is loaded`, { plugin })
  const ranked = await plugins.rankStorages(strategy, { ...request, strategy })
  for (const uuid of ranked) {
    try {
      return take(uuid)
    } catch (error) {
      // It filled up while the plugin was thinking: the next one may have room.
      if (!(error instanceof SkerryError && ['no-host', 'no-primary-storage'].includes(error.code))) throw error
    }
  }
  // Without any that could, it says why of each; with some, that the plugin wants none of them.
  if (ranked.length === 0) needPool(graph, request)
  const host = request.host['name']
  const message = `no primary storage of host ${host} takes this volume: ${strategy} wants none of those that could`
  throw new SkerryError('no-primary-storage', message, { strategy, hostUuid: request.host['uuid'] })
}

/** As `needPool`, by whoever's strategy the request names. */
export async function poolBy(world: Asking, request: PoolRequest): Promise<string> {
  const { strategy: _, ...rest } = request
  if (!pluginOf(request.strategy) || request.primaryStorageUuid !== undefined) return needPool(world.graph, request)
  return storageBy(world, request, (primaryStorageUuid) => needPool(world.graph, { ...rest, primaryStorageUuid }))
}
