/**
 * ZQL, as ZStack's grammar has it (search/src/main/antlr4/ZQL.g4; zstack-core §3.11): statements separated by `;`. Read by hand, one
 * function a rule, without going back: the time is linear in the text, the depth bounded. Keywords may be of any case; clauses after
 * `where` may come in any order, each once. Joins (`left join … on`) and `getapi(…)` are not read: relations and nested queries say the same.
 */
import { syntaxError } from './lexer.ts'
import { Reader } from './reader.ts'
import type { Statement } from './syntax.ts'
import { readComparison, readPath, readWhere } from './where.ts'

type Clauses = Partial<
  Pick<Statement, 'where' | 'restrictBy' | 'returnWith' | 'groupBy' | 'orderBy' | 'limit' | 'offset' | 'filterBy' | 'namedAs'>
>
type Target = Pick<Statement, 'functions' | 'entities' | 'at' | 'fields'>

/** Statements in one text. */
const MAX_STATEMENTS = 100

/** The statements of a text, at least one. Throws only `malformed-request`, which says where. */
export function parseStatements(text: string): Statement[] {
  const r = new Reader(text)
  const statements = [readStatement(r)]
  while (r.takes(';') && r.peek().kind !== 'end') {
    if (statements.length === MAX_STATEMENTS) throw syntaxError(text, r.peek().at, `more than ${MAX_STATEMENTS} statements`)
    statements.push(readStatement(r))
  }
  if (r.peek().kind !== 'end') throw r.unexpected("';' or the end")
  return statements
}

function readStatement(r: Reader): Statement {
  for (const verb of ['query', 'count', 'sum'] as const) {
    if (!r.takes(verb)) continue
    const target = readTarget(r)
    if (r.is('join') || ['inner', 'left', 'right'].some((side) => r.is(side, 'join')))
      throw r.unexpected('no join: name the relation in a condition, as in vmNics.ip')
    if (verb !== 'sum') return { verb, ...target, ...readClauses(r) }
    r.expect('by')
    const sumBy = r.want('word', 'the field to group by').text
    return { verb, ...target, sumBy, ...readClauses(r) }
  }
  if (r.takes('search')) return readSearch(r)
  throw r.unexpected("'query', 'count', 'sum' or 'search'")
}

/** `vminstance`, `vminstance.uuid,name`, or a function of one of these. */
function readTarget(r: Reader): Target {
  const first = r.want('word', 'the name of a resource')
  if (r.takes('(')) {
    const inner = r.deeper(() => readTarget(r))
    r.expect(')')
    return { ...inner, functions: [first.text.toLowerCase(), ...inner.functions] }
  }
  const fields = []
  if (r.takes('.')) {
    fields.push(readPath(r))
    while (r.takes(',')) fields.push(readPath(r))
  }
  return { functions: [], entities: [first.text], at: first.at, fields }
}

function readSearch(r: Reader): Statement {
  const { at } = r.peek()
  const keyword = r.want('string', 'a keyword in quotes').text
  const entities = r.takes('from') ? readNames(r, 'the name of a resource') : []
  return { verb: 'search', functions: [], entities, at, fields: [], keyword, ...readClauses(r) }
}

function readNames(r: Reader, what: string): string[] {
  const names = [r.want('word', what).text]
  while (r.takes(',')) names.push(r.want('word', what).text)
  return names
}

const clauses: readonly [keyof Clauses, readonly string[], (r: Reader) => unknown][] = [
  ['where', ['where'], readWhere],
  ['restrictBy', ['restrict', 'by'], (r) => inParentheses(r, readComparison)],
  ['returnWith', ['return', 'with'], (r) => inParentheses(r, readReturned)],
  ['groupBy', ['group', 'by'], (r) => readNames(r, 'a field')],
  ['orderBy', ['order', 'by'], readOrder],
  ['limit', ['limit'], readNatural],
  ['offset', ['offset'], readNatural],
  ['filterBy', ['filter', 'by'], readFilters],
  ['namedAs', ['named', 'as'], (r) => r.want('string', 'a name in quotes').text],
]

function readClauses(r: Reader): Clauses {
  const found: Record<string, unknown> = {}
  for (;;) {
    const clause = clauses.find(([, words]) => r.is(...words))
    if (!clause) return found as Clauses
    const [name, words, read] = clause
    if (name in found) throw syntaxError(r.text, r.peek().at, `a second '${words.join(' ')}'`)
    r.takes(...words)
    found[name] = read(r)
  }
}

function inParentheses<T>(r: Reader, read: (r: Reader) => T): T[] {
  r.expect('(')
  const all = [read(r)]
  while (r.takes(',')) all.push(read(r))
  r.expect(')')
  return all
}

function readReturned(r: Reader) {
  const path = readPath(r, "'total' or a field")
  return r.peek().kind === 'block' ? { path, block: r.next().text } : { path }
}

function readOrder(r: Reader): { field: string; descending: boolean }[] {
  const order = []
  do {
    const field = r.want('word', 'a field').text
    const descending = r.takes('desc')
    if (!descending) r.takes('asc')
    order.push({ field, descending })
  } while (r.takes(','))
  return order
}

function readNatural(r: Reader): number {
  const { text, at } = r.want('number', 'a number')
  const number = Number(text)
  if (!Number.isSafeInteger(number) || number < 0) throw syntaxError(r.text, at, `'${text}' is not a whole number from 0 on`)
  return number
}

function readFilters(r: Reader): { name: string; content: string }[] {
  const filters = []
  do {
    const name = r.want('word', 'the name of a filter').text
    filters.push({ name, content: r.want('block', 'a filter in braces').text })
  } while (r.takes(','))
  return filters
}
