/** Finds a resource by its name, or makes it: so that a second run changes nothing. */
import type { Row } from '@skerry/contract'
import type { Client } from './client.ts'

export interface Ensured {
  row: Row
  made: boolean
}

export interface Making {
  /** Table of the resource, for the look-up. */
  resource: string
  name: string
  /** Further conditions of the look-up, such as `zoneUuid=…`. */
  where?: readonly string[]
  /** The API that makes it, and its parameters beside the name. */
  api: string
  params: Record<string, unknown>
}

export type Say = (text: string) => void

/** The oldest of that name where there are several (names may repeat). */
export async function ensure(client: Client, making: Making, say: Say = () => undefined): Promise<Ensured> {
  const { resource, name, where = [], api, params } = making
  const q = [`name=${name}`, ...where]
  const { inventories } = await client.query(resource, { q, sort: '+createDate', limit: 1 })
  const found = inventories[0]
  if (found) return { row: found, made: false }
  say(`makes ${name}`)
  const reply = await client.call(api, { ...params, name }, { wait: true, onProgress: (job) => say(progressText(name, job)) })
  return { row: (reply as Row)['inventory'] as Row, made: true }
}

function progressText(name: string, job: { step: string | null; progress?: { percent?: number } }): string {
  const percent = job.progress?.percent
  return `${name}: ${job.step ?? 'accepted'}${percent === undefined ? '' : ` ${Math.round(percent)} %`}`
}

/** Calls the API unless `field` of the row already holds `value`. */
export async function ensureAttached(
  client: Client,
  o: { row: Row; field: string; value: string; api: string; params: Record<string, unknown> },
): Promise<boolean> {
  const have = o.row[o.field]
  if (Array.isArray(have) && have.includes(o.value)) return false
  await client.call(o.api, o.params, { wait: true })
  return true
}
