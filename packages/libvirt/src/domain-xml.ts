/** Domain XML from data. Format: libvirt.org/formatdomain.html, as libvirt 9.0 accepts it; machine q35, x86_64. */
import {
  type CdromSpec,
  checkCdrom,
  checkDisk,
  checkNic,
  checkSpec,
  type DiskSpec,
  type DomainSpec,
  type Iotune,
  iotuneNames,
  type NicSpec,
  type SerialSpec,
  type VncSpec,
} from './domain-spec.ts'
import { markElement } from './mark.ts'
import { element, writeXml, type XmlElement } from './xml/document.ts'

/** 32 hex digits → 8-4-4-4-12. */
export const dashedUuid = (uuid: string): string => uuid.replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, '$1-$2-$3-$4-$5')

/** virtio-blk shows a guest at most 20 characters of a serial (/dev/disk/by-id/virtio-…). */
export const diskSerial = (volumeUuid: string): string => volumeUuid.slice(0, 20)

const bootOrder = (order: number | undefined) => order !== undefined && element('boot', { order })

export const iotuneElement = (iotune: Iotune): XmlElement =>
  element(
    'iotune',
    {},
    iotuneNames.map(([key, name]) => iotune[key] !== undefined && element(name, {}, String(iotune[key]))),
  )

const disk = (d: DiskSpec): XmlElement =>
  element('disk', { type: 'file', device: 'disk' }, [
    element('driver', { name: 'qemu', type: d.format, cache: d.cache ?? 'none', discard: 'unmap' }),
    element('source', { file: d.file }),
    element('target', { dev: d.target, bus: 'virtio' }),
    d.iotune && iotuneElement(d.iotune),
    d.readonly && element('readonly'),
    d.volumeUuid !== undefined && element('serial', {}, diskSerial(d.volumeUuid)),
    bootOrder(d.bootOrder),
  ])

const cdrom = (c: CdromSpec): XmlElement =>
  element('disk', { type: 'file', device: 'cdrom' }, [
    element('driver', { name: 'qemu', type: 'raw' }),
    c.file !== undefined && element('source', { file: c.file }),
    element('target', { dev: c.target, bus: c.bus ?? 'sata' }),
    element('readonly'),
    bootOrder(c.bootOrder),
  ])

const nic = (n: NicSpec): XmlElement =>
  element('interface', { type: 'bridge' }, [
    element('mac', { address: n.mac }),
    element('source', { bridge: n.bridge }),
    element('target', { dev: n.tap }),
    element('model', { type: n.model ?? 'virtio' }),
    n.mtu !== undefined && element('mtu', { size: n.mtu }),
    bootOrder(n.bootOrder),
  ])

const serial = (s: SerialSpec): XmlElement =>
  element('serial', { type: s.type }, [
    s.type === 'unix' && element('source', { mode: 'bind', path: s.path }),
    s.logFile !== undefined && element('log', { file: s.logFile, append: 'on' }),
    element('target', { type: 'isa-serial', port: 0 }),
  ])

function vnc(v: VncSpec): XmlElement[] {
  const graphics =
    'socket' in v
      ? element('graphics', { type: 'vnc' }, [element('listen', { type: 'socket', socket: v.socket })])
      : element('graphics', { type: 'vnc', port: v.port ?? -1, autoport: v.port === undefined ? 'yes' : 'no' }, [
          element('listen', { type: 'address', address: v.listen }),
        ])
  // A tablet gives absolute coordinates: without it the viewer's pointer drifts away from the guest's.
  return [element('input', { type: 'tablet', bus: 'usb' }), graphics, element('video', {}, [element('model', { type: 'vga' })])]
}

const guestAgent = (): XmlElement =>
  element('channel', { type: 'unix' }, [element('target', { type: 'virtio', name: 'org.qemu.guest_agent.0' })])

const randomness = (): XmlElement =>
  element('rng', { model: 'virtio' }, [element('backend', { model: 'random' }, '/dev/urandom')])

function cpu(mode: DomainSpec['cpuMode']): XmlElement | null {
  return mode === 'none' ? null : element('cpu', { mode })
}

