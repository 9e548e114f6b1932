/** The domains that are ours, with what the agent remembers of them, and what stands in the way of a wanted one. */
import { domainName, type kvmDesired } from '@skerry/contract'
import type { Host } from '@skerry/host'
import { type DomainRow, type Libvirt, type LifecycleEvent, markNamespace, parseDomain, parseMark } from '@skerry/libvirt'
import type { PlanContext, Wanted } from '@skerry/reconcile'
import type { MemoryPort } from '../memory.ts'
import { definitionHash, domainOf, type HostConfig } from './definition.ts'
import { readVmMemory, type VmMemory } from './memory.ts'

export interface SeenVm {
  uuid: string
  domain: {
    /** It has a qemu process. */
    active: boolean
    /** libvirt's words. */
    state: string
    reason: string
    /** Hash of the definition that runs; null while off. */
    liveHash: string | null
    /** Hash of the definition that the next start uses; null: none. */
    configHash: string | null
    pid: number | null
  } | null
  /** A domain with its uuid or name that is not ours. */
  foreign: { uuid: string; name: string } | null
  memory: VmMemory
  /** Disks that are not there, or no regular files; only looked at while it is off. */
  missingDisks: string[]
  bootId: string
  /** Milliseconds of the host's monotonic clock. */
  atMs: number
}

export interface VmPorts {
  libvirt: Libvirt
  host: Host
  memory: MemoryPort
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
  /** Guests whose qemu was told to end by a signal (the host shuts down): libvirt's state calls that a shutdown too. */
  readonly #signalled = new Set<string>()

  constructor(ports: VmPorts) {
    this.#p = ports
  }

  /** What a state does not tell, but an event does. */
  hear({ domainUuid, event, detail }: LifecycleEvent): void {
    if (event === 'shutdown' && detail === 'host') this.#signalled.add(domainUuid)
    if (event === 'started' || (event === 'shutdown' && detail !== 'host')) this.#signalled.delete(domainUuid)
  }

  /** Every wanted VM (there or not), and every domain with our mark. */
  async observe(context: PlanContext): Promise<SeenVm[]> {
    const rows = await this.#p.libvirt.call('listDomains', { metadataUri: markNamespace }, { timeoutMs: LIST_TIMEOUT_MS })
    const wanted = new Map((context.wantedOf('vm') as readonly Want[]).map((w) => [w.uuid, w]))
    const ours = new Map(rows.filter(isOurs).map((row) => [row.uuid, row]))
    await this.#findPids([...ours.values()])
    for (const uuid of this.#signalled) if (!ours.has(uuid)) this.#signalled.delete(uuid)
    const uuids = [...new Set([...wanted.keys(), ...ours.keys()])].sort()
    return Promise.all(uuids.map((uuid) => this.#see(uuid, { row: ours.get(uuid), want: wanted.get(uuid), rows, context })))
  }

  async #see(
    uuid: string,
    at: { row: DomainRow | undefined; want: Want | undefined; rows: readonly DomainRow[]; context: PlanContext },
  ): Promise<SeenVm> {
    const { row, want, rows, context } = at
    const memory = readVmMemory(this.#p.memory.facts('vm', uuid))
    const foreign = row ? undefined : rows.find((r) => r.uuid === uuid || r.name === domainName(uuid))
    const off = row?.id == null
    return {
      uuid,
      domain: row ? await this.#domain(row, want) : null,
      foreign: foreign ? { uuid: foreign.uuid, name: foreign.name } : null,
      memory,
      missingDisks: want && off ? await this.#missing(want) : [],
      bootId: context.bootId,
      atMs: this.#p.monotonicMs(),
    }
  }

  async #domain(row: DomainRow, want: Want | undefined): Promise<NonNullable<SeenVm['domain']>> {
    const { uuid, id, state, reason } = row
    const hash = parseMark(row.metadata)?.hash ?? null
    const bySignal = id === null && reason === 'shutdown' && this.#signalled.has(uuid)
    const seen = { active: id !== null, state, reason: bySignal ? 'host' : reason, pid: this.#pids.get(uuid)?.pid ?? null }
    if (id === null) return { ...seen, liveHash: null, configHash: hash }
    // What is asked of a running domain is what runs; only when that is not as wanted, its next definition matters.
    const asWanted = want === undefined || hash === definitionHash(domainOf(uuid, want.spec, this.#p.config))
    return { ...seen, liveHash: hash, configHash: asWanted ? hash : await this.#configHash(uuid) }
  }

  async #configHash(uuid: string): Promise<string | null> {
    const xml = await this.#p.libvirt.call('domainXml', { uuid, inactive: true }, { timeoutMs: LIST_TIMEOUT_MS })
    return parseDomain(xml).mark?.hash ?? null
  }

  async #missing({ spec }: Want): Promise<string[]> {
    const kinds = await Promise.all(spec.disks.map(async ({ path }) => ({ path, stat: await this.#p.host.files.stat(path) })))
    return kinds.filter(({ stat }) => stat?.kind !== 'file').map(({ path }) => path)
  }

  /** libvirt tells no pids; qemu carries its domain's name in its arguments. Looked for once in each run of a domain. */
  async #findPids(rows: readonly DomainRow[]): Promise<void> {
    for (const [uuid, { id }] of this.#pids) if (rows.find((r) => r.uuid === uuid)?.id !== id) this.#pids.delete(uuid)
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
