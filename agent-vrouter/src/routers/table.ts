/**
 * An nft table of ours as one value: built whole at the first time or when its structure differs, else only the elements of
 * its sets move. Each rule carries a digest of itself as comment, because nft prints rules in other words than it reads them.
 */
import { createHash } from 'node:crypto'
import {
  type NftChain,
  type NftCommand,
  type NftElement,
  type NftObject,
  type NftSet,
  type NftStatement,
  type NftTable,
  nftables,
} from '@skerry/host'

const { addChain, addElements, addRule, addSet, addTable, deleteElements, dropTable } = nftables

export interface TableShape {
  table: NftTable
  sets: Pick<NftSet, 'name' | 'type' | 'flags'>[]
  chains: Omit<NftChain, 'family' | 'table' | 'handle'>[]
  rules: { chain: string; expr: NftStatement[] }[]
}

export type ShapeState = 'absent' | 'differs' | 'ok'

const digest = (expr: readonly NftStatement[]) =>
  `skerry:${createHash('sha256').update(JSON.stringify(expr)).digest('hex').slice(0, 12)}`

/** One transaction after which the table stands exactly like this, whatever was there. Connections are not touched. */
export function buildTable(shape: TableShape, elements: Readonly<Record<string, readonly NftElement[]>>): NftCommand[] {
  const { family, name } = shape.table
  const at = { family, table: name }
  return [
    ...dropTable(shape.table),
    addTable(shape.table),
    ...shape.sets.map((set) => addSet({ ...at, ...set })),
    ...Object.entries(elements).flatMap(([set, elem]) =>
      elem.length > 0 ? [addElements({ ...at, name: set, elem: [...elem] })] : [],
    ),
    ...shape.chains.map((chain) => addChain({ ...at, ...chain })),
    ...shape.rules.map(({ chain, expr }) => addRule({ ...at, chain, expr, comment: digest(expr) })),
  ]
}

/** The smallest difference of one set. Elements to remove must be there. */
export function moveElements(
  table: NftTable,
  set: string,
  move: { add: readonly NftElement[]; remove: readonly NftElement[] },
): NftCommand[] {
  const at = { family: table.family, table: table.name, name: set }
  return [
    ...(move.remove.length > 0 ? [deleteElements({ ...at, elem: [...move.remove] })] : []),
    ...(move.add.length > 0 ? [addElements({ ...at, elem: [...move.add] })] : []),
  ]
}

/** Whether a listed table has this structure: sets, chains with hook and policy, and the same rules in the same order. */
export function compareShape(listed: readonly NftObject[] | undefined, shape: TableShape): ShapeState {
  if (!listed) return 'absent'
  return JSON.stringify(shapeOf(listed)) === JSON.stringify(wantedShape(shape)) ? 'ok' : 'differs'
}

/** The elements of a set in a listed table. */
export function elementsIn(listed: readonly NftObject[] | undefined, name: string): NftElement[] {
  for (const object of listed ?? []) if ('set' in object && object.set.name === name) return object.set.elem ?? []
  return []
}

const byName = (a: string[], b: string[]) => ((a[0] ?? '') < (b[0] ?? '') ? -1 : 1)
const setText = (set: Pick<NftSet, 'name' | 'type' | 'flags'>) => [
  set.name,
  JSON.stringify(set.type),
  JSON.stringify(set.flags ?? []),
]
const chainText = (c: TableShape['chains'][number]) => [c.name, c.type ?? '', c.hook ?? '', String(c.prio ?? ''), c.policy ?? '']

function wantedShape(shape: TableShape) {
  return {
    sets: shape.sets.map(setText).sort(byName),
    chains: shape.chains.map(chainText).sort(byName),
    rules: inOrder(shape.rules.map(({ chain, expr }) => [chain, digest(expr)])),
  }
}

function shapeOf(listed: readonly NftObject[]) {
  return {
    sets: listed.flatMap((o) => ('set' in o ? [setText(o.set)] : 'map' in o ? [['', o.map.name]] : [])).sort(byName),
    chains: listed.flatMap((o) => ('chain' in o ? [chainText(o.chain)] : [])).sort(byName),
    rules: inOrder(listed.flatMap((o) => ('rule' in o ? [[o.rule.chain, o.rule.comment ?? '']] : []))),
  }
}

/** Grouped by chain; within a chain the order stays, because it has a meaning. */
const inOrder = (rules: string[][]) => [...rules].sort((a, b) => ((a[0] ?? '') === (b[0] ?? '') ? 0 : byName(a, b)))
