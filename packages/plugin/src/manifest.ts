/** What a plugin says that it brings, checked: it may add under its own name only, so it can't take what is not its own. */
import { SkerryError } from '@skerry/contract'
import { z } from 'zod'

const NAME = /^[a-z][a-z0-9]*(-[a-z0-9]+)*$/
const word = z.string().regex(NAME).max(32)
const anchor = z.string().max(64).optional()

const step = z.strictObject({
  workflow: z.string().max(64),
  name: word,
  version: z.int().min(1).max(1_000_000).default(1),
  before: anchor,
  after: anchor,
  replace: anchor,
  essential: z.boolean().default(false),
  timeoutMs: z.int().min(1).max(600_000).default(5_000),
  undo: z.boolean(),
  noUndo: z.string().min(1).max(500).optional(),
})
const tag = z.strictObject({
  resource: z.string().max(64),
  pattern: z.string().max(256),
  check: z.boolean(),
  vet: z.boolean(),
  apis: z.array(z.string().max(100)).max(100).default([]),
})

export const manifest = z.strictObject({
  name: word,
  version: z.string().min(1).max(32),
  summary: z.string().max(500),
  steps: z.array(step).max(50),
  strategies: z.array(word).max(20),
  storageStrategies: z.array(word).max(20),
  tags: z.array(tag).max(50),
  events: z.array(z.string().min(1).max(200)).max(50),
})
export type Manifest = z.infer<typeof manifest>

/** Throws `plugin-failed` that says what is wrong with it. */
export function checkedManifest(given: unknown): Manifest {
  const parsed = manifest.safeParse(given)
  const bad = (why: string) => new SkerryError('plugin-failed', `the plugin is not well formed: ${why}`)
  if (!parsed.success)
    throw bad(parsed.error.issues.map(({ path, message }) => `${path.join('.') || 'it'}: ${message}`).join('; '))
  const { name, steps, tags } = parsed.data
  const seen = new Set<string>()
  for (const one of steps) {
    if ([one.before, one.after, one.replace].filter((place) => place !== undefined).length !== 1)
      throw bad(`step ${one.name} needs exactly one of before, after and replace`)
    if (one.replace !== undefined && !one.essential)
      throw bad(`step ${one.name} replaces another, so it must be essential: nothing else could do its work`)
    if (one.undo === (one.noUndo !== undefined)) throw bad(`step ${one.name} needs undo or noUndo, and not both`)
    if (seen.has(`${one.workflow} ${one.name}`)) throw bad(`two steps of ${one.workflow} are named ${one.name}`)
    seen.add(`${one.workflow} ${one.name}`)
  }
  for (const { pattern } of tags)
    if (!pattern.startsWith(`${name}::`) && pattern !== name) throw bad(`tag ${pattern} must begin with ${name}::`)
  return parsed.data
}
