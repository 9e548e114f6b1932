/** A long-running program of a site, as data. Supervisor and systemd units are made from the same. */
import { createHash } from 'node:crypto'
import { path } from '@skerry/contract'
import { z } from 'zod'

export const serviceSpec = z.object({
  name: z.string().regex(/^[a-z][a-z0-9-]{0,30}$/),
  /** The program, absolute or found in the system's PATH, and its arguments. No secrets: every process can read them. */
  argv: z.array(z.string().min(1)).min(1),
  /** Beside PATH and the C locale. No secrets. */
  env: z.record(z.string().regex(/^[A-Z_][A-Z0-9_]*$/), z.string()),
  cwd: path,
  logFile: path,
  /** How long it may take to end before it is killed. */
  stopTimeoutMs: z.number().int().min(100),
})
export type ServiceSpec = z.infer<typeof serviceSpec>

/** `<state>/run/services.json` */
export const servicesFile = z.object({ services: z.array(serviceSpec) })

/** Same program, same hash: a service whose hash changed is restarted. */
export const specHash = (spec: ServiceSpec): string =>
  createHash('sha256')
    .update(JSON.stringify(serviceSpec.parse(spec)))
    .digest('hex')

export interface ServiceStatus {
  name: string
  state: 'running' | 'waiting' | 'stopped'
  pid: number | null
  restarts: number
  /** Why it last ended; null: it has not. */
  lastExit: string | null
}
