/** What polling an asynchronous call needs: parsing its id, and the calls that were refused before they became jobs. */
import type { ErrorBody } from '@skerry/contract'
import { wrongHookUrl } from '../tasks/hook-address.ts'
import { Refusal } from './refusal.ts'

/** `X-Job-UUID`: 32 hex characters, else 400 text (zstack-core §1.3). */
export function jobUuidFrom(headers: Headers): string | undefined {
  const given = headers.get('X-Job-UUID')
  if (given === null) return undefined
  if (!/^[0-9a-fA-F]{32}$/.test(given)) throw new Refusal(400, 'X-Job-UUID must be a uuid of 32 hex characters without dashes')
  return given.toLowerCase()
}

/** `X-API-Timeout` in seconds → ms. Anything else counts as absent, as with ZStack. */
export function timeoutFrom(headers: Headers): number | undefined {
  const seconds = Number(headers.get('X-API-Timeout') ?? Number.NaN)
  return Number.isFinite(seconds) && seconds > 0 ? Math.min(seconds, 7 * 86_400) * 1000 : undefined
}

export function webHookFrom(headers: Headers): string | undefined {
  const url = headers.get('X-Web-Hook')
  if (url === null || url === '') return undefined
  const wrong = wrongHookUrl(url)
  if (wrong !== undefined) throw new Refusal(400, `X-Web-Hook ${wrong}`)
  return url
}

/**
 * ZStack answers 202 before it looks at session and parameters; the poll then tells. Such jobs never reach the log: they
 * live in this bounded memory, the oldest forgotten first, so that a flood of bad sessions costs nothing (DESIGN §8).
 */
export class RefusedJobs {
  private readonly jobs = new Map<string, ErrorBody>()
  private readonly limit: number
  constructor(limit: number) {
    this.limit = limit
  }
  add(uuid: string, error: ErrorBody): void {
    this.jobs.set(uuid, error)
    if (this.jobs.size > this.limit) {
      const oldest = this.jobs.keys().next().value
      if (oldest !== undefined) this.jobs.delete(oldest)
    }
  }
  get(uuid: string): ErrorBody | undefined {
    return this.jobs.get(uuid)
  }
}
