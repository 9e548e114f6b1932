/**
 * Workflows that only a file knows: named steps that others have registered, in the order of the file, with what each is given. Holds no
 * code. Pure.
 */
import { z } from 'zod'
import { type Problem, problemsIn } from './declaration.ts'

const name = z.string().min(1).max(64)
/** A literal, or `$<parameter>`, or `$<step>.<field of its output>…`. */
const value = z.union([z.string().max(500), z.number(), z.boolean()])
export type Value = z.infer<typeof value>
const step = z.strictObject({ step: name, as: name.optional(), with: z.record(name, value).optional() })
const simple = z.union([name, step], { error: 'must be the name of a step, or { step: <name>, as: …, with: … }' })
export const definedEntry = z.union([name, step, z.strictObject({ parallel: name, steps: z.array(simple).min(2).max(50) })], {
  error: 'must be the name of a step, { step: <name>, as: …, with: … } or { parallel: <name>, steps: […] }',
})
const NAME = /^[a-z][a-zA-Z0-9]*(\.[a-z][a-zA-Z0-9]*)+$/

/** [format] A run records it, and is carried on by that one whatever the file says by then. */
export const definition = z.strictObject({
  define: z.string().max(64).regex(NAME, 'must be a name of two words or more, such as night.stop'),
  description: z.string().max(2048).optional(),
  params: z.record(z.string().regex(/^[a-zA-Z][a-zA-Z0-9]{0,63}$/), z.string().max(64)).optional(),
  steps: z.array(definedEntry).min(1).max(100),
})
export type Definition = z.infer<typeof definition>

/** The definition, or what is wrong with its form. */
export function readDefinition(given: unknown): { definition: Definition } | { problems: Problem[] } {
  const parsed = definition.safeParse(given)
  return parsed.success ? { definition: parsed.data } : { problems: problemsIn(parsed.error) }
}

export type Given = Readonly<Record<string, Value>>

/** What `$…` names; undefined: the value is what it says. */
export function referenceIn(text: Value): { name: string; path: string[] } | undefined {
  if (typeof text !== 'string' || !text.startsWith('$')) return undefined
  const [name = '', ...path] = text.slice(1).split('.')
  return { name, path }
}
