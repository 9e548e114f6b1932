/** VNIs of a pool: ranges of them, and the lowest that is free. */
import { type Row, SkerryError, VXLAN_POOL } from '@skerry/contract'
import type { Graph } from '@skerry/graph'
import { networksOf } from '../place/vtep.ts'
import { creation } from './resource.create.ts'
import { deletion } from './resource.delete.ts'
import { type Action, need } from './world.ts'

export interface Vnis {
  uuid: string
  name: unknown
  startVni: number
  endVni: number
}

export const rangesOfPool = (graph: Graph, poolUuid: unknown): Vnis[] =>
  [...graph.by('vniRange', 'l2NetworkUuid', poolUuid)]
    .map((k) => graph.get('vniRange', k) as unknown as Vnis)
    .sort((a, b) => a.startVni - b.startVni)

export function needPool(graph: Graph, uuid: unknown): Row {
  const pool = need(graph, 'l2Network', uuid)
  if (pool['type'] === VXLAN_POOL) return pool
  throw new SkerryError('invalid-argument', `L2 network ${pool['name']} is a ${pool['type']}, not a VXLAN pool`, { uuid })
}

const overlap = (a: Pick<Vnis, 'startVni' | 'endVni'>, b: Vnis) => a.startVni <= b.endVni && a.endVni >= b.startVni

/** A host can have a VNI once, so pools that meet in a cluster have no VNI in common. `more`: a range that the pool is to get. */
export function needDistinctRanges(
  graph: Graph,
  pool: Readonly<Row>,
  clusters: readonly string[],
  more?: Pick<Vnis, 'startVni' | 'endVni'>,
): void {
  const own = more ? [more] : rangesOfPool(graph, pool['uuid'])
  for (const cluster of clusters) {
    for (const key of graph.by('l2Network', 'attachedClusterUuids', cluster)) {
      const other = graph.get('l2Network', key)!
      if (key === pool['uuid'] || other['type'] !== VXLAN_POOL) continue
      const clash = rangesOfPool(graph, key).find((range) => own.some((mine) => overlap(mine, range)))
      if (!clash) continue
      const message = `VNIs ${clash.startVni} to ${clash.endVni} are those of VXLAN pool ${other['name']}, which is in the same cluster`
      throw new SkerryError('invalid-argument', message, { vniRangeUuid: clash.uuid, poolUuid: key, clusterUuid: cluster })
    }
  }
}

const create = creation({
  workflow: 'vniRange.create',
  table: 'vniRange',
  parents: { l2NetworkUuid: 'l2Network' },
  check({ graph, params }) {
    const pool = needPool(graph, params['l2NetworkUuid'])
    const range = params as unknown as Pick<Vnis, 'startVni' | 'endVni'>
    if (range.startVni > range.endVni)
      throw new SkerryError('invalid-argument', `the range starts at ${range.startVni}, after its end ${range.endVni}`, {
        ...range,
      })
    const other = rangesOfPool(graph, pool['uuid']).find((one) => overlap(range, one))
    if (other)
      throw new SkerryError('invalid-argument', `the range overlaps ${other.name} (${other.startVni} to ${other.endVni})`, {
        vniRangeUuid: other.uuid,
      })
    needDistinctRanges(graph, pool, pool['attachedClusterUuids'] as string[], range)
  },
  row: ({ input: { params } }) => ({
    l2NetworkUuid: params['l2NetworkUuid'],
    startVni: params['startVni'],
    endVni: params['endVni'],
  }),
})

const plainDeletion = deletion('vniRange.delete')
const remove: Action = {
  ...plainDeletion,
  check(i) {
    const range = need(i.graph, 'vniRange', i.uuid) as unknown as Vnis & { l2NetworkUuid: string }
    const users = networksOf(i.graph, range.l2NetworkUuid).map((k) => i.graph.get('l2Network', k)!)
    const user = users.find((row) => (row['vni'] as number) >= range.startVni && (row['vni'] as number) <= range.endVni)
    if (user)
      throw new SkerryError('in-use', `L2 network ${user['name']} has VNI ${user['vni']} of this range`, {
        l2NetworkUuid: user['uuid'],
      })
    plainDeletion.check?.(i)
  },
}

export const vniRanges: readonly Action[] = [{ ...create, queueKey: (i) => i.params['l2NetworkUuid'] as string }, remove]
