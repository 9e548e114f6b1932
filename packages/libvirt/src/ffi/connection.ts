/**
 * Connections to libvirt, one call at a time on each. That is how a failing call gets its own error: virGetLastError is kept
 * per thread and async FFI calls run on pool threads, but libvirt also copies the error to the connection of the failing call
 * (virDispatchError → virConnGetLastError). A lane with a single call in flight therefore holds exactly that call's error.
 * A failing virConnectOpen has no connection: it is reported to the global handler, which nothing else can reach, since each
 * connection has a handler of its own and opens are serialised.
 */
import { ownFailure } from '../failure-data.ts'
import type { LibvirtFailure } from '../port.ts'
import type { FunctionName, Inputs } from '../signatures.ts'
import type { Answer, Native, Pointer } from './native.ts'

/** A libvirt failure inside the backend process. */
export class CallFailure extends Error {
  readonly failure: LibvirtFailure
  constructor(failure: LibvirtFailure) {
    super(failure.message)
    this.failure = failure
  }
}

/** struct _virError: int code; int domain; char *message; … */
function readError(native: Native, error: Pointer): LibvirtFailure {
  const head = native.bytes(error, 0, 8)
  const message = native.pointerAt(error, 8)
  return {
    libvirtCode: head.readInt32LE(0),
    libvirtDomain: head.readInt32LE(4),
    message: message ? native.text(message) : 'libvirt gave no message',
  }
}

export class Lane {
  readonly native: Native
  readonly conn: Pointer
  constructor(native: Native, conn: Pointer) {
    this.native = native
    this.conn = conn
  }

  /** Calls a function whose failure is -1 (int) or NULL (pointer, string). */
  async call<F extends FunctionName>(fn: F, ...args: Inputs<F, Pointer>): Promise<Answer<F>> {
    const answer = await this.native.call(fn, ...args)
    const { returned } = answer
    if (returned === null || (typeof returned === 'number' && returned < 0)) throw new CallFailure(this.#lastError(fn))
    return answer
  }

  #lastError(fn: string): LibvirtFailure {
    const error = this.native.callNow('virConnGetLastError', this.conn as never).returned as Pointer | null
    return error ? readError(this.native, error) : ownFailure(`${fn} failed without an error`)
  }

  /** Local knowledge of libvirt's client: false once the socket is gone. */
  async alive(): Promise<boolean> {
    return (await this.native.call('virConnectIsAlive', this.conn)).returned === 1
  }
}

export class Opener {
  readonly #native: Native
  readonly #uri: string
  readonly #quiet: Pointer
  #openError: LibvirtFailure | null = null
  #turn: Promise<unknown> = Promise.resolve()

  constructor(native: Native, uri: string) {
    this.#native = native
    this.#uri = uri
    // Without a handler of its own libvirt prints each error to stderr.
    this.#quiet = native.callback('error', () => undefined)
    const onGlobal = native.callback('error', (_user, error) => {
      this.#openError = readError(native, error)
    })
    native.callNow('virSetErrorFunc', native.nullPointer, onGlobal)
  }

  open(): Promise<Lane> {
    const mine = this.#turn.then(() => this.#open())
    this.#turn = mine.catch(() => undefined) // the caller of `mine` gets the failure; the next open only waits for its turn
    return mine
  }

  async #open(): Promise<Lane> {
    this.#openError = null
    const conn = (await this.#native.call('virConnectOpen', this.#uri)).returned
    if (!conn) throw new CallFailure(this.#openError ?? ownFailure(`cannot open ${this.#uri}`))
    this.#native.callNow('virConnSetErrorFunc', conn, this.#native.nullPointer, this.#quiet)
    return new Lane(this.#native, conn)
  }
}

interface Waiting {
  expiresAt: number
  take: (lane: Promise<Lane>) => void
  expire: () => void
}

/** At most `size` lanes, opened when first needed; work waits in order and is dropped, unbegun, when its time is over. */
export class Lanes {
  readonly #opener: Opener
  readonly #size: number
  readonly #now: () => number
  readonly #idle: Lane[] = []
  readonly #waiting: Waiting[] = []
  #opened = 0

  constructor(opener: Opener, size: number, now: () => number) {
    this.#opener = opener
    this.#size = size
    this.#now = now
  }

  async run<T>(remainingMs: number, work: (lane: Lane) => Promise<T>): Promise<T> {
    const lane = await this.#take(this.#now() + remainingMs)
    try {
      return await work(lane)
    } finally {
      this.#give(lane)
    }
  }

  #take(expiresAt: number): Promise<Lane> {
    const idle = this.#idle.pop()
    if (idle) return Promise.resolve(idle)
    if (this.#opened < this.#size) return this.#openOne()
    return new Promise((resolve, reject) => {
      const expire = () => reject(new CallFailure(ownFailure('the deadline passed before the call could begin')))
      this.#waiting.push({ expiresAt, take: resolve, expire })
    })
  }

  async #openOne(): Promise<Lane> {
    this.#opened++
    try {
      return await this.#opener.open()
    } catch (error) {
      this.#opened--
      const next = this.#waiting.shift()
      if (next) next.take(this.#openOne())
      throw error
    }
  }

  #give(lane: Lane): void {
    for (let next = this.#waiting.shift(); next; next = this.#waiting.shift()) {
      if (next.expiresAt > this.#now()) {
        next.take(Promise.resolve(lane))
        return
      }
      next.expire()
    }
    this.#idle.push(lane)
  }
}
