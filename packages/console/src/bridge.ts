/** A console as a stream, over the agent of the VM's host. Whoever has a bus and a token can open one; nothing of it is kept. */
import type { Bus } from '@skerry/bus'
import { type kvmCommands, SkerryError, subjects } from '@skerry/contract'
import { z } from 'zod'
import { parseConsoleToken } from './token.ts'

/** One open console, bytes both ways. */
export interface ConsoleStream {
  write(bytes: Uint8Array): void
  /** What came before the first listener is given to it. */
  onData(listener: (bytes: Uint8Array) => void): void
  /** With the reason, in words. */
  onClose(listener: (reason: string) => void): void
  close(): void
}

export type ConsoleKind = z.infer<typeof kvmCommands.console.input>['kind']

/** Trades a one-time token for a console. Throws `session-invalid` when the token is unknown, used or expired. */
export type OpenConsole = (token: string, kind: ConsoleKind) => Promise<ConsoleStream>

export interface BridgePorts {
  bus: Bus
  /** 32 hex */
  newId(): string
}

const OPEN_MS = 15_000
/** The request's own answer must be on its way before the requester gives up. */
const ANSWER_MS = 1_000
const frame = z.object({ d: z.base64().optional(), end: z.boolean().optional(), reason: z.string().optional() })

export function consoleBridge(ports: BridgePorts): OpenConsole {
  return async (text, kind) => {
    const { agentUuid, resourceUuid, epoch, secret } = parseConsoleToken(text)
    const session = ports.newId()
    const stream = new BridgedConsole(ports.bus, agentUuid, session)
    try {
      const command = {
        id: `console_${session}`,
        ...{ deadlineMs: OPEN_MS - ANSWER_MS, epoch, mode: 'apply' },
        input: { session, kind, token: secret },
      }
      await ports.bus.request(subjects.do('kvm', agentUuid, 'vm', resourceUuid, 'console'), command, { timeoutMs: OPEN_MS })
      return stream
    } catch (error) {
      stream.forget()
      // Before a controller began anew: as good as expired.
      if (error instanceof SkerryError && error.code === 'stale-epoch')
        throw new SkerryError('session-invalid', 'this console token is of before: ask for another', {}, { cause: error })
      throw error
    }
  }
}

class BridgedConsole implements ConsoleStream {
  readonly #bus: Bus
  readonly #in: string
  readonly #stop: () => Promise<void>
  readonly #data = new Set<(bytes: Uint8Array) => void>()
  readonly #closed = new Set<(reason: string) => void>()
  readonly #early: Uint8Array[] = []
  #reason: string | undefined

  constructor(bus: Bus, agentUuid: string, session: string) {
    this.#bus = bus
    this.#in = subjects.io('kvm', agentUuid, session, 'in')
    const out = bus.subscribe(subjects.io('kvm', agentUuid, session, 'out'), ({ data }) => this.#heard(data))
    this.#stop = () => out.stop()
  }

  write(bytes: Uint8Array): void {
    this.#bus.publish(this.#in, { d: Buffer.from(bytes).toString('base64') })
  }

  onData(listener: (bytes: Uint8Array) => void): void {
    this.#data.add(listener)
    for (const bytes of this.#early.splice(0)) listener(bytes)
  }

  onClose(listener: (reason: string) => void): void {
    if (this.#reason !== undefined) listener(this.#reason)
    else this.#closed.add(listener)
  }

  close(): void {
    this.#bus.publish(this.#in, { end: true, reason: 'the client left' })
    this.forget()
  }

  /** Hears no more of it. */
  forget(): void {
    void this.#stop()
  }

  #heard(data: unknown): void {
    const message = frame.safeParse(data)
    if (!message.success) return
    const { d, end, reason } = message.data
    if (d) this.#give(Buffer.from(d, 'base64'))
    if (end) this.#end(reason ?? 'the console was closed')
  }

  #give(bytes: Uint8Array): void {
    if (this.#data.size === 0) this.#early.push(bytes)
    for (const listener of this.#data) listener(bytes)
  }

  #end(reason: string): void {
    this.#reason = reason
    for (const listener of this.#closed) listener(reason)
    this.forget()
  }
}
