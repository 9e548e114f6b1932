/**
 * libvirt for an agent: runs the backend in a child process and keeps it usable. The agent's own process never calls into
 * libvirt, so nothing that libvirt does can stop it. A backend that is stuck (a call far over its deadline, no answer to
 * pings) is killed and replaced; one that lost its connection ends itself and is replaced.
 */
import { type Child, type ChildOptions, libvirtChildPath, startChild } from './child-process.ts'
import { type LibvirtClock, systemClock } from './clock.ts'
import { disconnectedError } from './failure.ts'
import type { FfiName } from './ffi/native.ts'
import { PendingCalls } from './pending.ts'
import type { Calls, FromChild, Libvirt, LibvirtState, LifecycleEvent, Operation } from './port.ts'
import { Subscribers } from './subscribers.ts'

export interface SuperviseOptions {
  /** `qemu:///system`, `qemu+unix:///system?socket=…`, `test:///default`. */
  uri: string
  /** The backend's file: default is the TypeScript source; a bundle passes its built one. */
  childPath?: string
  /** Calls that may run at the same time. */
  lanes?: number
  /** The FFI library that the backend runs on; `auto` (default): the first that loads. */
  ffi?: FfiName | 'auto'
  env?: Record<string, string>
  log?: (text: string) => void
  clock?: LibvirtClock
  /** A call so long over its deadline makes the backend count as stuck. */
  stuckAfterMs?: number
  pingEveryMs?: number
  /** A backend silent for so long counts as stuck. */
  silentMs?: number
  /** While connecting, calls wait; after this they fail at once until the connection stands. */
  patienceMs?: number
  /** A backend that takes more memory is replaced as soon as no call is under way: FFI leaks some 0.2 KB a call. */
  maxRssBytes?: number
}

const defaults = {
  lanes: 8,
  ffi: 'auto' as const,
  stuckAfterMs: 10_000,
  pingEveryMs: 2_000,
  silentMs: 10_000,
  patienceMs: 5_000,
  maxRssBytes: 256 * 1024 ** 2,
}
const FIRST_RESTART_MS = 50
const SLOWEST_RESTART_MS = 5_000

export class SupervisedLibvirt implements Libvirt {
  readonly #options: Required<Omit<SuperviseOptions, keyof ChildOptions>> & ChildOptions
  readonly #pending: PendingCalls
  readonly #lifecycle = new Subscribers<LifecycleEvent>((error) => this.#handlerFailed(error))
  readonly #states = new Subscribers<LibvirtState>((error) => this.#handlerFailed(error))
  #child: Child | null = null
  /** `connecting` lets calls wait; it is not told to subscribers. */
  #phase: 'connecting' | 'connected' | 'disconnected' | 'closed' = 'connecting'
  #reason = 'the backend is starting'
  #told: LibvirtState | null = null
  #ffi: FfiName | null = null
  #restartMs = FIRST_RESTART_MS
  #heard = 0
  /** This process killed the backend, so its end is no surprise. */
  #killed = false
  /** It has grown too large: new calls wait for the next one. */
  #outgrown = false
  #exited: (() => void) | null = null
  #cancels: { patience?: () => void; ping?: () => void; restart?: () => void } = {}

