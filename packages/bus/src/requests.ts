/**
 * Requests that wait for answers, by the token at the end of their inbox subject. Our own instead of nats.js's: there a
 * reply with one malformed header ends the reader of the whole connection, and an agent must not be able to do that.
 */
import { SkerryError } from '@skerry/contract'
import type { Msg, RequestOptions } from './bus.ts'
import { decode, decodeReply, type Frame } from './envelope.ts'
import type { Timers } from './timers.ts'

interface Waiter {
  subject: string
  answer(frame: Frame): void
  fail(error: SkerryError): void
}

export class PendingRequests {
  readonly #waiters = new Map<string, Waiter>()
  readonly #timers: Timers
  #count = 0

  constructor(timers: Timers) {
    this.#timers = timers
  }

  get size(): number {
    return this.#waiters.size
  }

  /** Waits for one answer; the result rejects as `Bus.request` says. */
  one(subject: string, { timeoutMs, signal }: RequestOptions): { token: string; result: Promise<Msg> } {
    const token = this.#nextToken()
    const result = new Promise<Msg>((resolve, reject) => {
      const settle = (act: () => void): void => {
        this.#waiters.delete(token)
        this.#timers.clear(timer)
        signal?.removeEventListener('abort', onAbort)
        act()
      }
      const fail = (error: SkerryError): void => settle(() => reject(error))
      const onAbort = (): void => fail(aborted(subject, signal))
      const timer = this.#timers.set(() => {
        fail(new SkerryError('agent-timeout', `no answer from ${subject} within ${timeoutMs} ms`, { subject, timeoutMs }))
      }, timeoutMs)
      signal?.addEventListener('abort', onAbort)
      const answer = (frame: Frame): void =>
        settle(() => {
          try {
            if (frame.noResponders) throw nobody(subject)
            resolve(decodeReply(frame))
          } catch (error) {
            reject(error)
          }
        })
      this.#waiters.set(token, { subject, answer, fail })
    })
    return { token, result }
  }

  /** Collects answers; those that can't be read are handed to `report`. */
  many(
    subject: string,
    { timeoutMs, max = Number.POSITIVE_INFINITY }: { timeoutMs: number; max?: number },
    report: (error: unknown) => void,
  ): { token: string; result: Promise<Msg[]> } {
    const token = this.#nextToken()
    const result = new Promise<Msg[]>((resolve, reject) => {
      const answers: Msg[] = []
      const end = (error?: SkerryError): void => {
        this.#waiters.delete(token)
        this.#timers.clear(timer)
        if (error) reject(error)
        else resolve(answers)
      }
      const timer = this.#timers.set(() => end(), timeoutMs)
      const answer = (frame: Frame): void => {
        try {
          if (!frame.noResponders) answers.push(decode(frame))
        } catch (error) {
          report(error)
        }
        if (frame.noResponders || answers.length >= max) end()
      }
      this.#waiters.set(token, { subject, answer, fail: end })
    })
    return { token, result }
  }

  /** An answer that nobody waits for any more (it came after its time-out) is dropped. */
  answer(frame: Frame): void {
    this.#waiters.get(frame.subject.slice(frame.subject.lastIndexOf('.') + 1))?.answer(frame)
  }

  fail(token: string, error: SkerryError): void {
    this.#waiters.get(token)?.fail(error)
  }

  /** Fails the oldest request to `subject`; false if there is none. */
  failSubject(subject: string, error: SkerryError): boolean {
    for (const waiter of this.#waiters.values()) {
      if (waiter.subject !== subject) continue
      waiter.fail(error)
      return true
    }
    return false
  }

  failAll(makeError: (subject: string) => SkerryError): void {
    for (const waiter of [...this.#waiters.values()]) waiter.fail(makeError(waiter.subject))
  }

  #nextToken(): string {
    this.#count += 1
    return this.#count.toString(36)
  }
}

function nobody(subject: string): SkerryError {
  return new SkerryError('agent-unreachable', `nobody serves ${subject}`, { subject, reason: 'no-responders' })
}

/** The abort's own reason when it is one of our errors, else `deadline-exceeded` caused by it. */
export function aborted(subject: string, signal: AbortSignal | undefined): SkerryError {
  const reason: unknown = signal?.reason
  if (reason instanceof SkerryError) return reason
  return new SkerryError('deadline-exceeded', `gave up waiting for ${subject}`, { subject }, { cause: reason })
}
