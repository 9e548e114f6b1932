/**
 * What the doors of the controller (HTTP, NATS) see of the engine. A door turns bytes into a `Call`, and a `JobView` or an
 * error back into bytes; it decides nothing about resources.
 */
import type { Api, ErrorBody, Guard as GraphGuard, Progress, Resource, Row } from '@skerry/contract'
import type { Graph } from '@skerry/graph'
import type { Guard } from '../identity/guard.ts'
import type { Possible, Refused } from '../place/host.ts'

export interface Caller {
  accountUuid: string
  sessionUuid: string
  admin: boolean
  /** who acts for the account; absent: the account itself */
  userUuid?: string
}

/** A request that carries a signature instead of a session. */
export interface Signed {
  keyId: string
  /** base64 */
  signature: string
  /** what may have been signed: the path as sent, and as read */
  texts: readonly string[]
}

/** One API call, its parameters already checked against `api.params`, path variables merged in. */
export interface Call {
  api: Api
  resource: Resource
  params: Record<string, unknown>
  /** undefined on anonymous APIs */
  caller?: Caller
  /** client-chosen job id (`X-Job-UUID`), else one is made */
  jobUuid?: string
  idempotencyKey?: string
  /** SHA-256 of method, path and body: a repeated id must come with the same one */
  bodyHash: string
  timeoutMs?: number
  /** what must hold where it is accepted: versions that its sender has seen */
  guards?: readonly GraphGuard[]
  /** what must go with it and nothing else, as canonical JSON of the plan that was shown */
  cascade?: string
  webHook?: string
}

export interface JobView {
  uuid: string
  api: string
  state: 'processing' | 'undoing' | 'done' | 'failed' | 'stuck'
  /** as `api.result` says, dates in epoch ms: `{ inventory }`, `{}`, … */
  result?: Row
  error?: ErrorBody
  step: string | null
  steps: readonly string[]
  /** of these, those that it passed over; absent: none so far */
  skipped?: readonly string[]
  progress?: Progress
  createDate: number
  finishedAt: number | null
}

/** A resource that goes or changes with another. */
export interface PlanNode {
  resource: string
  uuid: string
  name?: string
  /** `delete`, `detach` (it loses the reference), `stop` (it loses its power) */
  action: string
  children: readonly PlanNode[]
}

/** Answer to `dryRun=true`: nothing was changed. */
export interface PlanView {
  workflow: string
  steps: readonly string[]
  /** what would be deleted or changed by cascade, leaf first */
  cascade: readonly { resource: string; uuid: string; name?: string; action: string }[]
  /** the same as a tree: each below what takes it along, the resource itself on top */
  tree?: PlanNode
  /** of a call that needs a host: who could give it, the preferred first, and why the others can't (at most 100 of each) */
  hosts?: { possible: readonly Possible[]; refused: readonly Refused[] }
  /** what the first, deciding steps would write */
  changes: readonly Row[]
  /** what agents would do: argv, XML or nft differences */
  agents: readonly Row[]
  /** of all above and the versions it was made from; sent back as `If-Plan` it applies only what was shown */
  hash: string
}

export interface Engine {
  readonly graph: Graph
  /** rights: the same for every door */
  readonly guard: Guard
  /** Accepts an asynchronous call: durable when it resolves. Throws what makes the request itself bad. */
  accept(call: Call): Promise<JobView>
  job(uuid: string): JobView | undefined
  /** Resolves when the job has ended, or after `ms` with what there is. Throws `store-stopped` when it can't end in this process. */
  wait(uuid: string, ms: number): Promise<JobView | undefined>
  /** A synchronous call that is no query: its result by `api.result`, dates in epoch ms. */
  call(call: Call): Promise<Row>
  plan(call: Call): Promise<PlanView>
  /** What must hold for the plan of this hash to be what happens. Throws `stale-plan` where it is another one by now. */
  planned(call: Call, hash: string): Promise<{ guards: GraphGuard[]; cascade: string }>
  /** The caller behind a session; undefined when it isn't valid. */
  session(uuid: string): Caller | undefined
  /** The caller behind a signature; undefined when key or signature aren't valid. */
  signed(request: Signed): Promise<Caller | undefined>
}
