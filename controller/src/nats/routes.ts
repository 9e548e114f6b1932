/** Which API a subject means: noun and verb, with or without a resource; where several share these, the parameters tell. */
import { type ApiSubject, type Row, SkerryError, subjectParameter } from '@skerry/contract'
import type { Route } from '../http/routes.ts'

export class SubjectTable {
  readonly #routes = new Map<string, Route[]>()

  constructor(routes: readonly Route[]) {
    for (const route of routes) {
      const key = keyOf(route.resource.noun, route.api.verb, subjectParameter(route.path, route.resource) !== undefined)
      this.#routes.set(key, [...(this.#routes.get(key) ?? []), route])
    }
  }

  /** Throws `not-found`, with the verbs that there are. */
  find({ noun, resource, verb }: ApiSubject, params: Row): Route {
    const found = this.#routes.get(keyOf(noun, verb, resource !== undefined))
    if (found === undefined) throw this.#unknown(noun, verb, resource !== undefined)
    const names = Object.keys(params)
    const fits = ({ api, names: inPath }: Route) => names.every((name) => name in api.params.shape || inPath.includes(name))
    return found.find(fits) ?? found[0]!
  }

  #unknown(noun: string, verb: string, resource: boolean): SkerryError {
    const verbs = (place: boolean) =>
      [...this.#routes.keys()].flatMap((key) => (key.startsWith(`${noun}.${place}.`) ? [key.split('.')[2]!] : []))
    const [here, there] = [verbs(resource), verbs(!resource)]
    const place = resource ? 'a resource' : '-'
    const message = there.includes(verb)
      ? `${noun} ${verb} takes ${resource ? '- and no resource' : 'a resource and not -'} in its subject`
      : `there is no call ${verb} of ${noun} with ${place} in its subject`
    return new SkerryError('not-found', message, { verbs: here.sort() })
  }
}

const keyOf = (noun: string, verb: string, resource: boolean) => `${noun}.${resource}.${verb}`
