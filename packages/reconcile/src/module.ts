/**
 * What an agent writes for each noun. `plan` and `report` are pure: no I/O, no clock, no randomness. `apply` is dull: it
 * carries out one change and decides nothing. The loop, retries, statuses and orphans are the reconciler's.
 */
import type { condition, ErrorBody, Generation, NounCasts } from '@skerry/contract'
import type { ZodType, z } from 'zod'

export type Condition = z.infer<typeof condition>
/** What an agent itself knows of a resource and must not forget: that a guest powered itself off, the boot id when it last ran. */
export type Facts = Readonly<Record<string, unknown>>

export interface Wanted<Spec> {
  uuid: string
  generation: Generation
  spec: Spec
  facts: Facts
}

/** A tombstone: the only thing that lets a plan delete. `spec` is the last document's, if the agent had one that it can read. */
export interface Buried<Spec> {
  uuid: string
  generation: Generation
  spec: Spec | undefined
  facts: Facts
}

/** One thing to do. JSON: it is shown by a dry run. Its uuid is that of the document (or tombstone) that it serves. */
export interface Change {
  uuid: string
  op: string
}

/** Something on the host that carries our mark. */
export interface Observed {
  uuid: string
}

export interface PlanContext {
  /** Of this boot of the host. */
  bootId: string
  /** Wall clock at the beginning of the pass, epoch milliseconds. */
  nowMs: number
  /** Only these resources are looked at in this pass: what else is observed is not acted upon. Absent: all. */
  only?: ReadonlySet<string>
  /** Documents of this module's noun that this pass is about. */
  wanted: readonly Wanted<unknown>[]
  /** Tombstones of this module's noun, by uuid. */
  buried: ReadonlyMap<string, Buried<unknown>>
  /** Documents of another noun of this agent: what a volume's pool is, which leases a router has. */
  wantedOf(noun: string): readonly Wanted<unknown>[]
  /** Tombstones of another noun of this agent. */
  buriedOf(noun: string): readonly Buried<unknown>[]
}

export interface Report {
  condition: Exclude<Condition, 'Gone' | 'Orphaned'>
  /** `status.observed`: the noun's own facts. */
  observed: Record<string, unknown>
  error?: ErrorBody
}

export interface Module<Spec, Have extends Observed, Made extends Change = Change> {
  noun: string
  schema: number
  spec: ZodType<Spec>
  /** How documents of older schemas become ones of this. Default: the contract's. */
  casts?: NounCasts
  /** How many resources `apply` may work on at once; changes of one resource always come one after another. Default 1. */
  concurrency?: number
  /**
   * Nothing else on the host depends on its resources, and one document of it can be made without looking at the others: a change
   * of a few is a pass over these few. Default: every pass looks at everything.
   */
  single?: boolean
  /** Everything on the host that carries our mark, also what nobody wants, each with the uuid that its mark names. */
  observe(context: PlanContext): Promise<Have[]>
  /**
   * What must be done. Deletes only what `context.buried` names; what is neither wanted nor buried is left alone (the
   * reconciler reports it as Orphaned). After all changes were applied, it must return none.
   */
  plan(want: readonly Wanted<Spec>[], have: readonly Have[], context: PlanContext): Made[]
  apply(change: Made): Promise<void>
  /** What to tell of a resource. One of the two is there. Failures of `apply` and deletions are added by the reconciler. */
  report(want: Wanted<Spec> | undefined, have: Have | undefined): Report
  /** Whether a move of `observed` is too small to be told (free bytes of a disk). Default: every move is told. */
  steady?(before: Record<string, unknown>, after: Record<string, unknown>): boolean
}

/** Any module; what it is handed comes from itself. */
export type AnyModule = Module<unknown, Observed>
