/** What can be asked of a table: its fields and the relations that lead to other tables. Computed from the contract. */
import { SkerryError } from '@skerry/contract'

export type FieldKind = 'string' | 'number' | 'boolean' | 'time' | 'list'

export interface Relation {
  /** Table at the far end; its description is found under this name. */
  target: string
  /** `field`: our field holds (or lists) the far rows' keys. `reverse`: their field holds (or lists) our key. */
  via: { field: string } | { reverse: string }
  many: boolean
}

export interface QueryTarget {
  table: string
  /** `list`: of strings. `time`: epoch milliseconds. */
  fields: Record<string, FieldKind>
  relations: Record<string, Relation>
  /** The field that holds the row's key; `uuid` unless said. */
  key?: string
  /** Other names for a path, such as `__systemTag__` for `systemTags.tag`. Valid behind relations too. */
  aliases?: Record<string, string>
}

export type QueryTargets = Record<string, QueryTarget>

export const keyField = (target: QueryTarget): string => target.key ?? 'uuid'

export interface Step {
  from: QueryTarget
  relation: Relation
  to: QueryTarget
}

export interface FieldPath {
  steps: Step[]
  /** The table that has the field: the far end of the steps. */
  target: QueryTarget
  field: string
  kind: FieldKind
}

/** Follows `vmNics.l3Network.name` from a table. Throws `invalid-argument` that names the closest known word. */
export function resolvePath(path: string, target: QueryTarget, targets: QueryTargets): FieldPath {
  const steps: Step[] = []
  let at = target
  const words = path.split('.')
  for (let word = words.shift(); word !== undefined; word = words.shift()) {
    const alias = own(at.aliases, word)
    if (alias !== undefined) {
      words.unshift(...alias.split('.'))
      continue
    }
    const kind = own(at.fields, word)
    if (words.length === 0 && kind !== undefined) return { steps, target: at, field: word, kind }
    const relation = own(at.relations, word)
    const to = relation && own(targets, relation.target)
    if (!relation || !to || words.length === 0) throw unknownField(path, word, at)
    steps.push({ from: at, relation, to })
    at = to
  }
  throw unknownField(path, path, target)
}

const own = <T>(record: Record<string, T> | undefined, name: string): T | undefined =>
  record !== undefined && Object.hasOwn(record, name) ? record[name] : undefined

/** The error for a name that a table does not have. */
export function unknownField(path: string, word: string, target: QueryTarget): SkerryError {
  const known = [...Object.keys(target.fields), ...Object.keys(target.relations), ...Object.keys(target.aliases ?? {})]
  const closest = closestWord(word, known)
  const hint = Object.hasOwn(target.relations, word)
    ? `${word} is a relation: add one of its fields, as in ${word}.uuid`
    : closest
      ? `did you mean ${closest}?`
      : undefined
  const message = `${target.table} has no field ${JSON.stringify(path)}${hint ? `; ${hint}` : ''}`
  return new SkerryError('invalid-argument', message, { field: path, table: target.table, ...(closest ? { closest } : {}) })
}

/** The known word with the smallest edit distance, if it is near enough to be a slip. */
export function closestWord(word: string, known: readonly string[]): string | undefined {
  let best: string | undefined
  let least = Math.max(3, Math.ceil(word.length / 2))
  for (const candidate of known) {
    const distance = editDistance(word.toLowerCase(), candidate.toLowerCase(), least)
    if (distance < least) {
      least = distance
      best = candidate
    }
  }
  return best
}

/** Levenshtein distance; anything at or above `limit` may come out as `limit`. */
function editDistance(a: string, b: string, limit: number): number {
  if (Math.abs(a.length - b.length) >= limit) return limit
  let row = Array.from({ length: b.length + 1 }, (_, i) => i)
  for (let i = 1; i <= a.length; i++) {
    const next = [i]
    for (let j = 1; j <= b.length; j++) {
      next.push(Math.min(row[j]! + 1, next[j - 1]! + 1, row[j - 1]! + (a[i - 1] === b[j - 1] ? 0 : 1)))
    }
    row = next
  }
  return row[b.length]!
}
