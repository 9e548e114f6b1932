/** Carries out one change of a VM. What is done already is fine: the next observation is trusted, not an exit code. */
import { kvmDesired, SkerryError } from '@skerry/contract'
import {
  type Calls,
  cdromXml,
  diskXml,
  domainXml,
  type Libvirt,
  libvirtCodes,
  markMetadata,
  nicXml,
  parseDomain,
} from '@skerry/libvirt'
import { toFacts } from '../memory.ts'
import { vmFolder } from './memory.ts'
import type { VmPorts } from './observe.ts'
import type { VmChange } from './plan.ts'
import { seedImage, seedPath } from './seed.ts'

const TIMEOUT_MS = { define: 20_000, start: 60_000, ask: 20_000, cut: 40_000, undefine: 20_000, plug: 30_000 }
const POWER = { pause: 'domainSuspend', resume: 'domainResume' } as const
/** qemu may run as another user, who makes its sockets there; nobody may list or take away those of others. */
const SOCKET_FOLDER_MODE = 0o1733

export async function applyVm(ports: VmPorts, change: VmChange): Promise<void> {
  const { libvirt, host, memory, config } = ports
  const { uuid } = change
  const { folder } = vmFolder(config.stateDir, uuid)
  switch (change.op) {
    case 'define': {
      // Also for who starts it by hand.
      await host.files.makeDir(folder, SOCKET_FOLDER_MODE)
      const xml = domainXml({ ...change.domain, mark: markOf(change) })
      return void (await libvirt.call('domainDefineXml', { xml }, { timeoutMs: TIMEOUT_MS.define }))
    }
    case 'seed':
      await host.files.makeDir(folder, SOCKET_FOLDER_MODE)
      return writeSeed(ports, change)
    case 'unseed':
      return host.files.remove(change.path)
    case 'start':
      await host.files.makeDir(folder, SOCKET_FOLDER_MODE)
      return start(libvirt, uuid)
    case 'plug':
      return alreadyDone('operationInvalid', () => plug(libvirt, change))
    case 'unplug':
      return unplug(libvirt, { uuid, xml: diskXml(change.disk), again: change.again })
    case 'tune':
      return alreadyDone('operationInvalid', () => tune(libvirt, change))
    case 'plug-nic':
      return alreadyDone('operationInvalid', () => plugNic(libvirt, change))
    case 'unplug-nic':
      return unplug(libvirt, { uuid, xml: nicXml(change.nic), again: change.again })
    case 'media':
      return alreadyDone('operationInvalid', () => changeMedia(libvirt, change))
    case 'mark':
      return alreadyDone('operationInvalid', () => mark(libvirt, change))
    case 'ask':
      return alreadyDone('operationInvalid', () =>
        libvirt.call('domainShutdown', { uuid, via: 'acpi' }, { timeoutMs: TIMEOUT_MS.ask }),
      )
    case 'cut':
      return alreadyDone('operationInvalid', () => libvirt.call('domainDestroy', { uuid }, { timeoutMs: TIMEOUT_MS.cut }))
    case 'pause':
    case 'resume':
      return alreadyDone('operationInvalid', () => libvirt.call(POWER[change.op], { uuid }, { timeoutMs: TIMEOUT_MS.ask }))
    case 'undefine':
      await host.files.remove(folder)
      return undefine(libvirt, { uuid, nvram: true, managedSave: true, snapshotsMetadata: true })
    case 'replace':
      return undefine(libvirt, { uuid })
    case 'remember':
      return memory.setFacts('vm', uuid, toFacts(change.facts))
  }
}

type Of<Op extends VmChange['op']> = Extract<VmChange, { op: Op }>

const markOf = ({ uuid, generation, hash, base }: Of<'define'> | Of<'mark'>) => ({
  uuid,
  generation,
  hash,
  ...(base === undefined ? {} : { base }),
})

const mark = (libvirt: Libvirt, change: Of<'mark'>) => {
  const set = { uuid: change.uuid, ...markMetadata(markOf(change)), affect: 'live' as const }
  return libvirt.call('domainSetMetadata', set, { timeoutMs: TIMEOUT_MS.define })
}

