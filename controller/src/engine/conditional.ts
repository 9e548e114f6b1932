/**
 * What decides whether a call is taken at all: that it isn't the repeat of one that was, and that what its sender has seen (If-Match,
 * If-Plan) still stands. The latter are guards of the commit that accepts it, so nothing can come between.
 */
import { createHash } from 'node:crypto'
import { canonicalJson, type Guard, SkerryError } from '@skerry/contract'
import type { Graph } from '@skerry/graph'
import type { Call } from './port.ts'

/** Keys of rows have at most so many characters. */
const LONGEST_KEY = 256

/** Under which row the job of a client's key is found. A long key counts by its hash. */
export function callKeyOf(accountUuid: string, key: string): string {
  const plain = `${accountUuid}:${key}`
  return plain.length <= LONGEST_KEY ? plain : `${accountUuid}:sha256:${createHash('sha256').update(key).digest('hex')}`
}

/** The job of the same call, made before. Throws `duplicate-job` where another one had its id. */
export function repeatOf(graph: Graph, call: Call, bodyHash: string): string | undefined {
  const accountUuid = call.caller?.accountUuid ?? 'anonymous'
  const key = call.idempotencyKey ? graph.get('callKey', callKeyOf(accountUuid, call.idempotencyKey)) : undefined
  const id = (key?.['job'] as string | undefined) ?? (call.jobUuid && graph.get('job', call.jobUuid) ? call.jobUuid : undefined)
  if (!id) return undefined
  const row = graph.get('job', id)
  if ((key?.['bodyHash'] ?? row?.['bodyHash']) === bodyHash && row?.['accountUuid'] === accountUuid) return id
  throw new SkerryError('duplicate-job', `id ${call.idempotencyKey ?? call.jobUuid} was used for another request`, { job: id })
}

/**
 * A call with conditions isn't queued: what goes before it would change what its sender has seen. Throws `conflict`, which is worth
 * another try.
 */
export function refuseToQueue({ guards, api }: Call, busy: boolean): void {
  if (!busy || !guards?.length) return
  throw new SkerryError(
    'conflict',
    `another job is at work on what ${api.api} is about: its conditions can't be told before that has ended`,
  )
}

/**
 * What was thrown where the commit was refused by a condition of the call: `stale-plan`; where the same call was taken while this one
 * was looked at: `duplicate-job`, for that one's answer is the answer; else as it is.
 */
export function staleOf(error: unknown, { guards = [], api, jobUuid }: Call): unknown {
  if (!(error instanceof SkerryError) || !error.details['guard']) return error
  const refused = canonicalJson(error.details['guard'])
  if (jobUuid !== undefined && refused === canonicalJson({ g: 'absent', t: 'job', k: jobUuid }))
    return new SkerryError('duplicate-job', `id ${jobUuid} was used for another request`, { job: jobUuid }, { cause: error })
  if (!guards.some((guard) => canonicalJson(guard) === refused)) return error
  const message = `what ${api.api} was asked for has changed since it was seen`
  return new SkerryError('stale-plan', message, { guard: error.details['guard'] as Guard }, { cause: error })
}
