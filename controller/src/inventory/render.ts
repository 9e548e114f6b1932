/**
 * A row of the graph as ZStack's inventory: declared fields without the hidden ones, nulls omitted, inlined children in
 * their lists. Pure. Dates stay epoch milliseconds unless the caller hands in a form: dialects print them.
 */
import { baseFields, type Resource, type Row, resources } from '@skerry/contract'
import type { Graph } from '@skerry/graph'
import { elementOf, kindOf, shapeOf } from './fields.ts'
import { RecentRows } from './recent-rows.ts'

/** How a timestamp is written. */
export type TimeForm = (epochMs: number) => unknown

interface Inlined {
  list: string
  child: Resource
  via: string
}

interface Shape {
  fields: readonly string[]
  times: ReadonlySet<string>
  /** of lists that the row itself holds: what their elements are, where there are times in them */
  lists: ReadonlyMap<string, Schema>
  inlined: readonly Inlined[]
}

type Schema = Parameters<typeof shapeOf>[0]
const shapes = new Map<string, Shape>()

/** The element of a list of objects with times. */
function timedElement(schema: Schema): Schema | undefined {
  if (kindOf(schema) !== 'list' || kindOf(elementOf(schema)) !== 'object') return
  return Object.values(shapeOf(elementOf(schema))).some((field) => kindOf(field) === 'time') ? elementOf(schema) : undefined
}

/** Lists that are part of this resource's inventory: other resources' edges that say `inline`. */
function inlinedIn(name: string): Inlined[] {
  const found: Inlined[] = []
  for (const child of Object.values(resources as Record<string, Resource>)) {
    for (const edge of Object.values(child.edges)) {
      if (edge.inline && edge.to === name) found.push({ list: edge.inverse, child, via: edge.via })
    }
  }
  return found
}

/** What an inventory of this resource consists of; computed once. */
export function shapeOfInventory(resource: Resource): Shape {
  let shape = shapes.get(resource.name)
  if (shape === undefined) {
    const hidden = new Set(resource.hidden ?? [])
    const declared = Object.entries({ ...baseFields, ...resource.fields }).filter(([field]) => !hidden.has(field))
    shape = {
      fields: declared.map(([field]) => field),
      times: new Set(declared.filter(([, schema]) => kindOf(schema) === 'time').map(([field]) => field)),
      lists: new Map(
        declared.flatMap(([field, schema]) => {
          const element = timedElement(schema)
          return element ? [[field, element] as const] : []
        }),
      ),
      inlined: inlinedIn(resource.name),
    }
    shapes.set(resource.name, shape)
  }
  return shape
}

/** NICs and volumes come in the order of their slots; what has no slot comes after, in the order it was made. */
function bySlot(a: Row, b: Row): number {
  const slot = (row: Row) => (typeof row['deviceId'] === 'number' ? row['deviceId'] : Number.MAX_SAFE_INTEGER)
  return slot(a) - slot(b) || Number(a['createDate'] ?? 0) - Number(b['createDate'] ?? 0)
}

function childRows(graph: Graph, inlined: Inlined, uuid: unknown): Readonly<Row>[] {
  const rows: Readonly<Row>[] = []
  for (const key of graph.by(inlined.child.name, inlined.via, uuid)) {
    const row = graph.get(inlined.child.name, key)
    if (row) rows.push(row)
  }
  if (rows.length > 1) rows.sort(bySlot)
  return rows
}

/** The fields of a row itself, without children. */
function ownFields(shape: Shape, row: Readonly<Row>, form: TimeForm | undefined): Row {
  const out: Row = {}
  for (const field of shape.fields) {
    const value = row[field]
    if (value === undefined || value === null) continue
    out[field] = form === undefined ? value : timed(shape, field, value, form)
  }
  return out
}

function timed({ times, lists }: Shape, field: string, value: unknown, form: TimeForm): unknown {
  if (times.has(field) && typeof value === 'number') return form(value)
  const element = lists.get(field)
  return element && Array.isArray(value) ? value.map((one: Row) => fieldsWithTimes(element, one, form)) : value
}

/** ZStack's SnapshotLeafInventory. */
interface Leaf {
  inventory: Row
  parentUuid?: string
  children: Leaf[]
}

/** The rows of a tree from its root down; of several roots the oldest. Undefined: it has none. */
function treeOf(
  graph: Graph,
  tree: NonNullable<Resource['tree']>,
  row: Readonly<Row>,
  draw: (child: Readonly<Row>, of: Resource) => Row,
): Leaf | undefined {
  const of = (resources as Record<string, Resource>)[tree.of]!
  const rows = [...graph.by(tree.of, tree.via, row['uuid'])].flatMap((k): Readonly<Row>[] => {
    const child = graph.get(tree.of, k)
    return child ? [child] : []
  })
  rows.sort((a, b) => Number(a['createDate']) - Number(b['createDate']) || (String(a['uuid']) < String(b['uuid']) ? -1 : 1))
  const leaf = (at: Readonly<Row>): Leaf => ({
    inventory: draw(at, of),
    ...(at[tree.parent] ? { parentUuid: at[tree.parent] as string } : {}),
    children: rows.filter((child) => child[tree.parent] === at['uuid']).map(leaf),
  })
  const root = rows.find((at) => !at[tree.parent])
  return root && leaf(root)
}

