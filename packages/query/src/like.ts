/** SQL LIKE: `%` any run, `_` one character, a backslash makes the next character plain; case is ignored. No regular expressions: a pattern of many wildcards makes them take exponential time. */

/** Longer patterns are refused: the time that a long text takes grows with both. */
export const MAX_PATTERN = 512

/** Code points, and these two. */
const MANY = -1
const ONE = -2

/** A test for values that match the pattern, in time O(value × pattern) at worst. */
export function likeMatcher(pattern: string): (value: unknown) => boolean {
  const lower = pattern.toLowerCase()
  if (!/[_\\]/.test(lower)) {
    const parts = lower.split('%')
    return (value) => matchesParts(String(value).toLowerCase(), parts)
  }
  const tokens = tokenize(lower)
  return (value) => matchesTokens(codePoints(String(value).toLowerCase()), tokens)
}

/** Numbers: to compare them takes a tenth of what texts of one character take. */
function codePoints(text: string): Int32Array {
  const points = new Int32Array(text.length)
  let length = 0
  for (let at = 0; at < text.length; length++) {
    const point = text.codePointAt(at)!
    points[length] = point
    at += point > 0xffff ? 2 : 1
  }
  return points.subarray(0, length)
}

function tokenize(pattern: string): Int32Array {
  const tokens: number[] = []
  const points = codePoints(pattern)
  for (let i = 0; i < points.length; i++) {
    const c = String.fromCodePoint(points[i]!)
    if (c === '%') tokens.push(MANY)
    else if (c === '_') tokens.push(ONE)
    else tokens.push(c === '\\' && i + 1 < points.length ? points[++i]! : points[i]!)
  }
  return Int32Array.from(tokens)
}

/** On a mismatch only the last `%` is extended: it can take whatever an earlier one could. */
function matchesTokens(value: Int32Array, tokens: Int32Array): boolean {
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
