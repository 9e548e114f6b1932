/**
 * `search 'word' from vminstance,host`, or without `from` everywhere: resources whose name or description holds the word, or whose uuid it is. ZStack asks a full-text index
 * that few sites have switched on; here the tables are looked through, in slices.
 */
import { SkerryError } from '@skerry/contract'
import { type Expression, makeCondition } from '../condition.ts'
import { eachMatch } from '../matches.ts'
import { First, orderBy } from '../order.ts'
import { type QueryTarget, type QueryTargets, resolvePath } from '../target.ts'
import type { View } from '../view.ts'
import { resolve, type ZqlNames } from './resolve.ts'
import type { ZqlAnswer } from './run.ts'
import type { Statement } from './syntax.ts'

/** ZStack's `ResourceInventory`, but for the form of its type. */
export interface Found {
  uuid: string
  name: string
  noun: string
}

/** Checks the statement, and gives what runs it. Rows come by resource, in the order of the text. */
export function searched(statement: Statement, names: ZqlNames): (view: View) => Generator<void, ZqlAnswer> {
  const { keyword = '', namedAs, limit = Number.POSITIVE_INFINITY, offset = 0 } = statement
  if (keyword.trim() === '') throw new SkerryError('invalid-argument', 'search needs a word to look for', {})
  if (statement.groupBy || statement.orderBy || statement.where)
    throw new SkerryError('invalid-argument', 'search takes restrict by, return with (total), limit and offset', {})
  const entities = statement.entities.length > 0 ? statement.entities : everywhere(names)
  const asked = entities.map((entity) => {
    const resolved = resolve({ ...statement, entities: [entity] }, names)
    return { ...resolved, conditions: [holding(keyword, resolved.target, names.targets), ...resolved.conditions] }
  })
  return function* (view) {
    const found: Found[] = []
    for (const one of asked) {
      const all = new First(Number.POSITIVE_INFINITY, orderBy())
      yield* eachMatch(view, one, (at) => all.add(at))
      for (const { row, key } of yield* all.result()) {
        found.push({ uuid: String(row['uuid'] ?? key), name: String(row['name'] ?? ''), noun: one.noun })
        yield
      }
    }
    const noun = asked[0]!.noun
    const total = asked[0]!.total ? { total: found.length } : {}
    return { noun, found: found.slice(offset, offset + limit), ...total, ...(namedAs === undefined ? {} : { name: namedAs }) }
  }
}

/** Each resource that may be looked through, once. Those that a restriction does not lead to are refused as where they are named. */
function everywhere({ entities, targets, listable }: ZqlNames): string[] {
  const nouns = new Set([...entities.values()].filter((noun) => listable?.(noun) ?? true))
  const texts = ['name', 'description', 'uuid']
  return [...nouns].filter((noun) => texts.some((field) => Object.hasOwn(targets[noun]!.fields, field))).sort()
}

function holding(keyword: string, target: QueryTarget, targets: QueryTargets): Expression {
  const pattern = `%${keyword.replaceAll(/[\\%_]/g, '\\$&')}%`
  const of = (field: string, op: '~=' | '=', value: string) =>
    Object.hasOwn(target.fields, field)
      ? [makeCondition(resolvePath(field, target, targets), op, [value], `${field}${op}${value}`)]
      : []
  return { any: [...of('name', '~=', pattern), ...of('description', '~=', pattern), ...of('uuid', '=', keyword)] }
}
