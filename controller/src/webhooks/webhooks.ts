/**
 * Calls web hooks with events: in the order of the log, each until it was taken, at least once, over restarts. A receiver that is
 * away holds up itself and nobody else, and gets what it has missed as far as the log still has it.
 */
import { type Op, type Row, SkerryError } from '@skerry/contract'
import type { Graph } from '@skerry/graph'
import type { ServedFact } from '../tasks/facts.ts'
import type { PostHook } from '../tasks/hook-post.ts'
import { hears } from './pattern.ts'

const TIMEOUT_MS = 10_000
const PAUSE_MS = 2_000
const LONGEST_PAUSE_MS = 60_000
/** After so many calls in vain somebody is told, once. */
const TELL_AFTER = 3
/** Behind every event of its commit. */
const BEHIND_ALL = 999_999

export interface WebhookPorts {
  graph: Graph
  /** events behind this one, and those that come; it may end, and is then asked again */
  since(lastId: string, signal: AbortSignal, only: (fact: ServedFact) => boolean): AsyncIterable<ServedFact>
  /** the oldest commit that is kept */
  oldest(): number
  post: PostHook
  sleep(ms: number): Promise<void>
  commit(ops: Op[]): Promise<void>
  report(error: unknown, facts: Row): void
}

interface Runner {
  /** what it was begun with: another URL or pattern begins it anew */
  begun: string
  /** id of the last event that was delivered, or that it does not hear */
  told: string
  stop: AbortController
}

const formOf = (row: Readonly<Row>) => JSON.stringify([row['url'], row['opaque']])
const seqOf = (id: string) => Number.parseInt(id, 10)

export class Webhooks {
  readonly #p: WebhookPorts
  readonly #runners = new Map<string, Runner>()

  constructor(ports: WebhookPorts) {
    this.#p = ports
  }

  /** Begins those that are new or were changed, ends those that are gone. Asked each second. */
  look(): void {
    const { graph } = this.#p
    for (const [uuid, runner] of this.#runners) {
      const row = graph.get('webhook', uuid)
      if (row && formOf(row) === runner.begun) continue
      runner.stop.abort()
      this.#runners.delete(uuid)
      if (row) this.#begin(uuid, row, runner.told)
    }
    for (const [uuid, row] of graph.rows('webhook')) if (!this.#runners.has(uuid)) this.#begin(uuid, row, row['told'] as string)
  }

  /** Records how far each has come. Asked now and then, and at the end. */
  async keep(): Promise<void> {
    const ops = [...this.#runners].flatMap(([uuid, { told }]): Op[] => {
      const row = this.#p.graph.get('webhook', uuid)
      return row && row['told'] !== told ? [{ o: 'set', t: 'webhook', k: uuid, v: { told } }] : []
    })
    if (ops.length > 0) await this.#p.commit(ops)
  }

  stop(): void {
    for (const { stop } of this.#runners.values()) stop.abort()
    this.#runners.clear()
  }

  #begin(uuid: string, row: Readonly<Row>, told: string): void {
    const runner: Runner = { begun: formOf(row), told, stop: new AbortController() }
    this.#runners.set(uuid, runner)
    this.#run(uuid, row, runner).catch((error) => this.#p.report(error, { doing: 'calling a web hook', uuid }))
  }

  async #run(uuid: string, row: Readonly<Row>, runner: Runner): Promise<void> {
    const { signal } = runner.stop
    const only = ({ subject }: ServedFact) => hears(row['opaque'] as string | null, subject)
    while (!signal.aborted) {
      this.#skipLost(uuid, runner)
      for await (const fact of this.#p.since(runner.told, signal, only)) {
        if (!(await this.#deliver(row, fact, signal))) return
        runner.told = fact.id
      }
      // It ends when more came than it holds for one who is slow: what is missing is read from the log.
      if (!signal.aborted) await this.#p.sleep(PAUSE_MS)
    }
  }

  #skipLost(uuid: string, runner: Runner): void {
    const oldest = this.#p.oldest()
    if (seqOf(runner.told) + 1 >= oldest) return
    const message = `a web hook was not reached for so long that events behind ${runner.told} are no longer kept: they are not told`
    this.#p.report(new SkerryError('history-gone', message, { uuid, oldestSeq: oldest }), { doing: 'calling a web hook', uuid })
    runner.told = `${oldest - 1}.${BEHIND_ALL}`
  }

  /** False: it was ended before it was delivered. */
  async #deliver(row: Readonly<Row>, fact: ServedFact, signal: AbortSignal): Promise<boolean> {
    const headers = { 'Content-Type': 'application/json', 'X-Event-ID': fact.id }
    const message = { url: row['url'] as string, body: JSON.stringify(fact.data), headers, timeoutMs: TIMEOUT_MS }
    for (let attempt = 1; !signal.aborted; attempt++) {
      try {
        const status = await this.#p.post(message)
        if (status >= 200 && status < 300) return true
        throw new Error(`the web hook answered ${status}`)
      } catch (error) {
        if (attempt === TELL_AFTER) this.#p.report(error, { doing: 'calling a web hook', uuid: row['uuid'], event: fact.id })
      }
      await this.#p.sleep(Math.min(PAUSE_MS * 2 ** (attempt - 1), LONGEST_PAUSE_MS))
    }
    return false
  }
}
