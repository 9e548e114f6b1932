/**
 * Verbs on the files of a running guest's disk: `do.vm.<vmUuid>.{switch-disk,switch-back,pull-disk,resize-disk}`. Each looks first how far
 * it is, so that a repeat, also after the end of this agent, goes on from there: the work itself is qemu's. A guest that is off has
 * nothing open; then agent-storage does what is to be done.
 */
import { type AgentCommand, type CommandContext, defineCommand } from '@skerry/agent'
import { kvmCommands, SkerryError } from '@skerry/contract'
import type { Host } from '@skerry/host'
import { diskSerial, type Libvirt, libvirtCodes, markNamespace, parseDomain, snapshotXml } from '@skerry/libvirt'
import type { Timers } from '@skerry/reconcile'
import { isOurs } from '../vms/observe.ts'

const TIMEOUT_MS = 30_000
const LOOK_MS = 200
const SECTOR = 512

export interface DiskPorts {
  libvirt: Libvirt
  host: Pick<Host, 'qemuImg'>
  timers: Timers
}

type Of<K extends 'switchDisk' | 'switchBack' | 'pullDisk' | 'resizeDisk'> = CommandContext<
  (typeof kvmCommands)[K]['input']['_output']
>

export function diskCommands(ports: DiskPorts): AgentCommand[] {
  return [
    defineCommand({ noun: 'vm', verb: 'switch-disk', ...kvmCommands.switchDisk, run: (c) => switchDisk(ports, c) }),
    defineCommand({ noun: 'vm', verb: 'switch-back', ...kvmCommands.switchBack, run: (c) => switchBack(ports, c) }),
    defineCommand({ noun: 'vm', verb: 'pull-disk', ...kvmCommands.pullDisk, run: (c) => pullDisk(ports, c) }),
    defineCommand({ noun: 'vm', verb: 'resize-disk', ...kvmCommands.resizeDisk, run: (c) => resizeDisk(ports, c) }),
  ]
}

interface Open {
  target: string
  file: string
  /** All disks of the guest. */
  targets: string[]
}

/** The volume as the guest has it open; undefined: it is off, or does not have it. */
async function openIn(libvirt: Libvirt, uuid: string, volumeUuid: string): Promise<Open | undefined> {
  const rows = await libvirt.call('listDomains', { metadataUri: markNamespace }, { timeoutMs: TIMEOUT_MS })
  const row = rows.find((r) => r.uuid === uuid && isOurs(r))
  if (!row || row.id === null) return undefined
  const { disks } = parseDomain(await libvirt.call('domainXml', { uuid }, { timeoutMs: TIMEOUT_MS }))
  const disk = disks.find(({ file, serial }) => serial === diskSerial(volumeUuid) && file?.includes(volumeUuid))
  return disk?.file ? { target: disk.target, file: disk.file, targets: disks.map(({ target }) => target) } : undefined
}

const strayed = (volumeUuid: string, file: string, expected: readonly string[]) =>
  new SkerryError('volume-layered', `the guest writes into ${file}, and not into ${expected.join(' or ')}`, {
    volumeUuid,
    path: file,
    expected: [...expected],
  })

async function switchDisk(
  { libvirt, host }: DiskPorts,
  { uuid, input }: Of<'switchDisk'>,
): Promise<{ switched: 'live' | 'off' }> {
  const { volumeUuid, from, to } = input
  const open = await openIn(libvirt, uuid, volumeUuid)
  if (!open) return { switched: 'off' }
  if (open.file === to) return { switched: 'live' }
  if (open.file !== from) throw strayed(volumeUuid, open.file, [from, to])
  const [next] = await host.qemuImg.info({ path: to, format: 'qcow2' })
  if (next?.backingPath !== from)
    throw new SkerryError('volume-layered', `${to} does not lie on ${from}`, {
      volumeUuid,
      path: to,
      below: next?.backingPath ?? null,
    })
  const xml = snapshotXml(open.targets.map((target) => (target === open.target ? { target, file: to } : { target })))
  try {
    await libvirt.call('domainSnapshotDisks', { uuid, xml }, { timeoutMs: TIMEOUT_MS })
  } catch (error) {
    // Done, with an answer that came too late; or the guest ended meanwhile.
    const now = await openIn(libvirt, uuid, volumeUuid)
    if (now && now.file !== to) throw error
    return { switched: now ? 'live' : 'off' }
  }
  return { switched: 'live' }
}

