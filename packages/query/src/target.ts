/** What can be asked of a table: its fields and the relations that lead to other tables. Computed from the contract. */
import { type Row, SkerryError } from '@skerry/contract'
import { closestWord } from './closest.ts'

export type FieldKind = 'string' | 'number' | 'boolean' | 'time' | 'list'

export interface Relation {
  /** Table at the far end; its description is found under this name. */
  target: string
  /** `field`: our field holds (or lists) the far rows' keys. `reverse`: their field holds (or lists) our key. */
  via: { field: string } | { reverse: string }
  many: boolean
}

export interface QueryTarget {
  /** Name of the resource; its table's unless said. */
  noun?: string
  table: string
  /** Of the table only the rows whose field has this value. */
  where?: { field: string; is: string }
  /** `list`: of strings. `time`: epoch milliseconds. */
  fields: Record<string, FieldKind>
  relations: Record<string, Relation>
  /** Of lists of objects, by their name: what can be asked of an element, as `backupStorageRefs.status`. */
  elements?: Record<string, Record<string, FieldKind>>
  /** The field that holds the row's key; `uuid` unless said. */
  key?: string
  /**
   * Words on a row, under a name of their own: `__systemTag__` for `systemTags.tag`. Valid behind relations too. A negative operator
   * speaks of all of them: `__systemTag__!=a` holds where no tag is `a`, as it does where there is none.
   */
  aliases?: Record<string, string>
}

export type QueryTargets = Record<string, QueryTarget>

/** Whether a row of the target's table is one of the target's. */
export const belongs = ({ where }: QueryTarget, row: Readonly<Row> | undefined): boolean =>
  row !== undefined && (where === undefined || row[where.field] === where.is)

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
  /** Of a list of objects: the field of an element. */
  inner?: string
  /** How many steps lead to the row whose words (an alias) the rest of the path names. */
  wordsAt?: number
}

const MAX_WORDS = 33

/** Follows `vmNics.l3Network.name` from a table. Throws `invalid-argument` that names the closest known word. */
export function resolvePath(path: string, target: QueryTarget, targets: QueryTargets): FieldPath {
  const steps: Step[] = []
  let at = target
  const words = path.split('.')
  let wordsAt: number | undefined
  if (words.length > MAX_WORDS)
    throw new SkerryError('invalid-argument', `a path leads over at most ${MAX_WORDS - 1} relations, not ${words.length - 1}`, {
      relations: words.length - 1,
    })
  for (let word = words.shift(); word !== undefined; word = words.shift()) {
    const alias = own(at.aliases, word)
    if (alias !== undefined) {
      words.unshift(...alias.split('.'))
      wordsAt = steps.length
      continue
    }
    const kind = own(at.fields, word)
    if (words.length === 0 && kind !== undefined)
      return { steps, target: at, field: word, kind, ...(wordsAt === undefined ? {} : { wordsAt }) }
    const [inner] = words
    const innerKind = words.length === 1 ? own(own(at.elements, word), inner!) : undefined
    if (innerKind !== undefined) return { steps, target: at, field: word, kind: innerKind, inner: inner! }
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
