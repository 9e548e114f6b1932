/** Sends a run's requests to a site, many at once and some alone, and tells whatever is wrong, with how to send it again. */
import { setTimeout as wait } from 'node:timers/promises'
import { PREFIX } from '@skerry/contract'
import { requestOf } from './generate.ts'
import { isRefusal, wrongWith } from './judge.ts'
import { HttpConnection, NatsConnection, sendBytes } from './net.ts'
import { asCommand, bytesOf, type FuzzRequest, type HttpRequest, jsonOf, type Reply } from './request.ts'
import type { Site } from './site.ts'

const AT_ONCE = 24
/** Ten times what anything may take, and more where the machine is slow: only what never comes takes longer. */
const NEVER_MS = 120_000
const POLL_MS = 5
/** How long unreadable bytes are given to be answered: a server that waits for the rest of them is right to. */
const QUIET_MS = 300
/** Of so many, one is sent alone, to see that a refusal changes nothing. */
const ALONE_EACH = 100

export interface Problem {
  number: number
  wrong: string
  command: string
}

export interface Tally {
  sent: number
  /** answers by dialect and status */
  answers: Record<string, number>
  problems: Problem[]
}

/** What is under way: number and since when (epoch ms). */
export interface UnderWay {
  request: FuzzRequest
  from: number
  to?: number
}

export class Driver {
  readonly tally: Tally = { sent: 0, answers: {}, problems: [] }
  /** the newest requests, to find what held the site */
  readonly recent: UnderWay[] = []
  readonly #site: Site
  readonly #seed: number
  readonly #http: { host: string; port: number }
  readonly #free: HttpConnection[] = []
  readonly #nats: NatsConnection

  constructor(site: Site, seed: number) {
    const { hostname, port } = new URL(site.url)
    this.#site = site
    this.#seed = seed
    this.#http = { host: hostname, port: Number(port) }
    this.#nats = new NatsConnection({ host: '127.0.0.1', port: site.natsPort })
  }

  /** Requests of these numbers; resolves when each is answered to its end. */
  async run(from: number, count: number): Promise<void> {
    let next = from
    const alone: number[] = []
    const worker = async () => {
      while (next < from + count) {
        const number = next++
        if (number % ALONE_EACH === 0) alone.push(number)
        else await this.#one(requestOf(this.#site, this.#seed, number))
      }
    }
    await Promise.all(Array.from({ length: AT_ONCE }, worker))
    for (const number of alone) await this.#alone(requestOf(this.#site, this.#seed, number))
  }

  close(): void {
    for (const connection of this.#free) connection.close()
    this.#nats.close()
  }

  problem(request: FuzzRequest, wrong: string): void {
    const command = asCommand(request, { url: this.#site.url, nats: `nats://127.0.0.1:${this.#site.natsPort}` })
    this.tally.problems.push({ number: request.number, wrong: `${request.about}: ${wrong}`, command })
  }

  /** With nothing else under way: what is refused leaves all as it was. Asked twice, because agents go on by themselves. */
  async #alone(request: FuzzRequest): Promise<void> {
    for (let again = 0; ; again++) {
      const before = await this.#site.ask('state')
      const reply = await this.#one(request)
      if (!reply || !isRefusal(reply)) return
      const after = await this.#site.ask('state')
      if (after.hash === before.hash) return
      if (again === 2) return this.problem(request, `refused (${reply.status}), and yet something changed`)
    }
  }

  /** The last answer to it. */
  async #one(request: FuzzRequest): Promise<Reply | undefined> {
    const entry: UnderWay = { request, from: Date.now() }
    this.recent.push(entry)
    if (this.recent.length > 4_000) this.recent.splice(0, 2_000)
    const never = wait(NEVER_MS, undefined, { ref: false })
    const reply = await Promise.race([this.#exchange(request), never])
    entry.to = Date.now()
    if (!reply) {
      this.problem(request, `no answer within ${NEVER_MS} ms`)
      return undefined
    }
    await this.#logOut(request, reply)
    return reply
  }

  async #exchange(request: FuzzRequest): Promise<Reply> {
    this.tally.sent += 1
    let reply = await this.#send(request)
    this.#note(request, reply)
    if (request.kind !== 'http' || request.dialect !== 'zstack' || reply.status !== 202) return reply
    const location = jsonOf(reply)?.['location']
    const path = typeof location === 'string' ? new URL(location).pathname : ''
    for (let pauseMs = 0; reply.status === 202; pauseMs = POLL_MS) {
      await wait(pauseMs)
      reply = await this.#send({ ...request, method: 'GET', path, headers: [], body: undefined } as never)
    }
    this.#note(request, reply)
    return reply
  }

  #note(request: FuzzRequest, reply: Reply): void {
    const key = `${request.kind === 'http' ? request.dialect : request.kind} ${reply.status}`
    this.tally.answers[key] = (this.tally.answers[key] ?? 0) + 1
    for (const wrong of wrongWith(request, reply)) this.problem(request, `${wrong}: ${reply.text.slice(0, 600)}`)
  }

  async #send(request: FuzzRequest): Promise<Reply> {
    if (request.kind === 'nats') return this.#nats.send(request)
    if (request.kind === 'bytes') {
      const text = await sendBytes(this.#http, request.bytes, QUIET_MS)
      return { status: Number(text.split(' ')[1] ?? 0), headers: {}, text }
    }
    return this.#overHttp(request)
  }

  async #overHttp(request: HttpRequest): Promise<Reply> {
    const bytes = bytesOf(request, `${this.#http.host}:${this.#http.port}`)
    // A kept connection may be ended by the server just as it is used again: once more over a new one.
    for (let again = 0; ; again++) {
      const connection = this.#free.pop() ?? new HttpConnection(this.#http)
      const reply = await connection.send(request.method, bytes)
      this.#free.push(connection)
      if (reply.status !== 0 || again === 2) return reply
    }
  }

  /** Sessions that were opened are closed again. */
  async #logOut(request: FuzzRequest, reply: Reply): Promise<void> {
    if (reply.status !== 200 || !/^LogIn|^login/.test(request.about)) return
    const uuid = (jsonOf(reply)?.['inventory'] as { uuid?: string } | undefined)?.uuid
    if (!uuid) return
    const headers: [string, string][] = [['Authorization', `Bearer ${uuid}`]]
    await this.#overHttp({
      ...request,
      kind: 'http',
      method: 'DELETE',
      path: `${PREFIX.own}/accounts/sessions/${uuid}?wait=20s`,
      headers,
      body: undefined,
    } as never)
  }
}
