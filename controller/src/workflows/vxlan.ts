/** Networks over VXLAN, and the addresses that hosts and others send and receive at. */
import { type Guard, type Op, type Row, SkerryError, VXLAN, VXLAN_POOL, VXLAN_PORT } from '@skerry/contract'
import type { Graph } from '@skerry/graph'
import { defineWorkflow, type Step } from '@skerry/workflow'
import { addressesIn, networksOf, vtepAddress, vtepOf, vtepRow } from '../place/vtep.ts'
import { input } from './input.ts'
import { creation } from './resource.create.ts'
import { rowsStep } from './rows.step.ts'
import { needPool, rangesOfPool } from './vni-range.ts'
import { type Action, baseRow, type CheckInput, type Ctx, type Input, need, type World } from './world.ts'

const keyOf = (poolUuid: unknown, vni: number) => `${poolUuid}:${vni}`
const freeIn = (graph: Graph, poolUuid: unknown, vni: number) => !graph.get('usedVni', keyOf(poolUuid, vni))

/** The VNI asked for, or the lowest that is free; with the range that it is of. */
function chosen(graph: Graph, poolUuid: unknown, asked: number | undefined): { vni: number; range: string } {
  const ranges = rangesOfPool(graph, poolUuid)
  const details = { poolUuid, ranges: ranges.map(({ startVni, endVni }) => `${startVni}-${endVni}`) }
  if (asked !== undefined) {
    const range = ranges.find(({ startVni, endVni }) => asked >= startVni && asked <= endVni)
    if (!range) throw new SkerryError('invalid-argument', `VNI ${asked} is in no range of the pool`, { vni: asked, ...details })
    if (!freeIn(graph, poolUuid, asked)) throw new SkerryError('in-use', `VNI ${asked} is taken`, { vni: asked, ...details })
    return { vni: asked, range: range.uuid }
  }
  for (const { uuid, startVni, endVni } of ranges)
    for (let vni = startVni; vni <= endVni; vni++) if (freeIn(graph, poolUuid, vni)) return { vni, range: uuid }
  throw new SkerryError(
    'in-use',
    ranges.length > 0 ? 'all VNIs of the pool are taken' : 'the pool has no VNIs: create a VNI range',
    details,
  )
}

function networkRows(ctx: Ctx): { guards: Guard[]; ops: Op[] } {
  const { graph, now } = ctx.world
  const { uuid, params } = ctx.input
  if (graph.get('l2Network', uuid)) return { guards: [], ops: [] }
  const { poolUuid } = params as { poolUuid: string }
  const pool = needPool(graph, poolUuid)
  const { vni, range } = chosen(graph, poolUuid, params['vni'] as number | undefined)
  const at = now()
  const row = {
    ...baseRow(ctx),
    ...{ zoneUuid: pool['zoneUuid'], type: VXLAN, vSwitchType: 'LinuxBridge', isolated: params['isolated'] ?? false },
    ...{ physicalInterface: null, poolUuid, vni, virtualNetworkId: vni, attachedClusterUuids: pool['attachedClusterUuids'] },
  }
  const key = keyOf(poolUuid, vni)
  const used = { uuid: key, name: String(vni), createDate: at, lastOpDate: at, poolUuid, vni, l2NetworkUuid: uuid }
  return {
    guards: [
      { g: 'absent', t: 'l2Network', k: uuid },
      { g: 'absent', t: 'usedVni', k: key },
      { g: 'exists', t: 'vniRange', k: range },
      // a cluster that comes or goes meanwhile would be missing, or too many
      { g: 'version', t: 'l2Network', k: poolUuid, seq: graph.version('l2Network', poolUuid)! },
    ],
    ops: [
      { o: 'put', t: 'l2Network', k: uuid, v: row },
      { o: 'put', t: 'usedVni', k: key, v: used },
    ],
  }
}

