/** Steps through the tokens of a script. A new line ends a statement, but not inside parentheses and brackets. */
import type { SkerryError } from '@skerry/contract'
import { scriptError, type Token, tokensOf } from './lexer.ts'

/** Everything that may stand inside something else. */
const MAX_DEPTH = 64

export class Cursor {
  readonly text: string
  private readonly tokens: readonly Token[]
  private at = 0
  private depth: number
  private parentheses = 0

  constructor(text: string, part?: { from: number; to: number; depth: number }) {
    this.text = text
    this.tokens = tokensOf(text, part?.from, part?.to)
    this.depth = part?.depth ?? 0
  }

  /** The same for a part of the text, as deep as here. */
  within(from: number, to: number): Cursor {
    return new Cursor(this.text, { from, to, depth: this.depth })
  }

  peek(ahead = 0): Token {
    return this.tokens[Math.min(this.at + ahead, this.tokens.length - 1)]!
  }

  next(): Token {
    const token = this.peek()
    if (token.kind !== 'end') this.at++
    return token
  }

  is(text: string): boolean {
    const token = this.peek()
    return (token.kind === 'word' || token.kind === 'sign') && token.text === text
  }

  takes(text: string): boolean {
    if (!this.is(text)) return false
    this.at++
    return true
  }

  /** As `is`, where it goes on with what stands before it. */
  isOnLine(text: string): boolean {
    return this.is(text) && (!this.peek().first || this.parentheses > 0)
  }

  takesOnLine(text: string): boolean {
    return this.isOnLine(text) && this.takes(text)
  }

  expect(text: string): void {
    if (!this.takes(text)) throw this.unexpected(`'${text}'`)
  }

  want(kind: Token['kind'], what: string): Token {
    if (this.peek().kind !== kind) throw this.unexpected(what)
    return this.next()
  }

  endsStatement(): boolean {
    return this.is(';') || this.is('}') || this.peek().first || this.peek().kind === 'end'
  }

  /** Whether names and an arrow come next: parameters of a closure. */
  arrowAhead(): boolean {
    let i = 0
    while (this.peek(i).kind === 'word' && this.peek(i + 1).text === ',') i += 2
    return this.peek(i).kind === 'word' && this.peek(i + 1).text === '->'
  }

  inside<T>(read: () => T): T {
    return this.withParentheses(this.parentheses + 1, read)
  }

  outside<T>(read: () => T): T {
    return this.withParentheses(0, read)
  }

  private withParentheses<T>(count: number, read: () => T): T {
    const before = this.parentheses
    this.parentheses = count
    const result = this.deeper(read)
    this.parentheses = before
    return result
  }

  deeper<T>(read: () => T): T {
    if (++this.depth > MAX_DEPTH) throw scriptError(this.text, this.peek().at, `more than ${MAX_DEPTH} levels inside each other`)
    const result = read()
    this.depth--
    return result
  }

  unexpected(wanted: string): SkerryError {
    const { kind, text, at } = this.peek()
    const found = kind === 'end' ? '<EOF>' : kind === 'text' ? 'a text' : text
    return scriptError(this.text, at, `unexpected '${found}', expecting ${wanted}`)
  }
}
