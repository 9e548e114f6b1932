/**
 * Verbs: one-off commands with an id. A repeated id joins the run that is going on or gets the first result, also after a
 * restart of the agent (receipts). A receipt that only says `begun` was cut off: the repeat runs it again, so a command must
 * find its own effect by its id.
 */
import { createHash } from 'node:crypto'
import {
  type Command,
  canonicalJson,
  command,
  type ErrorBody,
  fromErrorBody,
  type Progress,
  SkerryError,
  toErrorBody,
} from '@skerry/contract'
import type { Clock, Timers } from '@skerry/reconcile'
import type { ZodType } from 'zod'
import type { Ledger } from './ledger/ledger.ts'
import { RECEIPT_KEPT_MS } from './ledger/receipts.ts'
import type { Log } from './log.ts'
import { progressSender } from './progress.ts'
import { problemsOf } from './sync.ts'

type Json = Record<string, unknown>

export interface CommandContext<Input> {
  /** Command id: leave it in what the command makes. */
  id: string
  /** The resource that the command is about. */
  uuid: string
  input: Input
  /** Aborted when the last deadline of those who wait has passed, or the agent ends. */
  signal: AbortSignal
  /** Published at most twice a second; the last one always is. */
  progress(step: Omit<Progress, 'at'>): void
  log: Log
}

export interface CommandSpec<Input, Output> {
  noun: string
  verb: string
  input: ZodType<Input>
  output: ZodType<Output>
  /** Only looks (capacity, facts): leaves no receipt. */
  reads?: boolean
  run(context: CommandContext<Input>): Promise<Output>
  /** `mode: plan`: what `run` would do. Default: the command itself, as it was understood. */
  plan?(context: CommandContext<Input>): Promise<Json>
}

/** A command as the agent serves it; its input has been parsed by its own schema. */
export interface AgentCommand extends Omit<CommandSpec<unknown, Json>, 'run' | 'plan'> {
  run(context: CommandContext<unknown>): Promise<Json>
  plan(context: CommandContext<unknown>): Promise<Json>
}

export function defineCommand<Input, Output extends Json>(spec: CommandSpec<Input, Output>): AgentCommand {
  // The only place where the input's type is lost; `CommandRunner` parses with `spec.input` before it calls.
  const typed = (context: CommandContext<unknown>) => context as CommandContext<Input>
  const asIs = async ({ uuid, input }: CommandContext<unknown>) => ({ would: { noun: spec.noun, verb: spec.verb, uuid, input } })
  return {
    ...spec,
    run: (context) => spec.run(typed(context)),
    plan: (context) => (spec.plan ? spec.plan(typed(context)) : asIs(context)),
  }
}

export interface CommandPorts {
  commands: readonly AgentCommand[]
  ledger: Ledger
  clock: Clock
  timers: Timers
  publishProgress(commandId: string, progress: Progress): void
  log: Log
}

interface Run {
  about: string
  result: Promise<Json>
  abort: AbortController
  /** Monotonic: the latest of those who wait. */
  untilMs: number
}

export class CommandRunner {
  readonly #p: CommandPorts
  readonly #runs = new Map<string, Run>()

  constructor(ports: CommandPorts) {
    this.#p = ports
  }

