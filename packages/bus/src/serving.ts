/** Running the handlers of one subscription: concurrently, counted, and never letting one failure end the subscription. */
import { SkerryError } from '@skerry/contract'
import { Answer, type Msg, type ServeOptions, type ServeStats } from './bus.ts'
import { decode, encode, encodeError, encodeFailure, type Frame } from './envelope.ts'
import { type Timers, within } from './timers.ts'

/** How every inbox begins, whoever it is of. */
const INBOX = '_INBOX'

export interface ServingPorts {
  publish(frame: Frame): void
  report(error: unknown, subject: string): void
  maxPayloadBytes(): number
  timers: Timers
  failure?: NonNullable<ServeOptions['failure']>
}

export class Serving {
  readonly #handler: (m: Msg) => Promise<unknown>
  readonly #ports: ServingPorts
  readonly #running = new Set<Promise<void>>()
  readonly #stats: ServeStats = { requests: 0, errors: 0, lastError: '', processingNs: 0 }

  constructor(handler: (m: Msg) => Promise<unknown>, ports: ServingPorts) {
    this.#handler = handler
    this.#ports = ports
  }

  accept(frame: Frame): void {
    const run = this.#run(frame)
      .catch((error: unknown) => this.#ports.report(error, frame.subject))
      .finally(() => this.#running.delete(run))
    this.#running.add(run)
  }

  async #run(frame: Frame): Promise<void> {
    // Whoever asks names where the answer goes: in our name it must not go where the asker itself may not speak.
    if (frame.reply && !frame.reply.startsWith(INBOX))
      throw new SkerryError('permission-denied', 'a request names a reply subject that is no inbox', {
        subject: frame.subject,
        reply: frame.reply,
      })
    const startedMs = this.#ports.timers.nowMs()
    const answer = await this.#answer(frame)
    this.#stats.requests += 1
    this.#stats.processingNs += Math.round((this.#ports.timers.nowMs() - startedMs) * 1e6)
    if (frame.reply) this.#ports.publish({ ...answer, subject: frame.reply })
  }

  async #answer(frame: Frame): Promise<Frame> {
    const limit = this.#ports.maxPayloadBytes()
    try {
      const value = await this.#handler(decode(frame))
      return value instanceof Answer
        ? encode(frame.subject, value.data, value.headers, limit)
        : encode(frame.subject, value, {}, limit)
    } catch (thrown) {
      this.#stats.errors += 1
      this.#stats.lastError = thrown instanceof Error ? thrown.message : String(thrown)
      const isDefect = !(thrown instanceof SkerryError) || thrown.spec.retry === 'bug'
      if (isDefect || !frame.reply) this.#ports.report(thrown, frame.subject)
      const { failure } = this.#ports
      return failure ? encodeFailure(failure(thrown), thrown, limit) : encodeError(thrown, limit)
    }
  }

  stats(): ServeStats {
    return { ...this.#stats }
  }

  /** Resolves when every handler has ended; false when some are still running after `ms`. */
  idle(ms: number): Promise<boolean> {
    return within(this.#ports.timers, Promise.all(this.#running), ms)
  }
}

/** Calls the handler of a plain subscription; what it throws, or what its promise rejects with, is reported. */
export function deliver(handler: (m: Msg) => unknown, frame: Frame, report: (error: unknown, subject: string) => void): void {
  try {
    const result = handler(decode(frame))
    if (result instanceof Promise) result.catch((error: unknown) => report(error, frame.subject))
  } catch (error) {
    report(error, frame.subject)
  }
}
