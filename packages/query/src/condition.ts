/**
 * A condition: a path, an operator, values, and whether a stored value satisfies it. SQL's rules, as ZStack's clients expect
 * them: null satisfies only `is null`; `!=`, `!?=` and `!~=` too need a value. Over a list or a to-many relation a condition
 * holds when some element satisfies it (ZStack compiles both to joins); tags are a set, so that there a negative operator holds when
 * no tag satisfies its opposite. `~=` ignores case, as MySQL's collations do; all other comparisons are exact.
 */
import { SkerryError } from '@skerry/contract'
import { likeMatcher, MAX_PATTERN } from './like.ts'
import { type FieldKind, type FieldPath, type QueryTarget, type QueryTargets, resolvePath } from './target.ts'

/** In the order in which they are looked for: the first one contained anywhere in the text is the operator (zstack-core §1.6). */
export const operators = ['!=', '>=', '<=', '!?=', '!~=', '~=', '?=', '=', '>', '<', 'is null', 'not null'] as const
export type Operator = (typeof operators)[number]

export type Scalar = string | number | boolean

/** Values that another query finds: those of a field of the rows that satisfy its conditions. Null is not among them. */
export interface Subquery {
  target: QueryTarget
  conditions: readonly Expression[]
  path: FieldPath
}

export interface Condition extends FieldPath {
  op: Operator
  /** Typed values: one, several for the two `in` operators, none for the null tests. LIKE patterns stay text. */
  values: readonly Scalar[]
  /** As the caller wrote it. */
  text: string
  /** Whether a scalar (never null) satisfies it. */
  test: (value: unknown) => boolean
  /** `op` and `test` are the opposite of what was asked: after so many steps the row must have nothing that satisfies them. */
  noneAt?: number
  /** Where the values come from, as long as they have not been asked for. */
  subquery?: Subquery
}

/** Conditions joined by and (`all`) or or (`any`). */
export type Expression = Condition | { all: readonly Expression[] } | { any: readonly Expression[] }

export const isCondition = (expression: Expression): expression is Condition => 'op' in expression

const opposites: Partial<Record<Operator, Operator>> = { '!=': '=', '!?=': '?=', '!~=': '~=', 'is null': 'not null' }

/** Reads one `q`. `malformed-request` without an operator, `invalid-argument` for an unknown field or a value of the wrong type. */
export function parseCondition(text: string, target: QueryTarget, targets: QueryTargets): Condition {
  const op = operators.find((candidate) => text.includes(candidate))
  if (op === undefined) {
    throw new SkerryError(
      'malformed-request',
      `Invalid query string. the condition[${text}] has no operator. Allowed operators are ${operators.join(', ')}`,
      { condition: text },
    )
  }
  const at = text.indexOf(op)
  const path = resolvePath(text.slice(0, at).trim(), target, targets)
  const raw = text.slice(at + op.length)
  return makeCondition(path, op, op === '?=' || op === '!?=' ? raw.split(',') : [raw], text)
}

/** A condition of values as text: ignored by the null tests, LIKE takes the first as a pattern. `invalid-argument` for one of the wrong type, or a pattern that is too long. */
export function makeCondition(path: FieldPath, op: Operator, raw: readonly string[], text: string): Condition {
  return ofTyped(path, op, typedValues(op, raw, path.kind, text), text)
}

function ofTyped(path: FieldPath, op: Operator, values: readonly Scalar[], text: string): Condition {
  const opposite = path.wordsAt === undefined ? undefined : opposites[op]
  if (opposite) return { ...path, op: opposite, values, text, test: tester(opposite, values), noneAt: path.wordsAt! }
  return { ...path, op, values, text, test: tester(op, values) }
}

/** A condition whose values another query finds: `?=` or `!?=`. */
export function makeNested(path: FieldPath, op: '?=' | '!?=', subquery: Subquery, text: string): Condition {
  return { ...ofTyped(path, op, [], text), subquery }
}

/** The same with the values that were found. */
export function withValues({ subquery: _, ...condition }: Condition, values: readonly Scalar[]): Condition {
  return { ...condition, values, test: tester(condition.op, values) }
}

