/**
 * [format] Calls over NATS: `skerry.v1.api.<noun>.<resourceUuid|->.<verb>`, request and reply, with the parameters of the same call
 * over `/v1` as data. `-` where the call names no resource of that noun. What a query asks (`q`, `limit`, …) are its data, too.
 */
import type { Resource } from '../resource.ts'

/** Headers of a call beside those that it has over HTTP (`Authorization`, `Idempotency-Key`, `If-Match`, `If-Plan`, `X-API-Timeout`). */
export const callHeaders = {
  /** id of the job, chosen by the caller: the same call again with it answers the same job */
  job: 'Skerry-Job',
  /** `30s`: reply when the job has ended, or after that time */
  wait: 'Skerry-Wait',
  /** `true`: what would happen; nothing is changed */
  dryRun: 'Skerry-Dry-Run',
  /** time (ISO) or sequence: what a query would have answered then */
  at: 'Skerry-At',
  /** of a reply: the status that HTTP answers */
  status: 'Skerry-Status',
} as const

/** Names of the parameters in a path, in order. */
export const pathParameters = (path: string): string[] => [...path.matchAll(/\{(\w+)\}/g)].map(([, name]) => name!)

/** The path parameter that names the resource of a call: it stands in the subject. Undefined: the subject has `-`. */
export function subjectParameter(path: string, resource: Resource): string | undefined {
  const names = pathParameters(path)
  return ['uuid', `${resource.name}Uuid`].find((name) => names.includes(name))
}

export interface ApiSubject {
  noun: string
  /** undefined: `-` */
  resource: string | undefined
  verb: string
}

/** The parts of a subject of a call; undefined when it isn't one. */
export function parseApiSubject(subject: string): ApiSubject | undefined {
  const [a, b, c, noun, resource, verb, more] = subject.split('.')
  if (`${a}.${b}.${c}` !== 'skerry.v1.api' || !noun || !resource || !verb || more !== undefined) return undefined
  return { noun, resource: resource === '-' ? undefined : resource, verb }
}
