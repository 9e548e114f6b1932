/** Steps through tokens: what comes next, and a clear error where it is something else. */
import type { SkerryError } from '@skerry/contract'
import { syntaxError, type Token, tokensOf } from './lexer.ts'

/** Parentheses and nested queries inside each other. */
const MAX_DEPTH = 64

export class Reader {
  readonly text: string
  private readonly tokens: readonly Token[]
  private at = 0
  private depth = 0

  constructor(text: string) {
    this.text = text
    this.tokens = tokensOf(text)
  }

  peek(ahead = 0): Token {
    return this.tokens[Math.min(this.at + ahead, this.tokens.length - 1)]!
  }

  next(): Token {
    const token = this.peek()
    if (token.kind !== 'end') this.at++
    return token
  }

  /** Whether these words or signs come next, whatever their case; if so, steps over them. */
  takes(...words: readonly string[]): boolean {
    if (!this.is(...words)) return false
    this.at += words.length
    return true
  }

  is(...words: readonly string[]): boolean {
    return words.every((word, i) => {
      const { kind, text } = this.peek(i)
      return (kind === 'word' || kind === 'sign') && text.toLowerCase() === word
    })
  }

  expect(word: string): void {
    if (!this.takes(word)) throw this.unexpected(`'${word}'`)
  }

  /** A token of this kind. Numbers are names too where one is wanted: a uuid may have no letter. */
  want(kind: Token['kind'], what: string): Token {
    const token = this.peek()
    const fits = token.kind === kind || (kind === 'word' && token.kind === 'number' && /^\w+$/.test(token.text))
    if (!fits) throw this.unexpected(what)
    return this.next()
  }

  /** What stands from an offset to where we are. */
  since(at: number): string {
    return this.text.slice(at, this.peek().at).trim()
  }

  deeper<T>(read: () => T): T {
    if (++this.depth > MAX_DEPTH) throw syntaxError(this.text, this.peek().at, `more than ${MAX_DEPTH} levels inside each other`)
    const result = read()
    this.depth--
    return result
  }

  unexpected(wanted: string): SkerryError {
    const { kind, text, at } = this.peek()
    const found = kind === 'end' ? '<EOF>' : text.slice(0, 40)
    return syntaxError(this.text, at, `mismatched input '${found}' expecting ${wanted}`)
  }
}
