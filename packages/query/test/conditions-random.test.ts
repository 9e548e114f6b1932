/** The conditions that the contract allows: how many there are, and 10,000 of them at random against an evaluator that knows no index. */
import type { Resource } from '@skerry/contract'
import { expect, it } from 'vitest'
import {
  countConditions,
  entities,
  listed,
  operatorsOf,
  parseQuery,
  parseZql,
  runQuery,
  runZql,
  targets,
  type Visible,
} from '../src/index.ts'
import { all, fieldsOf, links, naive, type Rows, rowsOf } from './naive.ts'
import { fieldValue, graphOf, type Random, randomOf, randomRows, words } from './random-graph.ts'

const DEPTH = 4
const GRAPHS = 20
const EACH = 500

it('are at least four million over chains of up to four relations, each counted once', () => {
  const { total, byDepth } = countConditions(targets, DEPTH)
  expect(byDepth).toHaveLength(DEPTH + 1)
  expect(total).toBeGreaterThanOrEqual(4_000_000)
  // The first two lengths by hand: every field, and every field behind every edge.
  const operators = (resource: Resource) =>
    Object.values(fieldsOf(resource)).reduce((sum, kind) => sum + operatorsOf(kind as 'string').length, 0)
  const plain = Object.fromEntries(
    Object.entries(targets).map(([name, { elements: _, aliases: __, ...target }]) => [name, { ...target, aliases: {} }]),
  )
  const [own, near] = countConditions(plain, 1).byDepth
  expect(own).toBe(all.reduce((sum, resource) => sum + operators(resource), 0))
  const ways = (resource: Resource) => new Set(Object.values(targets[resource.name]!.relations).map((r) => JSON.stringify(r)))
  const farther = all.map((resource) =>
    [...ways(resource)].map((way) => operators(all.find((r) => r.name === JSON.parse(way).target)!)),
  )
  expect(near).toBe(farther.flat().reduce((sum, one) => sum + one, 0))
})

/** `expect` of each of so many would take most of the time. */
const same = (found: object, expected: object) => {
  if (JSON.stringify(found) !== JSON.stringify(expected)) expect(found).toEqual(expected)
}

/** Every resource has these relations. */
const TAGS = 2

const kindsOf = (resource: Resource) => Object.entries(fieldsOf(resource))
const tagWords = ['__systemTag__', '__userTag__', '__tagUuid__']

/** A chain of at most four relations from the resource, a field or tags at its end, an operator, a value. */
function randomCondition(random: Random, from: Resource, rows: Rows): string {
  const path: string[] = []
  let at = from
  for (let length = random.below(DEPTH + 1); length > 0; length--) {
    const ways = Object.entries(links(at))
    if (ways.length === 0) break
    // Most of what is tied to nothing else is an end of the chain only: many resources are.
    const onward = length > 1 ? ways.filter(([, { to }]) => Object.keys(links(to)).length > TAGS) : []
    const [name, link] = random.of(onward.length > 0 ? onward : ways)
    path.push(name)
    at = link.to
  }
  const tagged = at.rows === undefined && random.next() < 0.15
  const [field, kind] = tagged ? [random.of(tagWords), 'string'] : random.of(kindsOf(at))
  const op = random.of(operatorsOf(kind as 'string'))
  const value = () => (field.endsWith('uuid') && random.next() < 0.7 ? key(random, rows, at) : textOf(random, kind))
  const written = op.endsWith('null')
    ? ` ${op}`
    : op.includes('?=')
      ? `${op}${value()},${value()}`
      : `${op}${op.includes('~') ? pattern(random) : value()}`
  return `${[...path, field].join('.')}${written}`
}

const key = (random: Random, rows: Rows, of: Resource) => String(random.of(rowsOf(rows, of))[1]['uuid'])
const textOf = (random: Random, kind: string) => String(fieldValue(random, kind === 'list' ? 'string' : kind))
const pattern = (random: Random) => random.of(['%', 'x%', '%y', '_', '%-1', '%X%', random.of(words)])

/** A fifth of the rows is hidden. */
function hiding(random: Random, rows: Rows): { there: Rows; visible: Visible } {
  const there = Object.fromEntries(
    Object.entries(rows).map(([table, of]) => [table, Object.fromEntries(Object.entries(of).filter(() => random.next() > 0.2))]),
  )
  return { there, visible: (noun, _row, key) => key in there[targets[noun]!.table]! }
}

