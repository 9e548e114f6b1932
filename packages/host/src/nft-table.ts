/**
 * An nft table of ours as one value: built whole at the first time or when its structure differs, else only the elements of
 * its sets move, or only the chains that differ are filled anew (`nft-table-change.ts`). Each rule carries a digest of itself as
 * comment, because nft prints rules in other words than it reads them.
 */
import { createHash } from 'node:crypto'
import {
  addChain,
  addElements,
  addMap,
  addRule,
  addSet,
  addTable,
  deleteElements,
  dropTable,
  type NftChain,
  type NftCommand,
  type NftElement,
  type NftObject,
  type NftSet,
  type NftStatement,
  type NftTable,
} from './nft-build.ts'

export type SetShape = Pick<NftSet, 'name' | 'type' | 'flags'> & { map?: string }

export interface TableShape {
  table: NftTable
  /** `map`: type of the values, where it is a map */
  sets: SetShape[]
  chains: Omit<NftChain, 'family' | 'table' | 'handle'>[]
  rules: { chain: string; expr: NftStatement[] }[]
}

export type ShapeState = 'absent' | 'differs' | 'ok'

/** What a rule is found again by. */
export const ruleDigest = (expr: readonly NftStatement[]) =>
  `skerry:${createHash('sha256').update(JSON.stringify(expr)).digest('hex').slice(0, 12)}`

/** One transaction after which the table stands exactly like this, whatever was there. Connections are not touched. */
export function buildTable(shape: TableShape, elements: Readonly<Record<string, readonly NftElement[]>>): NftCommand[] {
  const { family, name } = shape.table
  const at = { family, table: name }
  return [
    ...dropTable(shape.table),
    addTable(shape.table),
    ...shape.sets.map((set) => makeSet(shape.table, set)),
    ...shape.chains.map((chain) => addChain({ ...at, ...chain })),
    // values of a map may be chains
    ...Object.entries(elements).flatMap(([set, elem]) =>
      elem.length > 0 ? [addElements({ ...at, name: set, elem: [...elem] })] : [],
    ),
    ...shape.rules.map(({ chain, expr }) => addRule({ ...at, chain, expr, comment: ruleDigest(expr) })),
  ]
}

export function makeSet({ family, name: table }: NftTable, { map, ...set }: SetShape): NftCommand {
  return map === undefined ? addSet({ family, table, ...set }) : addMap({ family, table, ...set, map })
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

/** The elements of a set or map in a listed table. */
export function elementsIn(listed: readonly NftObject[] | undefined, name: string): NftElement[] {
  for (const object of listed ?? []) {
    if ('set' in object && object.set.name === name) return object.set.elem ?? []
    if ('map' in object && object.map.name === name) return object.map.elem ?? []
  }
  return []
}

const byName = (a: string[], b: string[]) => ((a[0] ?? '') < (b[0] ?? '') ? -1 : 1)
export const setText = (set: SetShape) => [set.name, JSON.stringify(set.type), JSON.stringify(set.flags ?? []), set.map ?? '']
export const chainText = (c: TableShape['chains'][number]) => [
  c.name,
  c.type ?? '',
  c.hook ?? '',
  String(c.prio ?? ''),
  c.policy ?? '',
]

function wantedShape(shape: TableShape) {
  return {
    sets: shape.sets.map(setText).sort(byName),
    chains: shape.chains.map(chainText).sort(byName),
    rules: inOrder(shape.rules.map(({ chain, expr }) => [chain, ruleDigest(expr)])),
  }
}

function shapeOf(listed: readonly NftObject[]) {
  return {
    sets: listed.flatMap((o) => ('set' in o ? [setText(o.set)] : 'map' in o ? [setText(o.map)] : [])).sort(byName),
    chains: listed.flatMap((o) => ('chain' in o ? [chainText(o.chain)] : [])).sort(byName),
    rules: inOrder(listed.flatMap((o) => ('rule' in o ? [[o.rule.chain, o.rule.comment ?? '']] : []))),
  }
}

/** Grouped by chain; within a chain the order stays, because it has a meaning. */
const inOrder = (rules: string[][]) => [...rules].sort((a, b) => ((a[0] ?? '') === (b[0] ?? '') ? 0 : byName(a, b)))