const leafWithTimes = (of: Resource, leaf: Leaf, form: TimeForm): Leaf => ({
  ...leaf,
  inventory: withTimes(of, leaf.inventory, form),
  children: leaf.children.map((child) => leafWithTimes(of, child, form)),
})

const kept = new Map<TimeForm, RecentRows<Row>>()

/** Rows never change (the graph makes another object), so what was made of one for a dialect can be used again. */
function keptFields(shape: Shape, row: Readonly<Row>, form: TimeForm): Row {
  let recent = kept.get(form)
  if (recent === undefined) kept.set(form, (recent = new RecentRows()))
  return recent.get(row) ?? recent.add(row, ownFields(shape, row, form))
}

/**
 * The inventory of a row. `form` writes timestamps (default: epoch ms as stored); it must be one of few, constant functions.
 * With a form, the result is shared with other callers: not to be changed.
 */
export function render(graph: Graph, resource: Resource, row: Readonly<Row>, form?: TimeForm): Row {
  const shape = shapeOfInventory(resource)
  const own = form === undefined ? ownFields(shape, row, form) : keptFields(shape, row, form)
  if (shape.inlined.length === 0 && !resource.tree) return own
  const out = { ...own }
  if (resource.tree) out[resource.tree.field] = treeOf(graph, resource.tree, row, (child, of) => render(graph, of, child, form))
  for (const inlined of shape.inlined)
    out[inlined.list] = childRows(graph, inlined, row['uuid']).map((child) => render(graph, inlined.child, child, form))
  return out
}

const keptTexts = new Map<TimeForm, RecentRows<string>>()

function ownText(shape: Shape, row: Readonly<Row>, form: TimeForm): string {
  let recent = keptTexts.get(form)
  if (recent === undefined) keptTexts.set(form, (recent = new RecentRows()))
  return recent.get(row) ?? recent.add(row, JSON.stringify(ownFields(shape, row, form)))
}

/** `JSON.stringify(render(…))`, put together from texts that were made of the same rows before. */
export function renderText(graph: Graph, resource: Resource, row: Readonly<Row>, form: TimeForm): string {
  const shape = shapeOfInventory(resource)
  const own = ownText(shape, row, form)
  if (resource.tree) return JSON.stringify(render(graph, resource, row, form))
  if (shape.inlined.length === 0) return own
  // Every row has a uuid, so there is a field before the comma.
  let text = own.slice(0, -1)
  for (const inlined of shape.inlined) {
    const rows = childRows(graph, inlined, row['uuid'])
    text += `,"${inlined.list}":[${rows.map((child) => renderText(graph, inlined.child, child, form)).join(',')}]`
  }
  return `${text}}`
}

/** An already rendered inventory (epoch ms) with its timestamps written in another form, children too; nulls go. */
export function withTimes(resource: Resource, inventory: Row, form: TimeForm): Row {
  const shape = shapeOfInventory(resource)
  const branches = resource.tree
  const out: Row = {}
  for (const [field, value] of Object.entries(inventory)) {
    if (value === null || value === undefined) continue
    if (branches && field === branches.field) {
      out[field] = leafWithTimes(resources[branches.of as keyof typeof resources], value as Leaf, form)
      continue
    }
    const list = shape.inlined.find((i) => i.list === field)
    if (list && Array.isArray(value)) out[field] = value.map((child: Row) => withTimes(list.child, child, form))
    else out[field] = timed(shape, field, value, form)
  }
  return out
}

/** The same for a reply of its own (`result.kind: 'fields'`): timestamps are found by the reply's schema. */
export function fieldsWithTimes(schema: Schema, reply: Row, form: TimeForm): Row {
  const shape = shapeOf(schema)
  const out: Row = {}
  for (const [field, value] of Object.entries(reply)) {
    if (value === null || value === undefined) continue
    const declared = shape[field]
    const kind = declared ? kindOf(declared) : 'other'
    if (kind === 'time' && typeof value === 'number') out[field] = form(value)
    else if (kind === 'list' && Array.isArray(value) && kindOf(elementOf(declared!)) === 'object') {
      out[field] = value.map((element: Row) => fieldsWithTimes(elementOf(declared!), element, form))
    } else if (kind === 'object' && typeof value === 'object') out[field] = fieldsWithTimes(declared!, value as Row, form)
    else out[field] = value
  }
  return out
}
