/** The domains that are ours, with what the agent remembers of them, and what stands in the way of a wanted one. */
import { domainName, isTap, type kvmDesired } from '@skerry/contract'
import type { Host } from '@skerry/host'
import {
  type DomainRow,
  type Iotune,
  type Libvirt,
  type LifecycleEvent,
  type Mark,
  markNamespace,
  parseDomain,
  parseMark,
} from '@skerry/libvirt'
import type { DesiredSource, PlanContext, Wanted } from '@skerry/reconcile'
import type { MemoryPort } from '../memory.ts'
import { guardedTaps } from '../security/observe.ts'
import { ADOPTED, definitionHash, domainOf, type HostConfig } from './definition.ts'
import { Definitions } from './definitions.ts'
import { Layers, missingDisks } from './layers.ts'
import { readVmMemory, type VmMemory, vmFolder } from './memory.ts'
import { type Outside, seeOutside } from './outside.ts'
import { isSeedFile } from './seed.ts'

export type LiveDisks = { file: string; target: string; format: 'qcow2' | 'raw'; iotune?: Iotune }[]

export type LiveNics = { mac: string; bridge: string; tap: string }[]

export interface Adopted {
  name: string
  targets?: readonly string[]
  macs?: readonly string[]
}

interface Live {
  liveDisks: LiveDisks
  liveNics: LiveNics
  liveCdrom: { target: string; file: string | null } | null
}

export interface SeenVm {
  uuid: string
  domain: {
    /** It has a qemu process. */
    active: boolean
    /** It has a definition; false: somebody undefined it while it runs. */
    persistent: boolean
    /** libvirt's words. */
    state: string
    reason: string
    /** Hash of the definition that runs; null while off. */
    liveHash: string | null
    /** Hash of the definition that the next start uses; null: none. */
    configHash: string | null
    pid: number | null
    /** Disks of what runs; absent while they are known to be as wanted. */
    liveDisks?: LiveDisks
    /** Cards of what runs that are ours; absent as `liveDisks`. */
    liveNics?: LiveNics
    /** Its CD drive as it runs; null: it has none. Absent as `liveDisks`. */
    liveCdrom?: { target: string; file: string | null } | null
    /** Hash of what only the next start can change, of what runs. */
    liveBase?: string | null
    /** It was made by somebody else, who named it; while it runs, with the targets of its disks and the MACs of its cards. Absent: by us. */
    adopted?: Adopted
  } | null
  /** A domain with its uuid or name that is not ours. */
  foreign: { uuid: string; name: string } | null
  /** Its uuid is that of a domain that is not ours, and of no document: only told. Absent: it is ours, or wanted. */
  outside?: Outside
  memory: VmMemory
  /** Disks that are not there, or no regular files; only looked at while it is off. */
  missingDisks: string[]
  /** Disks over which another file lies: writing into them would destroy that. Only looked for while it is off; absent: none. */
  coveredDisks?: readonly { path: string; over: string }[]
  /** Taps of cards that are to be guarded and are not yet; absent: none. */
  unguarded?: readonly string[]
  /** Files of seeds in its folder; absent: none. */
  seeds?: readonly string[]
  bootId: string
  /** Milliseconds of the host's monotonic clock. */
  atMs: number
}

type Seen = Pick<NonNullable<SeenVm['domain']>, 'active' | 'persistent' | 'state' | 'reason' | 'pid'>

export interface VmPorts {
  libvirt: Libvirt
  host: Host
  memory: MemoryPort
  desired: DesiredSource
  config: HostConfig
  /** Milliseconds since the boot of the host: goes on over restarts of the agent. */
  monotonicMs(): number
}

const LIST_TIMEOUT_MS = 10_000
type Want = Wanted<kvmDesired.VmSpec>

export class VmObserver {
  readonly #p: VmPorts
  /** Of each domain the pid of its run; a run has an id of libvirt's of its own. */
  readonly #pids = new Map<string, { id: number; pid: number }>()
  /** Of each domain the run whose disks were found to be as its mark says. */
  readonly #disksChecked = new Map<string, number>()
  /** Of each domain what its mark says; read again only when its text is another one. */
  readonly #marks = new Map<string, { text: string | null | undefined; mark: Mark | null }>()
  /** Guests whose qemu was told to end by a signal (the host shuts down): libvirt's state calls that a shutdown too. */
  readonly #signalled = new Set<string>()

  readonly #definitions: Definitions

  constructor(ports: VmPorts) {
    this.#p = ports
    this.#definitions = new Definitions(ports.libvirt)
  }

  /** What a state does not tell, but an event does. */
  hear({ domainUuid, event, detail }: LifecycleEvent): void {
    this.#definitions.doubt(domainUuid)
    if (event === 'deviceRemoved') this.#disksChecked.delete(domainUuid)
    if (event === 'shutdown' && detail === 'host') this.#signalled.add(domainUuid)
    if (event === 'started' || (event === 'shutdown' && detail !== 'host')) this.#signalled.delete(domainUuid)
  }

  /** What happened meanwhile was told to nobody. */
  lookAnew(): void {
    this.#disksChecked.clear()
    this.#definitions.doubt()
  }

