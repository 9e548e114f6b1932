/** Sound parameters of an API made unsound, by what its schema says of them. */
import { type Api, elementOf, kindOf, mapValueOf, type Row, shapeOf } from '@skerry/contract'
import type { Chance } from './chance.ts'
import { wildNumbers, wildText, wildValue } from './wild.ts'

/** With keys of its own that are called so. */
const evil = (value: unknown): Row =>
  Object.fromEntries([
    ['__proto__', { admin: true, name: value }],
    ['constructor', { prototype: { admin: true } }],
  ])

type Schema = Parameters<typeof kindOf>[0]

/** A value of the kind that the schema wants, but an odd one. */
function oddOf(schema: Schema, chance: Chance, depth = 0): unknown {
  const kind = kindOf(schema)
  if (kind === 'string') return wildText(chance)
  if (kind === 'number' || kind === 'time') return chance.pick(wildNumbers)
  if (kind === 'boolean') return chance.pick([true, false, 'true', 1])
  const many = chance.pick([0, 1, 2, 2, 3])
  if (kind === 'list') return Array.from({ length: many }, () => oddOf(elementOf(schema), chance, depth + 1))
  if (kind === 'map')
    return Object.fromEntries(
      Array.from({ length: many }, () => [wildText(chance), oddOf(mapValueOf(schema), chance, depth + 1)]),
    )
  if (kind === 'object' && depth < 4)
    return Object.fromEntries(Object.entries(shapeOf(schema)).map(([name, inner]) => [name, oddOf(inner, chance, depth + 1)]))
  return wildValue(chance)
}

/** A text with one place of it changed. */
function bent(text: string, chance: Chance): string {
  const at = chance.below(text.length + 1)
  const how = chance.below(4)
  if (how === 0) return text.slice(0, at) + wildText(chance) + text.slice(at)
  if (how === 1) return text.slice(0, at)
  if (how === 2) return text.slice(0, at) + text.slice(at + 1)
  return text.repeat(2 + chance.below(3))
}

/** A copy with one thing wrong, or merely odd. `others`: values of other parameters, which are sound elsewhere. */
export function mutated(api: Api, params: Row, chance: Chance, others: readonly string[]): Row {
  const shape = shapeOf(api.params)
  const names = [...new Set([...Object.keys(params), ...Object.keys(shape)])]
  const name = names.length === 0 ? 'name' : chance.pick(names)
  const schema = Object.hasOwn(shape, name) ? shape[name] : undefined
  const out = { ...params }
  const how = chance.weighed({ type: 4, odd: 5, bend: 3, other: 2, leave: 1, add: 1, proto: 0.5, list: 0.5 })
  const now = out[name]
  if (how === 'type') out[name] = wildValue(chance)
  else if (how === 'odd') out[name] = schema ? oddOf(schema, chance) : wildText(chance)
  else if (how === 'bend') out[name] = bent(typeof now === 'string' ? now : JSON.stringify(now ?? ''), chance)
  else if (how === 'other') out[name] = chance.pick(others)
  else if (how === 'leave') delete out[name]
  else if (how === 'list') out[name] = Array.from({ length: 3 }, () => now)
  else if (how === 'proto') return { ...out, ...evil(now) }
  else Object.defineProperty(out, wildText(chance), { value: wildValue(chance), enumerable: true })
  return out
}
