/**
 * What the doors of the controller (HTTP, NATS) see of the engine. A door turns bytes into a `Call`, and a `JobView` or an
 * error back into bytes; it decides nothing about resources.
 */
import type { Api, ErrorBody, Progress, Resource, Row } from '@skerry/contract'
import type { Graph } from '@skerry/graph'

export interface Caller {
  accountUuid: string
  sessionUuid: string
  admin: boolean
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
  progress?: Progress
  createDate: number
  finishedAt: number | null
}

/** Answer to `dryRun=true`: nothing was changed. */
export interface PlanView {
  workflow: string
  steps: readonly string[]
  /** what would be deleted or changed by cascade, leaf first */
  cascade: readonly { resource: string; uuid: string; name?: string; action: string }[]
  /** what the first, deciding steps would write */
  changes: readonly Row[]
  /** what agents would do: argv, XML or nft differences */
  agents: readonly Row[]
  /** of all above and the versions it was made from; sent back as `If-Plan` it applies only what was shown */
  hash: string
}

export interface Engine {
  readonly graph: Graph
  /** Accepts an asynchronous call: durable when it resolves. Throws what makes the request itself bad. */
  accept(call: Call): Promise<JobView>
  job(uuid: string): JobView | undefined
  /** Resolves when the job has ended, or after `ms` with what there is. */
  wait(uuid: string, ms: number): Promise<JobView | undefined>
  /** A synchronous call that is no query: its result by `api.result`, dates in epoch ms. */
  call(call: Call): Promise<Row>
  plan(call: Call): Promise<PlanView>
  /** The caller behind a session; undefined when it isn't valid. */
  session(uuid: string): Caller | undefined
}
