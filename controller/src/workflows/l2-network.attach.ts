/** An L2 network on the hosts of a cluster: a bridge each. A VXLAN pool brings its networks along. */
import { type Fact, type Guard, type Op, type Row, SkerryError, VXLAN, VXLAN_POOL } from '@skerry/contract'
import type { Graph } from '@skerry/graph'
import { defineWorkflow, type Step } from '@skerry/workflow'
import { networksOf, vtepAddress, vtepCidrOf, vtepOf, vtepRow } from '../place/vtep.ts'
import { input } from './input.ts'
import { needFreeVlan, vlanRows } from './l2-network.vlan.ts'
import { rowsStep } from './rows.step.ts'
import { needDistinctRanges } from './vni-range.ts'
import { type Action, type CheckInput, type Ctx, derivedId, type Input, need, touch, type World } from './world.ts'

type Rows = { guards: Guard[]; ops: Op[] }
const ends = (params: Row) => [params['l2NetworkUuid'] as string, params['clusterUuid'] as string] as const
const clustersOf = (row: Readonly<Row>) => row['attachedClusterUuids'] as string[]
const hostsOf = (graph: Graph, cluster: string) => [...graph.by('host', 'clusterUuid', cluster)].map((k) => graph.get('host', k)!)
const version = (graph: Graph, t: string, k: string): Guard => ({ g: 'version', t, k, seq: graph.version(t, k)! })

/** The list of clusters of a network with or without one. */
function listed(ctx: Ctx, key: string, on: boolean, more: Row = {}): Rows {
  const { graph } = ctx.world
  const cluster = ctx.input.params['clusterUuid'] as string
  const left = clustersOf(graph.get('l2Network', key)!).filter((u) => u !== cluster)
  const op = touch(ctx, 'l2Network', key, { attachedClusterUuids: on ? [...left, cluster] : left, ...more })
  return { guards: [version(graph, 'l2Network', key)], ops: [op] }
}

/** A pool: the network of the VTEPs, a VTEP for each host, and the pool's networks. */
function poolRows(ctx: Ctx, pool: Row, on: boolean): Rows {
  const { graph, now } = ctx.world
  const [poolUuid, cluster] = ends(ctx.input.params)
  const { [cluster]: _gone, ...others } = (pool['attachedCidrs'] as Record<string, string> | undefined) ?? {}
  const networks = networksOf(graph, poolUuid).map((k) => listed(ctx, k, on))
  const hosts = hostsOf(graph, cluster)
  if (!on) {
    const vteps = hosts.flatMap((host) => vtepOf(graph, poolUuid, host['uuid'] as string)?.['uuid'] ?? []) as string[]
    const remote = [...graph.by('remoteVtep', 'poolUuid', poolUuid)].filter(
      (k) => graph.get('remoteVtep', k)!['clusterUuid'] === cluster,
    )
    const self = listed(ctx, poolUuid, on, { attachedCidrs: others })
    const gone = [
      ...vteps.map((k): Op => ({ o: 'del', t: 'vtep', k })),
      ...remote.map((k): Op => ({ o: 'del', t: 'remoteVtep', k })),
    ]
    return merged([self, ...networks, { guards: [], ops: gone }])
  }
  const cidr = vtepCidrOf(ctx.input.params)
  const ops = hosts.flatMap((host): Op[] => {
    const hostUuid = host['uuid'] as string
    if (vtepOf(graph, poolUuid, hostUuid)) return []
    return [vtepRow({ uuid: derivedId(ctx, `vtep/${hostUuid}`), poolUuid, hostUuid, ...vtepAddress(host, cidr), now: now() })]
  })
  const guards = hosts.map((host): Guard => ({ g: 'exists', t: 'host', k: host['uuid'] as string }))
  return merged([listed(ctx, poolUuid, on, { attachedCidrs: { ...others, [cluster]: cidr } }), ...networks, { guards, ops }])
}

const merged = (parts: readonly Rows[]): Rows => ({
  guards: parts.flatMap((part) => part.guards),
  ops: parts.flatMap((part) => part.ops),
})

function rowsOf(ctx: Ctx, on: boolean): Rows {
  const { graph, now } = ctx.world
  const [key, cluster] = ends(ctx.input.params)
  const row = graph.get('l2Network', key) as Row | undefined
  if (!row || clustersOf(row).includes(cluster) === on) return { guards: [], ops: [] }
  const exists: Guard[] = on ? [{ g: 'exists', t: 'cluster', k: cluster }] : []
  const vlan = vlanRows(graph, row, { clusters: [cluster], on, now: now() })
  const self = row['type'] === VXLAN_POOL ? poolRows(ctx, row, on) : listed(ctx, key, on)
  return merged([{ guards: exists, ops: [] }, self, vlan])
}