async function switchBack(
  ports: DiskPorts,
  { uuid, input, signal, progress }: Of<'switchBack'>,
): Promise<{ switched: 'live' | 'off' }> {
  const { libvirt } = ports
  const { volumeUuid, from, to } = input
  for (;;) {
    const open = await openIn(libvirt, uuid, volumeUuid)
    if (!open) return { switched: 'off' }
    if (open.file === from) return { switched: 'live' }
    if (open.file !== to) throw strayed(volumeUuid, open.file, [from, to])
    const disk = open.target
    const job = await jobOn(libvirt, uuid, disk)
    if (job === 'off') continue
    if (!job) await libvirt.call('domainBlockCommit', { uuid, disk, top: to, base: from }, { timeoutMs: TIMEOUT_MS })
    else if (job.done < job.total || !(await pivots(libvirt, uuid, disk))) {
      progress({ step: 'merge', ...percentOf(job) })
      await pause(ports, { uuid, disk, signal })
    }
  }
}

/** Not in step yet, it refuses; that is seen by trying. */
async function pivots(libvirt: Libvirt, uuid: string, disk: string): Promise<boolean> {
  try {
    await libvirt.call('domainBlockJobEnd', { uuid, disk, how: 'pivot' }, { timeoutMs: TIMEOUT_MS })
    return true
  } catch (error) {
    if (!(error instanceof SkerryError) || error.code !== 'hypervisor-failed') throw error
    return false
  }
}

async function pullDisk(ports: DiskPorts, context: Of<'pullDisk'>): Promise<{ pulled: 'live' | 'off' }> {
  const { libvirt, host } = ports
  const { uuid, input, signal, progress } = context
  const { volumeUuid, path, leaving } = input
  let begun = false
  for (;;) {
    const open = await openIn(libvirt, uuid, volumeUuid)
    if (!open) return { pulled: 'off' }
    if (open.file !== path) throw strayed(volumeUuid, open.file, [path])
    const disk = open.target
    const job = await jobOn(libvirt, uuid, disk)
    if (job === 'off') continue
    if (job) {
      begun = true
      progress({ step: 'copy', ...percentOf(job) })
      await pause(ports, { uuid, disk, signal })
      continue
    }
    const chain = await host.qemuImg.info({ path, format: 'qcow2' })
    const at = chain.findIndex((one) => one.path === leaving)
    if (at <= 0) return { pulled: 'live' }
    if (begun)
      throw new SkerryError(
        'hypervisor-failed',
        `copying what ${leaving} holds into ${path} ended before all was copied: is its disk full?`,
        {
          volumeUuid,
          path,
        },
      )
    await libvirt.call('domainBlockPull', { uuid, disk, base: chain[at]?.backingPath ?? null }, { timeoutMs: TIMEOUT_MS })
    begun = true
  }
}

/** `off`: it ended since it was looked at. */
async function jobOn(libvirt: Libvirt, uuid: string, disk: string) {
  try {
    return await libvirt.call('domainBlockJob', { uuid, disk }, { timeoutMs: TIMEOUT_MS })
  } catch (error) {
    if (error instanceof SkerryError && error.details['libvirtCode'] === libvirtCodes.operationInvalid) return 'off'
    throw error
  }
}

const percentOf = ({ done, total }: { done: number; total: number }) =>
  total > 0 ? { percent: Math.floor((done / total) * 1000) / 10 } : {}

/** Until the next look. Nobody waits any more: what is under way ends, and leaves everything as it was. */
async function pause(
  { libvirt, timers }: DiskPorts,
  { uuid, disk, signal }: { uuid: string; disk: string; signal: AbortSignal },
): Promise<void> {
  await new Promise<void>((resolve) => {
    const timer = timers.set(resolve, signal.aborted ? 0 : LOOK_MS)
    const end = () => {
      timers.clear(timer)
      resolve()
    }
    signal.addEventListener('abort', end, { once: true })
  })
  if (!signal.aborted) return
  const ending = signal.reason instanceof SkerryError && signal.reason.code === 'agent-unreachable'
  // This agent only ends: its successor finds the work further on.
  if (!ending) await libvirt.call('domainBlockJobEnd', { uuid, disk, how: 'abort' }, { timeoutMs: TIMEOUT_MS })
  signal.throwIfAborted()
}

async function resizeDisk({ libvirt, host }: DiskPorts, { uuid, input }: Of<'resizeDisk'>): Promise<{ resized: 'live' | 'off' }> {
  const { volumeUuid, path } = input
  const open = await openIn(libvirt, uuid, volumeUuid)
  if (!open) return { resized: 'off' }
  if (open.file !== path) throw strayed(volumeUuid, open.file, [path])
  const sizeBytes = Math.ceil(input.sizeBytes / SECTOR) * SECTOR
  const [image] = await host.qemuImg.info({ path, format: path.endsWith('.raw') ? 'raw' : 'qcow2' })
  if (!image || image.virtualSizeBytes < sizeBytes)
    await libvirt.call('domainBlockResize', { uuid, disk: open.target, sizeBytes }, { timeoutMs: TIMEOUT_MS })
  return { resized: 'live' }
}
