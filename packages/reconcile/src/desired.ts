/** Where the desired state comes from: in an agent, its ledger. And its documents as a module wants them: parsed by its schema. */
import { type ErrorBody, type Generation, SkerryError, toErrorBody } from '@skerry/contract'
import type { AnyModule, Buried, Facts, PlanContext, Wanted } from './module.ts'

/** A document (`tombstone: false`, with its spec) or a tombstone (with the spec that it buried, if known). */
export interface DesiredEntry {
  uuid: string
  generation: Generation
  tombstone: boolean
  schema: number | undefined
  spec: Readonly<Record<string, unknown>> | undefined
  facts: Facts
}

export interface DesiredSource {
  entries(noun: string): Iterable<DesiredEntry>
}

/** A noun's desired state at the beginning of a pass. */
export interface NounDesired {
  want: Wanted<unknown>[]
  buried: Map<string, Buried<unknown>>
  /** Documents that don't fit the schema (written by another version): neither acted upon nor orphans. */
  unreadable: Map<string, { generation: Generation; error: ErrorBody }>
}

export function readNoun(module: AnyModule, source: DesiredSource): NounDesired {
  const result: NounDesired = { want: [], buried: new Map(), unreadable: new Map() }
  for (const entry of source.entries(module.noun)) {
    const { uuid, generation, facts } = entry
    const parsed = module.spec.safeParse(entry.spec)
    const readable = parsed.success && entry.schema === module.schema
    if (entry.tombstone) result.buried.set(uuid, { uuid, generation, facts, spec: readable ? parsed.data : undefined })
    else if (readable) result.want.push({ uuid, generation, facts, spec: parsed.data })
    else {
      const error = new SkerryError('invalid-document', `a ${module.noun} document can't be read by this version of the agent`, {
        uuid,
        schema: entry.schema ?? null,
        known: module.schema,
        problems: parsed.success ? [] : parsed.error.issues.slice(0, 5).map((i) => `${i.path.join('.')}: ${i.message}`),
      })
      result.unreadable.set(uuid, { generation, error: toErrorBody(error) })
    }
  }
  result.want.sort((a, b) => (a.uuid < b.uuid ? -1 : 1)) // a plan has a stable order
  return result
}

/** The context of one noun's module, in a pass that began with `all`. */
export function contextOf(
  noun: string,
  all: ReadonlyMap<string, NounDesired>,
  at: { bootId: string; nowMs: number },
): PlanContext {
  return {
    ...at,
    buried: all.get(noun)?.buried ?? new Map(),
    wantedOf: (other) => all.get(other)?.want ?? [],
    buriedOf: (other) => [...(all.get(other)?.buried.values() ?? [])],
  }
}
