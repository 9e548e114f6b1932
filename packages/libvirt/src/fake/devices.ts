/** Devices that come and go while a fake domain runs: disks and network cards, as libvirt's qemu driver treats them. */
import { libvirtCodes } from '../failure-data.ts'
import type { Affect } from '../port.ts'
import { at, element, readXml, writeXml, type XmlElement } from '../xml/document.ts'
import type { FakeDomain, FakeDomains } from './domains.ts'
import { FakeFailure } from './failure.ts'

const targetOf = (disk: XmlElement): string => at(disk, 'target')?.attributes['dev'] ?? ''

/** What libvirt finds a device by: disks by their target, cards by their MAC address. */
const keyOf: Readonly<Record<string, (node: XmlElement) => string>> = {
  disk: targetOf,
  interface: (card) => at(card, 'mac')?.attributes['address']?.toLowerCase() ?? '',
}
const isDevice = (node: XmlElement, key: string) => keyOf[node.name]?.(node) === key
const isDisk = (node: XmlElement, target: string) => node.name === 'disk' && targetOf(node) === target

function readDevice(xml: string): { node: XmlElement; key: string } {
  const node = readXml(xml)
  const key = keyOf[node.name]?.(node) ?? ''
  if (key === '') throw new FakeFailure(libvirtCodes.xmlError, `XML error: the fake knows no device of this kind: ${node.name}`)
  return { node, key }
}

/** Where a device of its kind comes to stand: disks in the order of their targets, cards behind each other. */
function placeOf(devices: readonly XmlElement[], { name }: XmlElement, key: string): number {
  const after = name === 'disk' ? devices.findIndex((d) => d.name === 'disk' && targetOf(d) > key) : -1
  return after >= 0 ? after : devices.findLastIndex((d) => d.name === name) + 1
}

function withDevices(xml: string, change: (devices: readonly XmlElement[]) => XmlElement[]): string {
  const root = readXml(xml)
  const devices = element('devices', {}, change(at(root, 'devices')?.children ?? []))
  return writeXml({ ...root, children: [...root.children.filter((c) => c.name !== 'devices'), devices] })
}

function needDevice(devices: readonly XmlElement[], key: string): void {
  if (!devices.some((d) => isDevice(d, key)))
    throw new FakeFailure(libvirtCodes.deviceMissing, `device not found: ${key} not found`)
}

/** Of disks their XML is refused; of cards the name of the tap, which is another card's. */
function needFree(devices: readonly XmlElement[], { name }: XmlElement, key: string): void {
  if (!devices.some((d) => isDevice(d, key))) return
  throw name === 'disk'
    ? new FakeFailure(libvirtCodes.xmlError, `XML error: target '${key}' duplicated for disk sources`)
    : new FakeFailure(libvirtCodes.systemError, 'Unable to create tap device: Device or resource busy')
}

export class FakeDevices {
  readonly #domains: FakeDomains
  /** Devices that their guests were asked for and keep: `<id of the run>/<target>`. */
  readonly #asked = new Set<string>()
  /** Whether guests let go at once. */
  obedient = true

  constructor(domains: FakeDomains) {
    this.#domains = domains
  }

  attach(domain: FakeDomain, xml: string, affect: Affect): void {
    const { node, key } = readDevice(xml)
    this.#domains.edit(domain, affect, (before) =>
      withDevices(before, (devices) => {
        needFree(devices, node, key)
        const place = placeOf(devices, node, key)
        return [...devices.slice(0, place), node, ...devices.slice(place)]
      }),
    )
  }

  detach(domain: FakeDomain, xml: string, affect: Affect): void {
    const { key: target } = readDevice(xml)
    const live = affect === 'live' || (affect === 'current' && domain.live !== null)
    if (live && !this.obedient) {
      this.#domains.needActive(domain)
      needDevice(at(readXml(domain.live!.xml), 'devices')?.children ?? [], target)
      const key = `${domain.live?.id}/${target}`
      if (this.#asked.has(key))
        throw new FakeFailure(libvirtCodes.internalError, `internal error: Device ${target} is already in the process of unplug`)
      this.#asked.add(key)
      return
    }
    this.#remove(domain, target, affect)
    if (live) this.#domains.removed(domain, target)
  }

  changeMedia(domain: FakeDomain, xml: string, affect: Affect): void {
    const { node: disk, key: target } = readDevice(xml)
    const source = at(disk, 'source')
    this.#domains.edit(domain, affect, (before) =>
      withDevices(before, (devices) => {
        const drive = devices.find((d) => isDisk(d, target))
        if (!drive) throw new FakeFailure(libvirtCodes.internalError, `internal error: No device with bus and target ${target}`)
        if (drive.attributes['device'] !== 'cdrom')
          throw new FakeFailure(libvirtCodes.operationUnsupported, `Operation not supported: disk ${target} holds no media`)
        const rest = drive.children.filter((child) => child.name !== 'source')
        const changed = { ...drive, children: source ? [...rest, source] : rest }
        return devices.map((d) => (d === drive ? changed : d))
      }),
    )
  }

  /** The guest lets go of what it was asked for. */
  release(domain: FakeDomain): void {
    for (const key of this.#asked) {
      const [id, target] = key.split('/') as [string, string]
      if (Number(id) !== domain.live?.id) continue
      this.#asked.delete(key)
      this.#remove(domain, target, 'live')
      this.#domains.removed(domain, target)
    }
  }

  #remove(domain: FakeDomain, target: string, affect: Affect): void {
    this.#domains.edit(domain, affect, (before) =>
      withDevices(before, (devices) => {
        needDevice(devices, target)
        return devices.filter((d) => !isDevice(d, target))
      }),
    )
  }
}
