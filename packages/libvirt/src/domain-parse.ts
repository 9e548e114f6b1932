/** What we need of a domain's XML, read back tolerantly: a user's own domain may hold anything. */
import { SkerryError } from '@skerry/contract'
import { type Iotune, iotuneNames } from './domain-spec.ts'
import { findMark, type Mark } from './mark.ts'
import { at, childrenNamed, readXml, type XmlElement } from './xml/document.ts'

export interface ParsedDisk {
  device: string
  /** Null for a disk that is no file (network, block), or an empty drive. */
  file: string | null
  format: string | null
  target: string
  serial: string | null
  bootOrder: number | null
  readonly: boolean
  /** Absent: as fast as it is. */
  iotune?: Iotune
}

export interface ParsedNic {
  mac: string
  bridge: string | null
  /** Null while not running, when libvirt chooses it. */
  tap: string | null
  model: string | null
  mtu: number | null
  bootOrder: number | null
}

export interface ParsedDomain {
  /** 32 hex digits; empty when the XML has none yet. */
  uuid: string
  name: string
  title: string | null
  description: string | null
  type: string
  mark: Mark | null
  memoryBytes: number
  cpuCount: number
  disks: ParsedDisk[]
  nics: ParsedNic[]
  serial: { type: string; path: string | null; logFile: string | null } | null
  vnc: { socket: string } | { listen: string; port: number | null } | null
}

/** libvirt's units (virScaleInteger): k/KiB are 1024, KB is 1000; without one memory is in KiB. */
const units: Record<string, number> = {
  b: 1,
  bytes: 1,
  KB: 1e3,
  k: 1024,
  KiB: 1024,
  MB: 1e6,
  M: 1024 ** 2,
  MiB: 1024 ** 2,
  GB: 1e9,
  G: 1024 ** 3,
  GiB: 1024 ** 3,
  TB: 1e12,
  T: 1024 ** 4,
  TiB: 1024 ** 4,
}

const textOf = (node: XmlElement | undefined): string | null => node?.text ?? null
const attribute = (node: XmlElement | undefined, name: string): string | null => node?.attributes[name] ?? null
function integer(text: string | null): number | null {
  const value = Number(text?.trim() || Number.NaN)
  return Number.isInteger(value) ? value : null
}
const order = (node: XmlElement): number | null => integer(attribute(at(node, 'boot'), 'order'))

/** libvirt says 0 where there is no limit. */
function iotuneOf(node: XmlElement | undefined): Pick<ParsedDisk, 'iotune'> {
  const limits = iotuneNames.map(([key, name]) => [key, integer(textOf(node && at(node, name)))] as const)
  const set = limits.filter(([, limit]) => limit)
  return set.length > 0 ? { iotune: Object.fromEntries(set) } : {}
}

const disk = (node: XmlElement): ParsedDisk => ({
  device: node.attributes['device'] ?? 'disk',
  file: attribute(at(node, 'source'), 'file'),
  format: attribute(at(node, 'driver'), 'type'),
  target: attribute(at(node, 'target'), 'dev') ?? '',
  serial: textOf(at(node, 'serial')),
  bootOrder: order(node),
  readonly: at(node, 'readonly') !== undefined,
  ...iotuneOf(at(node, 'iotune')),
})

const nic = (node: XmlElement): ParsedNic => ({
  mac: attribute(at(node, 'mac'), 'address')?.toLowerCase() ?? '',
  bridge: attribute(at(node, 'source'), 'bridge'),
  tap: attribute(at(node, 'target'), 'dev'),
  model: attribute(at(node, 'model'), 'type'),
  mtu: integer(attribute(at(node, 'mtu'), 'size')),
  bootOrder: order(node),
})

function vnc(devices: XmlElement | undefined): ParsedDomain['vnc'] {
  const graphics = childrenNamed(devices, 'graphics').find((g) => g.attributes['type'] === 'vnc')
  if (!graphics) return null
  const listen = at(graphics, 'listen')
  const socket = attribute(graphics, 'socket') ?? attribute(listen, 'socket')
  if (socket !== null) return { socket }
  const port = integer(attribute(graphics, 'port'))
  // -1 until libvirt has chosen one.
  return {
    listen: attribute(listen, 'address') ?? attribute(graphics, 'listen') ?? '',
    port: port !== null && port > 0 ? port : null,
  }
}

function serial(devices: XmlElement | undefined): ParsedDomain['serial'] {
  const node = childrenNamed(devices, 'serial')[0]
  if (!node) return null
  return {
    type: node.attributes['type'] ?? '',
    path: attribute(at(node, 'source'), 'path'),
    logFile: attribute(at(node, 'log'), 'file'),
  }
}

/** Reads a domain's XML. Fails with `invalid-argument` on what is not a domain with a name. */
export const parseDomain = (xml: string): ParsedDomain => domainIn(readXml(xml))

/** As `parseDomain`, of XML that was read already. */
export function domainIn(root: XmlElement): ParsedDomain {
  const name = textOf(at(root, 'name'))
  if (root.name !== 'domain' || !name) throw new SkerryError('invalid-argument', 'this XML is not a domain with a name')
  const memory = at(root, 'memory')
  const devices = at(root, 'devices')
  return {
    uuid: (textOf(at(root, 'uuid')) ?? '').trim().replaceAll('-', '').toLowerCase(),
    name,
    title: textOf(at(root, 'title')),
    description: textOf(at(root, 'description')),
    type: root.attributes['type'] ?? '',
    mark: findMark(at(root, 'metadata')),
    memoryBytes: (integer(textOf(memory)) ?? 0) * (units[attribute(memory, 'unit') ?? 'KiB'] ?? 1024),
    cpuCount: integer(textOf(at(root, 'vcpu'))) ?? 1,
    disks: childrenNamed(devices, 'disk').map(disk),
    nics: childrenNamed(devices, 'interface').map(nic),
    serial: serial(devices),
    vnc: vnc(devices),
  }
}
