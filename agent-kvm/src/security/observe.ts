/** What guards network cards on this host now: our two tables, and whether bridges show their frames to the inet family. Only reads. */
import { type Host, type ListedTable, type NftCommand, nftables, readTable } from '@skerry/host'
import type { PlanContext } from '@skerry/reconcile'
import { type Ability, GUARDED, LINK_TABLE, rulesTable } from './layout.ts'
import { docsOf } from './want.ts'

/** The same for every document: there is one pair of tables. */
export interface Seen {
  /** null: the kernel has neither way */
  ability: Ability | null
  /** undefined: not there. In a kernel with conntrack of bridges both are one. */
  link: ListedTable | undefined
  rules: ListedTable | undefined
  /** `inet` only: bridges of guarded cards that are there, and whether their frames are shown */
  bridges: ReadonlyMap<string, boolean>
}
export interface SeenGuard {
  uuid: string
  seen: Seen
}

export interface SecurityPorts {
  host: Host
}

const { addChain, addRule, addTable, ct, ctState, mangle, match, meta } = nftables

/** Asks the kernel to take what would be needed, without doing it: a name is not looked up, a module is loaded where there is one. */
function trial(): NftCommand[] {
  const table = { family: 'bridge', name: 'skerry_sg_trial' } as const
  const at = { family: table.family, table: table.name }
  return [
    addTable(table),
    addChain({ ...at, name: 'pre', type: 'filter', hook: 'prerouting', prio: -300, policy: 'accept' }),
    addChain({ ...at, name: 'fwd', type: 'filter', hook: 'forward', prio: 0, policy: 'accept' }),
    addRule({ ...at, chain: 'pre', expr: [match(meta('ibrname'), 'skbr0'), mangle(ct('zone'), 1)] }),
    addRule({ ...at, chain: 'fwd', expr: [ctState('established'), nftables.accept] }),
  ]
}

/** Probed, and kept while it is one of the two: what a kernel lacks may come with a module. */
export class Abilities {
  readonly #host: Host
  #known: Ability | undefined

  constructor({ host }: SecurityPorts) {
    this.#host = host
  }

  async ask(): Promise<Ability | null> {
    this.#known ??= (await this.#bridge()) ? 'bridge' : (await this.#inet()) ? 'inet' : undefined
    return this.#known ?? null
  }

  async #bridge(): Promise<boolean> {
    if (await this.#hasBridge()) return true
    return (await this.#host.bridgeFilter.load('nf_conntrack_bridge')) && (await this.#hasBridge())
  }

  async #inet(): Promise<boolean> {
    if (await this.#hasInet()) return true
    if (!(await this.#host.bridgeFilter.load('br_netfilter')) || !(await this.#hasInet())) return false
    // Loaded, it shows the frames of all bridges; those of others are to go their way as before.
    for (const tables of ['ip', 'ip6', 'arp'])
      await this.#host.ip.at().sysctl.write(`net/bridge/bridge-nf-call-${tables}tables`, 0)
    return true
  }

  async #hasBridge(): Promise<boolean> {
    return this.#host.nft
      .at()
      .apply(trial(), { check: true })
      .then(
        () => true,
        () => false, // whatever the kernel lacks: the other way is looked for
      )
  }

  async #hasInet(): Promise<boolean> {
    return this.#host.ip
      .at()
      .sysctl.read('net/bridge/bridge-nf-call-iptables')
      .then(
        () => true,
        () => false,
      )
  }
}

async function look({ host }: SecurityPorts, abilities: Abilities, bridges: readonly string[]): Promise<Seen> {
  const ability = await abilities.ask()
  const nft = host.nft.at()
  const link = ability && (await nft.table(LINK_TABLE))
  const read = link ? readTable(link) : undefined
  if (ability !== 'inet') return { ability, link: read, rules: read, bridges: new Map() }
  const rules = await nft.table(rulesTable(ability))
  const states = await Promise.all(bridges.map(async (name) => ({ name, on: await host.bridgeFilter.isOn(name) })))
  const there = states.flatMap(({ name, on }) => (on === undefined ? [] : [[name, on] as const]))
  return { ability, link: read, rules: rules && readTable(rules), bridges: new Map(there) }
}

/** Undefined: there are no documents, and none to go, so nothing is read. */
export async function observeSecurity(
  ports: SecurityPorts,
  abilities: Abilities,
  context: PlanContext,
): Promise<Seen | undefined> {
  if (context.wanted.length + context.buried.size === 0) return undefined
  const shown = docsOf(context).nics.filter(({ spec }) => spec.groups)
  return look(ports, abilities, [...new Set(shown.map(({ spec }) => spec.bridge))])
}

/** Taps that are guarded now: what is not among them must not be plugged in where it is to be. */
export async function guardedTaps({ host }: SecurityPorts): Promise<ReadonlySet<string>> {
  const { family, name } = LINK_TABLE
  const elements = (await host.nft.at().elements({ family, table: name, name: GUARDED, kind: 'set' })) ?? []
  return new Set(elements.filter((element) => typeof element === 'string'))
}
