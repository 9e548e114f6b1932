/**
 * Workflows declared in files: which steps, in which order, what at the same time, what is skipped. A declaration holds no code: it
 * names the steps of a workflow as it is written, and of plugins. Pure.
 */
import { z } from 'zod'

const name = z.string().min(1).max(64)
const scalar = z.union([z.string().max(500), z.number(), z.boolean()])

/** `true`, or where the call says so: each of these parameters is that, or one of those. `*` stands for any text. */
const skip = z.union(
  [
    z.literal(true),
    z.strictObject({
      when: z
        .record(z.string().max(64), z.union([scalar, z.array(scalar).min(1).max(50)]))
        .refine((conditions) => Object.keys(conditions).length > 0, 'names at least one parameter of the call'),
    }),
  ],
  { error: 'must be true, or { when: { <parameter of the call>: <value, or a list of them> } }' },
)
export type Skip = z.infer<typeof skip>

const skippable = z.strictObject({ step: name, skip: skip.optional() })
const use = z.strictObject({ use: name, as: name.optional(), skip: skip.optional() })
const stepEntry = z.union([name, skippable, use], {
  error: 'must be the name of a step, { step: <name>, skip: … } or { use: <sub-workflow> }',
})
const entry = z.union([name, skippable, z.strictObject({ parallel: name, steps: z.array(stepEntry).min(2).max(50) }), use], {
  error: 'must be the name of a step, { step: … }, { parallel: <name>, steps: […] } or { use: <sub-workflow> }',
})

/** [format] A job that was begun by a declaration records it, and is carried on by that one whatever the file says by then. */
export const declaration = z.strictObject({ workflow: name, steps: z.array(entry).min(1).max(200) })
export type Declaration = z.infer<typeof declaration>
export type StepEntry = z.infer<typeof stepEntry>
export type Entry = z.infer<typeof entry>

/** What is wrong with a declaration, and where in it. */
export interface Problem {
  path: readonly (string | number)[]
  message: string
}

/** The declaration, or what is wrong with its form. */
export function readDeclaration(given: unknown): { declaration: Declaration } | { problems: Problem[] } {
  const parsed = declaration.safeParse(given)
  if (parsed.success) return { declaration: parsed.data }
  return { problems: problemsIn(parsed.error) }
}

/** What is wrong with the form of a file. */
export const problemsIn = (error: z.ZodError): Problem[] => error.issues.flatMap((issue) => problemsOf(issue, []))

/** Of a union, what is wrong with the form that was meant: the one that got furthest. */
function problemsOf(issue: z.core.$ZodIssue, below: readonly (string | number)[]): Problem[] {
  const path = [...below, ...(issue.path as (string | number)[])]
  if (issue.code !== 'invalid_union') return [{ path, message: issue.message }]
  const deep = issue.errors.filter((issues) => issues.length > 0 && issues.every(({ path }) => path.length > 0))
  const [meant] = deep
  if (deep.length !== 1 || meant === undefined) return [{ path, message: issue.message }]
  return meant.flatMap((one) => problemsOf(one, path))
}

/** Is the text as the pattern says, in which `*` stands for any text? */
function fits(pattern: string, text: string): boolean {
  const [first = '', ...rest] = pattern.split('*')
  const last = rest.pop()
  if (last === undefined) return text === pattern
  if (text.length < first.length + last.length || !text.startsWith(first) || !text.endsWith(last)) return false
  let at = first.length
  for (const part of rest) {
    const found = text.indexOf(part, at)
    if (found < 0) return false
    at = found + part.length
  }
  return at <= text.length - last.length
}

/** Is the step skipped in a call with these parameters? */
export function skips(by: Skip, param: (name: string) => unknown): boolean {
  if (by === true) return true
  return Object.entries(by.when).every(([key, wanted]) => {
    const value = param(key)
    return [wanted]
      .flat()
      .some((one) => (typeof one === 'string' && typeof value === 'string' ? fits(one, value) : one === value))
  })
}
