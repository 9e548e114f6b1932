/** The parts that hosts give to local primary storage: capacity comes from the agents' pool reports. */
import type { Op, Row, Status } from '@skerry/contract'
import type { Graph } from '@skerry/graph'
import { agentOn } from '../desired/agents-of.ts'
import type { Ctx } from './world.ts'

/** Fields whose sums over the parts the storage itself shows. */
const SUMMED = ['totalCapacity', 'totalPhysicalCapacity', 'availablePhysicalCapacity', 'availableCapacity']

const partKey = (psUuid: string, hostUuid: string) => `${psUuid}:${hostUuid}`

/** Operations that record one host's part as Connected, with what its agent reports. The storage's own totals are their sums. */
export function connectPart(
  graph: Graph,
  { psUuid, hostUuid }: { psUuid: string; hostUuid: string },
  status: Status,
  now: number,
): Op[] {
  const observed = status.observed as { totalBytes: number; availableBytes: number; usedBytes: number }
  const key = partKey(psUuid, hostUuid)
  const old = graph.get('localStorageHost', key)
  const sums = (total: number, physical: number, available: number): Op[] => [
    { o: 'add', t: 'primaryStorage', k: psUuid, field: 'totalCapacity', delta: total },
    { o: 'add', t: 'primaryStorage', k: psUuid, field: 'totalPhysicalCapacity', delta: total },
    { o: 'add', t: 'primaryStorage', k: psUuid, field: 'availablePhysicalCapacity', delta: physical },
    { o: 'add', t: 'primaryStorage', k: psUuid, field: 'availableCapacity', delta: available },
  ]
  if (!old) {
    const row: Row = {
      uuid: key,
      primaryStorageUuid: psUuid,
      hostUuid,
      status: 'Connected',
      totalCapacity: observed.totalBytes,
      availableCapacity: observed.availableBytes,
      totalPhysicalCapacity: observed.totalBytes,
      availablePhysicalCapacity: observed.availableBytes,
      systemUsedCapacity: observed.totalBytes - observed.availableBytes,
      createDate: now,
      lastOpDate: now,
    }
    return [
      { o: 'put', t: 'localStorageHost', k: key, v: row },
      ...sums(observed.totalBytes, observed.availableBytes, observed.availableBytes),
    ]
  }
  // A disk that was grown or shrunk changes what may be promised by the same amount; what is written on it does not.
  const grown = observed.totalBytes - (old['totalCapacity'] as number)
  const physical = observed.availableBytes - (old['availablePhysicalCapacity'] as number)
  return [
    {
      o: 'set',
      t: 'localStorageHost',
      k: key,
      v: { status: 'Connected', totalCapacity: observed.totalBytes, totalPhysicalCapacity: observed.totalBytes },
    },
    { o: 'add', t: 'localStorageHost', k: key, field: 'availableCapacity', delta: grown },
    { o: 'add', t: 'localStorageHost', k: key, field: 'availablePhysicalCapacity', delta: physical },
    ...sums(grown, physical, grown),
  ]
}

/** What the sums of their storage lose when these parts go. */
export function sumsWithout(graph: Graph, keys: Iterable<string>): Op[] {
  return [...keys].flatMap((key): Op[] => {
    const part = graph.get('localStorageHost', key)
    const psUuid = part?.['primaryStorageUuid'] as string
    if (!part || !graph.get('primaryStorage', psUuid)) return []
    return SUMMED.map((field): Op => ({ o: 'add', t: 'primaryStorage', k: psUuid, field, delta: -(part[field] as number) }))
  })
}

/** Takes parts away again, with what they added to the sums. */
export function dropParts(graph: Graph, keys: Iterable<string>): Op[] {
  const present = [...keys].filter((key) => graph.get('localStorageHost', key))
  return [...present.map((k): Op => ({ o: 'del', t: 'localStorageHost', k })), ...sumsWithout(graph, present)]
}

/** Puts dropped parts back as they were, with their sums. */
export function restoreParts(graph: Graph, rows: readonly Row[]): Op[] {
  return rows.flatMap((part): Op[] => {
    const key = part['uuid'] as string
    const psUuid = part['primaryStorageUuid'] as string
    if (graph.get('localStorageHost', key) || !graph.get('primaryStorage', psUuid)) return []
    return [
      { o: 'put', t: 'localStorageHost', k: key, v: part },
      { o: 'set', t: 'primaryStorage', k: psUuid, v: { status: 'Connected' } },
      ...SUMMED.map((field): Op => ({ o: 'add', t: 'primaryStorage', k: psUuid, field, delta: part[field] as number })),
    ]
  })
}

/** After the pools converged: the parts of these hosts, and the storage Connected. */
export function connectParts(ctx: Ctx, psUuid: string, hostUuids: readonly string[]): Op[] {
  const { graph, agents } = ctx.world
  const ops: Op[] = []
  for (const hostUuid of hostUuids) {
    const agent = agentOn(graph, hostUuid, 'storage')
    const status = agent ? agents.status(agent, 'pool', psUuid) : undefined
    if (status?.condition === 'Ready') ops.push(...connectPart(graph, { psUuid, hostUuid }, status, ctx.world.now()))
  }
  const connected = ops.length > 0 || graph.countBy('localStorageHost', 'primaryStorageUuid', psUuid) > 0
  if (connected && graph.get('primaryStorage', psUuid)?.['status'] !== 'Connected')
    ops.push({ o: 'set', t: 'primaryStorage', k: psUuid, v: { status: 'Connected' } })
  return ops
}
