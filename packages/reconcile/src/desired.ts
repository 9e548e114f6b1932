/** Where the desired state comes from: in an agent, its ledger. And its documents as a module wants them: parsed by its schema. */
import { castSpec, documentCasts, type ErrorBody, type Generation, SkerryError, toErrorBody } from '@skerry/contract'
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
  /** `only`: those of these uuids that there are; who can't look them up may give all. */
  entries(noun: string, only?: ReadonlySet<string>): Iterable<DesiredEntry>
}

/** Specs by module, parsed: a document that hasn't changed is read once, not in each pass. */
export class SpecCache {
  readonly #parsed = new Map<AnyModule, WeakMap<object, ReturnType<AnyModule['spec']['safeParse']>>>()

  parse(module: AnyModule, entry: DesiredEntry): ReturnType<AnyModule['spec']['safeParse']> {
    const { spec } = entry
    if (spec === undefined) return module.spec.safeParse(undefined)
    let mine = this.#parsed.get(module)
    if (!mine) this.#parsed.set(module, (mine = new WeakMap()))
    let parsed = mine.get(spec)
    if (!parsed) mine.set(spec, (parsed = module.spec.safeParse(liftedSpec(module, entry))))
    return parsed
  }
}

/** A noun's desired state at the beginning of a pass. */
export interface NounDesired {
  want: Wanted<unknown>[]
  buried: Map<string, Buried<unknown>>
  /** Documents that don't fit the schema (written by another version): neither acted upon nor orphans. */
  unreadable: Map<string, { generation: Generation; error: ErrorBody }>
}

/** `only`: documents and tombstones of these uuids. */
export function readNoun(module: AnyModule, source: DesiredSource, specs: SpecCache, only?: ReadonlySet<string>): NounDesired {
  const result: NounDesired = { want: [], buried: new Map(), unreadable: new Map() }
  for (const entry of source.entries(module.noun, only)) {
    const { uuid, generation, facts } = entry
    if (only && !only.has(uuid)) continue
    const parsed = specs.parse(module, entry)
    const readable = parsed.success
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

/** The spec as this version says it, whatever older version wrote it; undefined: of a newer one, or nobody knows how to lift it. */
export function liftedSpec(
  module: Pick<AnyModule, 'noun' | 'schema' | 'casts'>,
  { schema, spec }: { schema: number | undefined; spec: Readonly<Record<string, unknown>> | undefined },
): Readonly<Record<string, unknown>> | undefined {
  if (spec === undefined || schema === undefined || schema > module.schema) return undefined
  return castSpec(module.casts ?? documentCasts[module.noun], spec, { from: schema, to: module.schema })
}

/** The context of one noun's module. `mine`: what this pass is about; `all`: the whole desired state of a noun of this agent. */
export function contextOf(
  mine: NounDesired | undefined,
  all: (noun: string) => NounDesired | undefined,
  at: { bootId: string; nowMs: number; only?: ReadonlySet<string> | undefined },
): PlanContext {
  const { only, ...moment } = at
  return {
    ...moment,
    ...(only ? { only } : {}),
    wanted: mine?.want ?? [],
    buried: mine?.buried ?? new Map(),
    wantedOf: (other) => all(other)?.want ?? [],
    buriedOf: (other) => [...(all(other)?.buried.values() ?? [])],
  }
}
