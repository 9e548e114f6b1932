/** What users and listeners were told, against what became of it. */
import { errors, type Row } from '@skerry/contract'
import type { Outcome } from './client.ts'
import type { SimHost } from './host.ts'
import { type Graph, rowsOf } from './invariants.ts'
import type { Model } from './model.ts'
import type { SimSite } from './site.ts'

const TABLES: Readonly<Record<string, string>> = {
  CreateVmInstance: 'vmInstance',
  CreateDataVolume: 'volume',
  CreateVolumeSnapshot: 'volumeSnapshot',
  CreateL2NoVlanNetwork: 'l2Network',
  AddKVMHost: 'host',
}
const ENDS = ['DestroyVmInstance', 'ExpungeVmInstance', 'DeleteDataVolume', 'ExpungeDataVolume', 'DeleteL2Network']
const GONE: Readonly<Record<string, string>> = {
  ExpungeVmInstance: 'vmInstance',
  ExpungeDataVolume: 'volume',
  DeleteVolumeSnapshot: 'volumeSnapshot',
  DeleteL2Network: 'l2Network',
  LoseHost: 'host',
}

/** What goes when a host is given up. Looked at after each commit, because it says so nowhere when it is gone. */
export class Losses {
  readonly #uuids = new Set<string>()

  look(graph: Graph, hosts: readonly SimHost[]): void {
    const ips = new Set(hosts.filter(({ givenUp }) => givenUp).map(({ managementIp }) => managementIp))
    if (ips.size === 0) return
    const given = new Set(
      rowsOf(graph, 'host').flatMap(([uuid, host]) => (ips.has(host['managementIp'] as string) ? [uuid] : [])),
    )
    for (const [uuid, volume] of rowsOf(graph, 'volume'))
      if (given.has(volume['localHostUuid'] as string))
        for (const lost of [uuid, volume['vmInstanceUuid'], ...graph.by('volumeSnapshot', 'volumeUuid', uuid)])
          if (typeof lost === 'string') this.#uuids.add(lost)
  }

  has(uuid: string): boolean {
    return this.#uuids.has(uuid)
  }
}

/** What a failing disk has taken before it failed, nobody knows; and a repeat is told nothing of the first call. */
const saysNothing = ({ body }: Outcome) =>
  body?.['code'] === 'duplicate-job' || (body?.['error'] as Row | undefined)?.['code'] === errors['store-stopped'].zstack

/** What users were told is so. */
export function* acknowledged(site: SimSite, model: Model, losses: Losses): Generator<string> {
  const { graph } = site.controllers.running!.controller.state
  const ended = new Set(model.asked.filter(({ name }) => ENDS.includes(name)).map(({ params }) => params['uuid']))
  const forgotten = (table: string, uuid: string, made: Row): boolean =>
    // A snapshot goes with its volume, and that with its VM.
    table === 'volumeSnapshot'
      ? !graph.get('volume', made['volumeUuid'] as string) ||
        model.asked.some(({ name, params }) => name === 'DeleteVolumeSnapshot' && params['uuid'] === uuid)
      : ended.has(uuid)
  for (const { name, params, outcome } of model.asked) {
    if (!outcome) yield `${name} ${JSON.stringify(params)} was never answered`
    else if (outcome.status === 202) yield `${name} ${JSON.stringify(params)} never ended`
    else if (outcome.accepted && !graph.get('job', outcome.job))
      yield `job ${outcome.job} of ${name} was acknowledged, and is gone`
    else if (outcome.status > 400 && !saysNothing(outcome) && graph.get('job', outcome.job)?.['state'] === 'done')
      yield `${name} ${JSON.stringify(params)} was answered ${outcome.status}, and was carried out`
    else if (outcome.status === 200) {
      const made = outcome.body?.['inventory'] as Row | undefined
      const uuid = made?.['uuid'] as string | undefined
      const table = TABLES[name]
      if (table && made && uuid && !graph.get(table, uuid) && !losses.has(uuid) && !forgotten(table, uuid, made))
        yield `${table} ${uuid} was acknowledged, and is gone`
      const gone = GONE[name]
      if (gone && graph.get(gone, params['uuid'] as string))
        yield `${gone} ${params['uuid']} is there after ${name} was acknowledged`
    }
  }
}

const POWER: Readonly<Record<string, string>> = {
  CreateVmInstance: 'Running',
  StartVmInstance: 'Running',
  StopVmInstance: 'Stopped',
  DestroyVmInstance: 'Destroyed',
}
const MOVES = [...Object.keys(POWER), 'RebootVmInstance', 'RecoverVmInstance', 'ExpungeVmInstance']

/** A guest is what the last order says, where that was given alone: no guest ends by itself here, and a boot of its host is no end. */
export function* obeyed(site: SimSite, model: Model): Generator<string> {
  for (const [uuid, vm] of site.controllers.rows('vmInstance')) {
    const orders = [...model.asked.entries()].filter(
      ([, { name, params, outcome }]) =>
        MOVES.includes(name) && (params['uuid'] ?? (outcome?.body?.['inventory'] as Row | undefined)?.['uuid']) === uuid,
    )
    const [at, last] = orders.at(-1) ?? [0, undefined]
    const alone = orders.slice(0, -1).every(([, { answeredAt }]) => answeredAt <= at)
    const wanted = last?.outcome?.status === 200 && alone ? POWER[last.name] : undefined
    // Off, and to be started again, for as long as its host is not used.
    if (wanted === 'Running' && vm['stateCause'] === 'host-maintenance') continue
    if (wanted && vm['state'] !== wanted) yield `vm ${uuid} is ${vm['state']} after ${last!.name} was acknowledged`
  }
}

