/**
 * What was destroyed or deleted is expunged: at once where that was the policy when it was deleted (Direct), after a while (Delay),
 * or by nobody but a person (Never).
 */
import type { Row } from '@skerry/contract'
import type { Graph } from '@skerry/graph'
import { configMs } from '../configs/value.ts'
import type { Call, JobView } from '../engine/port.ts'
import { internalCall } from './internal-call.ts'

const kinds = [
  {
    table: 'vmInstance',
    field: 'state',
    is: 'Destroyed',
    since: 'destroyedAt',
    category: 'vm',
    deletes: 'DestroyVmInstance',
    api: 'ExpungeVmInstance',
  },
  {
    table: 'image',
    field: 'status',
    is: 'Deleted',
    since: 'deletedAt',
    category: 'image',
    deletes: 'DeleteImage',
    api: 'ExpungeImage',
  },
  {
    table: 'volume',
    field: 'status',
    is: 'Deleted',
    since: 'deletedAt',
    category: 'volume',
    deletes: 'DeleteDataVolume',
    api: 'ExpungeDataVolume',
  },
] as const
type Kind = (typeof kinds)[number]
export type Category = Kind['category']

export interface Due {
  api: Kind['api']
  uuid: string
}

const gone = (graph: Graph, { table, field, is }: Kind): [string, Readonly<Row>][] =>
  [...graph.by(table, field, is)].map((uuid) => [uuid, graph.get(table, uuid)!])

/** What waits for nothing: nobody wanted it back when it was deleted. */
export const dueAtOnce = (graph: Graph): Due[] =>
  kinds.flatMap((kind) =>
    gone(graph, kind).flatMap(([uuid, row]) => (row['deletionPolicy'] === 'Direct' ? [{ api: kind.api, uuid }] : [])),
  )

/** What may no longer be recovered, of these categories. What was deleted before there were policies has the default one. Pure. */
export function dueByAge(graph: Graph, now: number, categories: readonly Category[]): Due[] {
  return kinds
    .filter(({ category }) => categories.includes(category))
    .flatMap((kind) => {
      const keptMs = configMs(graph, `${kind.category}.expungePeriod`)
      const isDue = (row: Readonly<Row>) =>
        (row['deletionPolicy'] ?? 'Delay') === 'Delay' && now - ((row[kind.since] as number | null) ?? now) > keptMs
      return gone(graph, kind).flatMap(([uuid, row]) => (isDue(row) ? [{ api: kind.api, uuid }] : []))
    })
}

export interface ExpungePorts {
  graph: Graph
  now(): number
  monotonic(): number
  /** whether the wall clock may decide what is old */
  believed(): boolean
  /** whether every host has said what it holds: before that nobody knows what is still used */
  heard(): boolean
  busy(uuid: string): boolean
  accept(call: Call): Promise<unknown>
  report(error: unknown, facts: Row): void
}

export class Expunging {
  readonly #p: ExpungePorts
  readonly #looked = new Map<Category, number>()

  constructor(ports: ExpungePorts) {
    this.#p = ports
  }

  /** Categories whose interval is over since they were looked at. */
  #categories(): Category[] {
    const at = this.#p.monotonic()
    const due = kinds
      .map(({ category }) => category)
      .filter((category) => {
        const last = this.#looked.get(category)
        return last === undefined || at - last >= configMs(this.#p.graph, `${category}.expungeInterval`)
      })
    for (const category of due) this.#looked.set(category, at)
    return due
  }

  /** Called as often as anything may be due. */
  look(): void {
    const { graph } = this.#p
    // Asked each time: it compares with the last time.
    const believed = this.#p.believed()
    if (!this.#p.heard()) return
    for (const due of dueAtOnce(graph)) this.#expunge(due)
    if (believed) for (const due of dueByAge(graph, this.#p.now(), this.#categories())) this.#expunge(due)
  }

  /** A job has ended: what it deleted for good goes with it. */
  ended(job: JobView, uuid: string): void {
    const kind = kinds.find(({ deletes }) => deletes === job.api)
    if (!kind || job.state !== 'done') return
    const row = this.#p.graph.get(kind.table, uuid)
    if (row?.[kind.field] === kind.is && row['deletionPolicy'] === 'Direct') this.#expunge({ api: kind.api, uuid })
  }

  #expunge(due: Due): void {
    if (this.#p.busy(due.uuid)) return
    this.#p
      .accept(internalCall(due.api, due.uuid))
      .catch((error) => this.#p.report(error, { doing: 'expunging what was deleted', ...due }))
  }
}
