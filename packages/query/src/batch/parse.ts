/**
 * Scripts of BatchQuery (zstack-core §2.28). ZStack runs them as Groovy, which lets its callers run whatever they like; here the part of
 * Groovy is read that such scripts consist of: definitions, `if`, `for … in`, closures over lists and maps, texts with values in them.
 * There are no classes, imports, reflection or unbounded loops. One function a rule, without going back.
 */
import { Cursor } from './cursor.ts'
import { scriptError } from './lexer.ts'
import { type Binary, type Closure, type Expr, precedence, type Script, type Statement } from './syntax.ts'

/** Reads a script. Throws only `malformed-request`, which says where. */
export function parseScript(text: string): Script {
  const c = new Cursor(text)
  const body = readStatements(c, 'end')
  return { text, body }
}

function readStatements(c: Cursor, until: 'end' | '}'): Statement[] {
  const all: Statement[] = []
  for (;;) {
    while (c.takes(';'));
    if (until === '}' ? c.is('}') : c.peek().kind === 'end') return all
    all.push(c.deeper(() => readStatement(c)))
    if (!c.endsStatement()) throw c.unexpected('the end of the line')
  }
}

const refused = ['while', 'import', 'class', 'new', 'package', 'switch', 'try', 'throw', 'do', 'static', 'assert']

function readStatement(c: Cursor): Statement {
  const { at, kind, text } = c.peek()
  if (kind === 'word' && refused.includes(text)) throw scriptError(c.text, at, `there is no ${text} in batch queries`)
  if (c.takes('if')) return readIf(c, at)
  if (c.takes('for')) return readFor(c, at)
  if (c.takes('return')) return c.endsStatement() ? { is: 'return', at } : { is: 'return', at, value: readExpression(c) }
  if (c.takes('def')) {
    const name = c.want('word', 'a name').text
    return c.takes('=') ? { is: 'let', at, name, value: readExpression(c) } : { is: 'let', at, name }
  }
  const of = readCommand(c) ?? readExpression(c)
  const op = c.is('=') ? '=' : c.is('+=') ? '+=' : undefined
  if (op === undefined) return { is: 'do', at, of }
  if (of.is !== 'name' && of.is !== 'part') throw c.unexpected('a name or a field before =')
  c.next()
  return { is: 'set', at, target: of, op, value: readExpression(c) }
}

function readIf(c: Cursor, at: number): Statement {
  c.expect('(')
  const when = c.inside(() => readExpression(c))
  c.expect(')')
  const then = readBlock(c)
  if (!c.takes('else')) return { is: 'if', at, when, then, otherwise: [] }
  const otherwise = c.is('if') ? [c.deeper(() => readStatement(c))] : readBlock(c)
  return { is: 'if', at, when, then, otherwise }
}

function readFor(c: Cursor, at: number): Statement {
  c.expect('(')
  c.takes('def')
  const name = c.want('word', 'a name').text
  c.expect('in')
  const list = c.inside(() => readExpression(c))
  c.expect(')')
  return { is: 'for', at, name, in: list, body: readBlock(c) }
}

/** Statements in braces, or one. */
function readBlock(c: Cursor): readonly Statement[] {
  if (!c.takes('{')) return [c.deeper(() => readStatement(c))]
  const body = c.outside(() => readStatements(c, '}'))
  c.expect('}')
  return body
}

/** `put 'vms', query('QueryVmInstance')`: the script's own functions may stand without parentheses. */
function readCommand(c: Cursor): Expr | undefined {
  const [name, next] = [c.peek(), c.peek(1)]
  const command = name.kind === 'word' && ['put', 'query', 'zql', 'call'].includes(name.text)
  if (!command || next.first || (next.kind !== 'text' && next.kind !== 'word')) return undefined
  c.next()
  const args = [readExpression(c)]
  while (c.takes(',')) args.push(readExpression(c))
  return { is: 'call', at: name.at, name: name.text, args, safe: false }
}

function readExpression(c: Cursor): Expr {
  return c.deeper(() => {
    const when = readBinary(c, 0)
    const { at } = c.peek()
    if (c.takesOnLine('?:')) return { is: 'choice', at, when, otherwise: readExpression(c) }
    if (!c.takesOnLine('?')) return when
    const then = readExpression(c)
    c.expect(':')
    return { is: 'choice', at, when, then, otherwise: readExpression(c) }
  })
}

function readBinary(c: Cursor, level: number): Expr {
  const operators: readonly Binary[] | undefined = precedence[level]
  if (operators === undefined) return readUnary(c)
  let left = readBinary(c, level + 1)
  for (;;) {
    const { at } = c.peek()
    const op = operators.find((one) => c.takesOnLine(one))
    if (op === undefined) return left
    left = { is: 'binary', at, op, left, right: readBinary(c, level + 1) }
  }
}

