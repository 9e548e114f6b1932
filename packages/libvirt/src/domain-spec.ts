/** A domain as data, and what is refused before it becomes XML. Sizes in bytes, uuids as 32 hex digits. */
import { SkerryError } from '@skerry/contract'
import type { Mark } from './mark.ts'

/** How fast a disk may be at most, for qemu to hold it back. Of a measure either the sum or the two directions; absent: as fast as it is. */
export interface Iotune {
  totalBytesPerSec?: number
  readBytesPerSec?: number
  writeBytesPerSec?: number
  totalIops?: number
  readIops?: number
  writeIops?: number
}

/** How libvirt calls them, in XML and in parameters. */
export const iotuneNames = [
  ['totalBytesPerSec', 'total_bytes_sec'],
  ['readBytesPerSec', 'read_bytes_sec'],
  ['writeBytesPerSec', 'write_bytes_sec'],
  ['totalIops', 'total_iops_sec'],
  ['readIops', 'read_iops_sec'],
  ['writeIops', 'write_iops_sec'],
] as const satisfies readonly (readonly [keyof Iotune, string])[]

export interface DiskSpec {
  file: string
  format: 'qcow2' | 'raw'
  /** `vda`, `vdb`, … */
  target: string
  volumeUuid?: string
  /** 1 boots first. */
  bootOrder?: number
  cache?: 'none' | 'writeback' | 'writethrough' | 'directsync' | 'unsafe'
  readonly?: boolean
  iotune?: Iotune
}

export interface CdromSpec {
  /** Absent: an empty drive. */
  file?: string
  /** `sda`, `sdb`, … */
  target: string
  /** default `sata`; `scsi` hangs on a virtio-scsi controller of its own */
  bus?: 'sata' | 'scsi'
  bootOrder?: number
}

export interface NicSpec {
  mac: string
  bridge: string
  /** The tap's name on the host; at most 15 characters, not beginning with `vnet`, which libvirt gives out itself. */
  tap: string
  model?: 'virtio' | 'e1000' | 'rtl8139'
  mtu?: number
  bootOrder?: number
}

export type SerialSpec = ({ type: 'unix'; path: string } | { type: 'pty' }) & { logFile?: string }
export type VncSpec = { socket: string } | { listen: string; port?: number }

export interface DomainSpec {
  uuid: string
  name: string
  title?: string
  description?: string
  /** `qemu` is TCG. */
  type: 'kvm' | 'qemu'
  cpuCount: number
  /** `host-*` need kvm; `maximum` is all that TCG can do; `none` leaves qemu64. */
  cpuMode: 'host-model' | 'host-passthrough' | 'maximum' | 'none'
  memoryBytes: number
  disks: readonly DiskSpec[]
  cdroms?: readonly CdromSpec[]
  /** A raw file that the guest may read and not write, and from which it does not boot. */
  configDrive?: { file: string; target: string }
  nics: readonly NicSpec[]
  serial?: SerialSpec
  vnc?: VncSpec
  guestAgent?: boolean
  /** Ports on its bus for what it has on virtio and for what may be plugged in while it runs; libvirt leaves only one free. */
  ports?: number
  /** Direct kernel boot; without it the guest boots by the boot orders. */
  kernel?: { file: string; initrd?: string; commandLine?: string }
  mark?: Mark
}

const UUID = /^[0-9a-f]{32}$/
const MAC = /^[0-9a-f]{2}(:[0-9a-f]{2}){5}$/
const DEVICE = /^[A-Za-z0-9_.-]{1,15}$/

function refuse(what: string, value: unknown): never {
  throw new SkerryError('invalid-argument', `a domain cannot have this ${what}`, { what, value })
}

function need(holds: boolean, what: string, value: unknown): void {
  if (!holds) refuse(what, value)
}

const path = (what: string, value: string | undefined): void => {
  // libvirt refuses newlines in some paths and cuts others; no path of ours has one
  if (value !== undefined) need(value.startsWith('/') && !/[\r\n]/.test(value), what, value)
}

function unique(what: string, values: readonly string[]): void {
  const seen = new Set<string>()
  for (const value of values) {
    need(!seen.has(value), `second ${what}`, value)
    seen.add(value)
  }
}

