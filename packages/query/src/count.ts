/** How many different conditions can be asked: each operator on each field at the end of each chain of relations. Computed, not listed. */
import { type Operator, operators } from './condition.ts'
import type { FieldKind, QueryTarget, QueryTargets } from './target.ts'

const comparing: readonly Operator[] = ['>', '<', '>=', '<=']
const matching: readonly Operator[] = ['~=', '!~=']

/** Operators that say something of such a field: no order of truth values, no pattern of numbers. All others are understood too. */
export function operatorsOf(kind: FieldKind): readonly Operator[] {
  if (kind === 'boolean') return operators.filter((op) => !comparing.includes(op) && !matching.includes(op))
  return kind === 'number' || kind === 'time' ? operators.filter((op) => !matching.includes(op)) : operators
}

export interface ConditionCount {
  /** Field × operator × chain of relations, by the length of the chain, from 0 on. */
  byDepth: number[]
  total: number
  /** Chains of relations, of all lengths together; the empty chain of each resource is among them. */
  chains: number
  resources: number
}

/** Fields × operators of one resource: its own, those of its lists' elements, and its tags' words. */
function ownConditions(target: QueryTarget): number {
  const kinds = [...Object.values(target.fields), ...Object.values(target.elements ?? {}).flatMap((of) => Object.values(of))]
  const words = Object.keys(target.aliases ?? {}).length * operatorsOf('string').length
  return kinds.reduce((sum, kind) => sum + operatorsOf(kind).length, 0) + (hasTags(target) ? words : 0)
}

const hasTags = (target: QueryTarget) => 'userTags' in target.relations && 'systemTags' in target.relations

/** Relations that differ in more than their name: `image` and `rootImage` of a VM count once. */
function waysOut(target: QueryTarget): string[] {
  const ways = new Map(Object.values(target.relations).map((way) => [JSON.stringify([way.target, way.via]), way.target]))
  return [...ways.values()]
}

/** Conditions on any resource over chains of at most `depth` relations. */
export function countConditions(targets: QueryTargets, depth: number): ConditionCount {
  const names = Object.keys(targets)
  const sum = (of: ReadonlyMap<string, number>) => names.reduce((all, name) => all + of.get(name)!, 0)
  const ways = new Map(names.map((name) => [name, waysOut(targets[name]!)]))
  let conditions = new Map(names.map((name) => [name, ownConditions(targets[name]!)]))
  let chains = new Map(names.map((name) => [name, 1]))
  const byDepth = [sum(conditions)]
  let allChains = sum(chains)
  const longer = (of: ReadonlyMap<string, number>) =>
    new Map(names.map((name) => [name, ways.get(name)!.reduce((all, far) => all + of.get(far)!, 0)]))
  for (let length = 1; length <= depth; length++) {
    conditions = longer(conditions)
    chains = longer(chains)
    byDepth.push(sum(conditions))
    allChains += sum(chains)
  }
  return { byDepth, total: byDepth.reduce((all, one) => all + one, 0), chains: allChains, resources: names.length }
}
