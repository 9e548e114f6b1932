/**
 * Keeps a site's programs running where no systemd does. Its services are in sessions of their own, write to files, and are
 * found again by their pid files: its own death, even by kill -9, ends none of them.
 */
import { SkerryError } from '@skerry/contract'
import { readDocument } from '../documents.ts'
import { type ServiceStatus, servicesFile } from '../services/spec.ts'
import { Service, type SupervisorPorts } from './service.ts'

export class Supervisor {
  readonly #ports: SupervisorPorts
  readonly #services = new Map<string, Service>()
  /** Changes are one after another. */
  #tail: Promise<unknown> = Promise.resolve()

  constructor(ports: SupervisorPorts) {
    this.#ports = ports
  }

  status(): ServiceStatus[] {
    return [...this.#services.values()].map((service) => service.status())
  }

  /** Makes the running services those of `services.json`: ends what is gone from it, restarts what changed, starts what is new. */
  reload(): Promise<void> {
    return this.#inTurn(async () => {
      const file = await readDocument(this.#ports.files, `${this.#ports.runDir}/services.json`, servicesFile)
      const wanted = (file?.services ?? []).map((spec) => new Service(spec, this.#ports))
      const kept = new Set(wanted.filter((service) => this.#services.get(service.name)?.hash === service.hash).map((s) => s.name))
      for (const service of [...this.#services.values()].reverse()) {
        if (kept.has(service.name)) continue
        await service.stop()
        this.#services.delete(service.name)
      }
      for (const service of wanted) {
        if (kept.has(service.name)) continue
        this.#services.set(service.name, service)
        await service.start()
      }
    })
  }

  restart(name: string): Promise<void> {
    return this.#inTurn(async () => {
      const service = this.#services.get(name)
      if (!service) throw new SkerryError('not-found', `there is no service ${name}`, { known: [...this.#services.keys()] })
      await service.restart()
    })
  }

  /** Ends all, the last started first. */
  stop(): Promise<void> {
    return this.#inTurn(async () => {
      for (const service of [...this.#services.values()].reverse()) await service.stop()
    })
  }

  /** Resolves when no change is under way: every process that runs has its pid file. */
  idle(): Promise<void> {
    return this.#inTurn(async () => undefined)
  }

  #inTurn<T>(act: () => Promise<T>): Promise<T> {
    const turn = this.#tail.then(act)
    this.#tail = turn.catch(() => undefined) // its caller is told
    return turn
  }
}
