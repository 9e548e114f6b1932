/** The call inside a long job: ZStack's message class names an API of the contract, and the text holds its parameters. Pure. */
import { type Api, apis, type Resource, type Row, SkerryError } from '@skerry/contract'
import { checkCall } from './check-params.ts'
import type { Call } from './port.ts'

export interface LongCall {
  api: Api
  resource: Resource
  /** checked */
  params: Row
}

/** Not those that take a password of which nothing is kept: the text of a long job is. */
const byMessage = new Map(
  apis
    .filter(({ api, resource }) => !api.sync && !api.own && resource.name !== 'longJob' && !('passwordHash' in resource.fields))
    .map((found) => [`API${found.api.api}Msg`, found]),
)

/** The API behind a message class. Throws `long-job-unsupported`. */
export function apiOfMessage(jobName: string): { api: Api; resource: Resource } {
  const found = byMessage.get(jobName)
  if (found) return found
  const message = 'jobName names no call that can be a long job: it is the class of an asynchronous API, such as APIAddImageMsg'
  throw new SkerryError('long-job-unsupported', message, { field: 'jobName' })
}

function parsed(jobData: string): Row {
  let data: unknown
  try {
    data = JSON.parse(jobData)
  } catch {
    // The parser's own message repeats the text, which may hold a password.
    throw new SkerryError('invalid-argument', 'jobData is not valid JSON', { field: 'jobData' })
  }
  if (typeof data !== 'object' || data === null || Array.isArray(data))
    throw new SkerryError('invalid-argument', 'jobData must be a JSON object', { field: 'jobData' })
  return Object.fromEntries(Object.entries(data).filter(([, value]) => value !== null))
}

/** The call that `jobName` and `jobData` describe. Throws `invalid-argument` or `not-found`, naming the parameter. */
export function longCallOf(jobName: string, jobData: string): LongCall {
  const found = apiOfMessage(jobName)
  const { api } = found
  const input = parsed(jobData)
  const names = [...api.path.matchAll(/\{(\w+)\}/g)].map(([, name]) => name!)
  const missing = names.find((name) => typeof input[name] !== 'string')
  if (missing !== undefined)
    throw new SkerryError('invalid-argument', `jobData: invalid field[${missing}]: it is required`, { field: missing })
  const checked = checkCall({ api, input, variables: Object.fromEntries(names.map((name) => [name, input[name] as string])) })
  if (checked.ok) return { ...found, params: checked.params }
  const { code, message, details } = checked.error
  throw new SkerryError(code, `jobData: ${message}`, details)
}

/** The call inside the submission of a long job; undefined for other calls. */
export function longCallIn(call: Pick<Call, 'api' | 'params'>): LongCall | undefined {
  if (call.api.api !== 'SubmitLongJob') return undefined
  const { jobName, jobData, call: params } = call.params as { jobName: string; jobData: string; call?: Row }
  return params === undefined ? longCallOf(jobName, jobData) : { ...apiOfMessage(jobName), params }
}
