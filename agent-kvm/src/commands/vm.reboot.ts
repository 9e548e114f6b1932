/**
 * `do.vm.<vmUuid>.reboot`: the guest is asked by ACPI and has `graceMs` to go down and come up again; then it is reset. The
 * question is remembered with the command's id: a repeat after a restart of the agent waits on instead of asking again.
 */
import { defineCommand } from '@skerry/agent'
import { kvmCommands, SkerryError } from '@skerry/contract'
import { type DomainRow, type Libvirt, libvirtCodes, markNamespace } from '@skerry/libvirt'
import type { Timers } from '@skerry/reconcile'
import { z } from 'zod'
import type { MemoryPort } from '../memory.ts'
import { isOurs } from '../vms/observe.ts'

const TIMEOUT_MS = 20_000

export interface RebootPorts {
  libvirt: Libvirt
  memory: MemoryPort
  timers: Timers
  bootId: string
  monotonicMs(): number
}

/** [format] Fact `reboot` of a VM. */
const asked = z.object({ id: z.string(), atMs: z.number(), bootId: z.string() })

export function vmReboot(ports: RebootPorts) {
  return defineCommand({
    noun: 'vm',
    verb: 'reboot',
    ...kvmCommands.reboot,
    async run({ id, uuid, input, signal }) {
      const { state } = await needRunning(ports.libvirt, uuid)
      if (state === 'crashed') {
        // It sees no power button; after its reset it is halted.
        await powerCycle(ports.libvirt, uuid)
        await ports.libvirt.call('domainResume', { uuid }, { timeoutMs: TIMEOUT_MS })
        return { how: 'reset' as const }
      }
      const cameBack = watch(ports, uuid)
      try {
        const atMs = await ask(ports, { id, uuid })
        const leftMs = Math.max(0, atMs + input.graceMs - ports.monotonicMs())
        if (await cameBack.within(leftMs, signal)) return { how: 'acpi' as const }
        await powerCycle(ports.libvirt, uuid)
        return { how: 'reset' as const }
      } finally {
        cameBack.end()
      }
    },
  })
}

async function needRunning(libvirt: Libvirt, uuid: string): Promise<DomainRow> {
  const rows: DomainRow[] = await libvirt.call('listDomains', { metadataUri: markNamespace }, { timeoutMs: TIMEOUT_MS })
  const row = rows.find((r) => r.uuid === uuid && isOurs(r))
  if (!row) throw new SkerryError('not-found', `there is no VM ${uuid} on this host`, { uuid })
  if (row.id === null)
    throw new SkerryError('vm-illegal-state', `VM ${uuid} is off, so it can't be rebooted`, { uuid, state: row.state })
  return row
}

/** Presses the button, unless this command did so before. Returns when that was. */
async function ask(
  { libvirt, memory, bootId, monotonicMs }: RebootPorts,
  { id, uuid }: { id: string; uuid: string },
): Promise<number> {
  const before = asked.safeParse(memory.facts('vm', uuid)['reboot'])
  if (before.success && before.data.id === id && before.data.bootId === bootId) return before.data.atMs
  const atMs = monotonicMs()
  await libvirt.call('domainReboot', { uuid, via: 'acpi' }, { timeoutMs: TIMEOUT_MS })
  await memory.setFacts('vm', uuid, { reboot: { id, atMs, bootId } })
  return atMs
}

/** Sees that the machine was reset after the guest went down. Listens from the beginning, so that a quick guest isn't missed. */
function watch({ libvirt, timers }: RebootPorts, uuid: string) {
  let back = false
  let tell: () => void = () => undefined
  const off = libvirt.onLifecycle(({ domainUuid, event }) => {
    if (domainUuid !== uuid || (event !== 'rebooted' && event !== 'started')) return
    back = true
    tell()
  })
  return {
    end: off,
    /** Throws the signal's reason when the command is aborted. */
    async within(ms: number, signal: AbortSignal): Promise<boolean> {
      signal.throwIfAborted()
      await new Promise<void>((resolve) => {
        const timer = timers.set(resolve, back ? 0 : ms)
        tell = () => {
          timers.clear(timer)
          resolve()
        }
        signal.addEventListener('abort', tell, { once: true })
      })
      signal.throwIfAborted()
      return back
    },
  }
}

/** A guest that ended itself meanwhile is started again: that is a reboot too. */
async function powerCycle(libvirt: Libvirt, uuid: string): Promise<void> {
  try {
    await libvirt.call('domainReset', { uuid }, { timeoutMs: TIMEOUT_MS })
  } catch (error) {
    if (!(error instanceof SkerryError) || error.details['libvirtCode'] !== libvirtCodes.operationInvalid) throw error
    await libvirt.call('domainCreate', { uuid }, { timeoutMs: 3 * TIMEOUT_MS })
  }
}