function readUnary(c: Cursor): Expr {
  const { at } = c.peek()
  if (c.takes('!')) return { is: 'not', at, of: c.deeper(() => readUnary(c)) }
  if (c.takes('-')) return { is: 'minus', at, of: c.deeper(() => readUnary(c)) }
  return readPostfix(c)
}

function readPostfix(c: Cursor): Expr {
  let of = readAtom(c)
  for (;;) {
    const { at } = c.peek()
    const dot = ['.', '?.', '*.'].find((one) => c.takes(one))
    if (dot !== undefined) of = readMember(c, { of, safe: dot === '?.', at })
    else if (c.takesOnLine('[')) {
      const key = c.inside(() => readExpression(c))
      c.expect(']')
      of = { is: 'part', at, of, key, safe: false }
    } else return of
  }
}

/** What follows a dot: a field, or a method with its arguments. */
function readMember(c: Cursor, { of, safe, at }: { of: Expr; safe: boolean; at: number }): Expr {
  if (c.peek().kind === 'text') return { is: 'part', at, of, key: readAtom(c), safe }
  const name = c.want('word', 'a name').text
  const args = readArguments(c)
  return args ? { is: 'call', at, of, name, args, safe } : { is: 'part', at, of, key: { is: 'value', at, value: name }, safe }
}

/** `(a, b)`, `(a) { … }` or `{ … }`; undefined where none follow. */
function readArguments(c: Cursor): Expr[] | undefined {
  let args: Expr[] | undefined
  if (c.takesOnLine('(')) {
    args = c.inside(() => readItems(c, ')'))
    c.expect(')')
  }
  if (c.isOnLine('{')) args = [...(args ?? []), readClosure(c)]
  return args
}

function readItems(c: Cursor, until: string): Expr[] {
  const items: Expr[] = []
  while (!c.is(until)) {
    items.push(readExpression(c))
    if (!c.takes(',')) break
  }
  return items
}

function readAtom(c: Cursor): Expr {
  const { kind, text, at } = c.peek()
  if (kind === 'number') return { is: 'value', at, value: Number(c.next().text) }
  if (kind === 'text') return readText(c)
  if (kind === 'word') return readName(c)
  if (c.takes('(')) {
    const inner = c.inside(() => readExpression(c))
    c.expect(')')
    return inner
  }
  if (text === '[') return readList(c)
  if (text === '{') return readClosure(c)
  throw c.unexpected('a value')
}

const constants: Record<string, boolean | null> = { true: true, false: false, null: null }

function readName(c: Cursor): Expr {
  const { text: name, at } = c.next()
  if (Object.hasOwn(constants, name)) return { is: 'value', at, value: constants[name]! }
  if (refused.includes(name)) throw scriptError(c.text, at, `there is no ${name} in batch queries`)
  const args = readArguments(c)
  return args ? { is: 'call', at, name, args, safe: false } : { is: 'name', at, name }
}

function readText(c: Cursor): Expr {
  const { parts, at } = c.next()
  if (parts.length === 1) return { is: 'value', at, value: parts[0] as string }
  const read = parts.map((part): Expr => {
    if (typeof part === 'string') return { is: 'value', at, value: part }
    const inner = c.within(part.at, part.at + part.source.length)
    const value = readExpression(inner)
    if (inner.peek().kind !== 'end') throw inner.unexpected('}')
    return value
  })
  return { is: 'text', at, parts: read }
}

/** `[a, b]`, `[key: value]`, `[]`, `[:]`. */
function readList(c: Cursor): Expr {
  const { at } = c.next()
  return c.inside(() => {
    const isMap = c.is(':') || ((c.peek().kind === 'word' || c.peek().kind === 'text') && c.peek(1).text === ':')
    if (!isMap) {
      const items = readItems(c, ']')
      c.expect(']')
      return { is: 'list', at, items }
    }
    const entries: [Expr, Expr][] = []
    if (!c.takes(':'))
      do {
        const { kind, at: keyAt } = c.peek()
        const key: Expr = kind === 'word' ? { is: 'value', at: keyAt, value: c.next().text } : readExpression(c)
        c.expect(':')
        entries.push([key, readExpression(c)])
      } while (c.takes(','))
    c.expect(']')
    return { is: 'map', at, entries }
  })
}

function readClosure(c: Cursor): Expr & Closure {
  const { at } = c.next()
  return c.outside(() => {
    const params: string[] = []
    if (c.arrowAhead()) {
      do params.push(c.want('word', 'a name').text)
      while (c.takes(','))
      c.expect('->')
    }
    const body = readStatements(c, '}')
    c.expect('}')
    return { is: 'closure', at, params, body }
  })
}
