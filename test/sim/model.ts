/** What users do: they ask, and do not wait before they ask for more; each remembers what became of what was asked. */
import type { Row } from '@skerry/contract'
import type { Client, Outcome } from './client.ts'
import { type Dice, type Draw, drawn, type Made, newVm, newVolume, pick } from './draws.ts'
import type { SimHost } from './host.ts'
import type { SimSite } from './site.ts'
import { hostToAdd, type SimWorld } from './world.ts'

/** A host that has been silent for so long is Disconnected, or never will be. */
const SILENT_MS = 5 * 60_000
const JOB_MS = 60 * 60_000
const BACK_MS = 30_000
const DRAWS = 5

export interface Asked {
  name: string
  params: Row
  /** the tenant's call */
  tenant: boolean
  outcome: Outcome | undefined
  /** how many had been asked when it was answered */
  answeredAt: number
}

/** Where the uuid of what a call made goes. */
const MAKES: Readonly<Record<string, keyof Made>> = {
  CreateVmInstance: 'vms',
  CreateDataVolume: 'volumes',
  CreateVolumeSnapshot: 'snapshots',
  CreateL2NoVlanNetwork: 'l2s',
  AddKVMHost: 'hosts',
}

export class Model {
  /** in the order in which they were asked */
  readonly asked: Asked[] = []
  readonly #site: SimSite
  readonly #world: SimWorld
  readonly #under: Promise<void>[] = []
  readonly #made: Made
  readonly #dice: Dice
  /** uuids of what the tenant made */
  readonly #tenants = new Set<unknown>()
  #names = 0
  /** hosts that are being given up */
  #losing = 0

  constructor(site: SimSite, world: SimWorld) {
    this.#site = site
    this.#world = world
    this.#dice = { random: site.random, name: (kind) => `${kind}${this.#names++}` }
    const hosts = site.controllers.rows('host').map(([uuid]) => uuid)
    this.#made = { vms: [], volumes: [], rootVolumes: [], snapshots: [], nics: [], l2s: [], hosts: hosts.sort() }
  }

  /** Asks for one thing, and does not wait for it. */
  act(): void {
    const found = this.#draw()
    if (!found) return
    const makes = found.name === 'CreateVmInstance' || found.name === 'CreateDataVolume'
    const tenant = this.#isTenants(found.params) || this.#site.random() < (makes ? 0.5 : 0.05)
    this.#ask(found.name, found.params, tenant)
  }

  /** Much is of things that nobody has made yet: then something else is asked for. */
  #draw(): ReturnType<Draw> {
    const draws = drawn(this.#world, this.#made, this.#dice)
    for (let n = 0; n < DRAWS; n++) {
      const found = pick(this.#dice)(draws)!()
      if (found) return found
    }
    return undefined
  }

  /** Nobody but the tenant acts on what the tenant has: what others cause, no quota refuses. */
  #isTenants(params: Row): boolean {
    return ['uuid', 'volumeUuid', 'vmInstanceUuid', 'vmNicUuid'].some((name) => this.#tenants.has(params[name]))
  }

  /** So many guests that run, before anything goes wrong. */
  async begin(count: number): Promise<void> {
    for (let n = 0; n < count; n++) this.#ask('CreateVmInstance', newVm(this.#world, this.#dice), false)
    this.#ask('CreateDataVolume', newVolume(this.#world, this.#dice), false)
    await this.settled()
  }

  async settled(): Promise<void> {
    while (this.#under.length > 0) await this.#under.shift()
  }

  get underWay(): number {
    return this.#losing + this.asked.filter(({ outcome }) => outcome === undefined).length
  }

  /** Whether a call of that name about this resource has not been answered, or goes on though its connection broke. */
  isUnderWay(name: string, uuid: string): boolean {
    const goesOn = ({ outcome }: Asked) => outcome === undefined || (outcome.status === 0 && this.#mayRun(outcome.job))
    return this.asked.some((one) => one.name === name && one.params['uuid'] === uuid && goesOn(one))
  }

  #mayRun(job: string): boolean {
    return !this.#site.controllers.running || ['processing', 'undoing'].includes(this.#jobState(job) ?? '')
  }

  /** Gives a silent host up; a machine that stands ready takes its place, and it may come back when nobody waits for it any more. */
  giveUp(host: SimHost): void {
    this.#losing += 1
    this.#under.push(this.#lose(host).finally(() => void (this.#losing -= 1)))
  }

  async #lose(host: SimHost): Promise<void> {
    const { scheduler, controllers } = this.#site
    const row = () => controllers.running && controllers.rows('host').find(([, h]) => h['managementIp'] === host.managementIp)
    await scheduler.until(SILENT_MS, () => row()?.[1]['status'] === 'Disconnected', 500)
    const uuid = row()?.[0]
    if (uuid !== undefined) {
      const { outcome, carried } = this.#ask('LoseHost', { uuid }, false)
      await carried
      const ends = () => controllers.running && !['processing', 'undoing'].includes(this.#jobState(outcome()?.job) ?? '')
      await scheduler.until(JOB_MS, () => ends() === true, 500)
    }
    if (uuid === undefined || row()) {
      host.givenUp = false
      host.powerOn()
      return
    }
    const spare = this.#site.hosts.find(
      (other) =>
        other !== host && !controllers.rows('agent').some(([, a]) => a['managementIp'] === other.managementIp && a['hostUuid']),
    )
    if (spare) this.#ask('AddKVMHost', hostToAdd(this.#world, spare), false)
    if (this.#site.random() < 0.5) scheduler.set(() => host.powerOn(), this.#site.random() * BACK_MS)
  }

  #jobState(job: string | undefined): string | undefined {
    return this.#site.controllers.rows('job').find(([uuid]) => uuid === job)?.[1]['state'] as string | undefined
  }

  #ask(name: string, params: Row, tenant: boolean) {
    const { client } = tenant ? this.#world.tenant : this.#site
    const asked: Asked = { name, params, tenant, outcome: undefined, answeredAt: Number.POSITIVE_INFINITY }
    const n = this.asked.push(asked)
    this.#site.note(`#${n} ${tenant ? 'tenant ' : ''}${name} ${JSON.stringify(params)}`)
    const carried = this.#carry(client, asked, n)
    this.#under.push(carried)
    return { outcome: () => asked.outcome, carried }
  }

  async #carry(client: Client, asked: Asked, n: number): Promise<void> {
    const outcome = await client.call(asked.name, asked.params, {
      again: this.#site.random() < 0.9,
      twice: this.#site.random() < 0.2,
    })
    asked.outcome = outcome
    asked.answeredAt = this.asked.length
    const made = outcome.body?.['inventory'] as Row | undefined
    const uuid = made?.['uuid'] as string | undefined
    this.#site.note(`#${n} ${asked.name} answered ${outcome.status} ${uuid ?? JSON.stringify(outcome.body ?? {}).slice(0, 300)}`)
    if (outcome.status === 200 && made) this.#remember(asked, made)
  }

  #remember({ name, tenant }: Asked, made: Row): void {
    const keep = (kind: keyof Made, uuid: unknown) => {
      if (typeof uuid !== 'string' || this.#made[kind].includes(uuid)) return
      this.#made[kind].push(uuid)
      if (tenant) this.#tenants.add(uuid)
    }
    const kind = MAKES[name]
    if (kind) keep(kind, made['uuid'])
    if (name === 'CreateVmInstance') keep('rootVolumes', made['rootVolumeUuid'])
    for (const nic of (made['vmNics'] ?? []) as Row[]) keep('nics', nic['uuid'])
  }
}