/** Holds where nothing at the path has the value, also where there is nothing at all. */
export function makeLacking(path: FieldPath, value: string, text: string): Condition {
  return { ...makeCondition({ ...path }, '=', [value], text), noneAt: path.wordsAt ?? 0 }
}

function typedValues(op: Operator, raw: readonly string[], kind: FieldKind, text: string): Scalar[] {
  if (op === 'is null' || op === 'not null') return []
  if (op === '~=' || op === '!~=') return [pattern(raw[0] ?? '')]
  return raw.map((part) => typed(part, kind, text))
}

function pattern(text: string): string {
  if (text.length <= MAX_PATTERN) return text
  const message = `a pattern may have at most ${MAX_PATTERN} characters, not ${text.length}`
  throw new SkerryError('invalid-argument', message, { condition: text.slice(0, 64), limit: MAX_PATTERN })
}

function typed(raw: string, kind: FieldKind, text: string): Scalar {
  const value =
    kind === 'number' ? parseNumber(raw) : kind === 'time' ? parseTime(raw) : kind === 'boolean' ? parseBoolean(raw) : raw
  if (value === undefined)
    throw new SkerryError('invalid-argument', `the value of ${JSON.stringify(text)} must be a ${kind}`, { condition: text, kind })
  return value
}

function parseNumber(raw: string): number | undefined {
  return raw.trim() !== '' && Number.isFinite(Number(raw)) ? Number(raw) : undefined
}

function parseBoolean(raw: string): boolean | undefined {
  const word = raw.trim().toLowerCase()
  return word === 'true' || word === '1' ? true : word === 'false' || word === '0' ? false : undefined
}

const ISO = /^\d{4}-\d\d-\d\d([T ]\d\d:\d\d(:\d\d(\.\d+)?)?)?$/

/** Epoch milliseconds, ISO 8601, SQL's `2017-11-14 22:20:57` and ZStack's `Nov 14, 2017 10:20:57 PM`; UTC unless a zone is given. */
function parseTime(raw: string): number | undefined {
  const text = raw.trim()
  if (/^\d+$/.test(text)) return Number(text)
  const naive = ISO.test(text)
  const withZone = naive
    ? text.length === 10
      ? text
      : `${text.replace(' ', 'T')}Z`
    : /^[A-Z][a-z]{2} \d{1,2}, \d{4}/.test(text)
      ? `${text} UTC`
      : text
  const ms = Date.parse(withZone)
  return Number.isNaN(ms) ? undefined : ms
}

function tester(op: Operator, values: readonly Scalar[]): (value: unknown) => boolean {
  const first = values[0]!
  switch (op) {
    case '=':
      return (value) => value === first
    case '!=':
      return (value) => value !== first
    case '?=':
    case '!?=': {
      const set = new Set<unknown>(values)
      return op === '?=' ? (value) => set.has(value) : (value) => !set.has(value)
    }
    case '~=':
    case '!~=': {
      const matches = likeMatcher(String(first))
      return op === '~=' ? matches : (value) => !matches(value)
    }
    case '>':
      return (value) => compare(value, first) > 0
    case '<':
      return (value) => compare(value, first) < 0
    case '>=':
      return (value) => compare(value, first) >= 0
    case '<=':
      return (value) => compare(value, first) <= 0
    case 'is null':
      return () => false
    case 'not null':
      return () => true
  }
}

/** Order of two stored values of one kind; NaN (which no comparison admits) where they are of different kinds. */
function compare(a: unknown, b: Scalar): number {
  if (typeof a !== typeof b) return Number.NaN
  const left = a as Scalar
  return left < b ? -1 : left > b ? 1 : 0
}

/** Whether the field of a far row satisfies the condition. */
export function fieldHolds(condition: Condition, value: unknown): boolean {
  const { op } = condition
  if (Array.isArray(value)) {
    if (op === 'is null') return value.length === 0
    return value.some((element) => {
      const one = condition.inner === undefined ? element : (element as Record<string, unknown> | null)?.[condition.inner]
      return one !== null && one !== undefined && condition.test(one)
    })
  }
  if (value === null || value === undefined) return op === 'is null'
  return op !== 'is null' && condition.test(value)
}
