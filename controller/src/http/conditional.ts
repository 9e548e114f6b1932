/** ETag, If-Match and If-Plan: a write that only applies to what its sender has seen. */
import { SkerryError } from '@skerry/contract'
import type { Call, Engine } from '../engine/port.ts'
import type { Received } from './params.ts'

/** A row's version as an entity tag. */
export const etag = (version: number): string => `"${version}"`

/** Throws `stale-plan` (412) when the row named by the path isn't at the version in `If-Match`. */
export function checkIfMatch(engine: Engine, headers: Headers, { route }: Received, params: Record<string, unknown>): void {
  const wanted = headers.get('If-Match')
  if (wanted === null) return
  const uuid = params['uuid']
  const version = typeof uuid === 'string' ? engine.graph.version(route.resource.name, uuid) : undefined
  const tags = wanted.split(',').map((tag) => tag.trim())
  if (version !== undefined && (tags.includes('*') || tags.includes(etag(version)))) return
  throw new SkerryError('stale-plan', `this ${route.resource.noun} is not at the version named in If-Match`, {
    ifMatch: wanted,
    ...(version === undefined ? {} : { etag: etag(version) }),
  })
}

/** Throws `stale-plan` (412) when the plan that was shown (its hash in `If-Plan`) would come out otherwise now. */
export async function checkIfPlan(engine: Engine, headers: Headers, call: Call): Promise<void> {
  const wanted = headers.get('If-Plan')
  if (wanted === null) return
  const { hash } = await engine.plan(call)
  if (hash !== wanted.trim())
    throw new SkerryError('stale-plan', 'the plan has changed since it was shown', { shown: wanted, now: hash })
}
