/**
 * The route table: every API of the contract by path and method. Static segments win over parameters (`/l3-networks/ip-ranges`
 * is no L3 uuid), parameters are compared by position (zstack-core §1.1).
 */
import { type Api, apis, type Resource } from '@skerry/contract'
import { Refusal } from './refusal.ts'

export interface Route {
  api: Api
  resource: Resource
  /** the template that matched, `/zones/{uuid}` */
  path: string
  /** names of its parameters, in order */
  names: readonly string[]
  /** true on the second path of a query: exactly one resource is meant */
  byUuid: boolean
}

export interface Match {
  /** APIs of this method; several only on PUT, told apart by the body's key */
  routes: readonly Route[]
  /** values of the path parameters, in order */
  values: readonly string[]
}

interface Node {
  fixed: Map<string, Node>
  parameter?: Node
  methods: Map<string, Route[]>
}

const node = (): Node => ({ fixed: new Map(), methods: new Map() })
const isParameter = (segment: string) => segment.startsWith('{')
export const segmentsOf = (path: string): string[] => path.split('/').filter((segment) => segment !== '')

/** PUT and POST stand for each other where the path belongs to one API (zstack-wire: some clients POST a login). */
const twin: Record<string, string> = { POST: 'PUT', PUT: 'POST' }

export class RouteTable {
  readonly routes: readonly Route[]
  private readonly root = node()

  /** `own`: with the APIs that exist under /v1 only. */
  constructor(own: boolean) {
    const all = apis.filter(({ api }) => own || !api.own)
    this.routes = all.flatMap(({ api, resource }) =>
      [api.path, ...(api.also ?? [])].map((path, i): Route => {
        const names = segmentsOf(path)
          .filter(isParameter)
          .map((segment) => segment.slice(1, -1))
        return { api, resource, path, names, byUuid: i > 0 }
      }),
    )
    for (const route of this.routes) this.add(route)
  }

  private add(route: Route): void {
    let at = this.root
    for (const segment of segmentsOf(route.path)) {
      if (isParameter(segment)) at = at.parameter ??= node()
      else {
        let next = at.fixed.get(segment)
        if (next === undefined) at.fixed.set(segment, (next = node()))
        at = next
      }
    }
    const { method } = route.api
    const same = at.methods.get(method)
    if (same) same.push(route)
    else at.methods.set(method, [route])
  }

  /** The APIs behind a method and a path below the dialect's prefix. Throws `Refusal` 404 or 405. */
  match(method: string, path: string): Match {
    const found = this.find(this.root, decodeSegments(path), 0, [])
    // Not repeated: a path may hold a session or a token, and answers are logged by who stands between.
    if (found === undefined) throw new Refusal(404, 'no such path')
    const { methods } = found.node
    const routes = methods.get(method) ?? onlyApi(methods, twin[method])
    if (routes === undefined) {
      const allow = [...methods.keys()]
      throw new Refusal(405, `${method} is not allowed here, but ${allow.join(', ')}`, allow)
    }
    return { routes, values: found.values }
  }

  private find(
    at: Node,
    segments: readonly string[],
    index: number,
    values: string[],
  ): { node: Node; values: string[] } | undefined {
    const segment = segments[index]
    if (segment === undefined) return at.methods.size > 0 ? { node: at, values } : undefined
    const fixed = at.fixed.get(segment)
    const found = fixed && this.find(fixed, segments, index + 1, values)
    if (found || !at.parameter) return found
    return this.find(at.parameter, segments, index + 1, [...values, segment])
  }
}

/** The one API of a path when it has that method and no other API shares the path. */
function onlyApi(methods: ReadonlyMap<string, Route[]>, method: string | undefined): readonly Route[] | undefined {
  if (method === undefined || methods.size !== 1) return undefined
  const routes = methods.get(method)
  return routes?.length === 1 ? routes : undefined
}

/** What stands between the slashes. Throws `Refusal` 400. */
export function decodeSegments(path: string): string[] {
  try {
    return segmentsOf(path).map(decodeURIComponent)
  } catch {
    // URIError: the client's own percent-encoding is broken; its text says no more than this
    throw new Refusal(400, 'the path is not valid percent-encoding')
  }
}
