/** What goes with what is deleted, in the same commit: it is nobody's without it. Pure. */
import type { Op } from '@skerry/contract'
import type { Graph } from '@skerry/graph'

function tags(graph: Graph, ops: readonly Op[]): Op[] {
  const keys = new Set<string>()
  for (const { o, t, k } of ops)
    if (o === 'del' && t !== 'tag') for (const key of graph.by('tag', 'resourceUuid', k)) keys.add(key)
  // User tags that were made of a pattern go with it.
  for (const { o, t, k } of ops)
    if (o === 'del' && t === 'tagPattern') for (const key of graph.by('tag', 'tagPatternUuid', k)) keys.add(key)
  for (const { o, t, k } of ops) if (o === 'del' && t === 'tag') keys.delete(k)
  return [...keys].map((k) => ({ o: 'del', t: 'tag', k }))
}

/** Rows of a table that name, in an indexed field, what these operations delete; not those that they delete themselves. */
function naming(graph: Graph, ops: readonly Op[], { table, field, of }: { table: string; field: string; of?: string }): string[] {
  const keys = ops.flatMap(({ o, t, k }) =>
    o === 'del' && t !== table && (!of || t === of) ? [...graph.by(table, field, k)] : [],
  )
  const deleted = new Set(ops.flatMap(({ o, t, k }) => (o === 'del' && t === table ? [k] : [])))
  return [...new Set(keys)].filter((k) => !deleted.has(k))
}

/** SSH keys name the VMs that are told about them. */
function fromKeys(graph: Graph, ops: readonly Op[]): Op[] {
  const vms = new Set(ops.flatMap(({ o, t, k }) => (o === 'del' && t === 'vmInstance' ? [k] : [])))
  return naming(graph, ops, { table: 'sshKeyPair', field: 'vmInstanceUuids', of: 'vmInstance' }).map((k): Op => {
    const left = (graph.get('sshKeyPair', k)!['vmInstanceUuids'] as string[]).filter((vm) => !vms.has(vm))
    return { o: 'set', t: 'sshKeyPair', k, v: { vmInstanceUuids: left } }
  })
}

/** Jobs of the scheduler go with their targets, and out of their triggers and groups. */
function scheduled(graph: Graph, ops: readonly Op[]): Op[] {
  const jobs = naming(graph, ops, { table: 'schedulerJob', field: 'targetResourceUuid' })
  const runs = jobs.flatMap((job) => [...graph.by('schedulerJobHistory', 'schedulerJobUuid', job)])
  const without = (t: string): Op[] =>
    [...new Set(jobs.flatMap((job) => [...graph.by(t, 'jobsUuid', job)]))].map((k) => {
      const left = (graph.get(t, k)!['jobsUuid'] as string[]).filter((job) => !jobs.includes(job))
      return { o: 'set', t, k, v: { jobsUuid: left } }
    })
  return [
    ...runs.map((k): Op => ({ o: 'del', t: 'schedulerJobHistory', k })),
    ...jobs.map((k): Op => ({ o: 'del', t: 'schedulerJob', k })),
    ...without('schedulerTrigger'),
    ...without('schedulerJobGroup'),
  ]
}

/** A card that is in no security group any more has no policy. */
function unguardedCards(graph: Graph, ops: readonly Op[]): Op[] {
  const refs = naming(graph, ops, { table: 'vmNicSecurityGroupRef', field: 'vmNicUuid', of: 'vmNic' })
  const table = 'vmNicSecurityGroupRef'
  const gone = new Set([...refs, ...ops.flatMap(({ o, t, k }) => (o === 'del' && t === table ? [k] : []))])
  const put = new Set(ops.flatMap((op) => (op.o === 'put' && op.t === table ? [op.v['vmNicUuid']] : [])))
  const deleted = new Set(ops.flatMap(({ o, t, k }) => (o === 'del' && t === 'vmNicSecurityPolicy' ? [k] : [])))
  const nics = new Set([...gone].map((k) => graph.get(table, k)?.['vmNicUuid'] as string))
  const bare = [...nics].filter((nic) => !put.has(nic) && [...graph.by(table, 'vmNicUuid', nic)].every((k) => gone.has(k)))
  return [
    ...refs.map((k): Op => ({ o: 'del', t: table, k })),
    ...bare
      .filter((k) => graph.get('vmNicSecurityPolicy', k) && !deleted.has(k))
      .map((k): Op => ({ o: 'del', t: 'vmNicSecurityPolicy', k })),
  ]
}

/** Operations that follow from these deletions. */
export const goneWith = (graph: Graph, ops: readonly Op[]): Op[] => [
  ...tags(graph, ops),
  ...naming(graph, ops, { table: 'resourceConfig', field: 'resourceUuid' }).map(
    (k): Op => ({ o: 'del', t: 'resourceConfig', k }),
  ),
  ...naming(graph, ops, { table: 'affinityGroupUsage', field: 'resourceUuid', of: 'vmInstance' }).map(
    (k): Op => ({ o: 'del', t: 'affinityGroupUsage', k }),
  ),
  ...naming(graph, ops, { table: 'vmSchedulingRuleGroupRef', field: 'vmUuid', of: 'vmInstance' }).map(
    (k): Op => ({ o: 'del', t: 'vmSchedulingRuleGroupRef', k }),
  ),
  ...naming(graph, ops, { table: 'hostSchedulingRuleGroupRef', field: 'hostUuid', of: 'host' }).map(
    (k): Op => ({ o: 'del', t: 'hostSchedulingRuleGroupRef', k }),
  ),
  ...unguardedCards(graph, ops),
  ...fromKeys(graph, ops),
  ...scheduled(graph, ops),
]
