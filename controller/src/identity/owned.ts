/** What a commit says of owners: who makes a resource owns it, and shares go with what was shared. */
import { ADMIN_ACCOUNT, type Change, type Fact, isOwned, type Op, OWNER, type Resource, resources } from '@skerry/contract'
import type { Graph } from '@skerry/graph'
import { checkQuotas } from './quota.ts'
import { ownerOf } from './whose.ts'

const ownedTables: ReadonlySet<string> = new Set(
  Object.values(resources as Record<string, Resource>)
    .filter(isOwned)
    .map(({ name }) => name),
)

/**
 * The operation with its row's owner in it. It is written down only where that is another than the first administrator: so rows of
 * before there were accounts are the administrator's, without being rewritten.
 */
function withOwner(graph: Graph, op: Op, maker: string | undefined): Op {
  if (op.o !== 'put' || !ownedTables.has(op.t) || OWNER in op.v) return op
  const before = graph.get(op.t, op.k)
  const owner = before ? before[OWNER] : maker
  return owner === undefined || owner === null ? op : { ...op, v: { ...op.v, [OWNER]: owner } }
}

/** Shares of what is deleted, and of what gets another owner: who has it now has shared nothing. */
function goneShares(graph: Graph, ops: readonly Op[]): Op[] {
  const keys = new Set<string>()
  for (const op of ops) {
    if (op.o === 'put' || op.o === 'add' || op.t === 'sharedResource') continue
    if (op.o === 'set' && !(OWNER in op.v)) continue
    for (const key of graph.by('sharedResource', 'resourceUuid', op.k)) keys.add(key)
  }
  for (const { o, t, k } of ops) if (o === 'del' && t === 'sharedResource') keys.delete(k)
  return [...keys].map((k) => ({ o: 'del', t: 'sharedResource', k }))
}

/** Facts that tell whose resource they are about, where it isn't the first administrator's: events are shown to its owner. */
function withAccounts(graph: Graph, facts: readonly Fact[], ops: readonly Op[]): Fact[] {
  return facts.map((fact) => {
    const written = ops.find((op) => op.t === fact.noun && op.k === fact.uuid && op.o === 'put')
    const row = graph.get(fact.noun, fact.uuid) ?? (written?.o === 'put' ? written.v : undefined)
    const owner = row && ownerOf(graph, fact.noun, row)
    return typeof owner === 'object' && owner.account !== ADMIN_ACCOUNT ? { ...fact, account: owner.account } : fact
  })
}

/** Accounts that get something by this change which they did not make. */
const receivers = (ops: readonly Op[]): string[] =>
  ops.flatMap((op) => (op.o === 'set' && typeof op.v[OWNER] === 'string' ? [op.v[OWNER]] : []))

/**
 * The change with owners in it. Throws `quota-exceeded`; not of what is undone or cleaned up (`urgent`), nor of what agents report.
 */
export function owned(graph: Graph, asked: Change, { actor, urgent }: { actor: string; urgent?: boolean }): Change {
  const maker = actor !== ADMIN_ACCOUNT && graph.get('account', actor) ? actor : undefined
  const ops = asked.ops.map((op) => withOwner(graph, op, maker))
  if (!urgent) checkQuotas(graph, ops, new Set([...(maker ? [maker] : []), ...receivers(ops)]))
  return {
    ...asked,
    ops: [...ops, ...goneShares(graph, ops)],
    ...(asked.facts?.length ? { facts: withAccounts(graph, asked.facts, ops) } : {}),
  }
}
