/**
 * `prove()` shows of a workflow that it leaves nothing behind: it fails and repeats each step, undoes twice, and kills the
 * process at every point of the journal, each time in a new world, and compares inventories.
 */
import { type ErrorBody, toErrorBody } from '@skerry/contract'
import { failsAfter, failsBefore, mortalJournal, repeatsDo, repeatsUndo, type StepFaults, withFaults } from './faults.ts'
import { differences } from './inventory.ts'
import type { Journal } from './journal.ts'
import type { MemoryJournal } from './memory-journal.ts'
import { createRunner } from './runner.ts'
import { stepNames, stepsOf, type Workflow } from './workflow.ts'

export interface ProvenWorld<W> {
  world: W
  input: unknown
  /** `memoryJournal(commit)` over this world's graph. */
  journal: MemoryJournal
  /** All that the workflow may touch, graph and hosts, as comparable data. Worlds made alike must give equal inventories. */
  inventory(): unknown
  /** Drops what a killed process loses. */
  crash?(): Promise<void>
}

export interface ProveOptions {
  /** What is compared in place of the inventory, where something may differ: `maskIds`, or a function that leaves fields out. */
  ignore?(inventory: unknown): unknown
}

export interface ProveReport {
  workflow: string
  /** Steps that ran. */
  steps: string[]
  /** Steps whose `when` was false in this world: nothing was shown of them. */
  skipped: string[]
  /** How many worlds were made, each for one trial. */
  trials: number
}

/** Thrown when a trial does not end as it must; the message shows the first, `problems` holds all. */
export class ProveError extends Error {
  readonly problems: readonly string[]
  constructor(workflow: string, problems: readonly string[]) {
    const more = problems.length - SHOWN_PROBLEMS
    const lines = [...problems.slice(0, SHOWN_PROBLEMS), ...(more > 0 ? [`… and ${more} more, see problems`] : [])]
    super(`prove ${workflow}: ${problems.length} of its trials went wrong\n${lines.map((line) => `- ${line}`).join('\n')}`)
    this.name = 'ProveError'
    this.problems = problems
  }
}

type MakeWorld<W> = () => Promise<ProvenWorld<W>>

interface Trial {
  /** What is done to the workflow, in words. */
  name: string
  faults: StepFaults
  expect: 'done' | 'failed'
  /** Point of the journal at which the process dies. */
  crashAt?: number
}

interface Outcome {
  problems: string[]
  /** Where the process died, when it did. */
  died?: string
  after: unknown
}

const JOB = '5a9e0000000040008000000000000001'
const SHOWN_PROBLEMS = 12
const MAX_CRASH_POINTS = 2_000

/** Runs all trials. Throws `ProveError` with every problem found; else reports what was shown. */
export async function prove<I, W>(
  workflow: Workflow<I, W>,
  makeWorld: MakeWorld<W>,
  options: ProveOptions = {},
): Promise<ProveReport> {
  const prover = new Prover<W>(workflow, makeWorld, options.ignore ?? ((inventory) => inventory))
  const steps = await prover.plainRun()
  const problems: string[] = []
  for (const trial of trialsOf(workflow, steps)) problems.push(...(await prover.attempt(trial)).problems)
  problems.push(...(await prover.killEverywhere({ name: 'a plain run', faults: {}, expect: 'done' })))
  problems.push(
    ...(await prover.killEverywhere({ name: 'a run that fails at its end', faults: { finish: true }, expect: 'failed' })),
  )
  if (problems.length > 0) throw new ProveError(workflow.name, problems)
  return {
    workflow: workflow.name,
    steps,
    skipped: stepNames(workflow).filter((name) => !steps.includes(name)),
    trials: prover.trials,
  }
}

function trialsOf<I, W>(workflow: Workflow<I, W>, steps: readonly string[]): Trial[] {
  const undoable = new Set(stepsOf(workflow).flatMap((step) => (step.undo ? [step.name] : [])))
  return [
    { name: 'a run that fails at its end', faults: { finish: true }, expect: 'failed' },
    ...steps.flatMap((step): Trial[] => [
      { name: `step ${step} fails before its effect`, faults: failsBefore(step), expect: 'failed' },
      { name: `step ${step} fails after its effect`, faults: failsAfter(step), expect: 'failed' },
      { name: `step ${step} runs twice`, faults: repeatsDo(step), expect: 'done' },
      ...(undoable.has(step)
        ? [{ name: `the undo of step ${step} runs twice`, faults: repeatsUndo(step), expect: 'failed' } as const]
        : []),
    ]),
  ]
}

