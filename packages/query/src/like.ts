/** SQL LIKE: `%` any run, `_` one character, a backslash makes the next character plain; case is ignored. No regular expressions: a pattern of many wildcards makes them take exponential time. */

const MANY = Symbol('%')
const ONE = Symbol('_')
type Token = string | typeof MANY | typeof ONE

/** A test for values that match the pattern, in time O(value × pattern) at worst. */
export function likeMatcher(pattern: string): (value: unknown) => boolean {
  const lower = pattern.toLowerCase()
  if (!/[_\\]/.test(lower)) {
    const parts = lower.split('%')
    return (value) => matchesParts(String(value).toLowerCase(), parts)
  }
  const tokens = tokenize(lower)
  return (value) => matchesTokens([...String(value).toLowerCase()], tokens)
}

function tokenize(pattern: string): Token[] {
  const tokens: Token[] = []
  const characters = [...pattern]
  for (let i = 0; i < characters.length; i++) {
    const c = characters[i]!
    if (c === '%') tokens.push(MANY)
    else if (c === '_') tokens.push(ONE)
    else tokens.push(c === '\\' && i + 1 < characters.length ? characters[++i]! : c)
  }
  return tokens
}

/** On a mismatch only the last `%` is extended: it can take whatever an earlier one could. */
function matchesTokens(value: readonly string[], tokens: readonly Token[]): boolean {
  let at = 0
  let token = 0
  let lastMany = -1
  let resume = 0
  while (at < value.length) {
    const wanted = tokens[token]
    if (wanted === MANY) {
      lastMany = token++
      resume = at
    } else if (wanted !== undefined && (wanted === ONE || wanted === value[at])) {
      token++
      at++
    } else if (lastMany >= 0) {
      token = lastMany + 1
      at = ++resume
    } else return false
  }
  while (tokens[token] === MANY) token++
  return token === tokens.length
}

/** Plain parts between `%`, searched for from the left. */
function matchesParts(value: string, parts: readonly string[]): boolean {
  const head = parts[0]!
  if (parts.length === 1) return value === head
  const tail = parts.at(-1)!
  if (value.length < head.length + tail.length || !value.startsWith(head) || !value.endsWith(tail)) return false
  const end = value.length - tail.length
  let at = head.length
  for (const part of parts.slice(1, -1)) {
    const found = value.indexOf(part, at)
    if (found === -1 || found + part.length > end) return false
    at = found + part.length
  }
  return true
}
