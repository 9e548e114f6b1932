/** Wakes the reconciler when what checks say of a load balancer's servers has changed, or its process died. Reads only. */
import { balancerDesired } from '@skerry/contract'
import type { Host } from '@skerry/host'
import type { DocumentName, Timers } from '@skerry/reconcile'
import { balancerDir, balancersDir } from './spec.ts'

export interface HealthWatchPorts {
  host: Pick<Host, 'files' | 'haproxy'>
  stateDir: string
  timers: Timers
  signal(of?: readonly DocumentName[]): void
  onFault(error: unknown): void
}

/** Servers are checked every five seconds where nobody says otherwise. */
const TICK_MS = 2_000

export class HealthWatch {
  readonly #p: HealthWatchPorts
  /** What each was seen to be. */
  #known = new Map<string, string>()
  #timer: unknown
  #stopped = false

  constructor(ports: HealthWatchPorts) {
    this.#p = ports
    this.#tickLater()
  }

  stop(): void {
    this.#stopped = true
    this.#p.timers.clear(this.#timer)
  }

  #tickLater(): void {
    this.#timer = this.#p.timers.set(() => {
      this.#tick()
        .catch((error) => this.#p.onFault(error))
        .finally(() => {
          if (!this.#stopped) this.#tickLater()
        })
    }, TICK_MS)
  }

  async #tick(): Promise<void> {
    const { host, stateDir, signal } = this.#p
    const now = new Map<string, string>()
    for (const uuid of (await host.files.list(balancersDir(stateDir))) ?? []) {
      const dir = balancerDir(stateDir, uuid)
      const running = await host.haproxy.running(dir)
      now.set(uuid, running ? JSON.stringify(await host.haproxy.at(dir).view()) : '')
    }
    if (this.#stopped) return
    const before = this.#known
    this.#known = now
    const moved = [...now].filter(([uuid, seen]) => before.get(uuid) !== seen).map(([uuid]) => uuid)
    if (moved.length > 0) signal(moved.map((uuid) => ({ noun: balancerDesired.balancer.noun, uuid })))
  }
}