class Prover<W> {
  trials = 0
  readonly #workflow: Workflow
  readonly #makeWorld: MakeWorld<W>
  readonly #ignore: (inventory: unknown) => unknown
  /** The inventory after a plain run. */
  #success: unknown

  constructor(workflow: Workflow, makeWorld: MakeWorld<W>, ignore: (inventory: unknown) => unknown) {
    this.#workflow = workflow
    this.#makeWorld = makeWorld
    this.#ignore = ignore
  }

  /** Runs once without faults and answers the steps that ran. Everything else is compared with this run. */
  async plainRun(): Promise<string[]> {
    const ran = new Set<string>()
    const watch: StepFaults = {
      do: (step, original) => (ctx) => {
        ran.add(step)
        return original(ctx)
      },
    }
    const { problems, after } = await this.attempt({ name: 'a plain run', faults: watch, expect: 'done' }, true)
    if (problems.length > 0) throw new ProveError(this.#workflow.name, problems)
    this.#success = after
    return stepNames(this.#workflow).filter((name) => ran.has(name))
  }

  async attempt(trial: Trial, plain = false): Promise<Outcome> {
    this.trials++
    const made = await this.#makeWorld()
    const before = await this.#inventory(made)
    made.journal.accept(JOB, this.#workflow, made.input)
    const workflow = withFaults(this.#workflow, trial.faults)
    let thrown: unknown
    const run = async (journal: Journal) => {
      try {
        await createRunner({
          workflows: new Map([[workflow.name, workflow]]),
          world: made.world,
          journal,
          clock: { now: () => 0 },
          sleep: async () => {},
        }).run(JOB)
      } catch (error) {
        thrown = error
      }
    }
    let died: string | undefined
    if (trial.crashAt === undefined) await run(made.journal)
    else {
      const mortal = mortalJournal(made.journal, trial.crashAt)
      await run(mortal)
      died = mortal.died
      if (died !== undefined) {
        thrown = undefined
        await made.crash?.()
        await run(made.journal)
      }
    }
    const name = died === undefined ? trial.name : `${trial.name}, killed ${died}`
    if (thrown !== undefined)
      return { problems: [`${name}: the runner threw ${text(toErrorBody(thrown))}`], died, after: undefined }
    const after = await this.#inventory(made)
    const want = trial.expect === 'failed' ? before : plain ? after : this.#success
    return { problems: this.#judge({ ...trial, name }, { journal: made.journal, want, after }), died, after }
  }

  /** The trial, killed at one more point each time until it gets through alive. */
  async killEverywhere(trial: Trial): Promise<string[]> {
    const problems: string[] = []
    for (let crashAt = 0; crashAt < MAX_CRASH_POINTS; crashAt++) {
      const outcome = await this.attempt({ ...trial, crashAt })
      problems.push(...outcome.problems)
      if (outcome.died === undefined) return problems
    }
    return [...problems, `${trial.name}: does not end within ${MAX_CRASH_POINTS / 2} records`]
  }

  #judge(trial: Trial, { journal, want, after }: { journal: Journal; want: unknown; after: unknown }): string[] {
    const record = journal.load(JOB)
    if (record?.state !== trial.expect) {
      const why = record?.error ? `: ${text(record.error)}` : ''
      return [`${trial.name}: the job must be ${trial.expect}, and is ${record?.state}${why}`]
    }
    const found = differences(want, after)
    if (found.length === 0) return []
    const than =
      trial.expect === 'failed' ? 'the inventory differs from before' : 'the inventory differs from that of a plain run'
    return [`${trial.name}: ${than}${found.map((line) => `\n    ${line}`).join('')}`]
  }

  async #inventory(made: ProvenWorld<W>): Promise<unknown> {
    // A copy, because the world may hand out what it goes on changing.
    return structuredClone(this.#ignore(await made.inventory()))
  }
}

function text(error: ErrorBody): string {
  return `${error.code} (${error.message})${error.cause ? ` ← ${text(error.cause)}` : ''}`
}
