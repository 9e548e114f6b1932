/**
 * [format] A desired document: the whole wanted state of one thing on one agent, with all that the agent needs to make it.
 * At most 256 KiB as JSON. `hash` is the SHA-256 of the canonical JSON of `spec` (keys sorted, no spaces).
 */
import { z } from 'zod'
import { type Generation, generation, uuid } from '../scalars.ts'

export const noun = z.string().regex(/^[a-z][a-zA-Z0-9]{0,31}$/)
export const document = z.object({
  noun,
  uuid,
  schema: z.number().int().min(1),
  generation,
  hash: z.string(),
  job: uuid.nullable(),
  spec: z.record(z.string(), z.unknown()),
})
export type Document = z.infer<typeof document>

/** The only thing that makes an agent delete. */
export const tombstone = z.object({ noun, uuid, generation, job: uuid.nullable(), tombstone: z.literal(true) })
export type Tombstone = z.infer<typeof tombstone>

export const MAX_DOCUMENT_BYTES = 256 * 1024

export const isTombstone = (d: Document | Tombstone): d is Tombstone => 'tombstone' in d

/** JSON with sorted keys: equal values give equal text. `undefined` fields are left out, as JSON does. */
export function canonicalJson(value: unknown): string {
  if (value === null || typeof value !== 'object') return JSON.stringify(value) ?? 'null'
  if (Array.isArray(value)) return `[${value.map(canonicalJson).join(',')}]`
  const fields = value as Record<string, unknown>
  let text = ''
  for (const key of Object.keys(fields).sort()) {
    const field = fields[key]
    if (field !== undefined) text += `${text === '' ? '' : ','}${JSON.stringify(key)}:${canonicalJson(field)}`
  }
  return `{${text}}`
}

/**
 * [format] The digest of an agent's documents is the SHA-256 (hex) of this text: a line for each document, sorted. Tombstones
 * don't count: once carried out, both sides forget them.
 */
export function digestText(entries: Iterable<DigestPart>): string {
  return Array.from(entries, digestLine).sort().join('')
}

interface DigestPart {
  noun: string
  uuid: string
  generation: Generation
  hash: string
}

/** What one document adds to the text of the digest. */
export const digestLine = ({ noun, uuid, generation: { incarnation, seq }, hash }: DigestPart): string =>
  `${noun} ${uuid} ${incarnation}.${seq} ${hash}\n`
