/**
 * `do.vm.<vmUuid>.{adopt,release}`: our mark on a domain that somebody else has made, and the mark away. Nothing else of the domain changes:
 * its guest runs on in the same process, and without a document nobody acts on the mark.
 */
import { type AgentCommand, defineCommand } from '@skerry/agent'
import { canonicalJson, kvmCommands, SkerryError } from '@skerry/contract'
import { type DomainRow, type Libvirt, markMetadata, markNamespace, parseDomain, parseMark } from '@skerry/libvirt'
import type { DesiredSource } from '@skerry/reconcile'
import { ADOPTED } from '../vms/definition.ts'

const TIMEOUT_MS = 20_000
/** Of no document. */
const NO_GENERATION = '0.0'

export interface AdoptPorts {
  libvirt: Libvirt
  ledger: DesiredSource
}

export function adoptCommands({ libvirt, ledger }: AdoptPorts): AgentCommand[] {
  return [
    defineCommand({
      noun: 'vm',
      verb: 'adopt',
      ...kvmCommands.adopt,
      run: async ({ uuid, input }) => {
        const row = await find(libvirt, uuid)
        if (!row) throw new SkerryError('not-found', `there is no domain ${uuid} on this host`, { uuid })
        const mark = parseMark(row.metadata)
        if (mark?.uuid === uuid && mark.hash !== ADOPTED)
          throw new SkerryError('in-use', `domain ${row.name} carries our mark: it is not somebody else's`, { uuid })
        await needAsTold(libvirt, row, input)
        const xml = markMetadata({ uuid, generation: NO_GENERATION, hash: ADOPTED }).xml
        await setMark(libvirt, row, xml)
        return {}
      },
    }),
    defineCommand({
      noun: 'vm',
      verb: 'release',
      ...kvmCommands.release,
      run: async ({ uuid }) => {
        const row = await find(libvirt, uuid)
        const mark = parseMark(row?.metadata)
        if (!row || mark?.uuid !== uuid || mark.hash !== ADOPTED) return { released: false }
        const [document] = ledger.entries('vm', new Set([uuid]))
        if (document?.spec)
          throw new SkerryError('in-use', `there is a document of VM ${uuid}: it can't be released any more`, { uuid })
        await setMark(libvirt, row, null)
        return { released: true }
      },
    }),
  ]
}

async function find(libvirt: Libvirt, uuid: string): Promise<DomainRow | undefined> {
  const rows = await libvirt.call('listDomains', { metadataUri: markNamespace }, { timeoutMs: TIMEOUT_MS })
  return rows.find((row) => row.uuid === uuid)
}

/** Disks and cards that came or went since were in nobody's plan. */
async function needAsTold(
  libvirt: Libvirt,
  { uuid, name, persistent }: DomainRow,
  told: { disks: { target: string; path: string }[]; macs: string[] },
): Promise<void> {
  const { disks, nics } = parseDomain(await libvirt.call('domainXml', { uuid }, { timeoutMs: TIMEOUT_MS }))
  const files = disks.flatMap(({ device, target, file }) => (device === 'cdrom' ? [] : [{ target, path: file }]))
  const is = { disks: files, macs: nics.map(({ mac }) => mac) }
  if (persistent && canonicalJson(is) === canonicalJson({ disks: told.disks, macs: told.macs })) return
  throw new SkerryError('conflict', `domain ${name} is not any more what it was told to be: look at it again`, { uuid, is })
}

/** On what runs and on the definition, so that it is there after a boot of the host too. */
async function setMark(libvirt: Libvirt, { uuid, id }: DomainRow, xml: string | null): Promise<void> {
  const { uri, prefix } = markMetadata({ uuid, generation: NO_GENERATION, hash: ADOPTED })
  const affect = id === null ? 'config' : 'both'
  await libvirt.call('domainSetMetadata', { uuid, uri, prefix, xml, affect }, { timeoutMs: TIMEOUT_MS })
}
