/**
 * Webhooks as an outbox (DESIGN §5): recorded with the acceptance of the call, called when the job has ended, until the other
 * side says 2xx; at least once, over restarts. 15 retries, 2 s apart (zstack-core §1.5).
 */
import type { State } from '../engine/state.ts'

const RETRIES = 15
const PAUSE_MS = 2_000
const TIMEOUT_MS = 10_000
/** The 202 must have reached the client before its webhook does: ZStack's Java SDK sleeps its whole timeout otherwise (zstack-wire). */
export const AFTER_202_MS = 250

export interface HookPorts {
  state: State
  /** what a poll would answer: status and body */
  render(job: string): { ok: boolean; body: unknown } | undefined
  fetch: typeof fetch
  sleep(ms: number): Promise<void>
  report(error: unknown, facts: Record<string, unknown>): void
}

export class Hooks {
  readonly #p: HookPorts
  readonly #running = new Set<string>()

  constructor(ports: HookPorts) {
    this.#p = ports
  }

  /** A job has ended: calls its hook, if it has one. */
  ended(job: string): void {
    if (!this.#p.state.graph.get('hook', job) || this.#running.has(job)) return
    this.#running.add(job)
    this.#send(job)
      .catch((error) => this.#p.report(error, { job, doing: 'calling a webhook' }))
      .finally(() => this.#running.delete(job))
  }

  /** At start: the hooks of jobs that ended before the last process did. */
  resume(): void {
    for (const [job] of this.#p.state.graph.rows('hook')) if (this.#p.render(job)) this.ended(job)
  }

  async #send(job: string): Promise<void> {
    const url = this.#p.state.graph.get('hook', job)!['url'] as string
    let last: unknown
    for (let attempt = 0; attempt <= RETRIES; attempt++) {
      await this.#p.sleep(attempt > 0 ? PAUSE_MS : AFTER_202_MS)
      const answer = this.#p.render(job)
      if (!answer) return
      try {
        const response = await this.#p.fetch(url, {
          method: 'POST',
          body: JSON.stringify(answer.body),
          redirect: 'manual',
          signal: AbortSignal.timeout(TIMEOUT_MS),
          headers: { 'Content-Type': 'application/json', 'X-Job-UUID': job, 'X-Job-Success': String(answer.ok) },
        })
        if (response.ok) return this.#forget(job)
        last = new Error(`the webhook answered ${response.status}`)
      } catch (error) {
        last = error
      }
    }
    this.#p.report(last, { job, doing: `calling a webhook; given up after ${RETRIES} retries` })
    await this.#forget(job)
  }

  async #forget(job: string): Promise<void> {
    await this.#p.state.commit({ ops: [{ o: 'del', t: 'hook', k: job }] }, { actor: 'system', job })
  }
}
