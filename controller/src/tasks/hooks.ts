/**
 * Webhooks as an outbox (DESIGN §5): recorded with the acceptance of the call, called when the job has ended, until the other
 * side says 2xx; at least once, over restarts. 15 retries, 2 s apart (zstack-core §1.5).
 */
import { type Row, SkerryError } from '@skerry/contract'
import type { State } from '../engine/state.ts'
import type { PostHook } from './hook-post.ts'

const RETRIES = 15
const PAUSE_MS = 2_000
const TIMEOUT_MS = 10_000
/** The client reads its 202 on another connection than the hook: it gets a moment to do so, or ZStack's Java SDK sleeps its whole timeout. */
const AFTER_202_MS = 250
/** Calls that wait for an answer of one receiver. Who never answers delays nobody but itself. */
const PER_RECEIVER = 16
/** Hooks of refused calls that are kept in memory: these cost a caller nothing, so they must cost us little. */
const REFUSED = 500

export interface HookPorts {
  state: State
  /** what a poll would answer: status and body */
  render(job: string): { ok: boolean; body: unknown } | undefined
  post: PostHook
  sleep(ms: number): Promise<void>
  /** resolves when the 202 of this job has left the process, or there is none under way */
  flushed(job: string): Promise<void>
  report(error: unknown, facts: Record<string, unknown>): void
}

interface Letter {
  job: string
  url: string
  retries: number
  /** asked before each attempt; undefined: there is nothing to say any more */
  answer(): { ok: boolean; body: unknown } | undefined
}

export class Hooks {
  readonly #p: HookPorts
  readonly #running = new Set<string>()
  readonly #lanes = new Map<string, { busy: number; waiting: (() => void)[] }>()
  #refused = 0
  #stopped = false

  constructor(ports: HookPorts) {
    this.#p = ports
  }

  /** A job has ended, or is stuck: calls its hook, if it has one. Of one that is stuck the end is told too, after its retry. */
  ended(job: string): void {
    const hook = this.#p.state.graph.get('hook', job)
    if (!hook || this.#running.has(job) || (hook['told'] && this.#isStuck(job))) return
    this.#running.add(job)
    let stuck = false
    const answer = () => {
      stuck = this.#isStuck(job)
      return this.#p.render(job)
    }
    this.#send({ job, url: hook['url'] as string, retries: RETRIES, answer })
      .then((settled) => (settled ? this.#settle(job, stuck) : undefined))
      .catch((error) => this.#p.report(error, { job, doing: 'calling a webhook' }))
      .finally(() => {
        this.#running.delete(job)
        // Retried while it was told to be stuck.
        if (stuck && !this.#isStuck(job)) this.ended(job)
      })
  }

  #isStuck(job: string): boolean {
    return this.#p.state.graph.get('job', job)?.['state'] === 'stuck'
  }

  /** A call was refused, so nothing of it is recorded: its hook is called from memory. `again`: repeated as others are. */
  refused({ url, jobUuid, body, again }: { url: string; jobUuid: string; body: Row; again: boolean }): void {
    if (this.#refused >= REFUSED) return
    this.#refused++
    this.#send({ job: jobUuid, url, retries: again ? RETRIES : 0, answer: () => ({ ok: false, body }) })
      .catch((error) => this.#p.report(error, { job: jobUuid, doing: 'calling the webhook of a refused call' }))
      .finally(() => this.#refused--)
  }

  /** At start: the hooks of jobs that ended before the last process did. */
  resume(): void {
    for (const [job] of this.#p.state.graph.rows('hook')) if (this.#p.render(job)) this.ended(job)
  }

  /** No further attempts: what is not delivered is so after the next start. */
  stop(): void {
    this.#stopped = true
  }

  /** True: delivered, or given up. */
  async #send(letter: Letter): Promise<boolean> {
    const { job, url, retries } = letter
    await this.#p.flushed(job)
    let last: unknown
    for (let attempt = 0; attempt <= retries; attempt++) {
      await this.#p.sleep(attempt > 0 ? PAUSE_MS : AFTER_202_MS)
      if (this.#stopped) return false
      const answer = letter.answer()
      if (!answer) return false
      try {
        const status = await this.#inLane(new URL(url).origin, () => this.#post(letter, answer))
        if (status >= 200 && status < 300) return true
        last = new Error(`the webhook answered ${status}`)
      } catch (error) {
        last = error
        // It may not go there, today or tomorrow.
        if (error instanceof SkerryError) break
      }
    }
    this.#p.report(last, { job, doing: `calling a webhook; given up, after ${retries} retries at most` })
    return true
  }

  #post({ job, url }: Letter, { ok, body }: { ok: boolean; body: unknown }): Promise<number> {
    const headers = { 'Content-Type': 'application/json', 'X-Job-UUID': job, 'X-Job-Success': String(ok) }
    return this.#p.post({ url, body: JSON.stringify(body), headers, timeoutMs: TIMEOUT_MS })
  }

  async #inLane<T>(receiver: string, run: () => Promise<T>): Promise<T> {
    let lane = this.#lanes.get(receiver)
    if (!lane) this.#lanes.set(receiver, (lane = { busy: 0, waiting: [] }))
    if (lane.busy < PER_RECEIVER) lane.busy++
    // Whoever ends hands its place on.
    else await new Promise<void>((resolve) => lane.waiting.push(resolve))
    try {
      return await run()
    } finally {
      const next = lane.waiting.shift()
      if (next) next()
      else if (--lane.busy === 0) this.#lanes.delete(receiver)
    }
  }

  /** Forgets a hook that has told the end; one that has told that its job is stuck is kept for that. */
  async #settle(job: string, stuck: boolean): Promise<void> {
    const op = stuck ? { o: 'set' as const, t: 'hook', k: job, v: { told: true } } : { o: 'del' as const, t: 'hook', k: job }
    await this.#p.state.commit({ ops: [op] }, { actor: 'system', job })
  }
}