/** The rows, and the one fact that tells of them all. */
function listStep(on: boolean): Step<Input, World> {
  const step = rowsStep(on ? 'attach' : 'detach', (ctx) => rowsOf(ctx, on))
  return {
    ...step,
    do: async (ctx: Ctx) => {
      const done = (await step.do(ctx)) as { output: unknown; change?: { facts?: Fact[] } }
      const [uuid, clusterUuid] = ends(ctx.input.params)
      if (done.change)
        done.change.facts = [{ noun: 'l2Network', uuid, event: on ? 'attached' : 'detached', data: { clusterUuid } }]
      return done
    },
  } as Step<Input, World>
}

/** Documents that follow. */
const names = (ctx: Ctx): string[] => {
  const [key] = ends(ctx.input.params)
  return [key, ...networksOf(ctx.world.graph, key)].map((uuid) => `bridge/${uuid}`)
}

function checkEnds({ graph, params }: CheckInput, on: boolean): Row {
  const [key, clusterUuid] = ends(params)
  const row = need(graph, 'l2Network', key)
  need(graph, 'cluster', clusterUuid)
  if (row['type'] === VXLAN) {
    const message = `L2 network ${row['name']} reaches where its VXLAN pool reaches: ${on ? 'attach' : 'detach'} the pool`
    throw new SkerryError('invalid-argument', message, { poolUuid: row['poolUuid'] })
  }
  if (clustersOf(row).includes(clusterUuid) === on)
    throw new SkerryError('illegal-state', `l2Network ${row['name']} is ${on ? 'already' : 'not'} attached there`, { uuid: key })
  return row
}

function checkAttach(i: CheckInput): void {
  const { graph, params } = i
  const row = checkEnds(i, true)
  const [, clusterUuid] = ends(params)
  const zones = [row['zoneUuid'], graph.get('cluster', clusterUuid)?.['zoneUuid']]
  if (zones[0] !== zones[1])
    throw new SkerryError('invalid-argument', 'the network and the cluster are in different zones', { zones })
  needFreeVlan(graph, row, clusterUuid)
  if (row['type'] !== VXLAN_POOL) return
  const cidr = vtepCidrOf(params)
  for (const host of hostsOf(graph, clusterUuid))
    if (!vtepOf(graph, row['uuid'] as string, host['uuid'] as string)) vtepAddress(host, cidr)
  needDistinctRanges(graph, row, [...clustersOf(row), clusterUuid])
}

function checkDetach(i: CheckInput): void {
  const { graph, params } = i
  const row = checkEnds(i, false)
  for (const l2 of [row['uuid'], ...networksOf(graph, row['uuid'])]) {
    for (const l3 of graph.by('l3Network', 'l2NetworkUuid', l2)) {
      for (const nic of graph.by('vmNic', 'l3NetworkUuid', l3)) {
        const vm = graph.get('vmInstance', graph.get('vmNic', nic)?.['vmInstanceUuid'] as string)
        if (vm?.['clusterUuid'] === params['clusterUuid'])
          throw new SkerryError('in-use', `VM instance ${vm?.['name']} of this cluster is on the network`, {
            vmInstanceUuid: vm?.['uuid'],
          })
      }
    }
  }
}

const queueKey = (i: Input) => ends(i.params)[0]

export const l2NetworkAttach: Action = {
  workflow: defineWorkflow<Input, World>({
    name: 'l2Network.attach',
    version: 2,
    input,
    steps: [
      listStep(true),
      {
        name: 'make-bridges',
        do: async (ctx: Ctx) => void (await ctx.world.agents.converge(names(ctx), ctx)),
        noUndo: 'taking the cluster out of the list removes the bridges',
        optional: 'the call answers before the hosts have the bridges',
      },
    ],
  }),
  check: checkAttach,
  queueKey,
}

export const l2NetworkDetach: Action = {
  workflow: defineWorkflow<Input, World>({
    name: 'l2Network.detach',
    version: 2,
    input,
    steps: [
      listStep(false),
      {
        name: 'remove-bridges',
        do: async (ctx: Ctx) => void (await ctx.world.agents.gone(names(ctx), Math.min(30_000, ctx.remainingMs()))),
        noUndo: 'putting the cluster back into the list makes the bridges again',
      },
    ],
  }),
  check: checkDetach,
  queueKey,
}