  /** Every wanted VM (there or not), and every domain with our mark; in a pass over a few only these. */
  async observe(context: PlanContext): Promise<SeenVm[]> {
    const { only } = context
    const names = only && { uuids: [...only], names: [...only].map(domainName) }
    const asked = { metadataUri: markNamespace, ...(names ? { only: names } : {}) }
    const rows = await this.#p.libvirt.call('listDomains', asked, { timeoutMs: LIST_TIMEOUT_MS })
    const wanted = new Map((context.wanted as readonly Want[]).map((w) => [w.uuid, w]))
    const known = (uuid: string) => wanted.has(uuid) || context.buried.has(uuid)
    const ours = new Map(
      rows.filter((row) => this.#isOurs(row, known) && (!only || only.has(row.uuid))).map((row) => [row.uuid, row]),
    )
    if (!only) this.#forget(ours)
    await this.#findPids([...ours.values()])
    const uuids = [...new Set([...wanted.keys(), ...ours.keys(), ...(await this.#seededOf(context.buried.keys()))])].sort()
    const layers = new Layers(this.#p.host.files)
    const toGuard = [...wanted.values()].some(({ spec }) => spec.nics.some(({ guarded }) => guarded))
    const guarded = toGuard ? await guardedTaps(this.#p) : new Set<string>()
    const seen = await Promise.all(
      uuids.map((uuid) => this.#see(uuid, { row: ours.get(uuid), want: wanted.get(uuid), rows, context, layers, guarded })),
    )
    const told = new Set([...uuids, ...context.buried.keys()])
    const others = only ? [] : rows.filter((row) => !told.has(row.uuid))
    const at = { bootId: context.bootId, atMs: this.#p.monotonicMs() }
    return [...seen, ...(await seeOutside(this.#p, others, at))]
  }

  /** One that is about to be adopted is somebody else's until there is a document of it. */
  #isOurs(row: DomainRow, known: (uuid: string) => boolean): boolean {
    const mark = this.#markOf(row)
    return mark?.uuid === row.uuid && (mark.hash !== ADOPTED || known(row.uuid))
  }

  #markOf({ uuid, metadata }: DomainRow): Mark | null {
    const known = this.#marks.get(uuid)
    if (known && known.text === metadata) return known.mark
    const mark = parseMark(metadata)
    this.#marks.set(uuid, { text: metadata, mark })
    return mark
  }

  #forget(ours: ReadonlyMap<string, DomainRow>): void {
    for (const known of [this.#signalled, this.#disksChecked, this.#pids, this.#marks])
      for (const uuid of known.keys()) if (!ours.has(uuid)) known.delete(uuid)
  }

  async #see(
    uuid: string,
    at: {
      row: DomainRow | undefined
      want: Want | undefined
      rows: readonly DomainRow[]
      context: PlanContext
      layers: Layers
      guarded: ReadonlySet<string>
    },
  ): Promise<SeenVm> {
    const { row, want, rows, context, layers, guarded } = at
    const memory = readVmMemory(this.#p.memory.facts('vm', uuid))
    const foreign = row ? undefined : rows.find((r) => r.uuid === uuid || r.name === domainName(uuid))
    const off = row?.id == null
    const seeds = await this.#seeds(uuid)
    const unguarded = (want?.spec.nics ?? []).flatMap((nic) => (nic.guarded && !guarded.has(nic.tap) ? [nic.tap] : []))
    const covered = want && off ? await layers.over(want.spec.disks) : []
    return {
      uuid,
      domain: row ? await this.#domain(row, want) : null,
      foreign: foreign ? { uuid: foreign.uuid, name: foreign.name } : null,
      memory,
      missingDisks: want && off ? await missingDisks(this.#p.host.files, want.spec) : [],
      ...(covered.length > 0 ? { coveredDisks: covered } : {}),
      ...(unguarded.length > 0 ? { unguarded } : {}),
      ...(seeds.length > 0 ? { seeds } : {}),
      bootId: context.bootId,
      atMs: this.#p.monotonicMs(),
    }
  }

  async #domain(row: DomainRow, want: Want | undefined): Promise<NonNullable<SeenVm['domain']>> {
    const { uuid, id, state, reason, persistent } = row
    const mark = this.#markOf(row)
    const hash = mark?.hash ?? null
    const bySignal = id === null && reason === 'shutdown' && this.#signalled.has(uuid)
    const pid = this.#pids.get(uuid)?.pid ?? null
    const seen = { active: id !== null, persistent, state, reason: bySignal ? 'host' : reason, pid }
    if (hash === ADOPTED) return this.#adopted(row, seen)
    if (id === null) return { ...seen, liveHash: null, configHash: await this.#nextHash(uuid, hash, want) }
    // What is asked of a running domain is what runs; only when that is not as wanted, its next definition matters.
    const asWanted = want === undefined || hash === definitionHash(domainOf(uuid, want.spec, this.#p.config))
    const live = want && (!asWanted || this.#toCheck(uuid, id, want)) ? await this.#live(uuid) : undefined
    if (asWanted && (!live || this.#checked(uuid, id, { want, live })))
      return { ...seen, liveHash: hash, configHash: hash, liveBase: mark?.base ?? hash }
    const configHash = asWanted ? hash : await this.#definitions.hashOf(uuid)
    return { ...seen, liveHash: hash, configHash, ...live, liveBase: mark?.base ?? hash }
  }

  async #adopted({ uuid, id, name }: DomainRow, seen: Seen): Promise<NonNullable<SeenVm['domain']>> {
    if (id === null) return { ...seen, liveHash: null, configHash: ADOPTED, adopted: { name } }
    const { disks, nics } = parseDomain(await this.#p.libvirt.call('domainXml', { uuid }, { timeoutMs: LIST_TIMEOUT_MS }))
    const targets = disks.flatMap(({ device, target }) => (device === 'disk' ? [target] : []))
    const adopted = { name, targets, macs: nics.map(({ mac }) => mac) }
    return { ...seen, liveHash: ADOPTED, configHash: ADOPTED, adopted }
  }

  /** The mark says what was plugged in; a guest that lets go late, or somebody's hand, may have changed it since. */
  #toCheck(uuid: string, id: number, want: Want): boolean {
    const { disks, nics, cdrom } = want.spec
    return (disks.length > 1 || nics.length > 0 || Boolean(cdrom?.path)) && this.#disksChecked.get(uuid) !== id
  }

  #checked(uuid: string, id: number, { want, live }: { want: Want | undefined; live: Live }): boolean {
    const has = new Set(live.liveDisks.map((disk) => disk.file))
    const taps = new Set(live.liveNics.map(({ tap }) => tap))
    const same =
      want?.spec.nics.length === taps.size &&
      want.spec.nics.every(({ tap }) => taps.has(tap)) &&
      // The disk that it boots from is plugged in by nobody, and need not be called by its volume.
      (want.spec.disks.length <= 1 || (want.spec.disks.length === has.size && want.spec.disks.every((d) => has.has(d.path)))) &&
      (want.spec.cdrom?.path ?? null) === (live.liveCdrom?.file ?? null)
    if (same) this.#disksChecked.set(uuid, id)
    return same
  }

  /** Disks and cards that are ours (those that somebody has plugged in by hand lack our serials and names), and the CD drive. */
  async #live(uuid: string): Promise<Live> {
    const xml = await this.#p.libvirt.call('domainXml', { uuid }, { timeoutMs: LIST_TIMEOUT_MS })
    const { disks, nics } = parseDomain(xml)
    const liveNics = nics.flatMap(({ mac, bridge, tap }): LiveNics => (isTap(tap) && bridge ? [{ mac, bridge, tap }] : []))
    const liveDisks = disks.flatMap(
      ({ file, target, format, serial, iotune }): LiveDisks =>
        file !== null && serial && file.includes(serial)
          ? [{ file, target, format: format === 'raw' ? 'raw' : 'qcow2', ...(iotune ? { iotune } : {}) }]
          : [],
    )
    const drive = disks.find((disk) => disk.device === 'cdrom')
    return { liveDisks, liveNics, liveCdrom: drive ? { target: drive.target, file: drive.file } : null }
  }

  #nextHash(uuid: string, hash: string | null, want: Want | undefined): Promise<string | null> | string | null {
    const asWanted = want && hash === definitionHash(domainOf(uuid, want.spec, this.#p.config))
    return asWanted ? this.#definitions.checked(uuid, hash, want.spec.disks) : hash
  }

  async #seeds(uuid: string): Promise<string[]> {
    const { folder } = vmFolder(this.#p.config.stateDir, uuid)
    return ((await this.#p.host.files.list(folder)) ?? []).filter(isSeedFile).map((name) => `${folder}/${name}`)
  }

  /** Also a VM whose domain was never made may have one. */
  async #seededOf(uuids: Iterable<string>): Promise<string[]> {
    const found = await Promise.all([...uuids].map(async (uuid) => ({ uuid, seeds: await this.#seeds(uuid) })))
    return found.filter(({ seeds }) => seeds.length > 0).map(({ uuid }) => uuid)
  }

  /** libvirt tells no pids; qemu carries its domain's name in its arguments. Looked for once in each run of a domain. */
  async #findPids(rows: readonly DomainRow[]): Promise<void> {
    for (const { uuid, id } of rows) if (this.#pids.get(uuid)?.id !== id) this.#pids.delete(uuid)
    const unknown = rows.filter((r) => r.id !== null && !this.#pids.has(r.uuid))
    if (unknown.length === 0) return
    const qemus = (await this.#p.host.process.list()).filter((p) => p.cmdline[0]?.includes('qemu'))
    for (const { uuid, id, name } of unknown) {
      const found = qemus.find((p) => p.cmdline.some((arg) => arg === `guest=${name}` || arg.startsWith(`guest=${name},`)))
      if (found && id !== null) this.#pids.set(uuid, { id, pid: found.pid })
    }
  }
}

/** Ours is what carries our mark for its own uuid: a copy of our domain made by hand carries the original's. */
export const isOurs = (row: DomainRow): boolean => parseMark(row.metadata)?.uuid === row.uuid
