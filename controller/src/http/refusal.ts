/** A request that never reached an API: ZStack answers these with plain text, we with a problem document. */
import type { ErrorCode } from '@skerry/contract'

export class Refusal extends Error {
  readonly status: 400 | 401 | 403 | 404 | 405 | 413
  readonly allow: readonly string[]
  constructor(status: Refusal['status'], message: string, allow: readonly string[] = []) {
    super(message)
    this.name = 'Refusal'
    this.status = status
    this.allow = allow
  }

  /** The nearest code of the error table. */
  get code(): ErrorCode {
    if (this.status === 401) return 'session-invalid'
    if (this.status === 403) return 'permission-denied'
    if (this.status === 404) return 'not-found'
    return this.status === 413 ? 'body-too-large' : 'malformed-request'
  }
}
