/** A runner over one workflow of steps that log, and a journal in memory. */
import type { ErrorBody } from '@skerry/contract'
import { SkerryError } from '@skerry/contract'
import { z } from 'zod'
import {
  createRunner,
  type Journal,
  type MemoryJournal,
  memoryJournal,
  type RunnerPorts,
  type Step,
  type Workflow,
} from '../src/index.ts'

export const job = 'a'.repeat(32)

export interface Bench {
  log: string[]
  journal: MemoryJournal
  ports: RunnerPorts
  now: { ms: number }
  slept: number[]
  run(): Promise<void>
  state(): string | undefined
  error(): ErrorBody | undefined
}

/** A journal that also logs, and a runner over one workflow. `commit` may refuse. */
export function bench(
  steps: Workflow['steps'],
  more: Partial<Workflow> & { deadline?: number; commit?: () => Promise<void> } = {},
): Bench {
  const { deadline, commit = async () => {}, ...rest } = more
  const workflow: Workflow = { name: 'toy.run', version: 1, input: z.object({ n: z.number() }), steps, ...rest }
  const journal = memoryJournal(commit)
  journal.accept(job, workflow, { n: 7 }, deadline)
  const log: string[] = []
  const now = { ms: 1000 }
  const slept: number[] = []
  const sleep = async (ms: number) => void slept.push(ms)
  const ports: RunnerPorts = {
    workflows: { [workflow.name]: workflow },
    world: log,
    journal,
    clock: { now: () => now.ms },
    sleep,
  }
  return {
    log,
    journal,
    ports,
    now,
    slept,
    run: () => createRunner(ports).run(job),
    state: () => journal.load(job)?.state,
    error: () => journal.load(job)?.error,
  }
}

/** A step that logs its do and undo. */
export const step = (name: string, more: Partial<Step> = {}): Step => ({
  name,
  do: ({ world }) => {
    world.push(name)
    return { output: name.toUpperCase() }
  },
  undo: ({ world }) => void world.push(`-${name}`),
  ...more,
})
export const failing = (name: string, error: unknown = new SkerryError('no-host', 'nobody has room', { refused: 3 })): Step =>
  step(name, {
    do: ({ world }) => {
      world.push(name)
      throw error
    },
  })
export const put = (k: string) => ({ ops: [{ o: 'put' as const, t: 'x', k, v: {} }] })
/** The journal with one method replaced. */
export const over = (b: Bench, change: Partial<Journal>): Bench => ({
  ...b,
  run: () => createRunner({ ...b.ports, journal: { ...b.journal, ...change } }).run(job),
})
