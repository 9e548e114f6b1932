/** A client of the simulated site as ZStack's SDK is one: a job uuid of its own for each call, and polls until it has ended. */
import { PREFIX, type Row } from '@skerry/contract'
import { apiNamed, newUuid, sentFor, sha512 } from '../harness/zstack-client.ts'
import { CONTROLLER_URL, type Controllers, PASSWORD } from './controller.ts'
import type { Scheduler } from './scheduler.ts'

/** The first poll comes soon, each further one later. */
const POLL_MS = { first: 40, last: 1_000 }
const RETRY_MS = 500
/** Simulated time after which a job that still runs is one that never ends. */
const CALL_MS = 30 * 60_000

export interface Outcome {
  name: string
  params: Row
  job: string
  /** the last answer's; 0: the connection broke, and whether the call was taken is not known */
  status: number
  body: Row | undefined
  /** answered 202, and not a refusal: its job is durable */
  accepted: boolean
}

export class Client {
  session: string | undefined
  readonly #controllers: Controllers
  readonly #scheduler: Scheduler

  readonly #who: { accountName: string; password: string }

  constructor(controllers: Controllers, scheduler: Scheduler, who = { accountName: 'admin', password: PASSWORD }) {
    this.#controllers = controllers
    this.#scheduler = scheduler
    this.#who = who
  }

  /** Until there is a controller that answers. */
  async login(): Promise<void> {
    const { accountName, password } = this.#who
    for (;;) {
      const { last, body } = await this.#ask('LogInByAccount', { accountName, password: sha512(password) }, newUuid())
      if (last === 200) return void (this.session = (body!['inventory'] as Row)['uuid'] as string)
      if (last !== 0 && last < 500) throw new Error(`login of ${accountName} answered ${last}: ${JSON.stringify(body)}`)
      await this.#scheduler.sleep(RETRY_MS)
    }
  }

  /** Another person's, at the same controller. */
  other(accountName: string, password: string): Client {
    return new Client(this.#controllers, this.#scheduler, { accountName, password })
  }

  /**
   * @param o.again the same call once more, with the same job uuid, where the connection broke
   * @param o.twice it is sent twice from the beginning, as by a proxy that takes its answer for lost
   */
  async call(name: string, params: Row, o: { again: boolean; twice?: boolean } = { again: true }): Promise<Outcome> {
    let job = newUuid()
    const end = this.#scheduler.nowMs() + CALL_MS
    let [taken, accepted, pollMs] = [false, false, POLL_MS.first]
    if (o.twice) void this.#ask(name, params, job)
    for (;;) {
      const answer = taken ? await this.#poll(job) : await this.#ask(name, params, job)
      const done = { name, params, job, status: answer.last, body: answer.body, accepted }
      if (answer.last === 401 || isLoggedOut(answer.body)) {
        await this.login()
        // A call that was refused for its session stays refused: it is asked as another one.
        if (!accepted) {
          job = newUuid()
          taken = false
        }
        await this.#scheduler.sleep(RETRY_MS)
        continue
      }
      // It came twice, or came although its connection broke: its first coming has the job.
      if (answer.repeated) {
        taken = true
        continue
      }
      // A call that was refused has a job too, in memory only: it may be forgotten.
      if (answer.last === 202) taken = true
      if (answer.last === 202) accepted ||= this.#controllers.isDurable('job', job)
      else if (answer.last !== 0) return done
      else if (!taken && !o.again) return done
      if (this.#scheduler.nowMs() > end) return { ...done, status: 202 }
      await this.#scheduler.sleep(answer.last === 202 ? pollMs : RETRY_MS)
      if (answer.last === 202) pollMs = Math.min(pollMs * 2, POLL_MS.last)
    }
  }

  /** uuid of what a call made; throws what was answered instead. */
  async uuid(name: string, params: Row): Promise<string> {
    const { status, body } = await this.call(name, params)
    if (status !== 200) throw new Error(`${name} answered ${status}: ${JSON.stringify(body)}`)
    return (body!['inventory'] as Row)['uuid'] as string
  }

  /** Throws what was answered instead of 200. */
  async done(name: string, params: Row): Promise<void> {
    const { status, body } = await this.call(name, params)
    if (status !== 200) throw new Error(`${name} answered ${status}: ${JSON.stringify(body)}`)
  }

  async enrolmentToken(): Promise<string> {
    const { body } = await this.own('/agents/tokens', '{}')
    return body!['token'] as string
  }

  /** A call of the own dialect. */
  async own(path: string, body?: string): Promise<{ last: number; body: Row | undefined }> {
    const answer = await this.#own(path, body)
    if (answer.last !== 401) return answer
    await this.login()
    return this.#own(path, body)
  }

  #own(path: string, body?: string) {
    const headers = { ...this.#headers(true), 'Content-Type': 'application/json' }
    return this.#send(`${PREFIX.own}${path}`, { method: body === undefined ? 'GET' : 'POST', headers, ...(body ? { body } : {}) })
  }

  /** Some APIs are of our own dialect alone; their jobs are polled as all are. */
  #ask(name: string, params: Row, job: string) {
    const api = apiNamed(name)
    const { method, path, body } = sentFor(api, params)
    const headers = { ...this.#headers(api.own), 'X-Job-UUID': job, 'Content-Type': 'application/json' }
    const prefix = api.own ? PREFIX.own : PREFIX.zstack
    return this.#send(prefix + path, { method, headers, ...(body === undefined ? {} : { body }) })
  }

  #poll(job: string) {
    return this.#send(`${PREFIX.zstack}/api-jobs/${job}`, { headers: this.#headers() })
  }

  #headers(own = false): Record<string, string> {
    return this.session === undefined ? {} : { Authorization: `${own ? 'Bearer' : 'OAuth'} ${this.session}` }
  }

  async #send(path: string, init: RequestInit): Promise<{ last: number; body: Row | undefined; repeated?: boolean }> {
    const response = await this.#controllers.fetch(new Request(CONTROLLER_URL + path, init))
    if (!response) return { last: 0, body: undefined }
    const text = await response.text()
    const repeated = response.status === 400 && text.startsWith('duplicate job uuid')
    return { last: response.status, body: isJson(response) ? (JSON.parse(text) as Row) : undefined, repeated }
  }
}

const isJson = ({ headers }: Response) => headers.get('content-type')?.includes('json') === true

/** The code at the bottom of an error's chain of causes. */
export function codeOf(body: Row | undefined): string | undefined {
  let error = body?.['error'] as Row | undefined
  while (error?.['cause']) error = error['cause'] as Row
  return error?.['code'] as string | undefined
}

const isLoggedOut = (body: Row | undefined) => codeOf(body) === 'ID.1001'
