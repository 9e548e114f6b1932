/** The law of every module, for its tests: after the changes were applied, there is nothing left to change. */
import { contextOf, type DesiredSource, type NounDesired, readNoun, SpecCache } from './desired.ts'
import type { AnyModule, Change } from './module.ts'

/**
 * One round of a module against `source`: observe, plan, apply all, observe and plan again. Returns both plans; a lawful
 * module's second one is empty.
 */
export async function converge(
  module: AnyModule,
  source: DesiredSource,
  at: { bootId: string; nowMs: number; others?: readonly AnyModule[] },
): Promise<{ first: Change[]; second: Change[] }> {
  const all = new Map<string, NounDesired>()
  for (const m of [...(at.others ?? []), module]) all.set(m.noun, readNoun(m, source, new SpecCache()))
  const context = contextOf(all.get(module.noun), (noun) => all.get(noun), at)
  const want = all.get(module.noun)?.want ?? []
  const first = module.plan(want, await module.observe(context), context)
  for (const change of first) await module.apply(change)
  return { first, second: module.plan(want, await module.observe(context), context) }
}
