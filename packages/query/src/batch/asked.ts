/** `query('QueryVmInstance state=Running limit=10')`: words between spaces, the first the API, the others as ZStack's scripts write them. */
import { SkerryError } from '@skerry/contract'
import { operators } from '../condition.ts'
import type { ParsedParams } from '../parse.ts'

export interface AskedQuery {
  /** As it was written; its case says nothing. */
  api: string
  params: ParsedParams
}

const settings = ['fields', 'limit', 'start', 'count', 'replyWithCount', 'groupBy', 'filterName'] as const

/** What a text asks. Throws `invalid-argument` for a word that is neither a setting nor a condition. */
export function askedQuery(text: string): AskedQuery {
  const [api, ...words] = text.split(/\s+/).filter((word) => word !== '')
  if (api === undefined) throw new SkerryError('invalid-argument', `invalid query string: ${text}`, {})
  const q: string[] = []
  const given: Record<string, string> = {}
  for (const word of words) {
    const [, name, value] = /^(\w+)=(.*)$/.exec(word) ?? []
    if (name !== undefined && ['sortBy', 'sortDirection', ...settings].includes(name)) given[name] = value!
    else q.push(conditionOf(word, text))
  }
  const { sortBy, sortDirection = 'asc', ...params } = given
  if (sortDirection !== 'asc' && sortDirection !== 'desc')
    throw new SkerryError('invalid-argument', `sortDirection is asc or desc, not ${sortDirection}`, { sortDirection })
  return { api, params: { ...params, q, ...(sortBy ? { sort: `${sortDirection === 'asc' ? '+' : '-'}${sortBy}` } : {}) } }
}

/** `hostUuid=null` and `hostUuid!=null` are the null tests, because a word has no spaces. */
function conditionOf(word: string, text: string): string {
  const [, field, not] = /^([\w.]+)(!?)=null$/.exec(word) ?? []
  if (field !== undefined) return `${field} ${not ? 'not null' : 'is null'}`
  if (operators.some((op) => word.includes(op))) return word
  throw new SkerryError(
    'invalid-argument',
    `invalid query string[${text}], word[${word}] doesn't have a valid operator; values can't have spaces here, but in zql('…')`,
    { word },
  )
}
