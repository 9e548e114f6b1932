/**
 * Where there is room, kept up with the graph: a changed row marks its host, and marked hosts are looked at again before the next
 * search. It only leaves out hosts that can't have room; whether one that is left takes a VM is decided by the filters.
 */
import { Graph } from '@skerry/graph'
import { CapacityTree, type Leaf } from './capacity-tree.ts'
import type { PlaceSettings } from './settings.ts'

/** Tables of which each change concerns one host, or all of them. */
const WATCHED = ['host', 'localStorageHost', 'vmInstance', 'hostSchedulingRuleGroupRef', 'tag', 'globalConfig', 'resourceConfig']
const PLACES: ReadonlySet<unknown> = new Set(['HostVO', 'ClusterVO', 'ZoneVO', 'host', 'cluster', 'zone'])

export class HostIndex {
  readonly #graph: Graph
  readonly #trees = new Map<string, CapacityTree>()
  readonly #clusterOf = new Map<string, string>()
  /** by scheduling group of hosts */
  readonly #groupTrees = new Map<string, CapacityTree>()
  readonly #groupsOf = new Map<string, readonly string[]>()
  readonly #changed = new Set<string>()
  #allChanged = true

  constructor(graph: Graph) {
    this.#graph = graph
    graph.follow(WATCHED, (change) => this.#note(change))
  }

  /** The trees of these clusters (all: without), as the graph is now. */
  trees(settings: PlaceSettings, clusters?: Iterable<string>): CapacityTree[] {
    this.#refresh(settings)
    if (!clusters) return [...this.#trees.values()]
    return [...clusters].flatMap((cluster) => this.#trees.get(cluster) ?? [])
  }

  /** The tree of the hosts of a scheduling group. */
  treeOfGroup(settings: PlaceSettings, group: string): CapacityTree[] {
    this.#refresh(settings)
    const tree = this.#groupTrees.get(group)
    return tree ? [tree] : []
  }

  #note({ table, key, old, row }: Parameters<Parameters<Graph['follow']>[1]>[0]): void {
    if (this.#allChanged) return
    if (table === 'host') this.#changed.add(key)
    else if (table === 'hostSchedulingRuleGroupRef') this.#changed.add((row ?? old)!['hostUuid'] as string)
    else if (table === 'localStorageHost') this.#changed.add(key.slice(key.indexOf(':') + 1))
    else if (table === 'vmInstance') {
      if (old?.['hostUuid'] === row?.['hostUuid']) return
      for (const host of [old?.['hostUuid'], row?.['hostUuid']]) if (typeof host === 'string') this.#changed.add(host)
    } else if (table !== 'tag' || PLACES.has((row ?? old)?.['resourceType'])) this.#allChanged = true
  }

  #refresh(settings: PlaceSettings): void {
    if (this.#allChanged) {
      this.#allChanged = false
      this.#changed.clear()
      for (const uuid of this.#clusterOf.keys()) this.#changed.add(uuid)
      for (const [uuid] of this.#graph.rows('host')) this.#changed.add(uuid)
    }
    for (const uuid of this.#changed) this.#look(uuid, settings)
    this.#changed.clear()
  }

  #look(uuid: string, settings: PlaceSettings): void {
    const host = this.#graph.get('host', uuid)
    const cluster = host?.['clusterUuid'] as string | undefined
    const before = this.#clusterOf.get(uuid)
    if (before !== undefined && before !== cluster) {
      const tree = this.#trees.get(before)
      tree?.delete(uuid)
      if (tree?.size === 0) this.#trees.delete(before)
      this.#clusterOf.delete(uuid)
    }
    const groups = host ? this.#groupsNow(uuid) : []
    this.#leave(uuid, groups)
    if (!host || cluster === undefined) return
    let tree = this.#trees.get(cluster)
    if (!tree) this.#trees.set(cluster, (tree = new CapacityTree()))
    this.#clusterOf.set(uuid, cluster)
    const leaf = leafOf(this.#graph, uuid, settings)
    tree.set(uuid, leaf)
    for (const group of groups) {
      let own = this.#groupTrees.get(group)
      if (!own) this.#groupTrees.set(group, (own = new CapacityTree()))
      own.set(uuid, leaf)
    }
  }

  #groupsNow(uuid: string): string[] {
    const refs = this.#graph.by('hostSchedulingRuleGroupRef', 'hostUuid', uuid)
    return [...refs].map((key) => this.#graph.get('hostSchedulingRuleGroupRef', key)!['hostGroupUuid'] as string)
  }

  /** Out of the trees of groups that it is no longer in. */
  #leave(uuid: string, groups: readonly string[]): void {
    for (const group of this.#groupsOf.get(uuid) ?? []) {
      if (groups.includes(group)) continue
      const tree = this.#groupTrees.get(group)
      tree?.delete(uuid)
      if (tree?.size === 0) this.#groupTrees.delete(group)
    }
    if (groups.length > 0) this.#groupsOf.set(uuid, groups)
    else this.#groupsOf.delete(uuid)
  }
}

function leafOf(graph: Graph, uuid: string, settings: PlaceSettings): Leaf {
  const host = graph.get('host', uuid)!
  const open = host['state'] === 'Enabled' && host['status'] === 'Connected'
  const none = Number.NEGATIVE_INFINITY
  let disk = none
  for (const key of graph.by('localStorageHost', 'hostUuid', uuid)) {
    const part = graph.get('localStorageHost', key)!
    if (part['status'] === 'Connected') disk = Math.max(disk, (part['availableCapacity'] as number) - settings.diskFloor(part))
  }
  return {
    cpus: open ? (host['availableCpuCapacity'] as number) : none,
    memory: open ? (host['availableMemoryCapacity'] as number) - settings.memoryFloor(host) : none,
    disk,
    vms: graph.countBy('vmInstance', 'hostUuid', uuid),
  }
}

const indexes = new WeakMap<Graph, HostIndex>()

/** The index of a graph, made at its first use; a draft has none. */
export function hostIndexOf(graph: Graph): HostIndex | undefined {
  if (!(graph instanceof Graph)) return undefined
  let index = indexes.get(graph)
  if (!index) indexes.set(graph, (index = new HostIndex(graph)))
  return index
}
