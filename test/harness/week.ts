/**
 * A week of two sides that don't hear each other, from a seed: what users ask of the controller meanwhile, and what happens on the
 * host. Each action takes part of the site by chance; what can't be done at that moment is refused, as it should be.
 */
import { type AgentKind, type Row, routerNetns } from '@skerry/contract'
import { dnsmasqFiles } from '@skerry/host'
import { AGENT_KINDS } from './fake-machine.ts'
import type { SimTime } from './sim-time.ts'
import type { SmallSite } from './small-site.ts'
import type { SmallWorld } from './small-world.ts'
import { newUuid } from './zstack-client.ts'

/** mulberry32: the same numbers from the same seed, everywhere. */
export function randomFrom(seed: number): () => number {
  let state = seed >>> 0
  return () => {
    state = (state + 0x6d2b79f5) >>> 0
    let t = state
    t = Math.imul(t ^ (t >>> 15), t | 1)
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61)
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32
  }
}

export interface WeekPorts {
  site: SmallSite
  time: SimTime
  world: SmallWorld
  random(): number
}

const LIBVIRT = { timeoutMs: 30_000 }
const dashed = (uuid: string) => uuid.replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, '$1-$2-$3-$4-$5')

export class Week {
  /** guests that ended without being told to, and how often users had started them until then */
  readonly ended = new Map<string, number>()
  /** domains that are none of the site's, and whether they ran when they were made */
  readonly strangers = new Map<string, boolean>()
  readonly calls: Promise<{ name: string; status: number }>[] = []
  /** what was done, to be read when a seed fails */
  readonly diary: string[] = []
  readonly #p: WeekPorts

  constructor(ports: WeekPorts) {
    this.#p = ports
  }

  async pass(actions: number): Promise<void> {
    for (let n = 0; n < actions; n++) {
      const act = this.#pick([...this.#users(), ...this.#host()])
      await act()
      await this.#p.time.sleep(this.#p.random() * 3_000)
    }
  }

  #pick<T>(from: readonly T[]): T {
    return from[Math.floor(this.#p.random() * from.length)]!
  }

  vms(): [string, Row][] {
    return [...this.#p.site.controller.state.graph.rows('vmInstance')] as [string, Row][]
  }

  /** How often users have started a VM. */
  starts(uuid: string): number {
    const jobs = [...this.#p.site.controller.state.graph.rows('job')].map(([, job]) => job)
    return jobs.filter((j) => j['api'] === 'StartVmInstance' && j['resourceUuid'] === uuid && j['state'] === 'done').length
  }

  domains(): { uuid: string; running: boolean }[] {
    return this.#p.site.machine.libvirt.inventory().map(({ uuid, state }) => ({ uuid, running: state === 'running' }))
  }

  /** Sent, and not waited for. */
  #call(name: string, params: Row): void {
    this.diary.push(`${name} ${JSON.stringify(params)}`)
    this.calls.push(this.#p.site.client.exchange(name, params).then(({ last }) => ({ name, status: last.status })))
  }

  #users(): (() => unknown)[] {
    const { world, random } = this.#p
    const on = (name: string, more: Row = {}) => {
      const vm = this.#pick(this.vms())
      return () => vm && this.#call(name, { uuid: vm[0], ...more })
    }
    const image = { imageUuid: world.image, l3NetworkUuids: [world.l3], instanceOfferingUuid: world.offering }
    return [
      on('StopVmInstance', { type: 'cold' }),
      on('StopVmInstance'),
      on('StartVmInstance'),
      on('RebootVmInstance'),
      on('DestroyVmInstance'),
      on('ExpungeVmInstance'),
      on('UpdateVmInstance', { name: `renamed${Math.floor(random() * 1e6)}` }),
      () => this.#call('CreateVmInstance', { name: 'made', ...image }),
      () => this.#call('CreateL2NoVlanNetwork', { name: 'l2', zoneUuid: world.zone, physicalInterface: 'none' }),
      () => this.#network('AttachL2NetworkToCluster'),
      () => this.#network('DeleteL2Network'),
      () => this.#call('AddDnsToL3Network', { l3NetworkUuid: world.l3, dns: `192.0.2.${Math.floor(random() * 250)}` }),
    ]
  }

  #network(name: string): void {
    const { world, site } = this.#p
    const others = [...site.controller.state.graph.rows('l2Network')].map(([uuid]) => uuid).filter((uuid) => uuid !== world.l2)
    if (others.length === 0) return
    const uuid = this.#pick(others)
    this.#call(name, name === 'DeleteL2Network' ? { uuid } : { l2NetworkUuid: uuid, clusterUuid: world.cluster })
  }

  #host(): (() => unknown)[] {
    const { machine } = this.#p.site
    const guest = (what: string, end: (uuid: string) => unknown) => async () => {
      const mine = new Set(this.vms().map(([uuid]) => uuid))
      const running = this.domains().filter(({ uuid, running }) => running && mine.has(uuid))
      if (running.length === 0) return
      const { uuid } = this.#pick(running)
      this.diary.push(`${what} ${uuid}`)
      this.ended.set(uuid, this.starts(uuid))
      await end(uuid)
    }
    return [
      guest('powers off', (uuid) => machine.libvirt.guestPowersOff(uuid)),
      guest('crashes', (uuid) => machine.libvirt.guestCrashes(uuid)),
      guest('destroyed by hand', (uuid) => machine.libvirt.call('domainDestroy', { uuid }, LIBVIRT)),
      () => this.#undefined(),
      () => this.#stranger(),
      () => this.#routerBroken(),
      () => this.#restarted(this.#pick(AGENT_KINDS), this.#p.random() < 0.3),
      () => this.#rebooted(),
    ]
  }

