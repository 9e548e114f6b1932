/** Sends a run's requests to a site, many at once and some alone, and tells whatever is wrong, with how to send it again. */
import { setTimeout as wait } from 'node:timers/promises'
import { PREFIX } from '@skerry/contract'
import { requestOf } from './generate.ts'
import { isRefusal, wrongWith } from './judge.ts'
import { HttpConnection, NatsConnection, sendBytes } from './net.ts'
import { asCommand, bytesOf, type FuzzRequest, type HttpRequest, jsonOf, type Reply } from './request.ts'
import type { Site } from './site.ts'

const AT_ONCE = 24
/** As many of the newest requests are kept to find what held the site. */
const RECENT = 4_000
/** Ten times what anything may take, and more where the machine is slow: only what never comes takes longer. */
const NEVER_MS = 120_000
const POLL_MS = 5
/** How often it is looked for what never came. */
const LOOK_MS = 1_000
/** How long unreadable bytes are given to be answered: a server that waits for the rest of them is right to. */
const QUIET_MS = 300
/** Of so many, one is sent alone, to see that a refusal changes nothing. */
const ALONE_EACH = 250

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

/** What is under way: since when, and until when it was (epoch ms). */
export interface UnderWay {
  request: FuzzRequest
  from: number
  to?: number
}

/** Given up once, by one timer for all: one of each request's own would keep its answer for as long as it runs. */
interface Awaited {
  entry: UnderWay
  giveUp(): void
}

export class Driver {
  readonly tally: Tally = { sent: 0, answers: {}, problems: [] }
  /** the newest requests, to find what held the site */
  readonly recent: UnderWay[] = []
  readonly #site: Site
  readonly #seed: number
  readonly #http: { host: string; port: number }
  readonly #free: HttpConnection[] = []
  /** those in use, too */
  readonly #all = new Set<HttpConnection>()
  readonly #awaited = new Set<Awaited>()
  readonly #looking = setInterval(() => this.#look(), LOOK_MS)
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
    clearInterval(this.#looking)
    for (const connection of this.#all) connection.close()
    this.#nats.close()
  }

  #look(): void {
    const now = Date.now()
    for (const one of this.#awaited) if (now - one.entry.from > NEVER_MS) one.giveUp()
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
    if (this.recent.length > RECENT) this.recent.splice(0, RECENT / 2)
    const reply = await this.#inTime(entry)
    entry.to = Date.now()
    if (!reply) {
      this.problem(request, `no answer within ${NEVER_MS} ms`)
      return undefined
    }
    await this.#logOut(request, reply)
    return reply
  }

  #inTime(entry: UnderWay): Promise<Reply | undefined> {
    return new Promise((resolve, reject) => {
      const awaited = { entry, giveUp: () => end(() => resolve(undefined)) }
      const end = (told: () => void) => {
        this.#awaited.delete(awaited)
        told()
      }
      this.#awaited.add(awaited)
      this.#exchange(entry).then(
        (reply) => end(() => resolve(reply)),
        (error) => end(() => reject(error)),
      )
    })
  }

  async #exchange(entry: UnderWay): Promise<Reply> {
    const { request } = entry
    this.tally.sent += 1
    let reply = await this.#send(request)
    this.#note(request, reply)
    if (request.kind !== 'http' || request.dialect !== 'zstack' || reply.status !== 202) return reply
    const location = jsonOf(reply)?.['location']
    const path = typeof location === 'string' ? new URL(location).pathname : ''
    for (let pauseMs = 0; reply.status === 202 && entry.to === undefined; pauseMs = POLL_MS) {
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
      const text = await sendBytes(this.#http, request, QUIET_MS)
      return { status: Number(text.split(' ')[1] ?? 0), headers: {}, text }
    }
    return this.#overHttp(request)
  }

  async #overHttp(request: HttpRequest): Promise<Reply> {
    const host = `${this.#http.host}:${this.#http.port}`
    // A kept connection may be ended by the server just as it is used again: once more over a new one.
    for (let again = 0; ; again++) {
      const connection = this.#free.pop() ?? this.#connection()
      const reply = await connection.send(request.method, bytesOf(request, host))
      this.#free.push(connection)
      if (reply.status !== 0 || again === 2) return reply
    }
  }

  #connection(): HttpConnection {
    const made = new HttpConnection(this.#http)
    this.#all.add(made)
    return made
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
