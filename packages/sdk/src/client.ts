/** A client of `/v1`, computed from the contract: it knows every API that the contract knows, and no other. */
import { type Api, apis, type Resource, type Row } from '@skerry/contract'
import type { CallOptions, ClientOptions, QueryOptions } from './answers.ts'
import { clientOver } from './core.ts'
import { directoryOf } from './directory.ts'
import type { Answer, ApiName, Params, ResourceName, RowOf, Unchecked } from './typed.ts'

const contract = directoryOf(apis)

/** The API of that name (ZStack's, without `API…Msg`), with its resource. Throws `invalid-argument`. */
export function apiNamed(name: string): { api: Api; resource: Resource } {
  const api = contract.apiNamed(name)
  return apis.find((entry) => entry.api === api)!
}

/** The list query of a resource, by table name or noun. Throws `invalid-argument`. */
export const { queryOf } = contract

/** APIs that need no parameter. */
type Bare = { [N in ApiName]: Record<never, never> extends Params<N> ? N : never }[ApiName]

type Core = ReturnType<typeof clientOver>
/** Every method throws `SkerryError` for what the controller refuses, `UnreachableError` when nobody answers. */
export interface Client extends Omit<Core, 'call' | 'query' | 'get'> {
  /**
   * Calls an API by its name. It answers the result of a synchronous API; else `{ job, location }` at once, the job's result
   * with `wait` or `onProgress`, or `{ plan }` with `dryRun`.
   */
  call<N extends ApiName, const O extends CallOptions = CallOptions>(name: N, params: Params<N>, o?: O): Promise<Answer<N, O>>
  call<N extends Bare>(name: N): Promise<Answer<N, CallOptions>>
  /** Of a name that is computed: nothing is checked before the controller does. */
  call<N extends string>(name: N, ...rest: Unchecked<N>): Promise<Row>
  /** Resources by ZStack's conditions; `resource` is a table name or a noun (`vmInstance`, `vm`). */
  query<R extends ResourceName | (string & {})>(
    resource: R,
    o?: QueryOptions,
  ): Promise<{ inventories: RowOf<R>[]; total?: number; explain?: Row }>
  /** One resource by uuid or name. Throws `not-found`, `ambiguous-name`. */
  get<R extends ResourceName | (string & {})>(resource: R, uuidOrName: string, o?: { at?: string }): Promise<RowOf<R>>
}

export const createClient = (options: ClientOptions): Client => clientOver(contract, options) as Client
