/** What goes wrong, by chance; `heal` ends all of it. */
import { type AgentKind, subjects } from '@skerry/contract'
import { AGENT_KINDS } from '../harness/fake-machine.ts'
import { DISK_BYTES, type SimHost } from './host.ts'
import { CALM, type Chances } from './network.ts'
import type { SimSite } from './site.ts'

const BAD_NETWORK: Chances = { drop: 0.15, double: 0.15, late: 0.3, lateMs: 4_000 }
/** Longer than any request waits. */
const LATE_NETWORK: Chances = { drop: 0.05, double: 0.2, late: 0.5, lateMs: 25_000 }
/** What is asked is heard, and the answer seldom: all that is done is asked for again. */
const DEAF_NETWORK: Chances = { ...CALM, unanswered: 0.6 }
const HOUR = 3_600_000
const CALLS_BEFORE_DEATH = 60

export class Faults {
  /** users give this host up for good, and put another in its place; without it nobody ever does */
  onLost: ((host: SimHost) => void) | undefined
  readonly #site: SimSite
  #ends: (() => void)[] = []
  #full = false

  constructor(site: SimSite) {
    this.#site = site
  }

  #chance(below: number): number {
    return Math.floor(this.#site.random() * below)
  }

  #kind(): AgentKind {
    return AGENT_KINDS[this.#chance(AGENT_KINDS.length)]!
  }

  /** One that has power; undefined while none has. */
  #host(): SimHost | undefined {
    const on = this.#site.hosts.filter((host) => host.on)
    return on[this.#chance(on.length)]
  }

  /** One of them; some go on for a while by themselves. */
  async strike(): Promise<void> {
    const host = this.#host()
    const ofSite = [
      () => this.#network(BAD_NETWORK),
      () => this.#network(LATE_NETWORK),
      () => this.#network(DEAF_NETWORK),
      () => this.#partition('controller', () => this.#site.controllers.running?.bus),
      () => this.#controllerDies(),
      () => this.#controllerDies(),
      () => this.#controllerDies(),
      () => this.#syncFails(),
      () => this.#diskFull(),
      () => this.#clockJumps(),
    ]
    const ofHost = host
      ? [
          () => this.#agentCutOff(host),
          () => this.#hostCutOff(host),
          () => this.#agentDies(host),
          () => this.#agentDies(host),
          () => this.#hostBoots(host),
          () => this.#hostAway(host),
          () => this.#ledgerLost(host, 'kvm'),
          () => this.#ledgerLost(host, this.#kind()),
          () => this.#hostFull(host),
          () => this.#formerOwner(host),
        ]
      : []
    const all = [...ofSite, ...ofHost]
    await all[this.#chance(all.length)]!()
  }

  /** Ends what goes on, and starts again what can't go on. */
  async heal(): Promise<void> {
    const { site } = this.#begin('all is well again')
    for (const end of [...this.#ends]) end()
    site.network.chances = CALM
    const { controllers } = site
    controllers.life.diesAt = Number.POSITIVE_INFINITY
    for (const host of site.hosts) {
      if (!host.givenUp) host.powerOn()
      for (const kind of AGENT_KINDS) host.life(kind).diesAt = Number.POSITIVE_INFINITY
    }
    await site.scheduler.until(HOUR, () => controllers.running !== undefined)
    if (controllers.running?.store.status().reason?.code === 'store-stopped') await site.restartController()
  }

  #begin(what: string): { site: SimSite } {
    this.#site.note(`! ${what}`)
    return { site: this.#site }
  }

  #later(ms: number, end: () => void): void {
    const once = () => {
      if (!this.#ends.includes(once)) return
      this.#ends = this.#ends.filter((other) => other !== once)
      end()
    }
    this.#ends.push(once)
    this.#site.scheduler.set(once, ms)
  }

  #network(chances: Chances): void {
    const { site } = this.#begin(`network: ${JSON.stringify(chances)}`)
    site.network.chances = chances
    this.#later(1_000 + this.#chance(20_000), () => {
      if (site.network.chances === chances) site.network.chances = CALM
    })
  }

