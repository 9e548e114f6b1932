/** The fake's domains and what may happen to them: libvirt's state machine, without a hypervisor. */
import { libvirtCodes } from '../failure-data.ts'
import type { Affect } from '../port.ts'
import type { DomainState, LifecycleName } from '../states.ts'
import { at, type XmlElement } from '../xml/document.ts'
import { FakeFailure } from './failure.ts'
import { type MetadataElement, withMetadata } from './metadata.ts'
import { Readings } from './readings.ts'

export interface FakeDomain {
  readonly uuid: string
  readonly name: string
  /** The definition; null once undefined while it runs. */
  xml: string | null
  /** What runs; null while it does not. */
  live: { id: number; xml: string; startedAt: number } | null
  state: DomainState
  reason: string
}

const invalid = (message: string) =>
  new FakeFailure(libvirtCodes.operationInvalid, `Requested operation is not valid: ${message}`)

/** The parts of a definition that a hypervisor insists on. */
export function readDefinition(xml: string, readings: Readings): { uuid: string; name: string } {
  let root: XmlElement
  try {
    root = readings.of(xml)
  } catch (cause) {
    throw new FakeFailure(libvirtCodes.xmlDetail, `(domain_definition): ${(cause as Error).message}`)
  }
  if (root.name !== 'domain') throw new FakeFailure(libvirtCodes.xmlError, `XML error: unexpected root element <${root.name}>`)
  const name = at(root, 'name')?.text ?? ''
  if (name === '') throw new FakeFailure(libvirtCodes.noName, 'missing name information')
  if (/[/\n]/.test(name)) throw new FakeFailure(libvirtCodes.xmlError, `XML error: name ${name} cannot contain '/' or a newline`)
  if (!at(root, 'os', 'type')) throw new FakeFailure(libvirtCodes.xmlError, 'XML error: an os <type> must be specified')
  const memory = at(root, 'memory')?.text ?? ''
  if (!/^\s*\d+\s*$/.test(memory)) throw new FakeFailure(libvirtCodes.xmlError, 'XML error: missing or invalid memory element')
  const uuid = (at(root, 'uuid')?.text ?? '').replaceAll('-', '').trim().toLowerCase()
  if (!/^[0-9a-f]{32}$/.test(uuid)) throw new FakeFailure(libvirtCodes.internalError, 'internal error: malformed uuid element')
  checkDevices(root)
  return { uuid, name }
}

function checkDevices(root: XmlElement): void {
  const targets = new Set<string>()
  for (const device of at(root, 'devices')?.children ?? []) {
    if (device.name === 'disk') {
      const target = at(device, 'target')?.attributes['dev']
      if (!target) throw new FakeFailure(libvirtCodes.xmlError, 'XML error: No target device for disk')
      if (targets.has(target))
        throw new FakeFailure(libvirtCodes.xmlError, `XML error: target '${target}' duplicated for disk sources`)
      targets.add(target)
    }
    if (device.name === 'interface' && device.attributes['type'] === 'bridge' && !at(device, 'source')?.attributes['bridge']) {
      throw new FakeFailure(libvirtCodes.xmlError, "XML error: Missing required attribute 'bridge' in element 'source'")
    }
  }
}

export interface FakeDomainEvents {
  emit(domain: FakeDomain, event: LifecycleName, detail: string): void
  now(): number
}

export class FakeDomains {
  readonly readings = new Readings()
  readonly #byUuid = new Map<string, FakeDomain>()
  readonly #byName = new Map<string, FakeDomain>()
  readonly #events: FakeDomainEvents
  #nextId = 1

  constructor(events: FakeDomainEvents) {
    this.#events = events
  }

