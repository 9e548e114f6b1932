/** A problem document as the error it was on the other side; and the error of a controller that can't be reached at all. */
import { type ErrorCode, errors, SkerryError } from '@skerry/contract/errors'
import type { Incoming } from './transport.ts'

interface ProblemDocument {
  code?: string
  title?: string
  detail?: string
  status?: number
  details?: Record<string, unknown>
  cause?: ProblemDocument
  job?: string
}

/** Nobody answers at that address. `cause` is what the socket said. */
export class UnreachableError extends Error {
  readonly url: string
  constructor(url: string, cause: unknown) {
    super(`nobody answers at ${url}`, { cause })
    this.name = 'UnreachableError'
    this.url = url
  }
}

/** Details hold `job` where the failure is a job's. */
export function errorFromProblem(problem: ProblemDocument): SkerryError {
  const code = problem.code !== undefined && problem.code in errors ? (problem.code as ErrorCode) : 'internal'
  const details = { ...problem.details, ...(problem.job ? { job: problem.job } : {}) }
  const message = problem.detail ?? problem.title ?? `the controller answered ${problem.status ?? 'an error'}`
  return new SkerryError(code, message, details, problem.cause ? { cause: errorFromProblem(problem.cause) } : undefined)
}

/** The error in a response that is not ok: a problem document, or text from something in between. */
export async function errorFromResponse(response: Incoming): Promise<SkerryError> {
  const text = await response.text()
  if (response.contentType.includes('json')) {
    const parsed: unknown = JSON.parse(text)
    if (typeof parsed === 'object' && parsed !== null) return errorFromProblem(parsed as ProblemDocument)
  }
  return new SkerryError(
    response.status === 404 ? 'not-found' : 'internal',
    `the controller answered ${response.status}: ${text.slice(0, 500)}`,
    { status: response.status },
  )
}
