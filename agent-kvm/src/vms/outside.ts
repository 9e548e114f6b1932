/** Domains that people made on this host without us: told as they are, with what would hinder their adoption, and nothing else. */
import { type kvmDesired, SkerryError } from '@skerry/contract'
import { backingFile, checkHeader, type Host, innerSnapshots, isQcow2 } from '@skerry/host'
import { adoptionHindrances, type DomainRow, type Libvirt, type ParsedDisk, parseDomain } from '@skerry/libvirt'
import type { SeenVm } from './observe.ts'

export interface Outside {
  /** libvirt's word */
  state: string
  is: kvmDesired.OutsideVm
}

export interface OutsidePorts {
  libvirt: Libvirt
  host: Pick<Host, 'files'>
}

const TIMEOUT_MS = 10_000
/** A qcow2 header with its extensions is in the first cluster, which is as large by default. */
const HEAD_BYTES = 64 * 1024
const SENTENCE = 255

/** Of what others have named, as the contract takes it: a name that breaks lines would keep the rest from being told. */
const oneLine = (text: string, max: number) => text.replace(/\p{Cc}/gu, '?').slice(0, max)

/** One that vanishes while it is looked at is none. */
async function xmlOf(libvirt: Libvirt, uuid: string): Promise<string | undefined> {
  try {
    return await libvirt.call('domainXml', { uuid }, { timeoutMs: TIMEOUT_MS })
  } catch (error) {
    if (error instanceof SkerryError && error.code === 'not-found') return undefined
    throw error
  }
}

export async function seeOutside(
  { libvirt, host }: OutsidePorts,
  rows: readonly DomainRow[],
  at: Pick<SeenVm, 'bootId' | 'atMs'>,
): Promise<SeenVm[]> {
  const found = await Promise.all(
    rows.map(async (row): Promise<SeenVm[]> => {
      const { uuid, name, state } = row
      const xml = await xmlOf(libvirt, uuid)
      if (xml === undefined) return []
      const is = await describe(host.files, row, xml)
      return [{ uuid, domain: null, foreign: { uuid, name }, outside: { state, is }, memory: {}, missingDisks: [], ...at }]
    }),
  )
  return found.flat()
}

async function describe(files: Host['files'], { name, persistent }: DomainRow, xml: string): Promise<kvmDesired.OutsideVm> {
  const { cpuCount, memoryBytes, disks, nics } = parseDomain(xml)
  const real = disks.filter((disk): disk is OnFile => disk.file !== null && disk.device !== 'cdrom')
  const looked = await Promise.all(real.map((disk) => lookAt(files, disk)))
  const hindrances = [
    ...(persistent ? [] : ['it is transient: without a definition it would be gone when it ends']),
    ...adoptionHindrances(xml),
    ...looked.flatMap(({ problem }, i) => (problem === null ? [] : [`its disk ${real[i]?.file} can't be taken: ${problem}`])),
  ]
  return {
    name: oneLine(name, 255),
    cpuNum: cpuCount,
    memoryBytes,
    paths: real.map(({ file }) => oneLine(file, 1024)),
    macs: nics.map(({ mac }) => oneLine(mac, 64)),
    disks: real.map(({ target, file, format }, i) => ({
      ...{ target: oneLine(target, 64), path: oneLine(file, 1024), format: format === 'qcow2' ? 'qcow2' : 'raw' },
      sizeBytes: looked[i]?.sizeBytes ?? 0,
    })),
    nics: nics.map(({ mac, bridge }) => ({ mac: oneLine(mac, 64), bridge: bridge === null ? null : oneLine(bridge, 64) })),
    hindrances: hindrances.map((text) => oneLine(text, SENTENCE)),
  }
}

type OnFile = ParsedDisk & { file: string }
interface Looked {
  sizeBytes: number
  problem: string | null
}
const refused = (problem: string): Looked => ({ sizeBytes: 0, problem })

/** What the guest sees of it. Anybody may have written its first bytes: nothing in them is followed, and no other file is opened. */
async function lookAt(files: Host['files'], { file, format }: OnFile): Promise<Looked> {
  if (format !== 'qcow2' && format !== 'raw') return refused(`its format is ${format ?? 'not said'}, not qcow2 or raw`)
  try {
    const stat = await files.stat(file)
    if (stat?.kind !== 'file') return refused(stat ? 'it is no regular file' : 'it is not there')
    if (format === 'raw') return { sizeBytes: stat.sizeBytes, problem: null }
    const head = (await files.readAt(file, 0, HEAD_BYTES)) ?? new Uint8Array()
    if (!isQcow2(head)) return refused('it is no qcow2 file')
    const header = checkHeader(head, stat.sizeBytes)
    if ('problem' in header) return refused(header.problem)
    const below = backingFile(head) !== null
    const problem = below ? 'it lies on another file' : innerSnapshots(head) > 0 ? 'it holds snapshots of its own' : null
    return { sizeBytes: header.virtualSizeBytes, problem }
  } catch (error) {
    // One file that can't be read must not hide the other domains.
    if (error instanceof SkerryError) return refused(error.message)
    throw error
  }
}
