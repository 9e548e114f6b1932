/**
 * `skerry logs <vm>`: the end of its serial log. `skerry logs --job <job>`: everything that is known of a job: its steps with their
 * times, progress, errors, what it changed.
 */
import type { Row } from '@skerry/contract'
import { SkerryError } from '@skerry/contract/errors'
import type { Job, ShownEntry } from '@skerry/sdk'
import type { Io } from '../io.ts'
import { type Format, formatOne, table } from '../output.ts'
import { humanTime, progressLine } from '../progress.ts'
import { clientOf, type Globals } from '../session.ts'
import { errorLines, inShort, moment } from './told.ts'

interface StepTold {
  step: string
  state: string
  ended: string
  took: string
}

/** Sub-second steps are the ordinary case. */
const took = (ms: number) => (ms < 1000 ? `${ms} ms` : humanTime(ms))

/** A step ends with the commit that journals it, and begins when the one before has ended. */
function stepsOf(job: Job, entries: readonly ShownEntry[]): StepTold[] {
  let before = Date.parse(job.createDate)
  const journaled = entries.flatMap(({ step, at }) => {
    if (!step) return []
    const began = before
    before = Date.parse(at)
    return [{ step: step.name, state: step.state, ended: moment(at), took: took(before - began) }]
  })
  const done = new Set(journaled.map(({ step }) => step))
  const rest = job.steps.filter((step) => !done.has(step))
  const open = job.finishedAt === null
  return [...journaled, ...rest.map((step) => ({ step, state: stateOf(job, step, open), ended: '', took: '' }))]
}

function stateOf(job: Job, step: string, open: boolean): string {
  if (job.skipped?.includes(step)) return 'skipped'
  if (job.state === 'done') return 'done' // the last step and the end are one commit
  if (step === job.step) return open ? 'under way' : 'failed'
  return open ? 'to come' : 'not reached'
}

function readable(job: Job, entries: readonly ShownEntry[], complete: boolean): string {
  const ran = job.finishedAt ? `, took ${took(Date.parse(job.finishedAt) - Date.parse(job.createDate))}` : ''
  const steps = stepsOf(job, entries)
  return [
    `job ${job.uuid}`,
    `${job.api}: ${job.state}${ran}`,
    `accepted ${moment(job.createDate)}, ended ${moment(job.finishedAt)}`,
    ...(job.progress ? [`now ${progressLine(job)}`] : []),
    ...(job.error ? ['', ...errorLines(job.error)] : []),
    ...(steps.length > 0 ? ['', table(['step', 'state', 'ended', 'took'], steps as unknown as Row[])] : []),
    ...(entries.length > 0 ? ['', 'in the log'] : []),
    ...entries.map((entry) => `  ${String(entry.seq).padStart(7)}  ${moment(entry.at)}  ${inShort(entry)}`),
    ...(complete ? [] : ['', 'the beginning of it is no longer in the log']),
  ].join('\n')
}

export interface LogsOptions extends Globals {
  output: Format
  job?: string
}

export async function logs(io: Io, o: LogsOptions): Promise<void> {
  if (o.job === undefined)
    throw new SkerryError('invalid-argument', 'of what?', {
      field: 'job',
      run: "skerry logs <vm>; skerry logs --job <uuid>; skerry get job -q 'state!=done'",
    })
  const client = await clientOf(io, o)
  const job = await client.job(o.job)
  // Only administrators may read the log; the job itself is its owner's.
  const { entries, complete } = await client.history({ job: job.uuid }).catch((error) => {
    if (error instanceof SkerryError && ['permission-denied', 'not-ready', 'not-found'].includes(error.code))
      return { entries: [], complete: true }
    throw error
  })
  if (o.output === 'table') return io.out(readable(job, entries, complete))
  io.out(await formatOne({ job, steps: stepsOf(job, entries), entries, complete }, [], o.output))
}

const LINES = 200

export async function vmLog(io: Io, vm: string, o: LogsOptions & { lines?: string; search?: string }): Promise<void> {
  if (o.job !== undefined) throw new SkerryError('invalid-argument', 'a VM or a job, not both', { field: 'job' })
  const lines = Number(o.lines ?? LINES)
  if (!Number.isInteger(lines) || lines < 1 || lines > 10_000)
    throw new SkerryError('invalid-argument', '--lines must be a number from 1 to 10000', { field: 'lines' })
  const client = await clientOf(io, o)
  const { uuid } = await client.get('vmInstance', vm)
  const found = await client.call('GetVmConsoleLog', { uuid: String(uuid), lines, ...(o.search ? { search: o.search } : {}) })
  if (o.output !== 'table') return io.out(await formatOne(found, [], o.output))
  if (found.lines.length > 0) io.out(found.lines.join('\n'))
}