/** What is not named is not thrown away: with a saved memory, or snapshots, libvirt refuses. */
const undefine = (libvirt: Libvirt, what: Calls['domainUndefine']['args']) =>
  alreadyDone('noDomain', () => libvirt.call('domainUndefine', what, { timeoutMs: TIMEOUT_MS.undefine }))

/** The document may have changed since it was planned: then the next look plans anew. */
async function writeSeed({ host, desired, config }: VmPorts, { uuid, path }: Of<'seed'>): Promise<void> {
  const entry = [...desired.entries('vm')].find((one) => one.uuid === uuid)
  const { data: seed } = kvmDesired.guestSeed.safeParse(entry?.spec?.['seed'])
  if (seed && seedPath(config.stateDir, uuid, seed) === path) await host.fatImages.write(path, seedImage(uuid, seed))
}

async function plug(libvirt: Libvirt, { uuid, disk }: Of<'plug'>): Promise<void> {
  try {
    await libvirt.call('domainAttachDevice', { uuid, xml: diskXml(disk), affect: 'live' }, { timeoutMs: TIMEOUT_MS.plug })
  } catch (error) {
    // Plugged in already, with an answer that came too late.
    const { disks } = parseDomain(await libvirt.call('domainXml', { uuid }, { timeoutMs: TIMEOUT_MS.define }))
    if (!disks.some((d) => d.file === disk.file && d.target === disk.target)) throw error
  }
}

const changeMedia = (libvirt: Libvirt, { uuid, cdrom }: Of<'media'>) =>
  libvirt.call('domainChangeMedia', { uuid, xml: cdromXml(cdrom), affect: 'live' }, { timeoutMs: TIMEOUT_MS.plug })

const tune = (libvirt: Libvirt, { uuid, target: disk, iotune }: Of<'tune'>) =>
  libvirt.call('domainSetBlockIoTune', { uuid, disk, iotune }, { timeoutMs: TIMEOUT_MS.plug })

async function plugNic(libvirt: Libvirt, { uuid, nic }: Of<'plug-nic'>): Promise<void> {
  try {
    await libvirt.call('domainAttachDevice', { uuid, xml: nicXml(nic), affect: 'live' }, { timeoutMs: TIMEOUT_MS.plug })
  } catch (error) {
    // As above.
    const { nics } = parseDomain(await libvirt.call('domainXml', { uuid }, { timeoutMs: TIMEOUT_MS.define }))
    if (!nics.some(({ mac, tap }) => mac === nic.mac && tap === nic.tap)) throw error
  }
}

/** A guest that was asked before may refuse to be asked again: whether it lets go is seen, not told. */
async function unplug(libvirt: Libvirt, { uuid, xml, again }: { uuid: string; xml: string; again: boolean }): Promise<void> {
  try {
    await libvirt.call('domainDetachDevice', { uuid, xml, affect: 'live' }, { timeoutMs: TIMEOUT_MS.plug })
  } catch (error) {
    const code = error instanceof SkerryError ? error.details['libvirtCode'] : undefined
    const over = code === libvirtCodes.operationInvalid || code === libvirtCodes.deviceMissing
    const stillAsked = again && (code === libvirtCodes.internalError || code === libvirtCodes.operationFailed)
    if (!over && !stillAsked) throw error
  }
}

async function start(libvirt: Libvirt, uuid: string): Promise<void> {
  try {
    await libvirt.call('domainCreate', { uuid }, { timeoutMs: TIMEOUT_MS.start })
  } catch (error) {
    // Started by another hand meanwhile, or with an answer that came too late.
    const { state } = await libvirt.call('domainGetState', { uuid }, { timeoutMs: TIMEOUT_MS.define })
    if (state !== 'running' && state !== 'paused') throw error
  }
}

/** A guest may come or go between a look and an act: the refusal of that is no failure. */
async function alreadyDone(code: 'operationInvalid' | 'noDomain', act: () => Promise<unknown>): Promise<void> {
  try {
    await act()
  } catch (error) {
    if (!(error instanceof SkerryError) || error.details['libvirtCode'] !== libvirtCodes[code]) throw error
  }
}