function os(kernel: DomainSpec['kernel']): XmlElement {
  return element('os', {}, [
    element('type', { arch: 'x86_64', machine: 'q35' }, 'hvm'),
    kernel && element('kernel', {}, kernel.file),
    kernel?.initrd !== undefined && element('initrd', {}, kernel.initrd),
    kernel?.commandLine !== undefined && element('cmdline', {}, kernel.commandLine),
  ])
}

/** The XML of one disk, to plug it into a running domain or to take it out. Throws as `domainXml`. */
export function diskXml(spec: DiskSpec): string {
  checkDisk(spec)
  return writeXml(disk(spec))
}

/** The XML of one network card, to plug it into a running domain or to take it out. Throws as `domainXml`. */
export function nicXml(spec: NicSpec): string {
  checkNic(spec)
  return writeXml(nic(spec))
}

/** The XML of one CD drive, to change what is in it while its domain runs. Throws as `domainXml`. */
export function cdromXml(spec: CdromSpec): string {
  checkCdrom(spec)
  return writeXml(cdrom(spec))
}

/** libvirt's own default for this bus is an emulated LSI card, which few guests of today have a driver for. */
const scsiController = (cdroms: readonly CdromSpec[]) =>
  cdroms.some((c) => c.bus === 'scsi') && element('controller', { type: 'scsi', index: 0, model: 'virtio-scsi' })

/**
 * The XML of the moment from which a running domain writes into other files (`domainSnapshotDisks`). `disks`: all that it has, by their
 * targets, with the new file of each that moves.
 */
export function snapshotXml(disks: readonly { target: string; file?: string }[]): string {
  for (const { target, file } of disks) if (file !== undefined) checkDisk({ target, file, format: 'qcow2' })
  const moved = disks.map(({ target, file }) =>
    file === undefined
      ? element('disk', { name: target, snapshot: 'no' })
      : element('disk', { name: target, snapshot: 'external', type: 'file' }, [
          element('driver', { type: 'qcow2' }),
          element('source', { file }),
        ]),
  )
  return writeXml(element('domainsnapshot', {}, [element('disks', {}, moved)]))
}

/** Empty ports, for what is plugged in later. libvirt takes the first controller that is named for the root of them all. */
function ports(count: number): XmlElement[] {
  if (count === 0) return []
  const port = () => element('controller', { type: 'pci', model: 'pcie-root-port' })
  return [element('controller', { type: 'pci', index: 0, model: 'pcie-root' }), ...Array.from({ length: count }, port)]
}

/** The XML of a domain. Throws `invalid-argument` on values that make no sound domain or that XML cannot carry. */
export function domainXml(spec: DomainSpec): string {
  checkSpec(spec)
  return writeXml(
    element('domain', { type: spec.type }, [
      element('name', {}, spec.name),
      element('uuid', {}, dashedUuid(spec.uuid)),
      spec.title !== undefined && element('title', {}, spec.title),
      spec.description !== undefined && element('description', {}, spec.description),
      spec.mark && element('metadata', {}, [markElement(spec.mark)]),
      element('memory', { unit: 'b' }, spec.memoryBytes),
      element('vcpu', {}, spec.cpuCount),
      os(spec.kernel),
      element('features', {}, [element('acpi'), element('apic')]),
      cpu(spec.cpuMode),
      element('clock', { offset: 'utc' }),
      element('on_poweroff', {}, 'destroy'),
      element('on_reboot', {}, 'restart'),
      // What a panicked guest shows on its console stays to be seen, until somebody stops, reboots or starts it.
      element('on_crash', {}, 'preserve'),
      element('devices', {}, [
        ...ports(spec.ports ?? 0),
        scsiController(spec.cdroms ?? []),
        ...spec.disks.map(disk),
        ...(spec.cdroms ?? []).map(cdrom),
        spec.configDrive && disk({ ...spec.configDrive, format: 'raw', readonly: true }),
        ...spec.nics.map(nic),
        spec.serial && serial(spec.serial),
        spec.guestAgent && guestAgent(),
        ...(spec.vnc ? vnc(spec.vnc) : []),
        randomness(),
        element('memballoon', { model: 'virtio' }),
        // Without it a panic looks like a guest that runs.
        element('panic', { model: 'isa' }),
      ]),
    ]),
  )
}
