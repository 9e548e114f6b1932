/** What a program printed is input from outside: it is read through a schema, and a misfit names the program. */
import { SkerryError } from '@skerry/contract'
import type { z } from 'zod'

/** Parses `text` as JSON of the given shape. `tool` names who printed it. Empty output counts as `emptyAs` where given. */
export function parseToolJson<T>(tool: string, text: string, schema: z.ZodType<T>, emptyAs?: unknown): T {
  let value: unknown
  try {
    value = text.trim() === '' && emptyAs !== undefined ? emptyAs : JSON.parse(text)
  } catch (cause) {
    throw new SkerryError('host-command-failed', `${tool} printed no JSON`, { stdout: text.slice(0, 512) }, { cause })
  }
  const parsed = schema.safeParse(value)
  if (!parsed.success) {
    throw new SkerryError('host-command-failed', `${tool} printed JSON of an unknown shape`, {
      problems: parsed.error.issues.slice(0, 5).map((issue) => `${issue.path.join('.')}: ${issue.message}`),
    })
  }
  return parsed.data
}

/** Checks a caller's data; `what` names it. Throws `invalid-argument` with each problem and its path. */
export function checkInput<T>(what: string, value: unknown, schema: z.ZodType<T>): T {
  const parsed = schema.safeParse(value)
  if (!parsed.success) {
    throw new SkerryError('invalid-argument', `${what} is not valid`, {
      problems: parsed.error.issues.slice(0, 5).map((issue) => `${issue.path.join('.')}: ${issue.message}`),
    })
  }
  return parsed.data
}
