/** What was used, for how long: a fold over the log. Pure: the graph before and each commit go in. */
import type { Commit } from '@skerry/contract'
import type { Graph } from '@skerry/graph'
import { affected, type Meter, meteredTables, metersOf } from './meters.ts'

/** A quantity that stayed the same from one time to another (epoch ms). */
export interface Usage extends Meter {
  from: number
  to: number
}

/** An account paid the prices of this table in that time; null: those that are in no table. */
export interface Binding {
  accountUuid: string
  tableUuid: string | null
  from: number
  to: number
}

interface Open {
  meters: Meter[]
  since: number
}

const same = (a: readonly Meter[], b: readonly Meter[]) =>
  a.length === b.length &&
  a.every((one, i) => {
    const other = b[i]!
    return one.item === other.item && one.quantity === other.quantity && one.accountUuid === other.accountUuid
  })

export class Meterage {
  readonly #open = new Map<string, Open>()
  readonly #bound = new Map<string, { tableUuid: string; since: number }>()
  readonly #usages: Usage[] = []
  readonly #bindings: Binding[] = []
  readonly #to: number
  /** Only what this account used is kept; absent: what all did. */
  readonly #account: string | undefined
  /** A clock that was set back does not give time back. */
  #now: number

  /** `graph`: as it was at `from`. */
  constructor(graph: Graph, { from, to, account }: { from: number; to: number; account?: string }) {
    this.#now = from
    this.#to = to
    this.#account = account
    for (const table of meteredTables) for (const [key] of graph.rows(table)) this.#look(graph, table, key)
    for (const [key] of graph.rows('accountPriceTableRef')) this.#bind(graph, key)
  }

  /** `graph`: as it is after the commit. */
  see(commit: Commit, graph: Graph): void {
    this.#now = Math.min(this.#to, Math.max(this.#now, commit.at))
    for (const { t, k } of commit.ops) {
      if (t === 'accountPriceTableRef') this.#bind(graph, k)
      for (const [table, key] of affected(graph, t, k)) this.#look(graph, table, key)
    }
  }

  /** All of it; what goes on ends at the end of the time. */
  end(): { usages: Usage[]; bindings: Binding[] } {
    this.#now = this.#to
    for (const [id, open] of this.#open) this.#close(id, open)
    for (const [accountUuid, { tableUuid, since }] of this.#bound)
      this.#bindings.push({ accountUuid, tableUuid, from: since, to: this.#now })
    return { usages: this.#usages, bindings: this.#bindings }
  }

  #look(graph: Graph, table: string, key: string): void {
    const id = `${table}\n${key}`
    const meters = metersOf(graph, table, key).filter((m) => this.#account === undefined || m.accountUuid === this.#account)
    const open = this.#open.get(id)
    if (open && same(open.meters, meters)) {
      open.meters = meters // its name may be another
      return
    }
    if (open) this.#close(id, open)
    if (meters.length > 0) this.#open.set(id, { meters, since: this.#now })
  }

  #close(id: string, { meters, since }: Open): void {
    this.#open.delete(id)
    if (since === this.#now) return
    for (const meter of meters) this.#usages.push({ ...meter, from: since, to: this.#now })
  }

  #bind(graph: Graph, accountUuid: string): void {
    const tableUuid = graph.get('accountPriceTableRef', accountUuid)?.['tableUuid'] as string | undefined
    const bound = this.#bound.get(accountUuid)
    if (bound?.tableUuid === tableUuid) return
    if (bound && bound.since < this.#now)
      this.#bindings.push({ accountUuid, tableUuid: bound.tableUuid, from: bound.since, to: this.#now })
    this.#bound.delete(accountUuid)
    if (tableUuid !== undefined) this.#bound.set(accountUuid, { tableUuid, since: this.#now })
  }
}
