/** Why there is no place, as it is told to whom may not see hosts: what was in the way, and of which hosts and storages nothing. Pure. */
import { type ErrorBody, fromErrorBody, toErrorBody } from '@skerry/contract'
import { inTheWay } from './filters.ts'
import type { Refused } from './request.ts'

function reasons({ details }: ErrorBody): string[] {
  const filters = new Set(((details?.['refused'] ?? []) as Refused[]).map(({ filter }) => filter))
  return Object.entries(inTheWay).flatMap(([filter, why]) => (filters.has(filter) ? [why] : []))
}

/** By code: the same refusal without names. */
const plain: Readonly<Record<string, (body: ErrorBody) => Pick<ErrorBody, 'message' | 'details'>>> = {
  'no-host': (body) => {
    const why = reasons(body)
    const each = why.length > 0 ? `each ${why.join(', or ')}` : 'there is none where it was asked for'
    return { message: `no host can take this VM instance: ${each}`, details: { reasons: why } }
  },
  'no-primary-storage': () => ({
    message: 'no primary storage takes this volume: where it would be, none that is enabled and connected has room',
    details: {},
  }),
}

/** Causes too. */
export function withoutHosts(body: ErrorBody): ErrorBody {
  const of = Object.hasOwn(plain, body.code) ? plain[body.code] : undefined
  return { ...body, ...of?.(body), ...(body.cause ? { cause: withoutHosts(body.cause) } : {}) }
}

const names = (body: ErrorBody): boolean => Object.hasOwn(plain, body.code) || (body.cause !== undefined && names(body.cause))

/** What is thrown, without hosts; anything else stays the object that it is. */
export function thrownWithoutHosts(thrown: unknown): unknown {
  const body = toErrorBody(thrown)
  return names(body) ? fromErrorBody(withoutHosts(body)) : thrown
}
