/** What can be asked of each resource: its visible fields and its relations to others, both ways. Computed from the contract. */
import { type Api, apis, baseFields, elementOf, kindOf, type Resource, resources, shapeOf, tableOf } from '@skerry/contract'
import type { QueryTarget } from './target.ts'

const all = Object.values(resources as Record<string, Resource>)

function fieldsOf(resource: Pick<Resource, 'fields' | 'hidden'>): QueryTarget['fields'] {
  const fields: Record<string, 'string' | 'number' | 'boolean' | 'time' | 'list'> = {}
  for (const [field, schema] of Object.entries(resource.fields)) {
    if (resource.hidden?.includes(field)) continue
    const kind = kindOf(schema)
    if (kind === 'string' || kind === 'number' || kind === 'boolean' || kind === 'time' || kind === 'list') fields[field] = kind
  }
  return fields
}

/** What can be asked of the objects that a field lists: `backupStorageRefs.backupStorageUuid`. */
function elementsOf(resource: Resource): NonNullable<QueryTarget['elements']> {
  const lists = Object.entries(resource.fields).filter(
    ([field, schema]) => !resource.hidden?.includes(field) && kindOf(schema) === 'list' && kindOf(elementOf(schema)) === 'object',
  )
  return Object.fromEntries(lists.map(([field, schema]) => [field, fieldsOf({ fields: shapeOf(elementOf(schema)) })] as const))
}

/** Relation names from this side: the edge's own name, and `via` without `Uuid` (`rootImage` beside `image`). */
function forward(resource: Resource): QueryTarget['relations'] {
  const relations: QueryTarget['relations'] = {}
  for (const [name, edge] of Object.entries(resource.edges)) {
    if (resource.hidden?.includes(edge.via)) continue
    const relation = { target: edge.to, via: { field: edge.via }, many: edge.list ?? false }
    for (const as of new Set([edge.as ?? edge.via.replace(/Uuids?$/, ''), name]))
      if (!(as in resource.fields || as in baseFields)) relations[as] = relation
  }
  return relations
}

function backward(resource: Resource): QueryTarget['relations'] {
  const relations: QueryTarget['relations'] = {}
  for (const other of all) {
    for (const edge of Object.values(other.edges)) {
      if (edge.to === resource.name && !other.hidden?.includes(edge.via))
        relations[edge.inverse] = { target: other.name, via: { reverse: edge.via }, many: true }
    }
  }
  return relations
}

const tagKinds = { systemTags: 'systemTag', userTags: 'userTag' } as const

/** Any resource may have tags. */
const tagged = (resource: Resource): QueryTarget['relations'] =>
  resource.rows
    ? {}
    : Object.fromEntries(
        Object.entries(tagKinds).map(([name, target]) => [name, { target, via: { reverse: 'resourceUuid' }, many: true }]),
      )

/** ZStack's names for the words of tags (zstack-core §1.6). */
const aliases = { __systemTag__: 'systemTags.tag', __userTag__: 'userTags.tag', __tagUuid__: 'userTags.tagPatternUuid' }

/** A table whose uuid is indexed has another, natural key (`usedIp`): none of its fields holds it. */
const NATURAL_KEY = '(natural key)'

function targetOf(resource: Resource): QueryTarget {
  const relations = { ...tagged(resource), ...backward(resource), ...forward(resource) }
  const key = resource.indexes.includes('uuid') ? { key: NATURAL_KEY } : {}
  const where = resource.rows ? { where: resource.rows.where } : {}
  const fields = fieldsOf({ ...resource, fields: { ...baseFields, ...resource.fields } })
  return {
    noun: resource.name,
    table: tableOf(resource),
    fields,
    elements: elementsOf(resource),
    relations,
    aliases,
    ...where,
    ...key,
  }
}

/** Every resource as the query engine sees it, by table name. */
export const targets: Record<string, QueryTarget> = Object.fromEntries(all.map((resource) => [resource.name, targetOf(resource)]))

/** The API that lists a resource, by the resource's name: who may call it may ask ZQL for the resource. */
export const listed: ReadonlyMap<string, Api> = new Map(
  apis.flatMap(({ api }): [string, Api][] => (api.query && api.result.kind === 'inventories' ? [[api.result.of, api]] : [])),
)

const classOf = (name: string) =>
  name
    .split('.')
    .at(-1)!
    .replace(/Inventory$/, '')
    .toLowerCase()

/**
 * What ZQL calls a resource, in lower case: its name here, and its inventory class without `Inventory` (`vminstance`, `kvmhost`), as ZStack
 * computes it.
 */
export const entities: ReadonlyMap<string, string> = new Map(
  all
    .filter(({ name }) => listed.has(name))
    .flatMap(({ name, inventory }) => [
      ...[inventory?.sdk, inventory?.java].flatMap((of): [string, string][] => (of === undefined ? [] : [[classOf(of), name]])),
      [name.toLowerCase(), name] as [string, string],
    ]),
)