  /** Of `do.<noun>.<uuid>.<verb>`. Returns a commandReply. */
  async handle(target: { noun: string; uuid: string; verb: string }, data: unknown): Promise<{ id: string; output: Json }> {
    const found = this.#p.commands.find((c) => c.noun === target.noun && c.verb === target.verb)
    if (!found) throw new SkerryError('not-found', `this agent knows no verb ${target.verb} of ${target.noun}`, target)
    const request = command.safeParse(data)
    if (!request.success)
      throw new SkerryError('invalid-argument', 'a command does not fit its schema', {
        ...target,
        problems: problemsOf(request.error),
      })
    const input = found.input.safeParse(request.data.input)
    if (!input.success) {
      throw new SkerryError('invalid-argument', `the input of ${target.noun}.${target.verb} does not fit its schema`, {
        ...target,
        problems: problemsOf(input.error),
      })
    }
    const { id } = request.data
    await this.#p.ledger.fence(target.noun, target.uuid, request.data.epoch)
    const asked = { ...target, command: found, request: request.data, input: input.data }
    if (request.data.mode === 'plan') return { id, output: await this.#plan(asked) }
    return { id, output: await this.#within(this.#join(asked), request.data) }
  }

  /** Aborts what runs; their receipts stay `begun`, so a repeat runs them again. Resolves when they have ended. */
  async stop(): Promise<void> {
    const ending = [...this.#runs.values()].map((run) => {
      run.abort.abort(new SkerryError('agent-unreachable', 'this agent is ending'))
      return run.result.catch(() => undefined) // whoever waits was told
    })
    await Promise.all(ending)
  }

  busy(): number {
    return this.#runs.size
  }

  async #plan(asked: Asked): Promise<Json> {
    const progress = () => undefined
    return asked.command.plan({ ...this.#context(asked, new AbortController().signal), progress })
  }

  /** The run that is going on, the first result, or a new run. */
  #join(asked: Asked): Run {
    const { id, deadlineMs } = asked.request
    const about = aboutOf(asked)
    const untilMs = this.#p.timers.nowMs() + deadlineMs
    const going = this.#runs.get(id)
    if (going) {
      if (going.about !== about) throw otherCommand(id)
      going.untilMs = Math.max(going.untilMs, untilMs)
      return going
    }
    const receipt = asked.command.reads ? undefined : this.#p.ledger.receipts.get(id)
    if (receipt && receipt.about !== about) throw otherCommand(id)
    const abort = new AbortController()
    if (receipt?.state === 'done') {
      const result = receipt.error ? Promise.reject(fromErrorBody(receipt.error)) : Promise.resolve(receipt.output ?? {})
      return { about, result, abort, untilMs }
    }
    const run: Run = { about, abort, untilMs, result: Promise.resolve({}) }
    this.#runs.set(id, run)
    run.result = this.#run(asked, run).finally(() => this.#runs.delete(id))
    run.result.catch(() => undefined) // nobody may wait any more; the receipt has it
    return run
  }

  async #run(asked: Asked, run: Run): Promise<Json> {
    const { id, deadlineMs } = asked.request
    const keptMs = deadlineMs + RECEIPT_KEPT_MS
    const untilMs = this.#p.timers.nowMs() + keptMs
    const receipt = { v: 1 as const, id, about: run.about, expiresAt: this.#p.clock.now() + keptMs }
    const keep = async (rest: { state: 'begun' | 'done'; output: Json | null; error: ErrorBody | null }) => {
      if (!asked.command.reads) await this.#p.ledger.receipts.put({ ...receipt, ...rest }, untilMs)
    }
    // It has been carried out: what stands in the way of noting that makes it neither a failure nor one that a repeat carries out again.
    const keepEnd = async (rest: { output: Json | null; error: ErrorBody | null }) => {
      try {
        await keep({ state: 'done', ...rest })
      } catch (err) {
        this.#p.ledger.receipts.remember({ ...receipt, state: 'done', ...rest }, untilMs)
        this.#p.log.error({ err, id }, 'the result of a command could not be kept: after a restart a repeat would run it again')
      }
    }
    await keep({ state: 'begun', output: null, error: null })
    const sender = progressSender(this.#p, (progress) => this.#p.publishProgress(id, progress))
    let output: Json
    try {
      output = asked.command.output.parse(
        await asked.command.run({ ...this.#context(asked, run.abort.signal), progress: sender.send }),
      ) as Json
    } catch (error) {
      const ending = run.abort.signal.reason instanceof SkerryError && run.abort.signal.reason.code === 'agent-unreachable'
      if (!ending) await keepEnd({ output: null, error: toErrorBody(error) })
      throw error
    } finally {
      sender.end()
    }
    await keepEnd({ output, error: null })
    return output
  }

  /** Waits till the caller's own deadline; the run itself is aborted when nobody's deadline is left. */
  #within(run: Run, { id, deadlineMs }: Command): Promise<Json> {
    const { timers } = this.#p
    return new Promise((resolve, reject) => {
      const timer = timers.set(() => {
        const late = new SkerryError('deadline-exceeded', `command ${id} did not end within ${deadlineMs} ms`, { id, deadlineMs })
        // a timer may fire up to a millisecond early
        if (timers.nowMs() + 1 >= run.untilMs) run.abort.abort(late)
        reject(late)
      }, deadlineMs)
      run.result.then(resolve, reject).finally(() => timers.clear(timer))
    })
  }

  #context(
    { uuid, input, command: { noun, verb }, request }: Asked,
    signal: AbortSignal,
  ): Omit<CommandContext<unknown>, 'progress'> {
    return { id: request.id, uuid, input, signal, log: this.#p.log.child({ noun, verb, uuid, command: request.id }) }
  }
}

interface Asked {
  noun: string
  uuid: string
  verb: string
  command: AgentCommand
  request: Command
  input: unknown
}

const aboutOf = ({ noun, uuid, verb, request }: Asked) =>
  createHash('sha256')
    .update(canonicalJson([noun, uuid, verb, request.input]))
    .digest('hex')
const otherCommand = (id: string) => new SkerryError('duplicate-job', `command id ${id} was used for another command`, { id })
