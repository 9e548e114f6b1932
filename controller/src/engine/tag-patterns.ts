/** Patterns of user tags: `owner::{name}` has a place that each resource fills. Pure. */
import { type Row, SkerryError } from '@skerry/contract'
import type { Graph } from '@skerry/graph'

const PLACE = /\{([^{}]*)\}/g

const placesOf = (value: string): string[] => [...value.matchAll(PLACE)].map(([, name]) => name!)
const without = (value: string) => value.replace(PLACE, '{}')

/** The pattern, or `not-found`. */
export function needPattern(graph: Graph, uuid: string): Readonly<Row> {
  const row = graph.get('tagPattern', uuid)
  if (!row) throw new SkerryError('not-found', `there is no tag-pattern ${uuid}`, { resource: 'tagPattern', uuid })
  return row
}

/** Throws where the words don't fit their type: places with names of their own, and none in a simple one. */
export function checkPattern(type: string, value: string): void {
  const places = placesOf(value)
  const invalid = (problem: string) => new SkerryError('invalid-argument', `invalid field[value]: ${problem}`, { field: 'value' })
  if (type === 'simple') {
    if (places.length > 0) throw invalid('a tag of type simple has no {places}; one that has is of type withToken')
    return
  }
  if (places.length === 0) throw invalid('a tag of type withToken has at least one {place}, as owner::{name}')
  if (places.some((place) => place.trim() === '') || new Set(places).size < places.length)
    throw invalid('each {place} needs a name of its own')
}

/** Of a pattern only the names of its places may change: tags that were made of it stay as they are. */
export function checkOtherValue(pattern: Readonly<Row>, value: string): void {
  const { type, value: old } = pattern as { type: string; value: string }
  if (value === old) return
  checkPattern(type, value)
  if (type === 'withToken' && without(value) === without(old)) return
  const may = type === 'simple' ? 'the words of a simple tag stay' : 'only the names of its {places} may change'
  throw new SkerryError('invalid-argument', `invalid field[value]: ${may}, they are ${old}`, { field: 'value' })
}

/** The words with each place filled. `field` is the parameter that is wrong where one is missing or unknown. */
export function wornText(pattern: Readonly<Row>, tokens: Readonly<Record<string, string>> | undefined, field: string): string {
  const value = pattern['value'] as string
  const places = placesOf(value)
  const missing = places.filter((place) => !Object.hasOwn(tokens ?? {}, place))
  const unknown = Object.keys(tokens ?? {}).filter((token) => !places.includes(token))
  if (missing.length > 0 || unknown.length > 0) {
    const what = missing.length > 0 ? `says nothing for {${missing[0]}}` : `names {${unknown[0]}}, which is not there`
    throw new SkerryError('invalid-argument', `invalid field[${field}]: it ${what} of tag ${pattern['name']} (${value})`, {
      ...{ field, tagUuid: pattern['uuid'], missing, unknown },
    })
  }
  return value.replace(PLACE, (_, place: string) => tokens![place]!)
}