  all(): FakeDomain[] {
    return [...this.#byUuid.values()]
  }

  get(uuid: string): FakeDomain {
    const domain = this.#byUuid.get(uuid)
    if (!domain) throw new FakeFailure(libvirtCodes.noDomain, `Domain not found: no domain with matching uuid '${uuid}'`)
    return domain
  }

  define(xml: string): FakeDomain {
    const { uuid, name } = readDefinition(xml, this.readings)
    const other = [this.#byUuid.get(uuid), this.#byName.get(name)].find((d) => d && (d.name !== name || d.uuid !== uuid))
    if (other) {
      const message = `operation failed: domain '${other.name}' already exists with uuid ${other.uuid}`
      throw new FakeFailure(libvirtCodes.operationFailed, message)
    }
    const present = this.#byUuid.get(uuid)
    const domain = present ?? { uuid, name, xml, live: null, state: 'shutoff' as const, reason: 'unknown' }
    domain.xml = xml
    this.#byUuid.set(uuid, domain)
    this.#byName.set(name, domain)
    this.#events.emit(domain, 'defined', present ? 'updated' : 'added')
    return domain
  }

  undefine(domain: FakeDomain): void {
    if (domain.xml === null) throw invalid('cannot undefine transient domain')
    domain.xml = null
    if (!domain.live) this.#drop(domain)
    this.#events.emit(domain, 'undefined', 'removed')
  }

  create(domain: FakeDomain, paused: boolean): number {
    if (domain.live || domain.xml === null) throw invalid('domain is already running')
    const id = this.#nextId++
    domain.live = { id, xml: domain.xml, startedAt: this.#events.now() }
    this.#enter(domain, paused ? 'paused' : 'running', paused ? 'user' : 'booted')
    this.#events.emit(domain, 'started', 'booted')
    if (paused) this.#events.emit(domain, 'suspended', 'paused')
    return id
  }

  /** It ends for the given reason; a transient domain is gone afterwards. */
  stop(domain: FakeDomain, reason: 'shutdown' | 'destroyed' | 'crashed'): void {
    this.needActive(domain)
    domain.live = null
    this.#enter(domain, 'shutoff', reason)
    if (domain.xml === null) this.#drop(domain)
    this.#events.emit(domain, 'stopped', reason)
  }

  /** A panicked guest stays halted after a reset, until it is resumed (qemuDomainReset of libvirt 9.0). */
  reset(domain: FakeDomain): void {
    if (domain.state === 'crashed') this.#enter(domain, 'paused', 'crashed')
    this.#events.emit(domain, 'rebooted', 'reset')
  }

  /** Its kernel panics: the domain is halted and kept. */
  panic(domain: FakeDomain): void {
    this.needActive(domain)
    this.#enter(domain, 'crashed', 'panicked')
    this.#events.emit(domain, 'crashed', 'panicked')
  }

  suspend(domain: FakeDomain): void {
    if (domain.state !== 'running') throw invalid('domain is not running')
    this.#enter(domain, 'paused', 'user')
    this.#events.emit(domain, 'suspended', 'paused')
  }

  resume(domain: FakeDomain): void {
    if (domain.state !== 'paused') throw invalid('domain is not paused')
    this.#enter(domain, 'running', 'unpaused')
    this.#events.emit(domain, 'resumed', 'unpaused')
  }

  setMetadata(domain: FakeDomain, element: MetadataElement, affect: Affect): void {
    this.edit(domain, affect, (xml) => withMetadata(xml, element))
  }

  /** Changes what runs, or the definition. */
  edit(domain: FakeDomain, affect: Affect, change: (xml: string) => string): void {
    if (affect === 'live' || affect === 'both') this.needActive(domain)
    const onLive = domain.live !== null && affect !== 'config'
    const onConfig = affect === 'config' || affect === 'both' || (affect === 'current' && !domain.live)
    if (onConfig && domain.xml === null) throw invalid('transient domains have no persistent definition')
    if (onLive) domain.live = { ...domain.live!, xml: change(domain.live!.xml) }
    if (onConfig) domain.xml = change(domain.xml!)
  }

  /** A guest lets go of a device that it was asked for. */
  removed(domain: FakeDomain, alias: string): void {
    this.#events.emit(domain, 'deviceRemoved', alias)
  }

  needActive(domain: FakeDomain): void {
    if (!domain.live) throw invalid('domain is not running')
  }

  #drop({ uuid, name }: FakeDomain): void {
    this.#byUuid.delete(uuid)
    this.#byName.delete(name)
  }

  #enter(domain: FakeDomain, state: DomainState, reason: string): void {
    domain.state = state
    domain.reason = reason
  }
}
