/**
 * How much accounts have, kept up with the graph: each changed row moves its amounts out of the old owner's sum and into the new one's.
 * Nothing of it is recorded: it is counted once when a process starts, and a test compares it with a count of all rows.
 */
import { ADMIN_ACCOUNT, type Op, OWNER, type QuotaName, quotaNames, type Row } from '@skerry/contract'
import type { Graph, RowChange } from '@skerry/graph'
import type { Rows } from './whose.ts'

export type Amounts = Partial<Record<QuotaName, number>>
export type Usage = Record<QuotaName, number>

const number = (row: Readonly<Row>, field: string) => (typeof row[field] === 'number' ? (row[field] as number) : 0)
/** States in which a VM takes no CPU and no memory. */
const OFF: ReadonlySet<unknown> = new Set(['Created', 'Stopped', 'Destroyed', 'Destroying', 'Expunging'])

/** What a row with an owner of its own counts for. */
const amountsOf: Readonly<Record<string, (row: Readonly<Row>) => Amounts>> = {
  vmInstance: (vm) => {
    const total = { 'vm.totalNum': vm['state'] === 'Destroyed' ? 0 : 1 }
    if (OFF.has(vm['state'])) return total
    return { ...total, 'vm.num': 1, 'vm.cpuNum': number(vm, 'cpuNum'), 'vm.memorySize': number(vm, 'memorySize') }
  },
  volume: (volume) => {
    if (volume['status'] === 'Deleted') return {}
    return { 'volume.capacity': number(volume, 'size'), ...(volume['type'] === 'Data' ? { 'volume.data.num': 1 } : {}) }
  },
  image: (image) => (image['status'] === 'Deleted' ? {} : { 'image.num': 1, 'image.size': number(image, 'size') }),
  l3Network: () => ({ 'l3.num': 1 }),
  securityGroup: () => ({ 'securityGroup.num': 1 }),
  vip: () => ({ 'vip.num': 1 }),
  eip: () => ({ 'eip.num': 1 }),
  portForwardingRule: () => ({ 'portForwarding.num': 1 }),
  loadBalancer: () => ({ 'loadBalancer.num': 1 }),
  loadBalancerListener: () => ({ 'listener.num': 1 }),
}
/** Snapshots are whose their volume is. */
const SNAPSHOTS = 'volumeSnapshot'
const aSnapshot: Amounts = { 'snapshot.volume.num': 1 }

const counted: readonly string[] = [...Object.keys(amountsOf), SNAPSHOTS]

/** Whether rows of the table count for anything. */
export const counts = (table: string): boolean => counted.includes(table)

const accountOf = (row: Readonly<Row>) => (row[OWNER] as string | null | undefined) ?? ADMIN_ACCOUNT
const snapshotsOf = (graph: Graph, volume: string) => graph.countBy(SNAPSHOTS, 'volumeUuid', volume)

function add(to: Map<string, Amounts>, account: string, { more, sign }: { more: Amounts; sign: number }): void {
  let sum = to.get(account)
  if (!sum) to.set(account, (sum = {}))
  for (const [name, amount] of Object.entries(more) as [QuotaName, number][]) sum[name] = (sum[name] ?? 0) + sign * amount
}

/** What one changed row does to the sums. `now`: who has the volumes; `graph`: how many snapshots they have had before, beside this change. */
function move(
  sums: Map<string, Amounts>,
  { table, key, old, row }: RowChange,
  { now, graph }: { now: Rows; graph: Graph },
): void {
  const sides = [
    { side: old, sign: -1 },
    { side: row, sign: 1 },
  ]
  const snapshots = table === 'volume' ? snapshotsOf(graph, key) : 0
  for (const { side, sign } of sides) {
    if (!side) continue
    if (table === SNAPSHOTS) {
      const volume = now.get('volume', side['volumeUuid'] as string)
      if (volume) add(sums, accountOf(volume), { more: aSnapshot, sign })
      continue
    }
    add(sums, accountOf(side), { more: amountsOf[table]!(side), sign })
    if (snapshots > 0) add(sums, accountOf(side), { more: { 'snapshot.volume.num': snapshots }, sign })
  }
}

/** Counts all rows. */
export function recount(graph: Graph): Map<string, Amounts> {
  const sums = new Map<string, Amounts>()
  for (const table of Object.keys(amountsOf))
    for (const [key, row] of graph.rows(table)) move(sums, { table, key, old: undefined, row }, { now: graph, graph })
  return sums
}

const kept = new WeakMap<Graph, Map<string, Amounts>>()

/** The sums of a graph. The first call counts all rows; from then on they follow the graph. */
export function keptUsage(graph: Graph): ReadonlyMap<string, Amounts> {
  const known = kept.get(graph)
  if (known) return known
  const sums = recount(graph)
  // In the middle of a commit too each row moves what it counts for then: nothing has to be looked at again at its end.
  graph.follow(counted, (change) => move(sums, change, { now: graph, graph }))
  kept.set(graph, sums)
  return sums
}

/** What the account has now, by quota. */
export function usageOf(graph: Graph, account: string): Usage {
  const used = keptUsage(graph).get(account)
  return Object.fromEntries(quotaNames.map((name) => [name, used?.[name] ?? 0])) as Usage
}

/** A change that is not made yet: the rows that it writes, over those that are there. */
class Draft {
  readonly #rows = new Map<string, { table: string; key: string; row: Readonly<Row> | undefined }>()
  readonly #graph: Graph

  constructor(graph: Graph) {
    this.#graph = graph
  }

  get(table: string, key: string): Readonly<Row> | undefined {
    const known = this.#rows.get(`${table} ${key}`)
    return known ? known.row : this.#graph.get(table, key)
  }

  by = (table: string, field: string, value: unknown) => this.#graph.by(table, field, value)

  apply(op: Op): void {
    const before = this.get(op.t, op.k)
    const row = op.o === 'put' ? op.v : op.o === 'set' && before ? { ...before, ...op.v } : op.o === 'del' ? undefined : before
    this.#rows.set(`${op.t} ${op.k}`, { table: op.t, key: op.k, row })
  }

  *changes(): Generator<RowChange> {
    for (const { table, key, row } of this.#rows.values()) yield { table, key, old: this.#graph.get(table, key), row }
  }
}

/** How much more (or less) each account has after the change. */
export function growthOf(graph: Graph, ops: readonly Op[]): Map<string, Amounts> {
  const draft = new Draft(graph)
  for (const op of ops) if (counts(op.t)) draft.apply(op)
  const grown = new Map<string, Amounts>()
  for (const change of draft.changes()) move(grown, change, { now: draft, graph })
  return grown
}
