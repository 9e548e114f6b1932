/** What jobs of the scheduler do: the calls that they make, and what they need. Pure. */
import { type Row, SkerryError, type schedulerJobTypes } from '@skerry/contract'

export type SchedulerJobType = (typeof schedulerJobTypes)[number]

interface Kind {
  /** message class of the call */
  jobName: string
  /** table of its target */
  target: string
  /** parameters that a job may have, and what is wrong with a value */
  parameters: Record<string, (value: string) => string | undefined>
  call(target: string, parameters: Record<string, string>, name: string): Row
}

export const KEPT = 'snapshotMaxNumber'
const uuidOnly = (uuid: string): Row => ({ uuid })

export const schedulerKinds: Record<SchedulerJobType, Kind> = {
  startVm: { jobName: 'APIStartVmInstanceMsg', target: 'vmInstance', parameters: {}, call: uuidOnly },
  stopVm: {
    jobName: 'APIStopVmInstanceMsg',
    target: 'vmInstance',
    parameters: { type: (value) => (['grace', 'cold'].includes(value) ? undefined : 'must be grace or cold') },
    call: (uuid, { type }) => ({ uuid, ...(type ? { type } : {}) }),
  },
  rebootVm: { jobName: 'APIRebootVmInstanceMsg', target: 'vmInstance', parameters: {}, call: uuidOnly },
  volumeSnapshot: {
    jobName: 'APICreateVolumeSnapshotMsg',
    target: 'volume',
    parameters: { [KEPT]: (value) => (/^[1-9]\d{0,2}$/.test(value) ? undefined : 'must be a number from 1 to 999') },
    call: (volumeUuid, _parameters, name) => ({ volumeUuid, name }),
  },
}

/** Throws `invalid-argument` for parameters that no job of this kind has. */
export function checkParameters(type: SchedulerJobType, given: Record<string, string>): void {
  const { parameters } = schedulerKinds[type]
  for (const [name, value] of Object.entries(given)) {
    const check = Object.hasOwn(parameters, name) ? parameters[name] : undefined
    const known = Object.keys(parameters).join(', ') || 'none'
    const problem = check ? check(value) : `a ${type} job has no such parameter (${known})`
    if (problem) throw new SkerryError('invalid-argument', `invalid field[parameters]: ${problem}`, { field: 'parameters' })
  }
}

/** A run that is to be made. */
export const historyRow = (
  job: Readonly<Row>,
  run: { uuid: string; jobUuid: string; triggerUuid: string | null; at: number; now: number; missed?: number },
): Row => ({
  uuid: run.uuid,
  name: job['name'],
  description: null,
  createDate: run.now,
  lastOpDate: run.now,
  schedulerJobUuid: job['uuid'],
  triggerUuid: run.triggerUuid,
  targetResourceUuid: job['targetResourceUuid'],
  schedulerJobType: job['jobClassName'],
  state: 'Waiting',
  startTime: run.at,
  executeTime: null,
  success: null,
  resultDump: null,
  missed: run.missed ?? 0,
  jobUuid: run.jobUuid,
  madeUuid: null,
})