/** Throws `invalid-argument` on a limit that libvirt takes for another or for none. */
export function checkIotune(iotune: Iotune): void {
  for (const [name, value] of Object.entries(iotune)) need(Number.isSafeInteger(value) && value > 0, `${name} of a disk`, value)
  const { totalBytesPerSec, readBytesPerSec, writeBytesPerSec, totalIops, readIops, writeIops } = iotune
  const bytesTwice = totalBytesPerSec !== undefined && (readBytesPerSec ?? writeBytesPerSec) !== undefined
  need(!bytesTwice, 'bandwidth in sum beside one of a direction', iotune)
  need(!(totalIops !== undefined && (readIops ?? writeIops) !== undefined), 'IOPS in sum beside those of a direction', iotune)
}

/** Throws `invalid-argument` on a disk that no domain can have. */
export function checkDisk(disk: DiskSpec): void {
  path('disk file', disk.file)
  need(/^vd[a-z]{1,2}$/.test(disk.target), 'disk target', disk.target)
  if (disk.volumeUuid !== undefined) need(UUID.test(disk.volumeUuid), 'volume uuid', disk.volumeUuid)
  if (disk.iotune) checkIotune(disk.iotune)
}

/** Throws `invalid-argument` on a CD drive that no domain can have. */
export function checkCdrom(cdrom: CdromSpec): void {
  path('cdrom file', cdrom.file)
  need(/^sd[a-z]$/.test(cdrom.target), 'cdrom target', cdrom.target)
}

/** Throws `invalid-argument` on a network card that no domain can have. */
export function checkNic(nic: NicSpec): void {
  need(MAC.test(nic.mac), 'MAC address', nic.mac)
  // The lowest bit of the first byte says multicast.
  need((Number.parseInt(nic.mac.slice(0, 2), 16) & 1) === 0, 'multicast MAC address', nic.mac)
  need(DEVICE.test(nic.bridge), 'bridge name', nic.bridge)
  need(DEVICE.test(nic.tap) && !nic.tap.startsWith('vnet'), 'tap name', nic.tap)
  if (nic.mtu !== undefined) need(Number.isInteger(nic.mtu) && nic.mtu >= 68 && nic.mtu <= 65_535, 'MTU', nic.mtu)
}

function checkVnc(vnc: VncSpec | undefined): void {
  if (!vnc) return
  if ('socket' in vnc) path('VNC socket', vnc.socket)
  else need(/^[0-9a-fA-F.:]+$/.test(vnc.listen), 'VNC address', vnc.listen)
}

/** Throws `invalid-argument` naming the first value that would not make a sound domain. */
export function checkSpec(spec: DomainSpec): void {
  need(UUID.test(spec.uuid), 'uuid', spec.uuid)
  // libvirt makes file names of it and refuses both; an empty name it refuses as missing.
  need(spec.name !== '' && !/[/\r\n]/.test(spec.name), 'name', spec.name)
  need(!/[\r\n]/.test(spec.title ?? ''), 'title', spec.title)
  need(Number.isInteger(spec.cpuCount) && spec.cpuCount > 0, 'number of CPUs', spec.cpuCount)
  need(
    Number.isSafeInteger(spec.memoryBytes) && spec.memoryBytes > 0 && spec.memoryBytes % 1024 === 0,
    'memory size',
    spec.memoryBytes,
  )
  need(spec.type === 'kvm' || !spec.cpuMode.startsWith('host-'), 'CPU mode without KVM', spec.cpuMode)
  need(
    spec.ports === undefined || (Number.isInteger(spec.ports) && spec.ports >= 0 && spec.ports <= 64),
    'number of ports',
    spec.ports,
  )
  for (const disk of spec.disks) checkDisk(disk)
  if (spec.configDrive) checkDisk({ ...spec.configDrive, format: 'raw' })
  for (const cdrom of spec.cdroms ?? []) checkCdrom(cdrom)
  for (const nic of spec.nics) checkNic(nic)
  if (spec.serial?.type === 'unix') path('serial socket', spec.serial.path)
  path('serial log', spec.serial?.logFile)
  path('kernel', spec.kernel?.file)
  path('initrd', spec.kernel?.initrd)
  checkVnc(spec.vnc)
  const bootable = [...spec.disks, ...(spec.cdroms ?? []), ...spec.nics]
  const orders = bootable.flatMap((d) => d.bootOrder ?? [])
  for (const order of orders) need(Number.isInteger(order) && order > 0, 'boot order', order)
  unique('boot order', orders.map(String))
  unique(
    'target',
    [...spec.disks, ...(spec.cdroms ?? []), ...(spec.configDrive ? [spec.configDrive] : [])].map((d) => d.target),
  )
  unique(
    'MAC address',
    spec.nics.map((n) => n.mac),
  )
  unique(
    'tap',
    spec.nics.map((n) => n.tap),
  )
}
