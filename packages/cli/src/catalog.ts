/**
 * What the command line must know of the contract, as plain data: verbs, nouns, flags, columns, fields, choices. The bundle holds it
 * ready made, because loading the contract's schemas takes longer than everything else that a command does.
 */
import { type Api, loginPassword, type Resource } from '@skerry/contract'
import type { z } from 'zod'

export type Kind = 'text' | 'number' | 'boolean' | 'list' | 'map' | 'pairs' | 'json' | 'password'

export interface Param {
  name: string
  kind: Kind
  choices: readonly string[]
  required: boolean
  /** table of the resource that it names */
  of?: string
}

export interface CatalogApi
  extends Pick<Api, 'api' | 'method' | 'path' | 'bodyKey' | 'query' | 'sync' | 'verb' | 'summary' | 'allowed'> {
  /** those that only the path has first */
  params: readonly Param[]
  /** table of what it answers */
  answers?: string
}

export interface CatalogResource extends Pick<Resource, 'name' | 'noun' | 'summary' | 'columns'> {
  /** field → the values that it may have, where they are known */
  fields: Readonly<Record<string, readonly string[]>>
  /** field that holds the state, where there is one */
  state?: string
  /** what it depends on: field with the uuid → table */
  needs: Readonly<Record<string, string>>
  /** what is shown inside of it: a VM's `vmNics` */
  lists: readonly string[]
  listed: boolean
  /** field that holds the rows of another resource as a tree */
  tree?: string
}

export interface Catalog {
  apis: readonly { api: CatalogApi; resource: string }[]
  resources: Readonly<Record<string, CatalogResource>>
}

export interface Contract {
  apis: readonly { api: Api; resource: Resource }[]
  resources: Readonly<Record<string, Resource>>
  baseFields: Readonly<Record<string, z.ZodType>>
  namedBy(parameter: string, own: Resource): Resource | undefined
}

const wrappers = new Set(['optional', 'nullable', 'default', 'readonly'])

function unwrap(schema: z.ZodType): z.ZodType {
  let inner = schema
  while (wrappers.has(inner.def.type)) inner = (inner.def as unknown as { innerType: z.ZodType }).innerType
  return inner
}

function kindOf(inner: z.ZodType): Kind {
  const { type } = inner.def
  if (type === 'number') return 'number'
  if (type === 'literal') return typeof (inner as z.ZodLiteral).def.values[0] === 'number' ? 'number' : 'text'
  if (type === 'boolean') return 'boolean'
  if (inner === loginPassword) return 'password'
  if (type === 'array') return (inner as z.ZodArray<z.ZodType>).element.def.type === 'object' ? 'json' : 'list'
  if (type === 'record') return (inner as z.ZodRecord<z.ZodString, z.ZodType>).valueType.def.type === 'array' ? 'map' : 'pairs'
  return type === 'object' || type === 'unknown' ? 'json' : 'text'
}

/** Also of what a list holds and of the values of a map. */
function choicesOf(inner: z.ZodType): string[] {
  const { type } = inner.def
  if (type === 'enum')
    return Object.values((inner.def as unknown as { entries: Record<string, string> }).entries).filter((value) => value !== '')
  if (type === 'union') return (inner as z.ZodUnion<z.ZodType[]>).options.flatMap((option) => choicesOf(unwrap(option)))
  if (type === 'array') return choicesOf(unwrap((inner as z.ZodArray<z.ZodType>).element))
  return type === 'record' ? choicesOf(unwrap((inner as z.ZodRecord<z.ZodString, z.ZodType>).valueType)) : []
}

const variablesOf = (path: string) => [...path.matchAll(/\{(\w+)\}/g)].map((match) => match[1] ?? '')

function apiFacts(api: Api, own: Resource, namedBy: Contract['namedBy']): CatalogApi {
  const shape = api.params.shape as Record<string, z.ZodType>
  const inPath = variablesOf(api.path)
  const of = (name: string) => {
    const named = namedBy(name, own)
    return named ? { of: named.name } : {}
  }
  const fromPath = inPath
    .filter((name) => !(name in shape))
    .map((name): Param => ({ name, kind: 'text', choices: [], required: true, ...of(name) }))
  const fromShape = Object.entries(shape).map(([name, schema]): Param => {
    const inner = unwrap(schema)
    const required = !schema.safeParse(undefined).success || inPath.includes(name)
    return { name, kind: kindOf(inner), choices: choicesOf(inner), required, ...of(name) }
  })
  const { method, path, bodyKey, query, sync, verb, summary, allowed } = api
  return {
    ...{ api: api.api, method, path, sync, verb, summary },
    ...(bodyKey === undefined ? {} : { bodyKey }),
    ...(query ? { query } : {}),
    ...(allowed ? { allowed } : {}),
    params: [...fromPath, ...fromShape],
    ...(api.result.kind === 'inventory' || api.result.kind === 'inventories' ? { answers: api.result.of } : {}),
  }
}

function resourceFacts(resource: Resource, { baseFields, resources }: Contract): CatalogResource {
  const hidden = new Set(resource.hidden)
  const { name, noun, summary, columns, states } = resource
  const fields = Object.entries({ ...baseFields, ...resource.fields })
    .filter(([field]) => !hidden.has(field))
    .map(([field, schema]) => [field, field === states?.field ? Object.keys(states.table) : choicesOf(unwrap(schema))] as const)
  const needs = Object.values(resource.edges).filter(({ via, list }) => !list && !hidden.has(via))
  const children = Object.values(resources).flatMap((child) => Object.values(child.edges))
  return {
    ...{ name, noun, summary, columns },
    lists: children.filter(({ to, inline }) => to === name && inline).map(({ inverse }) => inverse),
    fields: Object.fromEntries(fields),
    ...(states ? { state: states.field } : {}),
    ...(resource.tree ? { tree: resource.tree.field } : {}),
    needs: Object.fromEntries(needs.map(({ via, to }) => [via, to])),
    listed: resource.apis.some(({ query }) => query),
  }
}

export function catalogOf(contract: Contract): Catalog {
  const { apis, resources, namedBy } = contract
  return {
    apis: apis.map(({ api, resource }) => ({ api: apiFacts(api, resource, namedBy), resource: resource.name })),
    resources: Object.fromEntries(Object.values(resources).map((one) => [one.name, resourceFacts(one, contract)])),
  }
}
