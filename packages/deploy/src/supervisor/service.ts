/** One supervised program: started or adopted, started again when it dies, ended when asked. */
import type { Exec, Files, Processes, ProcessIdentity } from '@skerry/host'
import { type ServiceSpec, type ServiceStatus, specHash } from '../services/spec.ts'
import { findRecorded, pidPath, record } from './pid-file.ts'

export interface SupervisorPorts {
  exec: Exec
  files: Files
  processes: Processes
  timers: { set(run: () => void, ms: number): unknown; clear(timer: unknown): void; nowMs(): number }
  log(facts: Record<string, unknown>, message: string): void
  runDir: string
  backoff: { firstMs: number; maxMs: number; healthyAfterMs: number }
}

/** How often an adopted process, whose end nobody tells us, is looked for. */
const LOOK_MS = 500
const KEPT_LOG_BYTES = 32 * 1024 * 1024

export class Service {
  readonly #spec: ServiceSpec
  readonly #ports: SupervisorPorts
  readonly hash: string
  #who: ProcessIdentity | undefined
  #state: ServiceStatus['state'] = 'stopped'
  #timer: unknown
  #delayMs: number
  #startedMs = 0
  #restarts = 0
  #lastExit: string | null = null
  /** Raised when a process is no longer the one that counts. */
  #turn = 0

  constructor(spec: ServiceSpec, ports: SupervisorPorts) {
    this.#spec = spec
    this.#ports = ports
    this.hash = specHash(spec)
    this.#delayMs = ports.backoff.firstMs
  }

  get name(): string {
    return this.#spec.name
  }

  status(): ServiceStatus {
    return {
      name: this.name,
      state: this.#state,
      pid: this.#who?.pid ?? null,
      restarts: this.#restarts,
      lastExit: this.#lastExit,
    }
  }

  /** Takes over the process that a supervisor before us started, if it runs the same program; else starts it (anew). */
  async start(): Promise<void> {
    const recorded = await findRecorded(this.#ports, this.#pidPath)
    if (recorded?.hash === this.hash) return this.#adopt(recorded)
    if (recorded) await this.#end(recorded)
    await this.#spawn()
  }

  /** Ends it and does not start it again. Resolves when it is gone. */
  async stop(): Promise<void> {
    this.#turn += 1
    this.#ports.timers.clear(this.#timer)
    const who = this.#who
    this.#state = 'stopped'
    this.#who = undefined
    if (who) await this.#end(who)
    await this.#ports.files.remove(this.#pidPath)
  }

  async restart(): Promise<void> {
    await this.stop()
    this.#delayMs = this.#ports.backoff.firstMs
    await this.#spawn()
  }

  get #pidPath(): string {
    return pidPath(this.#ports.runDir, this.name)
  }

  #adopt(who: ProcessIdentity): void {
    this.#ports.log({ service: this.name, pid: who.pid }, 'adopted')
    this.#running(who)
    this.#watch(who, this.#turn)
  }

  #watch(who: ProcessIdentity, turn: number): void {
    this.#timer = this.#ports.timers.set(() => {
      this.#ports.processes.get(who.pid).then(
        (there) => {
          if (turn !== this.#turn) return
          if (there?.startTicks === who.startTicks) this.#watch(who, turn)
          else this.#ended('it was found gone', turn)
        },
        (error) => this.#ended(String(error), turn),
      )
    }, LOOK_MS)
  }

  async #spawn(): Promise<void> {
    const { exec, files, processes, log } = this.#ports
    const { argv, env, cwd, logFile } = this.#spec
    const turn = ++this.#turn
    await this.#keepLogSmall()
    const settings = Object.entries(env).map(([key, value]) => `${key}=${value}`)
    try {
      // `env` becomes the program: one pid
      const child = await exec.spawn('env', [...settings, ...argv], { cwd, logFile })
      const there = await processes.get(child.pid)
      if (turn !== this.#turn) return void child.kill('SIGKILL')
      this.#running({ pid: child.pid, startTicks: there?.startTicks ?? -1 })
      child.exited.then(({ code, signal }) => this.#ended(signal ? `killed by ${signal}` : `exit code ${code}`, turn))
      if (there) await record(files, this.#pidPath, { ...there, hash: this.hash })
      log({ service: this.name, pid: child.pid }, 'started')
    } catch (error) {
      this.#ended(error instanceof Error ? error.message : String(error), turn)
    }
  }

  #running(who: ProcessIdentity): void {
    this.#who = who
    this.#state = 'running'
    this.#startedMs = this.#ports.timers.nowMs()
  }

  #ended(why: string, turn: number): void {
    if (turn !== this.#turn) return
    const { timers, backoff, log } = this.#ports
    if (this.#state === 'running' && timers.nowMs() - this.#startedMs >= backoff.healthyAfterMs) this.#delayMs = backoff.firstMs
    const delayMs = this.#delayMs
    this.#delayMs = Math.min(delayMs * 2, backoff.maxMs)
    this.#who = undefined
    this.#state = 'waiting'
    this.#lastExit = why
    this.#restarts += 1
    log({ service: this.name, why, delayMs }, 'ended; it is started again')
    this.#timer = timers.set(() => {
      if (turn === this.#turn) void this.#spawn()
    }, delayMs)
  }

  async #end(who: ProcessIdentity): Promise<void> {
    const { processes, log } = this.#ports
    await processes.signal(who, 'SIGTERM')
    if (await processes.waitGone(who, this.#spec.stopTimeoutMs)) return
    log({ service: this.name, pid: who.pid }, 'did not end in time; killed')
    await processes.signal(who, 'SIGKILL')
    await processes.waitGone(who, this.#spec.stopTimeoutMs)
  }

  /** One old log is kept; nobody writes to it here, between two lives. */
  async #keepLogSmall(): Promise<void> {
    const { files } = this.#ports
    const { logFile } = this.#spec
    const stat = await files.stat(logFile)
    if (stat && stat.sizeBytes > KEPT_LOG_BYTES) await files.rename(logFile, `${logFile}.1`)
  }
}