const bridgesOf = (graph: Graph, poolUuid: unknown) => networksOf(graph, poolUuid).map((k) => `bridge/${k}`)
const follow = (names: (ctx: Ctx) => string[]): Step<Input, World> => ({
  name: 'make-bridges',
  do: async (ctx: Ctx) => void (await ctx.world.agents.converge(names(ctx), ctx)),
  noUndo: 'the bridges follow the rows',
  optional: 'the call answers before the hosts have the bridges',
})

function absent(i: CheckInput, table: string): void {
  if (i.graph.get(table, i.uuid))
    throw new SkerryError('duplicate-uuid', `a ${table} with uuid ${i.uuid} exists`, { uuid: i.uuid })
}

const poolCreate = creation({
  workflow: 'l2Network.createVxlanPool',
  table: 'l2Network',
  parents: { zoneUuid: 'zone' },
  row: ({ input: { params } }) => ({
    ...{ zoneUuid: params['zoneUuid'], type: VXLAN_POOL, vSwitchType: 'LinuxBridge', isolated: params['isolated'] ?? false },
    ...{ physicalInterface: null, attachedClusterUuids: [], attachedCidrs: {} },
  }),
})

const networkCreate: Action = {
  workflow: defineWorkflow<Input, World>({
    name: 'l2Network.createVxlan',
    version: 1,
    input,
    steps: [rowsStep('create', networkRows), follow((ctx) => [`bridge/${ctx.input.uuid}`])],
  }),
  check(i) {
    const { graph, params } = i
    const pool = needPool(graph, params['poolUuid'])
    absent(i, 'l2Network')
    if (params['zoneUuid'] !== undefined && params['zoneUuid'] !== pool['zoneUuid'])
      throw new SkerryError('invalid-argument', 'the VXLAN pool is in another zone', { zoneUuid: pool['zoneUuid'] })
    chosen(graph, params['poolUuid'], params['vni'] as number | undefined)
  },
}

/** The address that is to be a host's VTEP: the one that is named, or the only one in the network of its cluster. */
function addressFor(graph: Graph, params: Row): { ip: string; dev: string | null } {
  const host = need(graph, 'host', params['hostUuid'])
  const pool = needPool(graph, params['poolUuid'])
  const cidr = (pool['attachedCidrs'] as Record<string, string> | undefined)?.[host['clusterUuid'] as string]
  const asked = params['vtepIp'] as string | undefined
  if (asked !== undefined) {
    const own = addressesIn(host, '0.0.0.0/0').find(({ ip }) => ip === asked)
    if (!own)
      throw new SkerryError('invalid-argument', `host ${host['name']} has no address ${asked}`, {
        hostUuid: host['uuid'],
        vtepIp: asked,
      })
    return own
  }
  if (cidr !== undefined) return vtepAddress(host, cidr)
  const message = `VXLAN pool ${pool['name']} is not attached to the cluster of host ${host['name']}, so its address must be named: vtepIp`
  throw new SkerryError('invalid-argument', message, { field: 'vtepIp' })
}

function needNoVtep(graph: Graph, params: Row): void {
  const there = vtepOf(graph, params['poolUuid'] as string, params['hostUuid'] as string)
  if (there)
    throw new SkerryError('in-use', `the host has VTEP ${there['vtepIp']} in this pool already`, { vtepUuid: there['uuid'] })
}

const vtepCreate: Action = {
  workflow: defineWorkflow<Input, World>({
    name: 'vtep.create',
    version: 1,
    input,
    steps: [
      rowsStep('create', (ctx) => {
        const { graph, now } = ctx.world
        const { uuid, params } = ctx.input
        if (graph.get('vtep', uuid)) return { ops: [] }
        needNoVtep(graph, params)
        const { poolUuid, hostUuid } = params as { poolUuid: string; hostUuid: string }
        return {
          guards: [
            { g: 'exists', t: 'host', k: hostUuid },
            { g: 'version', t: 'l2Network', k: poolUuid, seq: graph.version('l2Network', poolUuid)! },
          ],
          ops: [vtepRow({ uuid, poolUuid, hostUuid, ...addressFor(graph, params), now: now() })],
        }
      }),
      follow((ctx) => bridgesOf(ctx.world.graph, ctx.input.params['poolUuid'])),
    ],
  }),
  check(i) {
    absent(i, 'vtep')
    addressFor(i.graph, i.params)
    needNoVtep(i.graph, i.params)
  },
  queueKey: (i) => i.params['poolUuid'] as string,
}

