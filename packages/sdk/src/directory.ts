/** Which APIs a client knows, as plain data: what a request needs of each. */
import type { Api } from '@skerry/contract'
import { SkerryError } from '@skerry/contract/errors'

export type ApiFacts = Pick<Api, 'api' | 'method' | 'path' | 'bodyKey' | 'query' | 'sync'>

export interface Entry<A extends ApiFacts = ApiFacts> {
  api: A
  resource: { name: string; noun: string }
}

export interface Directory<A extends ApiFacts = ApiFacts> {
  /** by ZStack's name, without `API…Msg`. Throws `invalid-argument`. */
  apiNamed(name: string): A
  /** The list query of a resource, by table name or noun. Throws `invalid-argument`. */
  queryOf(resource: string): A
}

export function directoryOf<A extends ApiFacts>(entries: readonly Entry<A>[]): Directory<A> {
  const byName = new Map(entries.map(({ api }) => [api.api, api]))
  return {
    apiNamed(name) {
      const found = byName.get(name)
      if (found === undefined) throw new SkerryError('invalid-argument', `there is no API named ${name}`, { api: name })
      return found
    },
    queryOf(name) {
      const found = entries.find(({ api, resource }) => api.query && (resource.name === name || resource.noun === name))
      if (found === undefined)
        throw new SkerryError('invalid-argument', `${name} is nothing that can be queried`, { resource: name })
      return found.api
    },
  }
}
