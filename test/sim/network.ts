/** What the network does to messages: each may be lost, late, doubled, or overtaken. */
import type { MemoryBus, Msg, RequestOptions } from '@skerry/bus'
import { SkerryError } from '@skerry/contract'
import type { Life } from './life.ts'
import type { Scheduler } from './scheduler.ts'

export interface Chances {
  /** each from 0 to 1 */
  drop: number
  double: number
  late: number
  /** longest delay of a late message */
  lateMs: number
  /** that an answer is lost, of whatever was heard */
  unanswered?: number
}

export const CALM: Chances = { drop: 0, double: 0, late: 0, lateMs: 0 }

export interface NetworkPorts {
  scheduler: Scheduler
  random(): number
  note(line: string): void
}

export class Network {
  chances: Chances = CALM
  readonly #p: NetworkPorts

  constructor(ports: NetworkPorts) {
    this.#p = ports
  }

  /** The connection of a process, seen through this network. Answers are messages too. */
  through(bus: MemoryBus, life: Life): MemoryBus {
    const [request, publish, serve, flush] = [
      bus.request.bind(bus),
      bus.publish.bind(bus),
      bus.serve.bind(bus),
      bus.flush.bind(bus),
    ]
    bus.request = (subject, data, opts) =>
      this.#request((more) => request(subject, data, { ...opts, ...more }), { subject, opts, life })
    bus.publish = (subject, data, headers) => this.#publish(() => life.alive && publish(subject, data, headers), subject)
    bus.serve = (subject, handler, opts) => serve(subject, (m) => (life.alive ? handler(m) : new Promise(() => undefined)), opts)
    bus.flush = async () => {
      await flush()
      if (!life.alive) await new Promise(() => undefined)
    }
    const reconnect = bus.reconnect.bind(bus)
    bus.reconnect = () => void (life.alive && reconnect())
    life.onKill(() => bus.disconnect())
    return bus
  }

  #publish(send: () => void, subject: string): void {
    // What the log says of itself is sent over a connection that keeps it: the server has it, or the flush fails.
    const fate = subject.startsWith('skerry.v1.evt.') ? { copies: [0] } : this.#fate(subject)
    for (const ms of fate.copies)
      if (ms === 0) send()
      else this.#p.scheduler.set(send, ms)
  }

  async #request(
    send: (more: Partial<RequestOptions>) => Promise<Msg>,
    { subject, opts, life }: { subject: string; opts: RequestOptions; life: Life },
  ): Promise<Msg> {
    const { copies } = this.#fate(subject)
    const { copies: answers } = this.#fateOfAnswer(subject)
    if (copies.length === 1 && copies[0] === 0 && answers.length === 1 && answers[0] === 0) return send({})
    const { scheduler } = this.#p
    return new Promise<Msg>((resolve, reject) => {
      const late = () =>
        reject(new SkerryError('agent-timeout', `nobody answered in time on ${subject}`, { subject, timeoutMs: opts.timeoutMs }))
      scheduler.set(() => life.alive && late(), opts.timeoutMs)
      opts.signal?.addEventListener('abort', late, { once: true })
      const answered = (pass: () => void) => {
        for (const ms of answers) scheduler.set(() => life.alive && pass(), ms)
      }
      for (const ms of copies)
        scheduler.set(() => {
          if (!life.alive) return
          send({}).then(
            (msg) => answered(() => resolve(msg)),
            (error) => answered(() => reject(error)),
          )
        }, ms)
    })
  }

  #fateOfAnswer(subject: string): { copies: number[] } {
    const { unanswered = 0 } = this.chances
    if (unanswered === 0 || this.#p.random() >= unanswered) return this.#fate(`${subject} (answer)`)
    this.#p.note(`lost: ${subject} (answer)`)
    return { copies: [] }
  }

  /** When it arrives, in milliseconds from now: never, once, or twice. */
  #fate(what: string): { copies: number[] } {
    const { drop, double, late, lateMs } = this.chances
    if (drop + double + late === 0) return { copies: [0] }
    const { random, note } = this.#p
    const when = () => (random() < late ? Math.ceil(random() * lateMs) : 0)
    const chance = random()
    const copies = chance < drop ? [] : chance < drop + double ? [when(), when() + 1] : [when()]
    if (copies.length !== 1) note(`${copies.length === 0 ? 'lost' : 'doubled'}: ${what}`)
    return { copies }
  }
}
