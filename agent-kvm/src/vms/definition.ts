/** A VM's document as a domain of libvirt. */
import { specHash } from '@skerry/agent'
import { domainName, type Generation, type kvmDesired } from '@skerry/contract'
import type { DomainSpec } from '@skerry/libvirt'
import { vmFolder } from './memory.ts'

/** Raised when the same document should give another domain: then definitions made before are made anew. */
const VERSION = 1

export interface HostConfig {
  /** What guests run on here: probed, not guessed. */
  domainType: 'kvm' | 'qemu'
  stateDir: string
}

/** The domain without its mark. Power, placement and autonomy are no part of it. */
export function domainOf(uuid: string, spec: kvmDesired.VmSpec, { domainType, stateDir }: HostConfig): DomainSpec {
  const { serial, vnc, log } = vmFolder(stateDir, uuid)
  const bootFirst = [...spec.disks].sort((a, b) => Number(b.boot) - Number(a.boot) || (a.target < b.target ? -1 : 1))
  return {
    uuid,
    name: domainName(uuid),
    title: spec.name,
    type: domainType,
    cpuMode: domainType === 'kvm' ? 'host-passthrough' : 'maximum',
    cpuCount: spec.cpuNum,
    memoryBytes: spec.memoryBytes,
    disks: spec.disks.map((disk) => ({
      file: disk.path,
      format: disk.format,
      target: disk.target,
      volumeUuid: disk.volumeUuid,
      ...(disk.boot ? { bootOrder: bootFirst.indexOf(disk) + 1 } : {}),
    })),
    nics: spec.nics.map(({ mac, bridge, tap }) => ({ mac, bridge, tap })),
    serial: { type: 'unix', path: serial, logFile: log },
    vnc: { socket: vnc },
  }
}

export const definitionHash = (domain: DomainSpec): string => specHash({ version: VERSION, domain })

export const generationText = ({ incarnation, seq }: Generation): string => `${incarnation}.${seq}`