  /** A guest that is off loses its definition. */
  async #undefined(): Promise<void> {
    const off = this.domains().filter(({ uuid, running }) => !running && !this.strangers.has(uuid))
    if (off.length === 0) return
    const { uuid } = this.#pick(off)
    this.diary.push(`undefined by hand ${uuid}`)
    await this.#p.site.machine.libvirt.call(
      'domainUndefine',
      { uuid, nvram: true, managedSave: true, snapshotsMetadata: true },
      LIBVIRT,
    )
  }

  /** A user's own domain, or a copy of one of ours with our mark, which nobody knows. */
  async #stranger(): Promise<void> {
    const { libvirt } = this.#p.site.machine
    const uuid = newUuid()
    const model = this.#p.random() < 0.5 ? undefined : this.domains().find((d) => !this.strangers.has(d.uuid))
    const own = `<domain type="qemu"><name>own-${uuid}</name><uuid>${dashed(uuid)}</uuid><memory>1024</memory><os><type>hvm</type></os><devices/></domain>`
    const copied = model && (await libvirt.call('domainXml', { uuid: model.uuid, inactive: true }, LIBVIRT))
    const xml = copied
      ?.replaceAll(model!.uuid, uuid)
      .replaceAll(dashed(model!.uuid), dashed(uuid))
      .replace(/<interface[\s\S]*?<\/interface>/g, '') // two domains can't have one tap
    this.diary.push(`${model ? 'a marked' : 'an own'} domain ${uuid}`)
    await libvirt.call('domainDefineXml', { xml: xml ?? own }, LIBVIRT)
    const runs = this.#p.random() < 0.5
    if (runs) await libvirt.call('domainCreate', { uuid }, LIBVIRT)
    this.strangers.set(uuid, runs)
  }

  async #routerBroken(): Promise<void> {
    const { world, site } = this.#p
    const { host } = site.machine
    if (this.#p.random() < 0.5) {
      const dir = `/var/lib/skerry/agent-vrouter/routers/${world.l3}`
      this.diary.push('dnsmasq killed, its hosts emptied')
      const running = await host.dnsmasq.running(dir)
      if (running) host.processTable.kill(running.pid)
      await host.files.write(dnsmasqFiles(dir).hosts, '', 0o644)
    } else if ((await host.ip.netns.list()).includes(routerNetns(world.l3))) {
      this.diary.push('namespace removed')
      await host.ip.netns.del(routerNetns(world.l3))
    }
  }

  /** Wiped, agent-kvm forgets which guests ended by themselves: that is its own case, not a merge. */
  async #restarted(kind: AgentKind, wiped: boolean): Promise<void> {
    const { machine } = this.#p.site
    const wipe = wiped && kind !== 'kvm'
    this.diary.push(`agent-${kind} ${wipe ? 'wiped' : 'restarted'}`)
    await machine.end(kind)
    if (wipe) machine.wipe(kind, 'ledger')
    await this.#begin(kind)
  }

  async #rebooted(): Promise<void> {
    if (this.#p.random() < 0.6) return
    await this.#p.time.sleep(5_000) // what guests did before is known by then
    this.diary.push('host rebooted')
    await this.#p.site.machine.reboot()
    for (const uuid of this.strangers.keys()) this.strangers.set(uuid, false)
    for (const kind of [...AGENT_KINDS].sort(() => this.#p.random() - 0.5)) await this.#begin(kind)
    await this.#p.time.sleep(5_000)
  }

  /** An agent that begins in the partition has no bus either. */
  async #begin(kind: AgentKind): Promise<void> {
    await this.#p.site.machine.begin(kind)
  }
}