const CUTS = ['StopVmInstance', 'DestroyVmInstance', 'ExpungeVmInstance', 'StartVmInstance', 'LoseHost']

/** Whether somebody has asked for what may end this guest: an order to it, or one to a host. A start that fails ends it too. */
export function mayEnd(model: Model, vm: string): boolean {
  const created = model.asked.some(
    ({ name, outcome }) =>
      name === 'CreateVmInstance' && outcome?.status === 200 && (outcome.body!['inventory'] as Row)['uuid'] === vm,
  )
  const asked = ({ name, params }: Model['asked'][number]) =>
    params['stateEvent'] === 'maintain' || (CUTS.includes(name) && (params['uuid'] === vm || name === 'LoseHost'))
  return !created || model.asked.some(asked)
}

const PLUGS = ['AttachDataVolumeToVm', 'DetachDataVolumeFromVm', 'DeleteDataVolume', 'ExpungeDataVolume']

/** A data volume is where the last order put it, where that was given alone, and its VM is still there; and never at two. */
export function* plugged(site: SimSite, model: Model): Generator<string> {
  const ended = (vm: unknown) =>
    model.asked.some(({ name, params }) => params['uuid'] === vm && ['DestroyVmInstance', 'ExpungeVmInstance'].includes(name))
  for (const [uuid, volume] of site.controllers.rows('volume')) {
    const orders = [...model.asked.entries()].filter(
      ([, { name, params }]) => PLUGS.includes(name) && (params['volumeUuid'] ?? params['uuid']) === uuid,
    )
    let holder: unknown
    for (const [, { name, params, outcome }] of orders) {
      const vm = params['vmInstanceUuid']
      if (name !== 'AttachDataVolumeToVm') holder = undefined
      else if (outcome?.status === 200) {
        if (holder && holder !== vm && !ended(holder)) yield `volume ${uuid} was given to VM ${vm} while VM ${holder} had it`
        holder = vm
      }
    }
    const [at, last] = orders.at(-1) ?? [0, undefined]
    const alone = orders.slice(0, -1).every(([, { answeredAt }]) => answeredAt <= at)
    if (last?.outcome?.status !== 200 || !alone) continue
    const vm = last.name === 'AttachDataVolumeToVm' ? last.params['vmInstanceUuid'] : null
    if (vm && ended(vm)) continue
    if ((volume['vmInstanceUuid'] ?? null) !== vm)
      yield `volume ${uuid} is at VM ${volume['vmInstanceUuid']} after ${last.name} was acknowledged`
  }
}

/** Every fact of the log was told, and nothing else. */
export async function* facts(site: SimSite): AsyncGenerator<string> {
  const { store } = site.controllers.running!
  const known = new Set<string>()
  for await (const { seq, commit } of store.read(store.status().oldestSeq))
    for (const n of commit.facts.keys()) {
      known.add(`${seq}.${n}`)
      if (!site.facts.has(`${seq}.${n}`))
        yield `event ${seq}.${n} (${commit.facts[n]!.event} of ${commit.facts[n]!.noun}) was never told`
    }
  if (store.status().oldestSeq <= 1)
    for (const id of site.facts) if (!known.has(id)) yield `event ${id} was told, and never happened`
}

const REBOOT = 'RebootVmInstance'

/**
 * A command is carried out once, however often it is sent. One that its agent did not live to note is carried out again: whether the
 * guest was asked then, nobody can know.
 */
export class Reboots {
  /** by VM: how often an agent died while one was under way */
  readonly #cut = new Map<string, number>()

  constructor(site: SimSite, model: Model) {
    const vms = () => new Set(model.asked.filter(({ name }) => name === REBOOT).map(({ params }) => params['uuid'] as string))
    for (const host of site.hosts)
      host.onKvmDeath = () => {
        for (const vm of vms()) if (model.isUnderWay(REBOOT, vm)) this.#cut.set(vm, (this.#cut.get(vm) ?? 0) + 1)
      }
  }

  *once(site: SimSite): Generator<string> {
    const made = new Map<string, number>()
    for (const { machine } of site.hosts)
      for (const { op, args } of machine.libvirt.calls)
        if (op === 'domainReboot' || op === 'domainReset') {
          const { uuid } = args as { uuid: string }
          made.set(uuid, (made.get(uuid) ?? 0) + 1)
        }
    for (const [vm, count] of made) {
      const jobs = site.controllers.rows('job').filter(([, job]) => job['api'] === REBOOT && job['resourceUuid'] === vm).length
      if (count > jobs + (this.#cut.get(vm) ?? 0)) yield `VM ${vm} was to be rebooted ${jobs} times, and was ${count} times`
    }
  }
}
