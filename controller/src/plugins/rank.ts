/** Strategies of plugins: they order the hosts that the filters let through, and no others. */
import { type Row, SkerryError } from '@skerry/contract'
import type { Graph } from '@skerry/graph'
import type { HostView, PluginHost } from '@skerry/plugin'
import { candidates, type Placement, placeVm } from '../place/host.ts'
import type { PlaceRequest } from '../place/request.ts'
import { type Asking, pluginOf } from './named.ts'
import { tagsOf } from './shown.ts'
import { storageBy } from './storages.ts'

/** Hosts that a plugin is shown, the emptiest first. */
const HOSTS = 1_000
const RANK_MS = 5_000

export async function rankHosts(
  graph: Graph,
  host: PluginHost,
  { strategy, request }: { strategy: string; request: PlaceRequest },
): Promise<string[]> {
  const { strategy: _own, random: _random, ...asked } = request
  const { possible } = candidates(graph, asked)
  const hosts = possible.slice(0, HOSTS).map(({ host: name, hostUuid: uuid, ...rest }): HostView => {
    const row = graph.get('host', uuid) as Row
    const { availableCpuCapacity, availableMemoryCapacity } = row as {
      availableCpuCapacity: number
      availableMemoryCapacity: number
    }
    return { uuid, name, ...rest, availableCpuCapacity, availableMemoryCapacity, tags: tagsOf(graph, uuid) }
  })
  if (hosts.length === 0) return []
  const answer = await host.ask({ ask: 'rank', strategy, call: { request: asked, hosts } }, RANK_MS)
  const known = new Set(hosts.map(({ uuid }) => uuid))
  if (!Array.isArray(answer) || new Set(answer).size !== answer.length || !answer.every((uuid) => known.has(uuid)))
    throw host.lied(`strategy ${strategy} must give uuids of the hosts that it was shown, each once`)
  return answer
}

/** As `placeVm`, by whoever's strategies the request names. Throws `plugin-failed` where one can't be asked. */
export async function placeBy(world: Asking, request: PlaceRequest): Promise<Placement> {
  const placed = await hostBy(world, request)
  const { graph } = world
  const { strategy: _, storageStrategy, primaryStorageUuid: given, ...rest } = request
  const named = pluginOf(storageStrategy)
  if (!named || given !== undefined || request.diskBytes === 0) return placed
  const { hostUuid } = placed
  const pool = { host: graph.get('host', hostUuid)!, diskBytes: request.diskBytes, wish: request.storageWish }
  const take = (primaryStorageUuid: string) => placeVm(graph, { ...rest, hostUuid, primaryStorageUuid })
  return storageBy(world, { ...pool, strategy: storageStrategy }, take)
}

async function hostBy({ graph, plugins }: Asking, request: PlaceRequest): Promise<Placement> {
  const named = pluginOf(request.strategy)
  if (!named) return placeVm(graph, request)
  const { plugin } = named
  if (!plugins) throw new SkerryError('plugin-failed', `plugin ${plugin} failed: no plugin is loaded`, { plugin })
  const { strategy, ...rest } = request
  const ranked = await plugins.rank(strategy!, request)
  for (const hostUuid of ranked) {
    try {
      return placeVm(graph, { ...rest, hostUuid })
    } catch (error) {
      // It filled up while the plugin was thinking: the next one may have room.
      if (!(error instanceof SkerryError && error.code === 'no-host')) throw error
    }
  }
  // Without any candidate it says why of each host; with some, that the plugin wants none of them.
  if (ranked.length === 0) placeVm(graph, rest)
  throw new SkerryError('no-host', `no host can take this VM instance: ${strategy} wants none of those that could`, { strategy })
}