const remoteOf = (graph: Graph, { l2NetworkUuid, clusterUuid, remoteVtepIp }: Row) =>
  [...graph.by('remoteVtep', 'poolUuid', l2NetworkUuid)].find((k) => {
    const row = graph.get('remoteVtep', k)!
    return row['clusterUuid'] === clusterUuid && row['vtepIp'] === remoteVtepIp
  })

const remoteCreate: Action = {
  workflow: defineWorkflow<Input, World>({
    name: 'remoteVtep.create',
    version: 1,
    input,
    steps: [
      rowsStep('create', (ctx) => {
        const { uuid, params } = ctx.input
        if (ctx.world.graph.get('remoteVtep', uuid)) return { ops: [] }
        const { l2NetworkUuid: poolUuid, clusterUuid, remoteVtepIp: vtepIp } = params as Record<string, string>
        const row = {
          ...baseRow(ctx),
          name: params['name'] ?? vtepIp,
          poolUuid,
          clusterUuid,
          vtepIp,
          port: VXLAN_PORT,
          type: 'REMOTE',
        }
        return {
          guards: [
            { g: 'exists', t: 'l2Network', k: poolUuid! },
            { g: 'exists', t: 'cluster', k: clusterUuid! },
          ],
          ops: [{ o: 'put', t: 'remoteVtep', k: uuid, v: row }],
        }
      }),
      follow((ctx) => bridgesOf(ctx.world.graph, ctx.input.params['l2NetworkUuid'])),
    ],
  }),
  check(i) {
    const { graph, params } = i
    const pool = needPool(graph, params['l2NetworkUuid'])
    absent(i, 'remoteVtep')
    need(graph, 'cluster', params['clusterUuid'])
    if (!(pool['attachedClusterUuids'] as string[]).includes(params['clusterUuid'] as string))
      throw new SkerryError('illegal-state', `VXLAN pool ${pool['name']} is not attached to this cluster`, { uuid: pool['uuid'] })
    const { remoteVtepIp } = params
    const own = [...graph.by('vtep', 'poolUuid', pool['uuid'])].some((k) => graph.get('vtep', k)!['vtepIp'] === remoteVtepIp)
    if (own || remoteOf(graph, params))
      throw new SkerryError('in-use', `${remoteVtepIp} is a VTEP of this pool already`, { remoteVtepIp })
  },
  queueKey: (i) => i.params['l2NetworkUuid'] as string,
}

const remoteDelete: Action = {
  workflow: defineWorkflow<Input, World>({
    name: 'remoteVtep.delete',
    version: 1,
    input,
    steps: [
      rowsStep('delete', (ctx) => {
        const key = remoteOf(ctx.world.graph, ctx.input.params)
        return { ops: key === undefined ? [] : [{ o: 'del', t: 'remoteVtep', k: key }] }
      }),
      follow((ctx) => bridgesOf(ctx.world.graph, ctx.input.params['l2NetworkUuid'])),
    ],
  }),
  check({ graph, params }) {
    needPool(graph, params['l2NetworkUuid'])
    if (remoteOf(graph, params) === undefined)
      throw new SkerryError('not-found', `there is no remote VTEP ${params['remoteVtepIp']} in this pool and cluster`, {
        remoteVtepIp: params['remoteVtepIp'],
      })
  },
  queueKey: (i) => i.params['l2NetworkUuid'] as string,
}

export const vxlans: readonly Action[] = [poolCreate, networkCreate, vtepCreate, remoteCreate, remoteDelete]
