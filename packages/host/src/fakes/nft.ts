/** nftables in memory: transactions over tables, chains, sets, maps and rules, with the kernel's refusals. */
import type { NftScope } from '../nft.ts'
import type { NftChain, NftCommand, NftElement, NftElements, NftMap, NftObject, NftRule, NftSet, NftTable } from '../nft-build.ts'
import { commandFailed } from './gate.ts'

interface FakeTable {
  family: NftTable['family']
  name: string
  handle: number
  chains: Map<string, NftChain>
  sets: Map<string, { kind: 'set' | 'map'; spec: NftMap; elements: Map<string, NftElement> }>
  rules: (NftRule & { handle: number })[]
}
type Tables = Map<string, FakeTable>

const absent = () => commandFailed('Error: Could not process rule: No such file or directory')
const exists = () => commandFailed('Error: Could not process rule: File exists')
const busy = () => commandFailed('Error: Could not process rule: Device or resource busy')

/** One namespace's rules. */
export class FakeRuleset {
  tables: Tables = new Map()
  /** How many transactions reached the kernel: a no-op must not. */
  transactions = 0
  private nextHandle = 1

  apply(commands: readonly NftCommand[], check: boolean): void {
    const draft = structuredClone(this.tables)
    for (const command of commands) this.run(draft, command)
    if (check) return
    this.tables = draft
    this.transactions += 1
  }

  private run(tables: Tables, command: NftCommand): void {
    if ('add' in command) this.add(tables, command.add)
    else if ('insert' in command) this.addRule(tables, command.insert.rule, 'first')
    else if ('replace' in command) {
      const { rule } = command.replace
      const table = find(tables, rule.family, rule.table)
      const at = table.rules.findIndex((known) => known.chain === rule.chain && known.handle === rule.handle)
      if (at < 0) throw absent()
      table.rules[at] = rule
    } else if ('delete' in command) remove(tables, command.delete)
    else flush(tables, command.flush)
  }

  private add(tables: Tables, object: NftObject): void {
    if ('table' in object) {
      const key = keyOf(object.table.family, object.table.name)
      const { family, name } = object.table
      if (!tables.has(key))
        tables.set(key, { family, name, handle: this.nextHandle++, chains: new Map(), sets: new Map(), rules: [] })
    } else if ('chain' in object) {
      const table = find(tables, object.chain.family, object.chain.table)
      if (!table.chains.has(object.chain.name))
        table.chains.set(object.chain.name, { ...object.chain, handle: this.nextHandle++ })
    } else if ('rule' in object) this.addRule(tables, object.rule, 'last')
    else if ('element' in object) addElements(tables, object.element)
    else this.addSet(tables, 'map' in object ? { kind: 'map', spec: object.map } : { kind: 'set', spec: object.set })
  }

  private addSet(tables: Tables, { kind, spec }: { kind: 'set' | 'map'; spec: NftSet }): void {
    const table = find(tables, spec.family, spec.table)
    const known = table.sets.get(spec.name)
    if (known && JSON.stringify(known.spec.type) !== JSON.stringify(spec.type)) throw exists()
    const { elem, ...bare } = spec
    if (!known) table.sets.set(spec.name, { kind, spec: { ...bare, handle: this.nextHandle++ } as NftMap, elements: new Map() })
    if (elem) addElements(tables, { family: spec.family, table: spec.table, name: spec.name, elem })
  }

  private addRule(tables: Tables, rule: NftRule, where: 'first' | 'last'): void {
    const table = find(tables, rule.family, rule.table)
    if (!table.chains.has(rule.chain)) throw absent()
    for (const name of referredSets(rule)) if (!table.sets.has(name)) throw absent()
    for (const target of jumpTargets(rule)) if (!table.chains.has(target)) throw absent()
    const full = { ...rule, handle: this.nextHandle++ }
    if (where === 'first') table.rules.unshift(full)
    else table.rules.push(full)
  }
}

/** The `Nft` port's view of one ruleset. */
export function fakeNftScope(ruleset: () => FakeRuleset): NftScope {
  return {
    tables: async () => [...ruleset().tables.values()].map(({ family, name }) => ({ family, name })),
    table: async ({ family, name }) => {
      const table = ruleset().tables.get(keyOf(family, name))
      return table && structuredClone(listing(table))
    },
    elements: async ({ family, table, name, kind }) => {
      const set = ruleset().tables.get(keyOf(family, table))?.sets.get(name)
      return set?.kind === kind ? structuredClone([...set.elements.values()]) : undefined
    },
    async apply(commands, opts = {}) {
      if (commands.length > 0) ruleset().apply(structuredClone([...commands]), opts.check === true)
    },
  }
}

