/** A VM's document as a domain of libvirt. */
import { specHash } from '@skerry/agent'
import { domainName, type Generation, type kvmDesired, MAX_DATA_VOLUMES } from '@skerry/contract'
import type { CdromSpec, DomainSpec } from '@skerry/libvirt'
import { vmFolder } from './memory.ts'
import { SEED_TARGET, seedPath } from './seed.ts'

/** Raised when the same document should give another domain: then definitions made before are made anew. */
const VERSION = 3

/** In a mark, in the place of a hash: the domain is another's definition still, and counts as ours as soon as there is a document of it. */
export const ADOPTED = 'adopted'

/** The one CD drive of a VM. */
const CDROM_TARGET = 'sda'

/** USB controller, random numbers, memory balloon: what else stands on a port of its own. */
const OTHER_DEVICES = 3

type BootDevice = NonNullable<kvmDesired.VmSpec['bootOrder']>[number]

export interface HostConfig {
  /** What guests run on here: probed, not guessed. */
  domainType: 'kvm' | 'qemu'
  stateDir: string
}

/** The domain without its mark. Power, placement and autonomy are no part of it. */
export function domainOf(uuid: string, spec: kvmDesired.VmSpec, config: HostConfig): DomainSpec {
  const made = domains.get(spec)
  if (made?.config === config && made.domain.uuid === uuid) return made.domain
  const domain = makeDomain(uuid, spec, config)
  domains.set(spec, { config, domain })
  return domain
}

/** A pass asks for the domain of each VM, and for its hash, again and again; a spec never changes. */
const domains = new WeakMap<kvmDesired.VmSpec, { config: HostConfig; domain: DomainSpec }>()
const hashes = new WeakMap<DomainSpec, string>()

function makeDomain(uuid: string, spec: kvmDesired.VmSpec, { domainType, stateDir }: HostConfig): DomainSpec {
  const { serial, vnc, log } = vmFolder(stateDir, uuid)
  const order = bootOrders(spec)
  return {
    uuid,
    name: domainName(uuid),
    title: spec.name,
    type: domainType,
    cpuMode: domainType === 'kvm' ? 'host-passthrough' : 'maximum',
    cpuCount: spec.cpuNum,
    memoryBytes: spec.memoryBytes,
    ports: MAX_DATA_VOLUMES + 1 + spec.nics.length + OTHER_DEVICES + (spec.seed ? 1 : 0) + (spec.cdrom?.bus === 'scsi' ? 1 : 0),
    disks: spec.disks.map((disk) => ({
      file: disk.path,
      format: disk.format,
      target: disk.target,
      volumeUuid: disk.volumeUuid,
      ...(disk.boot ? { bootOrder: order('HardDisk') } : {}),
      ...(disk.qos ? { iotune: disk.qos } : {}),
    })),
    ...(spec.cdrom ? { cdroms: [cdromOf(spec.cdrom, order('CdRom'))] } : {}),
    ...(spec.seed ? { configDrive: { file: seedPath(stateDir, uuid, spec.seed), target: SEED_TARGET } } : {}),
    nics: spec.nics.map(({ mac, bridge, tap }, i) => ({
      ...{ mac, bridge, tap },
      ...(i === 0 && order('Network') > 0 ? { bootOrder: order('Network') } : {}),
    })),
    serial: { type: 'unix', path: serial, logFile: log },
    vnc: { socket: vnc },
  }
}

/**
 * Numbers of devices in the boot order. As usual the disk comes first: an empty root disk can't be booted, so an installer comes up from
 * the CD, and what it installed ever after. Cards are no part of it unless the document names the network.
 */
function bootOrders({ disks, cdrom, nics, bootOrder }: kvmDesired.VmSpec): (device: BootDevice) => number {
  const named = new Set([...(bootOrder ?? []), 'HardDisk', 'CdRom'] as const)
  const count = { HardDisk: disks.filter((disk) => disk.boot).length, CdRom: cdrom ? 1 : 0, Network: nics.length > 0 ? 1 : 0 }
  const devices = [...named].filter((device) => count[device] > 0)
  return (device) => devices.indexOf(device) + 1
}

const cdromOf = ({ path, bus }: NonNullable<kvmDesired.VmSpec['cdrom']>, bootOrder: number): CdromSpec => ({
  target: CDROM_TARGET,
  bus,
  bootOrder,
  ...(path === null ? {} : { file: path }),
})

export function definitionHash(domain: DomainSpec): string {
  const hash = hashes.get(domain) ?? specHash({ version: VERSION, domain })
  hashes.set(domain, hash)
  return hash
}

/**
 * Of what only the next start can change: all but the disks and cards that come and go with the ports for them, the file that a disk's volume is written into (snapshots give
 * it another one while it runs), how fast it may be, and what is in its CD drive.
 */
export function baseHash(domain: DomainSpec): string {
  const disks = domain.disks
    .filter((disk) => disk.bootOrder !== undefined)
    .map(({ iotune: _, ...disk }) => ({ ...disk, file: '' }))
  const cdroms = domain.cdroms?.map(({ file: _, ...drive }) => drive)
  const nics = domain.nics.filter(({ bootOrder }) => bootOrder !== undefined)
  return definitionHash({ ...domain, ports: 0, disks, nics, ...(cdroms ? { cdroms } : {}) })
}

/** What the mark on the domain says of its definition. */
export function marksOf(domain: DomainSpec): { hash: string; base?: string } {
  const [hash, base] = [definitionHash(domain), baseHash(domain)]
  return base === hash ? { hash } : { hash, base }
}

export const generationText = ({ incarnation, seq }: Generation): string => `${incarnation}.${seq}`
