/** Conditions of a ZQL text: `and` binds closer than `or`, as in the SQL that ZStack makes of it. */
import type { Reader } from './reader.ts'
import { type Comparing, type Comparison, comparisons, type NestedQuery, type Path, type Where } from './syntax.ts'

export function readWhere(r: Reader): Where {
  const any = [readAll(r)]
  while (r.takes('or')) any.push(readAll(r))
  return any.length === 1 ? any[0]! : { any }
}

function readAll(r: Reader): Where {
  const all = [readOne(r)]
  while (r.takes('and')) all.push(readOne(r))
  return all.length === 1 ? all[0]! : { all }
}

function readOne(r: Reader): Where {
  if (!r.takes('(')) return readComparison(r)
  const inside = r.deeper(() => readWhere(r))
  r.expect(')')
  return inside
}

export function readPath(r: Reader, what = 'a field'): Path {
  const first = r.want('word', what)
  const words = [first.text]
  while (r.takes('.')) words.push(r.want('word', 'a name').text)
  return { words, at: first.at }
}

export function readComparison(r: Reader): Comparison {
  const path = readPath(r)
  const op = readOperator(r)
  const takesNone = op === 'is null' || op === 'is not null' || op === 'not null'
  const right = takesNone ? { values: [] } : readRight(r, op)
  return { path, op, ...right, text: r.since(path.at) }
}

function readOperator(r: Reader): Comparing {
  const op = comparisons.find((one) => r.takes(...one.split(' ')))
  if (op === undefined) throw r.unexpected(`an operator (${comparisons.join(', ')})`)
  return op
}

/** Takes several values. */
const many = (op: Comparing) => op === 'in' || op === 'not in' || op === 'has' || op === 'not has'

function readRight(r: Reader, op: Comparing): { values: string[]; nested?: NestedQuery } {
  if (r.is('getapi') || r.is('(', 'getapi')) throw r.unexpected('a value: getapi is not supported here')
  if (!many(op)) return { values: [readValue(r)] }
  const parenthesis = r.is('list', '(') ? r.takes('list', '(') : r.takes('(')
  // ZStack's own clients write `in 'a'` for a list of one.
  if (!parenthesis) return { values: [readValue(r)] }
  const nested = r.is('query') ? r.deeper(() => readNested(r)) : undefined
  const values = nested ? [] : readValues(r)
  r.expect(')')
  return nested ? { values, nested } : { values }
}

function readValues(r: Reader): string[] {
  const values = [readValue(r)]
  while (r.takes(',')) values.push(readValue(r))
  return values
}

/** A quoted text, a number, `true` or `false`. Types are looked at when the field is known. */
function readValue(r: Reader): string {
  const { kind, text } = r.peek()
  const isValue = kind === 'string' || kind === 'number' || (kind === 'word' && /^(true|false)$/i.test(text))
  if (!isValue) throw r.unexpected("a value: 'text', a number, true or false")
  return r.next().text
}

function readNested(r: Reader): NestedQuery {
  const { at } = r.peek()
  r.expect('query')
  const entity = r.want('word', 'the name of a resource').text
  if (!r.takes('.')) throw r.unexpected(`'.' and one field of ${entity}: a nested query gives the values of a field`)
  const field = readPath(r)
  return { entity, field, at, ...(r.takes('where') ? { where: readWhere(r) } : {}) }
}
