/** A running job as one line: step of how many, bytes, time left. Pure. */
import type { Job } from '@skerry/sdk'
import { humanBytes } from './output.ts'

/** `12 s`, `3 min 20 s`. */
export function humanTime(ms: number): string {
  const seconds = Math.ceil(ms / 1000)
  return seconds < 60 ? `${seconds} s` : `${Math.floor(seconds / 60)} min ${seconds % 60} s`
}

export function progressLine(job: Job): string {
  const at = job.step === null ? 0 : job.steps.indexOf(job.step) + 1
  const position = at > 0 ? `[${at}/${job.steps.length}] ` : ''
  const { progress } = job
  const parts = [
    progress?.percent === undefined ? '' : `${Math.floor(progress.percent)}%`,
    progress?.doneBytes === undefined
      ? ''
      : humanBytes(progress.doneBytes) + (progress.totalBytes === undefined ? '' : ` of ${humanBytes(progress.totalBytes)}`),
    progress?.remainingMs === undefined ? '' : `${humanTime(progress.remainingMs)} left`,
  ].filter((part) => part !== '')
  const state = job.state === 'processing' ? '' : ` (${job.state})`
  return `${position}${job.step ?? 'waiting for its turn'}${state}${parts.length > 0 ? `: ${parts.join(', ')}` : ''}`
}
