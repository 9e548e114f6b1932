/** The words, values and signs of a script, in one pass. */
import { SkerryError } from '@skerry/contract'

export interface Token {
  kind: 'word' | 'number' | 'text' | 'sign' | 'end'
  /** Of a word or sign, itself; of a number as written. */
  text: string
  /** Of a text: plain parts, and sources of the values between them. */
  parts: readonly (string | { source: string; at: number })[]
  /** Offset in the script. */
  at: number
  /** Whether it begins a line. */
  first: boolean
}

/** Longest script that is read. */
export const MAX_SCRIPT = 64 * 1024

const blank = /(?:[ \t\r\n]+|\/\/[^\n]*|\/\*[\s\S]*?\*\/)+/y
const number = /\d+(?:\.\d+)?(?![A-Za-z0-9_])/y
const word = /[A-Za-z_][A-Za-z0-9_]*/y
const sign = /\?\.|\*\.|\?:|->|==|!=|<=|>=|<<|&&|\|\||\+=|[-+*/%=<>!?:.,;()[\]{}]/y
const path = /[A-Za-z_]\w*(?:\.[A-Za-z_]\w*)*/y

/** `malformed-request` with the line, as ZStack tells where a script went wrong. */
export function scriptError(text: string, at: number, what: string): SkerryError {
  const line = text.slice(0, at).split('\n').length
  const source = (text.split('\n')[line - 1] ?? '').trim().slice(0, 80)
  return new SkerryError('malformed-request', `${what}, error at line ${line}: ${source}`, { line })
}

/** The tokens from `from` to `to`, `end` at last. */
export function tokensOf(text: string, from = 0, to = text.length): Token[] {
  if (text.length > MAX_SCRIPT)
    throw new SkerryError('malformed-request', `a script may have at most ${MAX_SCRIPT} characters, not ${text.length}`, {
      limit: MAX_SCRIPT,
    })
  const whole = text.slice(0, to)
  const tokens: Token[] = []
  let at = from
  let first = true
  const take = (pattern: RegExp): string | undefined => {
    pattern.lastIndex = at
    return pattern.exec(whole)?.[0]
  }
  for (;;) {
    const space = take(blank) ?? ''
    at += space.length
    first ||= space.includes('\n')
    if (at >= to) break
    const quoted = textAt(whole, at)
    const [kind, found] = (
      [
        ['number', take(number)],
        ['word', take(word)],
        ['sign', take(sign)],
      ] as const
    ).find(([, one]) => one !== undefined) ?? ['end', undefined]
    if (quoted) tokens.push({ kind: 'text', text: '', parts: quoted.parts, at, first })
    else if (found !== undefined) tokens.push({ kind, text: found, parts: [], at, first })
    else throw scriptError(text, at, `unexpected character ${JSON.stringify(whole[at])}`)
    at = quoted ? quoted.end : at + found!.length
    first = false
  }
  tokens.push({ kind: 'end', text: '', parts: [], at: to, first: true })
  return tokens
}

const escapes: Record<string, string> = { n: '\n', t: '\t', r: '\r' }

/** A text in single, double or triple quotes; in double ones with values inside. */
function textAt(text: string, at: number): { parts: Token['parts']; end: number } | undefined {
  const quote = ['"""', "'''", '"', "'"].find((one) => text.startsWith(one, at))
  if (quote === undefined) return undefined
  const parts: (string | { source: string; at: number })[] = []
  let plain = ''
  let i = at + quote.length
  while (!text.startsWith(quote, i)) {
    const c = text[i]
    if (c === undefined || (c === '\n' && quote.length === 1)) throw scriptError(text, at, `a quote ${quote} that is not closed`)
    const value = c === '$' && quote.startsWith('"') ? valueAt(text, i) : undefined
    if (value) {
      parts.push(plain, { source: value.source, at: value.at })
      plain = ''
      i = value.end
    } else if (c === '\\') {
      const next = text[i + 1] ?? ''
      plain += escapes[next] ?? next
      i += 2
    } else {
      plain += c
      i++
    }
  }
  parts.push(plain)
  return { parts, end: i + quote.length }
}

/** `${…}`, or `$name.field`. */
function valueAt(text: string, at: number): { source: string; at: number; end: number } | undefined {
  if (text[at + 1] !== '{') {
    path.lastIndex = at + 1
    const source = path.exec(text)?.[0]
    return source === undefined ? undefined : { source, at: at + 1, end: at + 1 + source.length }
  }
  let depth = 0
  let quote = ''
  for (let i = at + 1; i < text.length; i++) {
    const c = text[i]!
    if (quote) {
      if (c === quote) quote = ''
    } else if (c === '"' || c === "'") quote = c
    else if (c === '{') depth++
    else if (c === '}' && --depth === 0) return { source: text.slice(at + 2, i), at: at + 2, end: i + 1 }
  }
  throw scriptError(text, at, 'a brace ${ that is not closed')
}
