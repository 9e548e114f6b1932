/**
 * From one state of a table of ours to another in one transaction that holds only what differs: elements, and chains whose rules are
 * others. A chain that stays is not touched, so what is decided by other chains goes on undisturbed. Pure.
 */
import {
  addChain,
  addElements,
  addRule,
  deleteElements,
  elementKey,
  flushChain,
  type NftCommand,
  type NftElement,
  type NftObject,
  type NftStatement,
  type NftTable,
} from './nft-build.ts'
import { chainText, makeSet, ruleDigest, type SetShape, setText, type TableShape } from './nft-table.ts'

type ChainShape = TableShape['chains'][number]

export interface TableSet extends SetShape {
  elements: readonly NftElement[]
}
export interface TableChain extends ChainShape {
  rules: readonly (readonly NftStatement[])[]
}
/** What is to be of a table, or of a part of it. */
export interface TablePart {
  sets: readonly TableSet[]
  chains: readonly TableChain[]
}

/** A listed table as it is compared: elements and digests of rules by set and chain. */
export interface ListedTable {
  sets: ReadonlyMap<string, { text: string; elements: ReadonlyMap<string, NftElement> }>
  chains: ReadonlyMap<string, { text: string; rules: readonly string[] }>
}

export function readTable(listed: readonly NftObject[]): ListedTable {
  const sets = new Map<string, { text: string; elements: Map<string, NftElement> }>()
  const chains = new Map<string, { text: string; rules: string[] }>()
  for (const o of listed) {
    const set = 'set' in o ? o.set : 'map' in o ? o.map : undefined
    if (set) {
      const elements = new Map((set.elem ?? []).map((element) => [elementKey(element), element]))
      sets.set(set.name, { text: JSON.stringify(setText(set)), elements })
    } else if ('chain' in o) chains.set(o.chain.name, { text: JSON.stringify(chainText(o.chain)), rules: [] })
  }
  for (const o of listed) if ('rule' in o) chains.get(o.rule.chain)?.rules.push(o.rule.comment ?? '')
  return { sets, chains }
}

/** Of a set or chain with this name: another kind of thing, which nothing but making it anew can change. */
export function isOtherSet(have: ListedTable, set: SetShape): boolean {
  const there = have.sets.get(set.name)
  return there !== undefined && there.text !== JSON.stringify(setText(set))
}
export function isOtherChain(have: ListedTable, chain: ChainShape): boolean {
  const there = have.chains.get(chain.name)
  return there !== undefined && there.text !== JSON.stringify(chainText(chain))
}

const digests = (chain: TableChain): string[] => chain.rules.map((expr) => ruleDigest(expr))
const sameRules = (have: readonly string[], chain: TableChain): boolean => have.join() === digests(chain).join()

export interface PartChange {
  /** Elements that are to go from sets that stay. */
  leaving?: ReadonlyMap<string, readonly NftElement[]>
  /** Chains and sets that are to go whole. */
  goneChains?: readonly string[]
  goneSets?: readonly string[]
}

/**
 * The commands after which this part stands as it is to be: none where it does. Elements of its sets that are not named stay, unless
 * they are `leaving`. What goes must be used by nothing that stays.
 */
export function changePart(table: NftTable, have: ListedTable, part: TablePart, gone: PartChange = {}): NftCommand[] {
  const at = { family: table.family, table: table.name }
  const newChains = part.chains.filter((chain) => !have.chains.has(chain.name))
  const otherRules = part.chains.filter((chain) => !sameRules(have.chains.get(chain.name)?.rules ?? [], chain))
  const goneChains = (gone.goneChains ?? []).filter((name) => have.chains.has(name))
  const present = (name: string, element: NftElement) => have.sets.get(name)?.elements.has(elementKey(element)) === true
  const leaving = [...(gone.leaving ?? [])].flatMap(([name, elements]) => {
    const elem = elements.filter((element) => present(name, element))
    return elem.length > 0 ? [deleteElements({ ...at, name, elem })] : []
  })
  const coming = part.sets.flatMap(({ name, elements }) => {
    const elem = elements.filter((element) => !present(name, element))
    return elem.length > 0 ? [addElements({ ...at, name, elem })] : []
  })
  return [
    ...part.sets.filter((set) => !have.sets.has(set.name)).map(({ elements: _, ...set }) => makeSet(table, set)),
    ...newChains.map(({ rules: _, ...chain }) => addChain({ ...at, ...chain })),
    ...leaving,
    ...[...otherRules.map(({ name }) => name), ...goneChains]
      .filter((name) => have.chains.has(name))
      .map((name) => flushChain({ ...at, name })),
    ...otherRules.flatMap(({ name, rules }) =>
      rules.map((expr) => addRule({ ...at, chain: name, expr: [...expr], comment: ruleDigest(expr) })),
    ),
    ...coming,
    ...goneChains.map((name): NftCommand => ({ delete: { chain: { ...at, name } } })),
    ...(gone.goneSets ?? [])
      .filter((name) => have.sets.has(name))
      .map(
        (name): NftCommand => (isMap(have, name) ? { delete: { map: { ...at, name } } } : { delete: { set: { ...at, name } } }),
      ),
  ]
}

const isMap = (have: ListedTable, name: string): boolean => JSON.parse(have.sets.get(name)?.text ?? '[]')[3] !== ''
