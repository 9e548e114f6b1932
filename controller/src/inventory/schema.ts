/**
 * ZStack's reply `schema`: JSON path → server class name, from which its Java SDK makes typed objects. Only objects that
 * are really there, and only classes that the SDK can map: anything else makes it throw (zstack-wire).
 */
import { type Api, classMembers, type Resource, type Row, replyMembers } from '@skerry/contract'
import { LongList, LongRecord } from './long-list.ts'
import { shapeOfInventory } from './render.ts'

type Paths = Record<string, string>

/** Adds an object of a server class, and the members of it that have classes of their own. */
function walkClass(path: string, value: unknown, java: string, into: Paths): void {
  if (typeof value !== 'object' || value === null) return
  into[path] = java
  walkMembers(`${path}.`, value as Row, classMembers(java), into)
}

/** Adds the members of `value` that are of these classes; of a list, its elements. */
function walkMembers(prefix: string, value: Row, members: Readonly<Paths>, into: Paths): void {
  for (const [name, java] of Object.entries(members)) {
    const member = value[name]
    if (Array.isArray(member)) for (const [i, one] of member.entries()) walkClass(`${prefix}${name}[${i}]`, one, java, into)
    else walkClass(`${prefix}${name}`, member, java, into)
  }
}

/** Adds `path` and what is inlined below it. */
function walk(path: string, value: unknown, resource: Resource, into: Paths): void {
  if (typeof value !== 'object' || value === null) return
  const java = resource.inventory?.java
  if (java !== undefined) walkClass(path, value, java, into)
  for (const { list, child } of shapeOfInventory(resource).inlined) {
    const elements = (value as Row)[list]
    if (!Array.isArray(elements)) continue
    for (const [i, element] of elements.entries()) walk(`${path}.${list}[${i}]`, element, child, into)
  }
}

/** Schema of a reply body that holds `inventory` or `inventories` of the resource. */
export function schemaOf(body: Row, resource: Resource): Paths | LongRecord {
  const { inventories } = body
  if (inventories instanceof LongList) return longSchemaOf(inventories, resource)
  const into: Paths = {}
  walk('inventory', body['inventory'], resource, into)
  return Object.assign(into, schemaOfList(body, 'inventories', resource))
}

/** The same of a long list: made when it is written, by drawing the inventories once more. */
function longSchemaOf(list: LongList<unknown>, resource: Resource): LongRecord {
  return new LongRecord(function* () {
    let i = 0
    for (const inventory of list) {
      const into: Paths = {}
      walk(`inventories[${i++}]`, inventory, resource, into)
      yield* Object.entries(into)
    }
  })
}

/** Schema of one list of inventories in a reply body. */
export function schemaOfList(body: Row, name: string, resource: Resource): Paths {
  const into: Paths = {}
  const list = body[name]
  if (Array.isArray(list)) for (const [i, inventory] of list.entries()) walk(`${name}[${i}]`, inventory, resource, into)
  return into
}

/** Schema of a reply body that holds no resource's inventory but members of its own. */
export function schemaOfReply(body: Row, api: Api): Paths {
  const into: Paths = {}
  walkMembers('', body, replyMembers(api.api), into)
  return into
}
