/** Whether an answer is one that may be given to anybody for anything: in the form of its dialect, and no defect. */
import { type ErrorCode, errors, type Row } from '@skerry/contract'
import { type FuzzRequest, jsonOf, type Reply } from './request.ts'

/** Of ZStack's wire: text for what can't be read, 503 with an error object for what is refused. */
const ZSTACK_TEXT = new Set([400, 401, 403, 404, 405, 413])
const LEAKS = [/\n\s+at \S+ \(/, /\.ts:\d/, /node_modules/, /skerry-small-/, /root:x:0/, /uid=0\(/]
/** Node's own answers to what is no HTTP, or has heads longer than it takes. */
const UNREADABLE = new Set([400, 408, 413, 417, 431, 501])

export const isOurs = (code: unknown): code is ErrorCode => typeof code === 'string' && Object.hasOwn(errors, code)

/** A refusal that says what a client may do about it; nothing on this ground is a defect, or out of order by itself. */
function wrongCode(code: unknown, status?: number): string[] {
  if (!isOurs(code)) return [`an error has the unknown code ${JSON.stringify(code)}`]
  const spec = errors[code]
  if (spec.retry === 'bug') return [`a defect: ${code}`]
  if (status !== undefined && spec.status !== status) return [`${code} answers ${spec.status}, not ${status}`]
  return []
}

function zstackWrong({ status, headers, text }: Reply, body: Row | undefined): string[] {
  if (status === 503 || status === 429) {
    const error = body?.['error'] as Row | undefined
    if (typeof error?.['code'] !== 'string' || typeof error['details'] !== 'string') return [`${status} without an error object`]
    return wrongCode((error['opaque'] as Row | undefined)?.['code'])
  }
  if (status === 200 || status === 202) return body === undefined ? [`${status} without JSON`] : []
  if (!ZSTACK_TEXT.has(status)) return [`status ${status}`]
  return headers['content-type']?.startsWith('text/plain') && text !== '' ? [] : [`${status} without text`]
}

function ownWrong({ status, headers, text }: Reply, body: Row | undefined): string[] {
  const type = headers['content-type'] ?? ''
  if (status < 400) {
    if (status === 204 || status === 304) return text === '' ? [] : [`${status} with a body`]
    if (status === 200 && /^(text\/(plain|csv|event-stream)|application\/octet-stream)/.test(type)) return []
    if (![200, 201, 202].includes(status)) return [`status ${status}`]
    return body === undefined ? [`${status} without JSON`] : []
  }
  if (!type.startsWith('application/problem+json') || body === undefined) return [`${status} without a problem document`]
  if (body['status'] !== status || typeof body['detail'] !== 'string') return [`a problem document that does not fit ${status}`]
  // What can't be read has the nearest code of the table: its status may differ (405).
  return wrongCode(body['code'], status === 405 || status === 404 ? undefined : status)
}

function natsWrong({ status, headers }: Reply, body: Row | undefined): string[] {
  if (headers['skerry-status'] === undefined)
    return headers['skerry-error'] === undefined ? ['no status in a reply'] : wrongCode(headers['skerry-error'])
  if (body === undefined) return ['a reply without JSON']
  return status < 400 ? [] : wrongCode(body['code'], status)
}

/** Everything that is wrong with the answer. */
export function wrongWith(request: FuzzRequest, reply: Reply): string[] {
  const { status, text } = reply
  const found = LEAKS.filter((leak) => leak.test(text)).map((leak) => `leaks ${leak}`)
  if (request.kind === 'bytes')
    return status === 0 || status < 500 || UNREADABLE.has(status) || status === 503 ? found : [...found, `status ${status}`]
  if (request.kind === 'nats') return [...found, ...natsWrong(reply, jsonOf(reply))]
  if (status === 0) return [...found, 'no answer']
  const bare = request.method === 'HEAD' || UNREADABLE.has(status)
  if (bare && text === '')
    return status < 500 || UNREADABLE.has(status) || (request.dialect === 'zstack' && status === 503)
      ? found
      : [...found, `status ${status}`]
  if (request.dialect === 'fixed') return status < 500 ? found : [...found, `status ${status}`]
  const body = jsonOf(reply)
  return [...found, ...(request.dialect === 'own' ? ownWrong(reply, body) : zstackWrong(reply, body))]
}

/** True where the call was not taken: then it may have changed nothing. */
export const isRefusal = ({ status, headers }: Reply): boolean => status >= 400 || headers['skerry-error'] !== undefined
