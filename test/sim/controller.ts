/** The real controller of a simulated site: started over what is on its disk, killed at any moment, started again. */
import { createHash } from 'node:crypto'
import { type MemoryBroker, type MemoryBus, rightsOf } from '@skerry/bus'
import type { Row } from '@skerry/contract'
import {
  type Controller,
  createController,
  fakeDisk,
  type Log,
  openSecrets,
  openStore,
  type Store,
  tables,
} from '@skerry/controller/in-process'
import { newUuid } from '../harness/zstack-client.ts'
import { wallBegan } from './ambient.ts'
import { Life } from './life.ts'
import type { Network } from './network.ts'
import type { Scheduler } from './scheduler.ts'

export const CONTROLLER_URL = 'http://controller.test'
export const PASSWORD = 'correct-horse-battery'
const SITE_KEY = createHash('sha256').update('simulated site').digest()
const NODE = createHash('md5').update('simulated node').digest('hex')
const RESERVE_BYTES = 128 * 1024
const FACTS_FROM_THE_FIRST = 1

export interface ControllerParts {
  scheduler: Scheduler
  broker: MemoryBroker
  network: Network
  random(): number
  accountSeed: string
  note(line: string): void
  /** The store of a process that has just begun, before anything is asked of it. */
  opened(store: Store, life: Life): void
  log: Log
}

export interface Process {
  life: Life
  store: Store
  controller: Controller
  bus: MemoryBus
}

export class Controllers {
  disk = fakeDisk()
  /** the one that answers; undefined while there is none */
  running: Process | undefined
  /** milliseconds that the controller's wall clock is ahead */
  ahead = 0
  starts = 0
  readonly #p: ControllerParts
  #life: Life | undefined
  #publishedSeq = FACTS_FROM_THE_FIRST

  constructor(parts: ControllerParts) {
    this.#p = parts
  }

  /** Of the process that runs or starts. */
  get life(): Life {
    return this.#life!
  }

  now = (): number => Math.floor(wallBegan + this.#p.scheduler.nowMs() + this.ahead)

  /** Resolves when it answers; never when it is killed before. What it throws ends the history. */
  async start(): Promise<void> {
    const life = new Life(this.#p.scheduler)
    this.#life = life
    this.starts += 1
    life.onKill(() => {
      this.running = undefined
      const { capacity } = this.disk
      this.disk = this.disk.crash(this.#p.random)
      this.disk.capacity = capacity
    })
    const process = await this.#open(life)
    if (!life.alive) return
    this.running = process
    this.#p.note('controller answers')
  }

  async #open(life: Life): Promise<Process> {
    const { scheduler, broker, network } = this.#p
    const disk = life.guard(this.disk)
    const bus = network.through(broker.connect(rightsOf({ kind: 'controller' }), { timers: life }), life)
    const random = (size: number) => Buffer.from(Array.from({ length: size }, () => Math.floor(Math.random() * 256)))
    const secrets = await openSecrets({ dir: '/site/secrets', disk, siteKey: SITE_KEY, random })
    const store = await openStore({
      dir: '/site/log',
      disk,
      tables,
      clock: this.now,
      newId: newUuid,
      limits: { reserveBytes: RESERVE_BYTES },
      ...{ monotonic: scheduler.nowMs, every: life.every, sleep: life.sleep },
    })
    this.#p.opened(store, life)
    const controller = await createController({
      ...{ store, bus, secrets, siteKey: SITE_KEY, log: this.#p.log, now: this.now, monotonic: scheduler.nowMs },
      ...{ newId: newUuid, random: Math.random, sleep: life.sleep, timers: life, every: life.every, nodeUuid: NODE },
      enrol: { accountSeed: this.#p.accountSeed, servers: ['memory'], ca: null },
      address: { hostname: '127.0.0.1', port: 1, scheme: 'ws' },
      adminPassword: PASSWORD,
      publishedSeq: this.#publishedSeq,
      published: (seq) => void (life.alive && (this.#publishedSeq = seq)),
    })
    return { life, store, controller, bus }
  }

  /** No byte more fits onto its disk. */
  fill(): void {
    const { disk } = this
    disk.capacity = disk.files().reduce((sum, name) => sum + disk.content(name)!.length, 0)
  }

  /** A request over HTTP. Undefined: the connection broke, or nobody listens. */
  async fetch(request: Request): Promise<Response | undefined> {
    const process = this.running
    if (!process) return undefined
    const broken = new Promise<undefined>((resolve) => process.life.onKill(() => resolve(undefined)))
    return Promise.race([process.controller.app.fetch(request), broken])
  }

  /** Whether a power cut leaves this row. */
  isDurable(table: string, key: string): boolean {
    const seq = this.running?.store.graph.version(table, key)
    return seq !== undefined && seq <= this.running!.store.durableSeq
  }

  rows(table: string): [string, Row][] {
    return [...this.running!.controller.state.graph.rows(table)] as [string, Row][]
  }
}
