/** What a client takes and gives. `/v1` shows times as ISO text. */
import type { HistoryEntry, Row, Severity, SiteCondition, SiteOverview } from '@skerry/contract'

export interface ClientOptions {
  /** `http://127.0.0.1:8080`, without a path */
  baseUrl: string
  /** uuid of a session from `login` */
  session?: string
  /** default: Node's own http and https, which start faster than the global fetch and can be told of a CA */
  fetch?: typeof globalThis.fetch
  /** PEM text of the site's CA */
  ca?: string
  /** ends every request of this client */
  signal?: AbortSignal
}

/** A job as `/v1` shows it; dates are ISO text. */
export interface Job {
  uuid: string
  api: string
  state: 'processing' | 'undoing' | 'done' | 'failed' | 'stuck'
  step: string | null
  steps: string[]
  /** of these, those that it passed over */
  skipped?: string[]
  progress?: { step: string; doneBytes?: number; totalBytes?: number; remainingMs?: number; percent?: number; at: string }
  createDate: string
  finishedAt: string | null
  result?: Row
  error?: Row
}

export interface CallOptions {
  /** Wait for the job and answer its result. Default: answer `{ job, location }` at once. */
  wait?: boolean
  /** Change nothing, answer `{ plan }`. */
  dryRun?: boolean
  /** The same key and call again answer the first job. */
  idempotencyKey?: string
  /** Called when the job moves; implies `wait`. */
  onProgress?: (job: Job) => void
  /** row version (ETag) that the call must find */
  ifMatch?: string
  /** hash of a plan that was shown: apply that or nothing */
  ifPlan?: string
}

export interface QueryOptions {
  q?: readonly string[]
  limit?: number
  start?: number
  count?: boolean
  replyWithCount?: boolean
  sort?: string
  fields?: readonly string[]
  groupBy?: string
  /** for administrators: how the answer was found */
  explain?: boolean
  /** what the answer would have been then: a time (ISO) or a sequence; for administrators */
  at?: string
}

export interface EventQuery {
  /** id of an event: those behind it */
  lastEventId?: string
  /** a time (ISO) or a sequence: those behind it */
  since?: string
  noun?: string
  uuid?: string
  event?: string
  /** who made the change: an account by uuid or name, `system`, `agent:<uuid>` */
  account?: string
  job?: string
  /** false: ends with the newest; default: goes on */
  live?: boolean
}

export interface Session {
  uuid: string
  accountUuid: string
  userUuid: string
  expiredDate: string
}

/** As `/v1` shows it: `since` is ISO text. */
export type ShownCondition = Omit<SiteCondition, 'since'> & { since: string }

/** `at` is ISO text. */
export type ShownEntry = Omit<HistoryEntry, 'at'> & { at: string }

export interface ConditionQuery {
  noun?: string
  uuid?: string
  /** also of what belongs to it: a VM's volumes, a host's agents */
  resourceUuid?: string
  severity?: Severity
  code?: string
  limit?: number
}

export interface SiteStatus extends SiteOverview {
  counts: Record<Severity, number>
  conditions: ShownCondition[]
}

/** One step of a workflow, as `/v1/workflows` shows it. */
export interface ShownStep {
  name: string
  version: number
  /** it is undone when a later one fails; else `noUndo` says why not */
  undo: boolean
  noUndo: string | null
  /** it may be left out */
  conditional: boolean
  /** of those that run at the same time */
  group: string | null
  /** the plugin that it came from */
  from: string | null
  /** sub-workflows that it is a step of, the outermost first */
  within: readonly { as: string; workflow: string }[]
}

/** What a job does. `apis`: the calls that make such jobs. */
export interface ShownWorkflow {
  name: string
  version: number
  steps: ShownStep[]
  finishes: boolean
  apis: string[]
}
