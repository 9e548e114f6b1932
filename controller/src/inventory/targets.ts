/** What can be asked of each resource: its visible fields and its relations to others, both ways. Computed from the contract. */
import { baseFields, type Resource, resources } from '@skerry/contract'
import type { QueryTarget } from '@skerry/query'
import { kindOf } from './fields.ts'

const all = Object.values(resources as Record<string, Resource>)

function fieldsOf(resource: Resource): QueryTarget['fields'] {
  const fields: Record<string, 'string' | 'number' | 'boolean' | 'time' | 'list'> = {}
  for (const [field, schema] of Object.entries({ ...baseFields, ...resource.fields })) {
    if (resource.hidden?.includes(field)) continue
    const kind = kindOf(schema)
    if (kind === 'string' || kind === 'number' || kind === 'boolean' || kind === 'time' || kind === 'list') fields[field] = kind
  }
  return fields
}

/** Relation names from this side: the edge's own name, and `via` without `Uuid` (`rootImage` beside `image`). */
function forward(resource: Resource): QueryTarget['relations'] {
  const relations: QueryTarget['relations'] = {}
  for (const [name, edge] of Object.entries(resource.edges)) {
    if (resource.hidden?.includes(edge.via)) continue
    const relation = { target: edge.to, via: { field: edge.via }, many: edge.list ?? false }
    for (const as of new Set([edge.as ?? edge.via.replace(/Uuids?$/, ''), name]))
      if (!(as in fieldsOf(resource))) relations[as] = relation
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

/** A table whose uuid is indexed has another, natural key (`usedIp`): none of its fields holds it. */
const NATURAL_KEY = '(natural key)'

function targetOf(resource: Resource): QueryTarget {
  const relations = { ...backward(resource), ...forward(resource) }
  const key = resource.indexes.includes('uuid') ? { key: NATURAL_KEY } : {}
  return { table: resource.name, fields: fieldsOf(resource), relations, ...key }
}

/** Every resource as the query engine sees it, by table name. */
export const targets: Record<string, QueryTarget> = Object.fromEntries(all.map((resource) => [resource.name, targetOf(resource)]))