function listing(table: FakeTable): NftObject[] {
  const { family, name, handle } = table
  return [
    { table: { family, name, handle } },
    ...[...table.sets.values()].map(({ kind, spec, elements }): NftObject => {
      const full = { ...spec, ...(elements.size > 0 ? { elem: [...elements.values()] } : {}) }
      return kind === 'map' ? { map: full } : { set: full }
    }),
    ...[...table.chains.values()].map((chain): NftObject => ({ chain })),
    ...table.rules.map((rule): NftObject => ({ rule })),
  ]
}

const keyOf = (family: string, name: string) => `${family} ${name}`
function find(tables: Tables, family: string, name: string): FakeTable {
  const table = tables.get(keyOf(family, name))
  if (!table) throw absent()
  return table
}
const mapKey = (element: NftElement) => JSON.stringify(Array.isArray(element) ? element[0] : element)

function addElements(tables: Tables, { family, table, name, elem }: NftElements): void {
  const within = find(tables, family, table)
  const set = within.sets.get(name)
  if (!set) throw absent()
  for (const element of elem) {
    const target = elementTarget(element)
    if (target !== undefined && !within.chains.has(target)) throw absent()
    const known = set.elements.get(mapKey(element))
    if (known !== undefined && JSON.stringify(known) !== JSON.stringify(element)) throw exists()
    set.elements.set(mapKey(element), element)
  }
}

function remove(tables: Tables, what: Extract<NftCommand, { delete: unknown }>['delete']): void {
  if ('table' in what) {
    find(tables, what.table.family, what.table.name)
    tables.delete(keyOf(what.table.family, what.table.name))
  } else if ('chain' in what) {
    const table = find(tables, what.chain.family, what.chain.table)
    if (!table.chains.has(what.chain.name)) throw absent()
    if (table.rules.some((rule) => rule.chain === what.chain.name || jumpTargets(rule).includes(what.chain.name))) throw busy()
    for (const { elements } of table.sets.values())
      for (const element of elements.values()) if (elementTarget(element) === what.chain.name) throw busy()
    table.chains.delete(what.chain.name)
  } else if ('rule' in what) {
    const table = find(tables, what.rule.family, what.rule.table)
    const before = table.rules.length
    table.rules = table.rules.filter((rule) => rule.chain !== what.rule.chain || rule.handle !== what.rule.handle)
    if (table.rules.length === before) throw absent()
  } else if ('element' in what) {
    const set = find(tables, what.element.family, what.element.table).sets.get(what.element.name)
    for (const element of what.element.elem) if (!set?.elements.delete(mapKey(element))) throw absent()
  } else {
    const ref = 'set' in what ? what.set : what.map
    const table = find(tables, ref.family, ref.table)
    if (table.rules.some((rule) => referredSets(rule).includes(ref.name))) throw busy()
    if (!table.sets.delete(ref.name)) throw absent()
  }
}

function flush(tables: Tables, what: Extract<NftCommand, { flush: unknown }>['flush']): void {
  if ('table' in what) {
    find(tables, what.table.family, what.table.name).rules = []
  } else if ('chain' in what) {
    const table = find(tables, what.chain.family, what.chain.table)
    if (!table.chains.has(what.chain.name)) throw absent()
    table.rules = table.rules.filter((rule) => rule.chain !== what.chain.name)
  } else {
    const ref = 'set' in what ? what.set : what.map
    const set = find(tables, ref.family, ref.table).sets.get(ref.name)
    if (!set) throw absent()
    set.elements.clear()
  }
}

/** Sets and maps that a rule names: any string `@name` in it. */
const referredSets = (rule: NftRule): string[] =>
  [...JSON.stringify(rule.expr).matchAll(/"@([A-Za-z]\w*)"/g)].map((found) => found[1] as string)

function jumpTargets(rule: NftRule): string[] {
  return rule.expr.flatMap((statement) => {
    const jump = (statement['jump'] ?? statement['goto']) as { target?: string } | undefined
    return jump?.target ? [jump.target] : []
  })
}

/** The chain that an element of a verdict map leads to. */
function elementTarget(element: NftElement): string | undefined {
  const value = Array.isArray(element) ? (element[1] as { jump?: { target: string }; goto?: { target: string } } | null) : null
  return value && typeof value === 'object' ? (value.jump ?? value.goto)?.target : undefined
}
