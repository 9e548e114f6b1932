/** Which snapshot came of which: parents, depths, trees, and which is the latest. Pure. */
import type { Op, Row } from '@skerry/contract'
import type { Graph } from '@skerry/graph'
import { snapshotsOf } from './volume.rows.ts'

export interface Lineage {
  volumeUuid: string
  /** snapshots that there will be: uuid → parent */
  parents: ReadonlyMap<string, string | null>
  /** the one that the present content began from */
  latest: string | null
  now: number
  /** uuid of a tree that must be made for this root */
  treeOf(root: string): string
}

/** What has to be written so that rows say this. Rows of snapshots that go are the caller's; so are those that are new. */
export function lineageOps(graph: Graph, o: Lineage): Op[] {
  const rows = snapshotsOf(graph, o.volumeUuid)
  const rowOf = new Map(rows.map((row) => [row['uuid'] as string, row]))
  const before = [...graph.by('volumeSnapshotTree', 'volumeUuid', o.volumeUuid)]
  const taken = new Set<string>()
  const treeOfRoot = new Map<string, string>()
  const ops: Op[] = []
  for (const uuid of o.parents.keys()) {
    const { root, distance } = climb(o.parents, uuid)
    const treeUuid =
      treeOfRoot.get(root) ?? choose(rowOf.get(root)?.['treeUuid'] as string | undefined, { before, taken, root, o })
    treeOfRoot.set(root, treeUuid)
    taken.add(treeUuid)
    const v: Row = { parentUuid: o.parents.get(uuid) ?? null, treeUuid, distance, latest: uuid === o.latest }
    const row = rowOf.get(uuid)
    if (row && Object.entries(v).some(([field, value]) => row[field] !== value))
      ops.push({ o: 'set', t: 'volumeSnapshot', k: uuid, v })
  }
  const current = o.latest === null ? undefined : treeOfRoot.get(climb(o.parents, o.latest).root)
  for (const k of taken) {
    const row = graph.get('volumeSnapshotTree', k)
    const v = { current: k === current }
    if (!row) ops.push({ o: 'put', t: 'volumeSnapshotTree', k, v: treeRow(k, { ...o, ...v }) })
    else if (row['current'] !== v.current) ops.push({ o: 'set', t: 'volumeSnapshotTree', k, v: { ...v, lastOpDate: o.now } })
  }
  for (const k of before) if (!taken.has(k)) ops.push({ o: 'del', t: 'volumeSnapshotTree', k })
  return ops
}

/** A root keeps its tree; where a tree falls apart, one root keeps it and the others get trees of their own. */
function choose(
  own: string | undefined,
  { before, taken, root, o }: { before: readonly string[]; taken: ReadonlySet<string>; root: string; o: Lineage },
): string {
  return own !== undefined && before.includes(own) && !taken.has(own) ? own : o.treeOf(root)
}

function climb(parents: Lineage['parents'], uuid: string): { root: string; distance: number } {
  let root = uuid
  let distance = 1
  for (let up = parents.get(root); up; up = parents.get(root)) {
    root = up
    distance += 1
  }
  return { root, distance }
}

export function treeRow(uuid: string, { volumeUuid, current, now }: { volumeUuid: string; current: boolean; now: number }): Row {
  return { uuid, name: uuid, volumeUuid, current, status: 'Completed', createDate: now, lastOpDate: now }
}

/** Parents as they are now, of those that are not being made. */
export const parentsNow = (graph: Graph, volumeUuid: string): Map<string, string | null> =>
  new Map(snapshotsOf(graph, volumeUuid).map((s) => [s['uuid'] as string, (s['parentUuid'] as string | null) ?? null]))
