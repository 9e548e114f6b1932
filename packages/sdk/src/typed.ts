/**
 * What each API takes and answers, as types: inferred from the contract's schemas, so a call is checked before it is made.
 * Nothing here exists at run time.
 */
import type { Row, resources } from '@skerry/contract'
import type { z } from 'zod'
import type { CallOptions, Job } from './answers.ts'

type Resources = typeof resources
export type ResourceName = keyof Resources
type AnyApi = Resources[ResourceName]['apis'][number]

/** Every API by its name (ZStack's, without `API…Msg`). */
type ByName = { [A in AnyApi as string extends A['api'] ? never : A['api']]: A }
/** APIs whose builder forgets their names: a test holds that there are none. */
export type Untyped = Extract<AnyApi, AnyApi extends infer A extends AnyApi ? (string extends A['api'] ? A : never) : never>
export type ApiName = keyof ByName

/** `{uuid}` in a path is a parameter too, and takes a name where that is unambiguous. */
type Variables<P extends string> = P extends `${string}{${infer V}}${infer Rest}` ? V | Variables<Rest> : never
type InPath<P extends string> = { [V in Variables<P>]: string }

/** What `client.call(name, …)` takes. */
export type Params<N extends ApiName> = InPath<ByName[N]['path']> &
  Omit<InBody<ByName[N]['params']>, Variables<ByName[N]['path']>>
/** zod says of an object without fields that it may hold none at all, and the path's are beside it. */
type InBody<P extends z.ZodObject> = keyof P['shape'] extends never ? Record<never, never> : z.input<P>

/** Times are epoch milliseconds in the contract, and ISO text in `/v1`. They are named so. */
type IsTime<K> = K extends
  | `${string}Date`
  | `${string}At`
  | 'startTime'
  | 'stopTime'
  | 'next'
  | 'deadline'
  | 'since'
  | 'heartBeat'
  ? true
  : false
type Shown<K, V> = IsTime<K> extends true ? (number extends V ? string | Exclude<V, number> : V) : V

type Fields<R extends ResourceName> = Resources[R]['fields']
type Hidden<R extends ResourceName> = Resources[R] extends { hidden: readonly (infer H)[] } ? H : never

/** Resources that are shown inside of another: a VM's `vmNics` and `allVolumes`. */
type Children<R extends ResourceName> = {
  [C in ResourceName]: {
    [E in keyof Resources[C]['edges']]: Resources[C]['edges'][E] extends { to: R; inline: true; inverse: infer L extends string }
      ? { child: C; list: L }
      : never
  }[keyof Resources[C]['edges']]
}[ResourceName]

/** A resource as `/v1` shows it. */
export type Inventory<R extends ResourceName> = {
  uuid: string
  name: string
  description?: string | null
  createDate: string
  lastOpDate: string
} & {
  [K in keyof Fields<R> as K extends Hidden<R> ? never : K]: Fields<R>[K] extends z.ZodType
    ? Shown<K, z.output<Fields<R>[K]>>
    : never
} & { [C in Children<R> as C['list']]: Inventory<C['child']>[] }

/** What an API answers when it is done. */
export type ResultOf<N extends ApiName> = ByName[N]['result'] extends { kind: 'inventory'; of: infer O extends ResourceName }
  ? { inventory: Inventory<O> }
  : ByName[N]['result'] extends { kind: 'inventories'; of: infer O extends ResourceName }
    ? { inventories: Inventory<O>[] }
    : ByName[N]['result'] extends { kind: 'fields'; schema: z.ZodObject<infer S> }
      ? { [K in keyof S]: S[K] extends z.ZodType ? Shown<K, z.output<S[K]>> : never }
      : ByName[N]['result'] extends { kind: 'lists'; of: infer L; maps: infer M }
        ? { [K in keyof L]: Listed<L[K]> } & { [K in keyof M]: Record<string, Listed<M[K]>> }
        : ByName[N]['result'] extends { kind: 'lists'; of: infer L }
          ? { [K in keyof L]: Listed<L[K]> }
          : Record<string, never>
type Listed<Name> = Name extends ResourceName ? Inventory<Name>[] : never

/** A resource that goes (`delete`), loses a reference (`detach`) or its power (`stop`) with another. */
export interface PlanNode {
  resource: string
  uuid: string
  name?: string
  action: string
  children: PlanNode[]
}

/** What would happen. `hash` is given back as `ifPlan`. */
export type Plan = {
  workflow: string
  steps: string[]
  cascade: Row[]
  /** of a deletion: the same as a tree, each below what takes it along */
  tree?: PlanNode
  /** of a call that needs a host: who could give it, and why the others can't */
  hosts?: { possible: Row[]; refused: Row[] }
  changes: Row[]
  agents: Row[]
  hash: string
}

/** `POST` and the like answer a job at once; with `wait` or `onProgress` its result; with `dryRun` a plan. */
export type Answer<N extends ApiName, O extends CallOptions> = O extends { dryRun: true }
  ? { plan: Plan }
  : O extends { wait: true } | { onProgress: (job: Job) => void }
    ? ResultOf<N>
    : ByName[N]['sync'] extends true
      ? ResultOf<N>
      : { job: Job; location: string }

/** Only for a name that is not known when the program is written: of a known one everything is checked. */
export type Unchecked<N extends string> = string extends N ? [params?: Row, o?: CallOptions] : [thereIsNoSuchApi: never]
export type RowOf<R extends string> = R extends ResourceName ? Inventory<R> : Row
