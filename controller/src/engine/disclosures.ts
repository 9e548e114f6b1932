/**
 * Results that must never reach the log, such as console tokens and new keys: made when the job has ended, kept in memory, and
 * told for a while only, because a poll needs no session.
 */
import type { Row } from '@skerry/contract'
import type { Graph } from '@skerry/graph'

export interface DisclosurePorts {
  graph: Graph
  now(): number
  /** by API name; `result` is what the job has recorded */
  volatile: Record<string, (params: Row, job: string, result: unknown) => Row | undefined>
  /** the same for what takes time to find out */
  disclosed: Record<string, (resourceUuid: string) => Promise<Row | undefined>>
}

const FOR_MS = 10 * 60_000
const LIMIT = 2_000

export class Disclosures {
  readonly #p: DisclosurePorts
  readonly #shown = new Map<string, { result: Row; until: number }>()

  constructor(ports: DisclosurePorts) {
    this.#p = ports
  }

  get(job: string): Row | undefined {
    const shown = this.#shown.get(job)
    if (shown && shown.until <= this.#p.now()) this.#shown.delete(job)
    else return shown?.result
    return undefined
  }

  /** Once the job has ended, before that is told. */
  async find(job: string): Promise<void> {
    const row = this.#done(job)
    const result = row && (await this.#p.disclosed[row['api'] as string]?.(row['resourceUuid'] as string))
    if (row && result) this.#show(job, row, result)
  }

  make(job: string): void {
    const row = this.#done(job)
    const result = row && this.#p.volatile[row['api'] as string]?.((row['input'] as Row)['params'] as Row, job, row['result'])
    if (row && result) this.#show(job, row, result)
  }

  /** At start: for those who have not yet asked for the end of a job that ended just before the last process did. */
  async again(): Promise<void> {
    for (const api of Object.keys(this.#p.disclosed))
      for (const job of [...this.#p.graph.by('job', 'api', api)]) await this.find(job)
  }

  #done(job: string): Readonly<Row> | undefined {
    const row = this.#p.graph.get('job', job)
    return row?.['state'] === 'done' && this.#until(row) > this.#p.now() ? row : undefined
  }

  #until(row: Readonly<Row>): number {
    return (row['finishedAt'] as number) + FOR_MS
  }

  #show(job: string, row: Readonly<Row>, result: Row): void {
    this.#shown.set(job, { result, until: this.#until(row) })
    const [oldest] = this.#shown.keys()
    if (this.#shown.size > LIMIT && oldest !== undefined) this.#shown.delete(oldest)
  }
}
