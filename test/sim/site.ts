/** A whole site in one process from one seed: the real controller and the real agents on fakes, where everything can be cut off. */
import { createHash } from 'node:crypto'
import { type MemoryBroker, type MemoryBus, memoryBroker } from '@skerry/bus'
import type { Row } from '@skerry/contract'
import type { Store } from '@skerry/controller/in-process'
import { seeded } from '../harness/seeded.ts'
import { beginSeed } from './ambient.ts'
import { Client } from './client.ts'
import { Controllers } from './controller.ts'
import { SimHost } from './host.ts'
import type { Life } from './life.ts'
import { Network } from './network.ts'
import type { Scheduler } from './scheduler.ts'

const ASK_MS = 5_000
const DOWN_MS = 3_000

export class SimSite {
  readonly scheduler: Scheduler
  /** of the history: what is asked and what goes wrong. Apart from what the code draws, so that the one does not change the other. */
  readonly random: () => number
  readonly network: Network
  readonly controllers: Controllers
  readonly client: Client
  readonly diary: string[] = []
  /** ids of the facts that came over the bus */
  readonly facts = new Set<string>()
  /** all that ever were; the first one has the images */
  readonly hosts: SimHost[] = []
  readonly #broker: MemoryBroker
  /** hears everything, whatever is cut off */
  readonly #witness: MemoryBus
  #ended = false
  /** what must never happen, whatever goes wrong */
  readonly broken: string[] = []
  /** called with each store that is opened */
  onOpened: (store: Store, life: Life) => void = () => undefined

  constructor(seed: number, accountSeed: string) {
    this.scheduler = beginSeed(seed)
    this.random = seeded(seed ^ 0x5eed)
    const { scheduler, random } = this
    this.#broker = memoryBroker()
    const note = (line: string) => this.note(line)
    this.network = new Network({ scheduler, random, note })
    this.controllers = new Controllers({
      ...{ scheduler, broker: this.#broker, network: this.network, random, accountSeed, note },
      opened: (store, life) => this.onOpened(store, life),
      log: this.#log('controller'),
    })
    this.client = new Client(this.controllers, scheduler)
    this.#witness = this.#broker.connect({}, { timers: scheduler })
    this.#witness.subscribe('skerry.v1.evt.>', (m) => void this.facts.add(String((m.data as Row)['id'])))
  }

  /** What an agent answers somebody else on the bus; undefined when it refuses or does not answer. */
  async ask(subject: string, data: unknown): Promise<unknown> {
    return this.#witness.request(subject, data, { timeoutMs: ASK_MS }).then(
      (msg) => msg.data,
      () => undefined,
    )
  }

  note(line: string): void {
    this.diary.push(`${(this.scheduler.nowMs() / 1000).toFixed(3)} ${line}`)
  }

  /** @param hosts with agents that are enrolled; none is added yet */
  async start(hosts: number): Promise<void> {
    const controller = this.controllers.start()
    this.#guardController()
    await controller
    await this.client.login()
    for (let n = 0; n < hosts; n++) await this.addMachine()
  }

  /** One machine more, with agents that are enrolled. */
  async addMachine(): Promise<SimHost> {
    const { scheduler, network, random } = this
    const host = new SimHost(this.hosts.length, {
      ...{ scheduler, network, random, broker: this.#broker, log: this.#log('agent') },
      note: (line) => this.note(line),
      token: () => this.client.enrolmentToken(),
      broken: (what, error) => this.#broken(what, error),
    })
    this.hosts.push(host)
    await host.start()
    return host
  }

  async restartController(): Promise<void> {
    this.controllers.life.kill()
    await this.scheduler.until(Number.POSITIVE_INFINITY, () => this.controllers.running !== undefined)
  }

  #guardController(): void {
    const { life } = this.controllers
    life.onKill(() => {
      if (this.#ended) return
      this.note('controller died')
      this.scheduler.set(() => {
        if (this.#ended) return
        this.controllers.start().catch((error) => this.#broken('the controller does not start', error))
        this.#guardController()
      }, this.random() * DOWN_MS)
    })
  }

  #broken(what: string, error: unknown): void {
    this.broken.push(`${what}: ${error instanceof Error ? error.stack : error}`)
  }

  /** Everything there is, and what happened until now, as one number: the same for the same seed. */
  hash(): string {
    const domains = this.hosts.flatMap((host) =>
      host.machine.libvirt.inventory().map(({ uuid, state }) => `${host.name} ${uuid} ${state}`),
    )
    const rows = ['host', 'vmInstance', 'volume', 'volumeSnapshot', 'vmNic', 'usedIp', 'job'].map((table) =>
      JSON.stringify(this.controllers.rows(table)),
    )
    return createHash('sha256')
      .update([...this.diary, ...domains, ...rows].join('\n'))
      .digest('hex')
  }

  end(): void {
    this.#ended = true
    this.controllers.life.kill()
    for (const host of this.hosts) host.end()
    this.scheduler.stop()
  }

  /** What is logged is part of the history. */
  #log(who: string) {
    const say = (facts: Row, message: string) => {
      const { err, error = err, ...where } = facts as Row & { err?: unknown }
      const code = error ? `${(error as Row)['code']}: ${(error as Row)['message']}` : ''
      if (!this.#ended) this.note(`~ ${who}: ${message}; ${code} ${JSON.stringify(where)}`)
    }
    const log = { info: () => undefined, warn: say, error: say, child: () => log }
    return log
  }
}