  constructor(options: SuperviseOptions) {
    const { childPath = libvirtChildPath, env = {}, log = () => undefined, clock = systemClock, ...rest } = options
    this.#options = { ...defaults, ...rest, childPath, env, log, clock }
    this.#pending = new PendingCalls({
      clock,
      stuckAfterMs: this.#options.stuckAfterMs,
      onStuck: (op) => this.#killStuck(`${op} is long over its deadline`),
      monotonic: () => performance.now(),
    })
    this.#start()
  }

  /** The backend's process id, for diagnosis. */
  get childPid(): number | undefined {
    return this.#child?.pid
  }

  /** The FFI library of the backend; null before it has said so. */
  get ffi(): FfiName | null {
    return this.#ffi
  }

  call<K extends Operation>(op: K, args: Calls[K]['args'], { timeoutMs }: { timeoutMs: number }): Promise<Calls[K]['result']> {
    if (this.#phase === 'disconnected' || this.#phase === 'closed') return Promise.reject(disconnectedError(op, this.#reason))
    const { done } = this.#pending.add(op, args, timeoutMs)
    if (this.#phase === 'connected') this.#sendWaiting()
    return done as Promise<Calls[K]['result']>
  }

  onLifecycle(handler: (event: LifecycleEvent) => void): () => void {
    return this.#lifecycle.add(handler)
  }

  onState(handler: (state: LibvirtState) => void): () => void {
    return this.#states.add(handler)
  }

  async close(): Promise<void> {
    if (this.#phase === 'closed') return
    this.#enter('closed', 'the libvirt port was closed')
    for (const cancel of Object.values(this.#cancels)) cancel?.()
    const child = this.#child
    if (!child) return
    await new Promise<void>((resolve) => {
      this.#exited = resolve
      child.kill()
    })
  }

  #start(): void {
    this.#heard = 0
    this.#child = startChild(this.#options, {
      onMessage: (message) => this.#receive(message),
      onExit: (reason) => this.#onExit(reason),
    })
    this.#ping(0)
  }

  /** Counted from the backend's first word: a slow start of the process says nothing about libvirt. */
  #beginPatience(): void {
    this.#cancels.patience = this.#options.clock.after(this.#options.patienceMs, () => {
      if (this.#phase === 'connecting') this.#disconnect('libvirt does not accept the connection')
    })
  }

  /** Asks for a sign of life; any message counts as one. `silentFor` is the time since the last. */
  #ping(silentFor: number): void {
    const { pingEveryMs, silentMs, clock } = this.#options
    if (silentFor >= silentMs) {
      this.#killStuck(`the backend has been silent for ${silentFor} ms`)
      return
    }
    this.#child?.send({ t: 'ping' })
    const before = this.#heard
    this.#cancels.ping = clock.after(pingEveryMs, () => this.#ping(this.#heard === before ? silentFor + pingEveryMs : 0))
  }

  #receive(message: FromChild): void {
    if (this.#killed) return // last words of a backend that was given up
    if (this.#heard++ === 0) this.#beginPatience()
    if (message.t === 'reply') this.#pending.resolve(message.id, message.result)
    else if (message.t === 'failed') this.#pending.fail(message.id, message.failure)
    else if (message.t === 'lifecycle') this.#lifecycle.notify({ ...message.event, at: this.#options.clock.wall() })
    else if (message.t === 'started') this.#runsOn(message)
    else if (message.t === 'connected') this.#connected()
    else if (message.t === 'unreachable') this.#disconnect(message.failure.message)
    else if (message.t === 'lost') this.#disconnect(message.reason)
    else if (message.t === 'pong') this.#weigh(message.rssBytes)
    if (this.#outgrown && !this.#pending.anySent()) this.#kill('has grown too large')
  }

  /** What did not load is told once, not at each restart. */
  #runsOn({ ffi, passedOver }: Extract<FromChild, { t: 'started' }>): void {
    if (this.#ffi === ffi) return
    this.#ffi = ffi
    if (passedOver.length > 0) this.#options.log(`libvirt backend: runs on ${ffi}; did not load: ${passedOver.join('; ')}\n`)
  }

  #weigh(rssBytes: number): void {
    if (this.#phase !== 'connected' || rssBytes <= this.#options.maxRssBytes) return
    this.#outgrown = true
    this.#enter('connecting', `the backend has grown to ${rssBytes} bytes and is replaced`)
  }

  #connected(): void {
    this.#cancels.patience?.()
    this.#restartMs = FIRST_RESTART_MS
    this.#enter('connected', '')
    this.#tell('connected')
    this.#sendWaiting()
  }

  #disconnect(reason: string): void {
    if (this.#phase === 'closed') return
    this.#enter('disconnected', reason)
    this.#tell('disconnected')
  }

  #killStuck(reason: string): void {
    this.#enter('connecting', reason)
    this.#kill(reason)
  }

  #kill(reason: string): void {
    this.#options.log(`libvirt backend: ${reason}; it is killed and started again\n`)
    this.#tell('restarting')
    this.#pending.failSent(reason)
    this.#killed = true
    this.#child?.kill()
  }

  #onExit(reason: string): void {
    this.#child = null
    this.#cancels.ping?.()
    this.#cancels.patience?.()
    this.#pending.failSent(`the libvirt backend ended: ${reason}`)
    this.#exited?.()
    if (this.#phase === 'closed') return
    if (!this.#killed) this.#endedByItself(`the libvirt backend ended: ${reason}`)
    this.#killed = this.#outgrown = false
    this.#cancels.restart = this.#options.clock.after(this.#restartMs, () => this.#start())
    this.#restartMs = Math.min(this.#restartMs * 2, SLOWEST_RESTART_MS)
  }

  #endedByItself(reason: string): void {
    this.#options.log(`${reason}; it is started again\n`)
    if (this.#phase === 'connected') {
      this.#enter('connecting', reason)
      this.#tell('restarting')
    } else if (this.#phase === 'connecting') this.#disconnect(reason)
  }

  #enter(phase: 'connecting' | 'connected' | 'disconnected' | 'closed', reason: string): void {
    this.#phase = phase
    this.#reason = reason
    if (phase === 'disconnected' || phase === 'closed') this.#pending.failAll(reason)
  }

  #tell(state: LibvirtState): void {
    if (this.#told === state) return
    this.#told = state
    this.#states.notify(state)
  }

  #handlerFailed(error: unknown): void {
    this.#options.log(`a handler of libvirt events failed: ${error instanceof Error ? error.stack : String(error)}\n`)
  }

  #sendWaiting(): void {
    const child = this.#child
    if (child) this.#pending.sendWaiting((call) => child.send({ t: 'call', ...call }))
  }
}

/** Starts a supervised connection; it is usable at once (calls wait for the connection within their deadline). */
export function superviseLibvirt(options: SuperviseOptions): SupervisedLibvirt {
  return new SupervisedLibvirt(options)
}
