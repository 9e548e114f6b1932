/** What the log may tell of a row: the fields that its resource shows of itself. Secrets are hidden in every resource. */
import { baseFields, isRowOf, type Resource, type Row, resources, tableOf } from '@skerry/contract'

const queryable = Object.values(resources as Record<string, Resource>).filter(({ apis }) => apis.some((api) => api.query))

/** The resource that a row of a table is, where anybody can ask for it. */
export const resourceOfRow = (table: string, row: Readonly<Row>): Resource | undefined =>
  queryable.find((resource) => tableOf(resource) === table && isRowOf(resource, row))

/** One field; undefined: it is not shown. */
export function shownField(resource: Resource, field: string, value: unknown): unknown {
  if (!(field in resource.fields || field in baseFields) || resource.hidden?.includes(field)) return undefined
  return value
}
