/** What `/v1/history` and `/v1/diff` answer: the log told in the resources' own words. Secrets are in neither. */

export interface HistoryQuery {
  /** either of them */
  job?: string
  resourceUuid?: string
  /** at most 200, which is the default */
  limit?: number
}

export interface HistoryEntry {
  seq: number
  /** epoch ms; ISO text over HTTP */
  at: number
  /** account uuid, `system`, or `agent:<uuid>` */
  actor: string
  /** name of the account that the actor is */
  account?: string
  /** name of the user who acted for the account; its uuid where it is gone. Only of what a job did. */
  user?: string
  job?: string
  /** what the job is */
  api?: string
  /** of the job: what the commit ended or undid */
  step?: { name: string; state: 'done' | 'undone' }
  /** hidden fields, lists and documents are left out; `add`: by how much; `before`: what stood in these fields, where it was another value */
  changes: {
    table: string
    key: string
    op: 'put' | 'set' | 'del' | 'add'
    fields?: Record<string, unknown>
    before?: Record<string, unknown>
  }[]
  /** desired documents that it wrote for agents */
  documents: number
  facts: { noun: string; uuid: string; event: string; data?: Record<string, unknown> }[]
}

/** One resource that is another than it was. Only fields that differ; without `before` or `after` where there was or is none. */
export interface DiffEntry {
  noun: string
  uuid: string
  name?: string
  change: 'created' | 'changed' | 'deleted'
  fields: Record<string, { before?: unknown; after?: unknown }>
}

export interface DiffQuery {
  /** a time (ISO) or a sequence; `to`: default now */
  from: string
  to?: string
  noun?: string
  uuid?: string
  /** at most 5,000, which is the default */
  limit?: number
}
