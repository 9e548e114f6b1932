/**
 * ZStack's reply `schema`: JSON path → server class name, from which its Java SDK makes typed objects. Only objects that
 * are really there, and only classes that the SDK can map: anything else makes it throw (zstack-wire).
 */
import type { Resource, Row } from '@skerry/contract'
import { shapeOfInventory } from './render.ts'

/** Adds `path` and what is inlined below it. */
function walk(path: string, value: unknown, resource: Resource, into: Record<string, string>): void {
  if (typeof value !== 'object' || value === null) return
  const java = resource.inventory?.java
  if (java !== undefined) into[path] = java
  for (const { list, child } of shapeOfInventory(resource).inlined) {
    const elements = (value as Row)[list]
    if (!Array.isArray(elements)) continue
    for (const [i, element] of elements.entries()) walk(`${path}.${list}[${i}]`, element, child, into)
  }
}

/** Schema of a reply body that holds `inventory` or `inventories` of the resource. */
export function schemaOf(body: Row, resource: Resource): Record<string, string> {
  const into: Record<string, string> = {}
  walk('inventory', body['inventory'], resource, into)
  const list = body['inventories']
  if (Array.isArray(list)) for (const [i, inventory] of list.entries()) walk(`inventories[${i}]`, inventory, resource, into)
  return into
}
