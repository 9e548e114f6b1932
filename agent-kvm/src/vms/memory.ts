/** [format] What the agent remembers of a VM, in its ledger's facts: without it a restart would forget why a guest is off. */
import { canonicalJson, domainName, SkerryError } from '@skerry/contract'
import type { Facts } from '@skerry/reconcile'
import { z } from 'zod'

const fields = {
  /** The highest placement epoch seen, in which history: a restore begins another one. */
  epoch: z.object({ incarnation: z.number().int(), placementEpoch: z.number().int() }),
  /** The power that was last asked for and carried out, or begun. */
  acted: z.object({ power: z.enum(['Running', 'Stopped']), placementEpoch: z.number().int() }),
  /** The last order to pause or go on that was carried out, in which history, and whether it still stands still by that order. */
  pause: z.object({ incarnation: z.number().int(), order: z.number().int(), paused: z.boolean() }),
  /** Boot of the host in which it was last seen running. */
  bootId: z.string(),
  /** When the guest was first and last asked to power itself off: milliseconds of the host's monotonic clock in that boot. */
  asked: z.object({ atMs: z.number(), lastMs: z.number(), bootId: z.string(), graceMs: z.number() }),
  /** Disks by path and cards by tap that the running guest was asked to let go of: first and last time on the host's monotonic clock in that boot. */
  unplugging: z.record(z.string(), z.object({ atMs: z.number(), lastMs: z.number(), bootId: z.string() })),
  /** Why it has been off since it last ran. `unseen`: it was not seen off yet, its power is about to be cut or it has panicked. */
  stopped: z.object({ cause: z.string(), unseen: z.literal(true).optional() }),
  /** It runs although its document says Stopped, and is let be, because somebody started it by hand. */
  kept: z.object({ cause: z.string() }),
}

export interface VmMemory {
  epoch?: z.infer<(typeof fields)['epoch']>
  acted?: z.infer<(typeof fields)['acted']>
  pause?: z.infer<(typeof fields)['pause']>
  bootId?: string
  asked?: z.infer<(typeof fields)['asked']>
  unplugging?: z.infer<(typeof fields)['unplugging']>
  stopped?: z.infer<(typeof fields)['stopped']>
  kept?: z.infer<(typeof fields)['kept']>
}

/** Facts of another version that can't be read count as not known. */
export function readVmMemory(facts: Facts): VmMemory {
  const entries = Object.entries(fields).flatMap(([key, schema]) => {
    const parsed = schema.safeParse(facts[key])
    return parsed.success ? [[key, parsed.data]] : []
  })
  return Object.fromEntries(entries) as VmMemory
}

/** The difference as a patch, null for what is forgotten; undefined when there is none. */
export function memoryPatch(before: VmMemory, after: VmMemory): Record<string, unknown> | undefined {
  const patch: Record<string, unknown> = {}
  for (const key of Object.keys(fields) as (keyof VmMemory)[]) {
    if (canonicalJson(before[key]) !== canonicalJson(after[key])) patch[key] = after[key] ?? null
  }
  return Object.keys(patch).length > 0 ? patch : undefined
}

/** sockaddr_un.sun_path, less the final zero. */
const MAX_SOCKET_PATH = 107

export interface VmFolder {
  folder: string
  serial: string
  vnc: string
  log: string
}

/** Where a VM's sockets and console log are: `<stateDir>/vms/<uuid>/`. */
export function vmFolder(stateDir: string, uuid: string): VmFolder {
  const folder = `${stateDir}/vms/${uuid}`
  const paths = { folder, serial: `${folder}/serial`, vnc: `${folder}/vnc`, log: `${folder}/console.log` }
  if (paths.serial.length > MAX_SOCKET_PATH) {
    throw new SkerryError('invalid-argument', 'the state folder is too long for the path of a socket', {
      stateDir,
      domain: domainName(uuid),
      limit: MAX_SOCKET_PATH,
    })
  }
  return paths
}
