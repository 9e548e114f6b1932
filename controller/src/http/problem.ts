/** `application/problem+json` (RFC 9457), the error form of `/v1`. */
import { type ErrorBody, type ErrorCode, errors, type Row, toErrorBody } from '@skerry/contract'
import { Refusal } from './refusal.ts'
import { json } from './reply.ts'
import { retryAfter } from './sync.ts'

export interface Problem {
  type: string
  title: string
  status: number
  detail: string
  code: ErrorCode
  retry: string
  hint?: string
  details?: Row
  cause?: Problem
  job?: string
}

export function problemOf(error: ErrorBody, o: { status?: number; job?: string } = {}): Problem {
  const code: ErrorCode = error.code in errors ? error.code : 'internal'
  const spec = errors[code]
  return {
    type: `urn:skerry:error:${code}`,
    title: spec.title,
    status: o.status ?? spec.status,
    detail: error.message,
    code,
    retry: error.retry,
    ...(error.hint ? { hint: error.hint } : {}),
    ...(error.details ? { details: error.details } : {}),
    ...(error.cause ? { cause: problemOf(error.cause) } : {}),
    ...(o.job ? { job: o.job } : {}),
  }
}

export function problem(body: Problem, headers: Record<string, string> = {}): Response {
  return json(body.status, body, { 'content-type': 'application/problem+json', ...headers })
}

/** Anything thrown while a request of /v1 was handled. */
export function problemFrom(thrown: unknown): Response {
  if (!(thrown instanceof Refusal)) return problem(problemOf(toErrorBody(thrown)), retryAfter(thrown))
  const spec = errors[thrown.code]
  const error: ErrorBody = {
    code: thrown.code,
    message: thrown.message,
    retry: spec.retry,
    ...('hint' in spec && spec.hint ? { hint: spec.hint } : {}),
  }
  const headers: Record<string, string> = thrown.allow.length > 0 ? { allow: thrown.allow.join(', ') } : {}
  return problem(problemOf(error, { status: thrown.status }), headers)
}