  #partition(who: string, bus: () => Cuttable | undefined): void {
    this.#begin(`${who} is cut off`)
    const was = bus()
    was?.disconnect()
    this.#later(500 + this.#chance(40_000), () => {
      this.#begin(`${who} is not cut off any more`)
      if (bus() === was) was?.reconnect()
    })
  }

  #agentCutOff(host: SimHost): void {
    const kind = this.#kind()
    this.#partition(`agent-${kind} of ${host.name}`, () => host.bus(kind))
  }

  /** All of its agents: its guests run on. */
  #hostCutOff(host: SimHost): void {
    for (const kind of AGENT_KINDS) this.#partition(`agent-${kind} of ${host.name}`, () => host.bus(kind))
  }

  #controllerDies(): void {
    const { site } = this.#begin('controller is going to die')
    const { life } = site.controllers
    life.diesAt = Math.min(life.diesAt, life.calls + 1 + this.#chance(CALLS_BEFORE_DEATH))
  }

  #agentDies(host: SimHost): void {
    const kind = this.#kind()
    this.#begin(`agent-${kind} of ${host.name} is going to die`)
    const life = host.life(kind)
    life.diesAt = Math.min(life.diesAt, life.calls + 1 + this.#chance(CALLS_BEFORE_DEATH))
  }

  async #hostBoots(host: SimHost): Promise<void> {
    this.#begin(`${host.name} loses power for a moment`)
    await host.powerOff()
    host.powerOn()
  }

  /** Long enough to be missed, or not. One that has no images may be gone for good. */
  async #hostAway(host: SimHost): Promise<void> {
    this.#begin(`${host.name} loses power`)
    await host.powerOff()
    const { hosts } = this.#site
    if (this.onLost && host === hosts[1] && !hosts.some((other) => other.givenUp)) {
      host.givenUp = true
      return this.onLost(host)
    }
    this.#later(1_000 + this.#chance(40_000), () => host.powerOn())
  }

  async #ledgerLost(host: SimHost, kind: AgentKind): Promise<void> {
    this.#begin(`agent-${kind} of ${host.name} loses its ledger`)
    await host.restartAgent(kind, () => host.machine.wipe(kind, 'ledger'))
  }

  #syncFails(): void {
    const { site } = this.#begin("the controller's disk fails to sync")
    const { disk } = site.controllers
    disk.failSync = 'EIO'
    this.#later(200 + this.#chance(2_000), () => {
      disk.failSync = undefined
      site.controllers.life.kill()
    })
  }

  #diskFull(): void {
    if (this.#full) return
    this.#full = true
    const { site } = this.#begin("the controller's disk is full")
    site.controllers.fill()
    this.#later(1_000 + this.#chance(20_000), () => {
      this.#begin("there is room on the controller's disk")
      this.#full = false
      site.controllers.disk.capacity = Number.POSITIVE_INFINITY
    })
  }

  #hostFull(host: SimHost): void {
    this.#begin(`the disk of ${host.name} is full`)
    const { disk } = host.machine.host
    disk.totalBytes = disk.usedBytes()
    this.#later(1_000 + this.#chance(20_000), () => void (disk.totalBytes = DISK_BYTES))
  }

  #clockJumps(): void {
    const ms = Math.round((this.#site.random() - 0.4) * 48 * HOUR)
    const host = this.#chance(2) === 0 ? undefined : this.#host()
    const { site } = this.#begin(`clock of ${host?.name ?? 'the controller'} jumps by ${Math.round(ms / HOUR)} h`)
    if (host) host.machine.advance(ms)
    else site.controllers.ahead += ms
  }

  /** A controller that was the owner once, and does not know that it is no longer: what it wants must not happen. */
  async #formerOwner(host: SimHost): Promise<void> {
    const { site } = this.#begin('a former owner speaks')
    const uuid = host.machine.agents.kvm
    const graph = site.controllers.running?.controller.state.graph
    const known =
      graph &&
      [...graph.by('desired', 'agentUuid', uuid)]
        .map((k) => graph.get('desired', k)!)
        .find((row) => row['noun'] === 'vm' && !row['tombstone'])
    if (!known) return
    const subject = subjects.do('kvm', uuid, 'agent', uuid, 'sync')
    const tombstone = {
      noun: 'vm',
      uuid: known['uuid'],
      generation: { incarnation: 1, seq: 1_000_000_000 },
      job: null,
      tombstone: true,
    }
    await site.ask(subject, { documents: [tombstone], epoch: -1 })
  }
}

interface Cuttable {
  disconnect(): void
  reconnect(): void
}
