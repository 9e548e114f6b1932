/** ETag, If-Match and If-Plan: a write that only applies to what its sender has seen. */
import { type Guard, SkerryError, tableOf } from '@skerry/contract'
import type { Graph } from '@skerry/graph'
import type { Call, Engine } from '../engine/port.ts'
import type { Received } from './params.ts'

/** A row's version as an entity tag. */
export const etag = (version: number): string => `"${version}"`

/** The row named by the path at the version in `If-Match`, as a guard. Throws `stale-plan` (412) when it isn't at that one now. */
export function ifMatchGuards(seen: Graph, headers: Headers, { route }: Received, params: Record<string, unknown>): Guard[] {
  const wanted = headers.get('If-Match')
  if (wanted === null) return []
  const [t, k] = [tableOf(route.resource), params['uuid']]
  const seq = typeof k === 'string' ? seen.version(t, k) : undefined
  const tags = wanted.split(',').map((tag) => tag.trim())
  if (typeof k === 'string' && seq !== undefined) {
    if (tags.includes(etag(seq))) return [{ g: 'version', t, k, seq }]
    if (tags.includes('*')) return [{ g: 'exists', t, k }]
  }
  throw new SkerryError('stale-plan', `this ${route.resource.noun} is not at the version named in If-Match`, {
    ifMatch: wanted,
    ...(seq === undefined ? {} : { etag: etag(seq) }),
  })
}

/** The call bound to what the plan that was shown (its hash in `If-Plan`) rests upon. Throws `stale-plan` (412) when it would come out otherwise now. */
export async function asPlanned(engine: Engine, headers: Headers, call: Call): Promise<Call> {
  const wanted = headers.get('If-Plan')
  if (wanted === null) return call
  const { guards, cascade } = await engine.planned(call, wanted.trim())
  return { ...call, guards: [...(call.guards ?? []), ...guards], cascade }
}