it(`find what a plain evaluator finds: ${GRAPHS * EACH} of them, on random graphs`, () => {
  const seed = Number(process.env['SKERRY_SEED'] ?? Date.now() % 2 ** 31)
  console.log(`conditions: seed ${seed} (again: SKERRY_SEED=${seed})`)
  const random = randomOf(seed)
  let hits = 0
  let behind = 0
  for (let g = 0; g < GRAPHS; g++) {
    const rows = randomRows(random)
    const graph = graphOf(rows)
    // On every other graph the caller may not see some rows: then the answer is that of a graph without them.
    const { there, visible } = g % 2 === 0 ? { there: rows, visible: undefined } : hiding(random, rows)
    for (let i = 0; i < EACH; i++) {
      const from = random.of(all)
      const q = randomCondition(random, from, rows)
      const expected = naive(there, from, q).sort()
      const target = targets[from.name]!
      const query = parseQuery({ q: [q], replyWithCount: true }, target, targets)
      const { keys, total } = runQuery(graph, query, { visible })
      same({ q, of: from.name, keys: [...keys].sort(), total }, { q, of: from.name, keys: expected, total: expected.length })
      if (expected.length > 0 && expected.length < rowsOf(there, from).length) hits++
      if (q.split('.').length > 3) behind++
    }
  }
  // Else nearly all would have found nothing or all, and proven little.
  expect(hits).toBeGreaterThan((GRAPHS * EACH) / 20)
  expect(behind).toBeGreaterThan((GRAPHS * EACH) / 10)
}, 60_000)

const spelled: Record<string, string> = {
  '?=': 'in',
  '!?=': 'not in',
  '~=': 'like',
  '!~=': 'not like',
  'not null': 'is not null',
}

/** A condition as ZQL writes it. */
function inZql(q: string): string {
  const op = ['!=', '>=', '<=', '!?=', '!~=', '~=', '?=', '=', '>', '<', 'is null', 'not null'].find((one) => q.includes(one))!
  const [path, value] = [q.slice(0, q.indexOf(op)).trim(), q.slice(q.indexOf(op) + op.length)]
  if (op.endsWith('null')) return `${path} ${spelled[op] ?? op}`
  const values = op.includes('?=')
    ? `(${value
        .split(',')
        .map((one) => `'${one}'`)
        .join(', ')})`
    : `'${value}'`
  return `${path} ${spelled[op] ?? op} ${values}`
}

/** Conditions joined by and, or and parentheses, and the keys of the rows that satisfy them. */
function randomWhere(random: Random, from: Resource, rows: Rows, depth: number): { text: string; keys: Set<string> } {
  if (depth === 0 || random.next() < 0.3) {
    const q = randomCondition(random, from, rows)
    return { text: inZql(q), keys: new Set(naive(rows, from, q)) }
  }
  const parts = Array.from({ length: 2 + random.below(2) }, () => randomWhere(random, from, rows, depth - 1))
  const every = random.next() < 0.5
  const text = parts
    .map((part) => (part.text.includes("' and ") || / (and|or) /.test(part.text) ? `(${part.text})` : part.text))
    .join(every ? ' and ' : ' or ')
  const among = [...new Set(parts.flatMap(({ keys }) => [...keys]))]
  return { text, keys: new Set(every ? among.filter((k) => parts.every(({ keys }) => keys.has(k))) : among) }
}

it('mean the same in ZQL, joined by and and or, in nested queries, and counted', () => {
  const seed = Number(process.env['SKERRY_SEED'] ?? Date.now() % 2 ** 31)
  console.log(`ZQL: seed ${seed} (again: SKERRY_SEED=${seed})`)
  const random = randomOf(seed)
  const asked = all.filter(({ name }) => listed.has(name) && 'uuid' in targets[name]!.fields)
  for (let g = 0; g < 5; g++) {
    const rows = randomRows(random)
    const graph = graphOf(rows)
    for (let i = 0; i < 200; i++) {
      const from = random.of(asked)
      const { text, keys } = randomWhere(random, from, rows, 3)
      const zql = `query ${from.name} where ${text} return with (total); count ${from.name} where uuid in (query ${from.name}.uuid where ${text})`
      const [found, counted] = runZql(graph, parseZql(zql, { targets, entities }))
      same({ zql, keys: found?.rows?.keys.sort(), total: found?.total }, { zql, keys: [...keys].sort(), total: keys.size })
      same({ zql, total: counted?.total }, { zql, total: keys.size })
    }
  }
}, 60_000)
