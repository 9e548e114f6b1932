/**
 * What to do about the guards of network cards. Pure. The tables are ours alone and follow from all documents together, so each of the
 * three nouns plans the same difference, as one transaction; the first of them carries it out, and the others find nothing to do.
 */
import { compareGeneration, SkerryError, toErrorBody } from '@skerry/contract'
import {
  changePart,
  isOtherChain,
  isOtherSet,
  type ListedTable,
  type NftCommand,
  type NftTable,
  nftables,
  type PartChange,
  type TablePart,
} from '@skerry/host'
import type { Change, PlanContext, Report } from '@skerry/reconcile'
import { type Ability, baseParts, FROM_MARK, LINK_TABLE, MAX_NUMBER, numberOf, rulesTable } from './layout.ts'
import type { Seen, SeenGuard } from './observe.ts'
import { type Docs, docsOf, groupParts, membersParts, nicParts, type Parts, zonesChain } from './want.ts'

export type SecurityChange = Change &
  (
    | { op: 'write'; commands: NftCommand[] }
    /** Frames of this bridge are shown to the inet family from now on. */
    | { op: 'show-frames'; bridge: string }
  )

const { elementKey } = nftables
const NOTHING: TablePart = { sets: [], chains: [] }
const EMPTY: ListedTable = { sets: new Map(), chains: new Map() }

export function planSecurity(seen: Seen | undefined, context: PlanContext): SecurityChange[] {
  const uuid = newest(context)
  if (!seen?.ability || uuid === undefined) return []
  const commands = difference(seen, seen.ability, docsOf(context))
  return [
    ...[...seen.bridges].filter(([, on]) => !on).map(([bridge]): SecurityChange => ({ uuid, op: 'show-frames', bridge })),
    ...(commands.length > 0 ? [{ uuid, op: 'write' as const, commands }] : []),
  ]
}

/** What has most likely asked for a difference: the document or tombstone that came last. */
function newest({ wanted, buried }: PlanContext): string | undefined {
  const all = [...wanted, ...buried.values()]
  return all.reduce<(typeof all)[number] | undefined>(
    (last, one) => (last && compareGeneration(last.generation, one.generation) >= 0 ? last : one),
    undefined,
  )?.uuid
}

function difference(seen: Seen, ability: Ability, docs: Docs): NftCommand[] {
  const tables = ability === 'bridge' ? [LINK_TABLE] : [rulesTable(ability), LINK_TABLE]
  const listed = (table: NftTable) => (table === LINK_TABLE ? seen.link : seen.rules)
  if (docs.members.length + docs.groups.length + docs.nics.length === 0)
    return tables.filter((table) => listed(table)).flatMap((table) => nftables.dropTable(table))
  const parts = wholeOf(docs, seen, ability)
  return tables.flatMap((table) => {
    const have = listed(table)
    const want = table === LINK_TABLE ? parts.link : parts.rules
    if (!have) return [nftables.addTable(table), ...changePart(table, EMPTY, want)]
    // In the same transaction with all that is in it, so that nobody is open meanwhile.
    if (isSpoilt(have, want)) return [...nftables.dropTable(table), nftables.addTable(table), ...changePart(table, EMPTY, want)]
    return changePart(table, have, want, surplus(have, want))
  })
}

/** Everything that is to be. */
function wholeOf(docs: Docs, seen: Seen, ability: Ability): Parts {
  const numbers = numbersOf(docs, seen)
  const known = new Set(docs.groups.map(({ uuid }) => uuid))
  const parts: Parts[] = [
    baseParts(ability),
    { link: NOTHING, rules: { sets: [], chains: [zonesChain(docs.nics, ability)] } },
    ...docs.members.map(membersParts),
    ...docs.groups.map(groupParts),
    ...docs.nics.map((nic) => nicParts(nic, { ability, number: numbers.get(nic.uuid) ?? 0, known })),
  ]
  const [link, rules] = [parts.map((part) => part.link), parts.map((part) => part.rules)]
  return ability === 'bridge'
    ? { link: joined([...link, ...rules]), rules: NOTHING }
    : { link: joined(link), rules: joined(rules) }
}

function joined(parts: readonly TablePart[]): TablePart {
  const sets = new Map<
    string,
    { set: TablePart['sets'][number]; elements: Map<string, TablePart['sets'][number]['elements'][number]> }
  >()
  for (const set of parts.flatMap((part) => part.sets)) {
    const known = sets.get(set.name) ?? { set, elements: new Map() }
    for (const element of set.elements) known.elements.set(elementKey(element), element)
    sets.set(set.name, known)
  }
  return {
    sets: [...sets.values()].map(({ set, elements }) => ({ ...set, elements: [...elements.values()] })),
    chains: parts.flatMap((part) => part.chains),
  }
}

/** Numbers of cards in marks: those that they have, else the lowest that are free. */
function numbersOf({ nics }: Docs, { link }: Seen): Map<string, number> {
  const taps = new Map(nics.filter(({ spec }) => spec.groups).map(({ uuid, spec }) => [spec.tap, uuid]))
  const numbers = new Map<string, number>()
  for (const element of link?.sets.get(FROM_MARK)?.elements.values() ?? []) {
    const [tap, mark] = element as [string, number]
    const uuid = taps.get(tap)
    if (uuid !== undefined) numbers.set(uuid, numberOf(mark))
  }
  const used = new Set(numbers.values())
  let next = 1
  for (const uuid of taps.values()) {
    if (numbers.has(uuid)) continue
    while (used.has(next)) next++
    if (next > MAX_NUMBER) break
    numbers.set(uuid, next)
    used.add(next)
  }
  return numbers
}

/** A chain with another hook, or a set of another type: only making it anew changes that. */
const isSpoilt = (have: ListedTable, want: TablePart): boolean =>
  want.sets.some((set) => isOtherSet(have, set)) || want.chains.some((chain) => isOtherChain(have, chain))

/** What stands in our table and is wanted by nobody. */
function surplus(have: ListedTable, want: TablePart): PartChange {
  const sets = new Map(want.sets.map((set) => [set.name, new Set(set.elements.map(elementKey))]))
  const chains = new Set(want.chains.map(({ name }) => name))
  const leaving = [...have.sets].flatMap(([name, { elements }]) => {
    const wanted = sets.get(name)
    const extra = [...elements].flatMap(([key, element]) => (wanted?.has(key) ? [] : [element]))
    return extra.length > 0 ? [[name, extra] as const] : []
  })
  return {
    leaving: new Map(leaving),
    goneChains: [...have.chains.keys()].filter((name) => !chains.has(name)),
    goneSets: [...have.sets.keys()].filter((name) => !sets.has(name)),
  }
}

export function reportSecurity(seen: SeenGuard | undefined): Report {
  if (!seen) return { condition: 'Working', observed: {} }
  const { ability } = seen.seen
  if (ability) return { condition: 'Ready', observed: { by: ability } }
  const remedy = 'Load br_netfilter (modprobe br_netfilter), or use a kernel of 5.3 or newer with nf_conntrack_bridge.'
  const error = new SkerryError(
    'guard-unsupported',
    'the kernel of this host can neither track connections of bridges nor show their frames to the inet family',
    { remedy },
  )
  return { condition: 'Failed', observed: { by: 'none' }, error: toErrorBody(error) }
}
