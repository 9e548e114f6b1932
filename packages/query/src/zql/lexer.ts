/** The words, values and signs of a ZQL text, in one pass. A single quote in single quotes is written twice, as in SQL; there are no other escapes. */
import { SkerryError } from '@skerry/contract'

export interface Token {
  /** `block`: what stands between braces, which may hold braces again. */
  kind: 'word' | 'number' | 'string' | 'sign' | 'block' | 'end'
  /** Without quotes and braces. */
  text: string
  /** Offset in the text. */
  at: number
}

/** Longest text that is read. */
export const MAX_TEXT = 64 * 1024

const sign = /!=|>=|<=|[=<>(),.;*/%+]/y
const number = /-?\d+(\.\d+)?(?![A-Za-z0-9_])/y
const word = /[A-Za-z0-9_]+/y
const space = /\s+/y

/** The tokens of a text, `end` at last. Throws `malformed-request` for what can be none of them. */
export function tokensOf(text: string): Token[] {
  if (text.length > MAX_TEXT)
    throw new SkerryError('malformed-request', `a ZQL text may have at most ${MAX_TEXT} characters, not ${text.length}`, {
      limit: MAX_TEXT,
    })
  const tokens: Token[] = []
  let at = 0
  const take = (pattern: RegExp): string | undefined => {
    pattern.lastIndex = at
    return pattern.exec(text)?.[0]
  }
  while (at < text.length) {
    const blank = take(space)
    if (blank !== undefined) {
      at += blank.length
      continue
    }
    const found = quoted(text, at) ?? block(text, at)
    if (found) {
      tokens.push(found.token)
      at = found.end
      continue
    }
    const [kind, plain] = [
      ['number', take(number)],
      ['word', take(word)],
      ['sign', take(sign)],
    ].find(([, one]) => one !== undefined) ?? ['end', undefined]
    if (plain === undefined) throw syntaxError(text, at, `token recognition error at: ${JSON.stringify(text[at])}`)
    tokens.push({ kind: kind as Token['kind'], text: plain, at })
    at += plain.length
  }
  tokens.push({ kind: 'end', text: '', at: text.length })
  return tokens
}

/** A token, and where what comes after it begins. */
interface Ended {
  token: Token
  end: number
}

function quoted(text: string, at: number): Ended | undefined {
  const quote = text[at]
  if (quote !== "'" && quote !== '"') return undefined
  let value = ''
  for (let from = at + 1; ; ) {
    const end = text.indexOf(quote, from)
    if (end === -1) throw syntaxError(text, at, `a quote ${quote} that is not closed`)
    value += text.slice(from, end)
    if (quote === '"' || text[end + 1] !== quote) return { token: { kind: 'string', text: value, at }, end: end + 1 }
    value += quote
    from = end + 2
  }
}

function block(text: string, at: number): Ended | undefined {
  if (text[at] !== '{') return undefined
  let depth = 0
  for (let i = at; i < text.length; i++) {
    if (text[i] === '{') depth++
    else if (text[i] === '}' && --depth === 0) return { token: { kind: 'block', text: text.slice(at + 1, i), at }, end: i + 1 }
  }
  throw syntaxError(text, at, 'a brace { that is not closed')
}

/** As ZStack says it: what, line and column, and the text around. */
export function syntaxError(text: string, at: number, what: string): SkerryError {
  const before = text.slice(0, at).split('\n')
  const line = before.length
  const column = before.at(-1)!.length
  const whole = text.split('\n')[line - 1]!
  const around = whole.slice(Math.max(0, column - 10), column + 10)
  return new SkerryError('malformed-request', `error ${what} at line ${line}:${column}, ${around}`, { line, column })
}
