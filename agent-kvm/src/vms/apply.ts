/** Carries out one change of a VM. What is done already is fine: the next observation is trusted, not an exit code. */
import { SkerryError } from '@skerry/contract'
import { domainXml, type Libvirt, libvirtCodes } from '@skerry/libvirt'
import { toFacts } from '../memory.ts'
import { vmFolder } from './memory.ts'
import type { VmPorts } from './observe.ts'
import type { VmChange } from './plan.ts'

const TIMEOUT_MS = { define: 20_000, start: 60_000, ask: 20_000, cut: 40_000, undefine: 20_000 }
/** qemu may run as another user, who makes its sockets there; nobody may list or take away those of others. */
const SOCKET_FOLDER_MODE = 0o1733

export async function applyVm(ports: VmPorts, change: VmChange): Promise<void> {
  const { libvirt, host, memory, config } = ports
  const { uuid } = change
  const { folder } = vmFolder(config.stateDir, uuid)
  switch (change.op) {
    case 'define': {
      const xml = domainXml({ ...change.domain, mark: { uuid, generation: change.generation, hash: change.hash } })
      await libvirt.call('domainDefineXml', { xml }, { timeoutMs: TIMEOUT_MS.define })
      return
    }
    case 'start':
      await host.files.makeDir(folder, SOCKET_FOLDER_MODE)
      return start(libvirt, uuid)
    case 'ask':
      return alreadyDone('operationInvalid', () =>
        libvirt.call('domainShutdown', { uuid, via: 'acpi' }, { timeoutMs: TIMEOUT_MS.ask }),
      )
    case 'cut':
      return alreadyDone('operationInvalid', () => libvirt.call('domainDestroy', { uuid }, { timeoutMs: TIMEOUT_MS.cut }))
    case 'undefine':
      await host.files.remove(folder)
      return alreadyDone('noDomain', () =>
        libvirt.call(
          'domainUndefine',
          { uuid, nvram: true, managedSave: true, snapshotsMetadata: true },
          { timeoutMs: TIMEOUT_MS.undefine },
        ),
      )
    case 'remember':
      return memory.setFacts('vm', uuid, toFacts(change.facts))
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
