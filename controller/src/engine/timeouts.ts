/** Time that a call may take when its client names none (zstack-core §3.1). */
import type { Call } from './port.ts'

const HOUR_MS = 3_600_000
const DEFAULT_MS = HOUR_MS / 2
const BY_API: Readonly<Record<string, number>> = {
  AddImage: 72 * HOUR_MS,
  FinishImageUpload: 12 * HOUR_MS,
  CreateVmInstance: 12 * HOUR_MS,
  ExpungeVmInstance: 3 * HOUR_MS,
  CreateVolumeSnapshot: 3 * HOUR_MS,
  DeleteVolumeSnapshot: 6 * HOUR_MS,
  RevertVolumeFromSnapshot: 24 * HOUR_MS,
}

/** Milliseconds. */
export const timeoutOf = (call: Pick<Call, 'api' | 'timeoutMs'>): number => call.timeoutMs ?? BY_API[call.api.api] ?? DEFAULT_MS

/** Epoch ms at which the call's job gives up. */
export const deadlineOf = (call: Call, now: number): number => now + timeoutOf(call)
