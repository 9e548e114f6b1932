/** Keeps nats-server told: revoked keys of the log get into its account, again after every break of the connection. */
import type { Bus } from '@skerry/bus'
import { SkerryError } from '@skerry/contract'
import type { State } from '../engine/state.ts'
import type { KeyAuthority } from './authority.ts'

export interface KeeperPorts {
  authority: KeyAuthority
  state: State
  bus: Bus
  every(ms: number, run: () => void): () => void
  report(error: unknown, facts: Record<string, unknown>): void
}

const LOOK_MS = 1_000

export class KeyKeeper {
  readonly #p: KeeperPorts
  readonly #offs: (() => void)[]
  #last = ''
  #connected = false

  constructor(ports: KeeperPorts) {
    this.#p = ports
    const { authority, bus, state, every } = ports
    this.#offs = [
      bus.onState((now) => {
        this.#connected = now === 'connected'
      }),
      every(LOOK_MS, () => {
        // A server that was away may be another, or have lost its folder, and then it lets nobody in, us neither.
        if (!this.#connected) authority.doubt()
        void this.enforce()
      }),
      state.store.onCommit((commit) => {
        if (commit.ops.some((op) => op.t === 'revokedKey' && op.o === 'put')) void this.enforce()
      }),
    ]
  }

  stop(): void {
    for (const off of this.#offs) off()
  }

  /** Whether nats-server refuses all that it is to refuse. What failed is tried again by itself. */
  async enforce(): Promise<boolean> {
    const { authority, state, report } = this.#p
    try {
      const revoked = [...state.graph.rows('revokedKey')].filter(([, row]) => !authority.isMoot(row))
      await authority.revoke(revoked)
      await authority.tell()
      this.#last = ''
      return true
    } catch (error) {
      const now = error instanceof SkerryError ? `${error.code} ${error.message}` : String(error)
      // That no server is there is shown as such; each other cause is told once.
      const away = error instanceof SkerryError && error.code === 'not-ready'
      if (!away && now !== this.#last) report(error, { doing: 'telling nats-server whom to let in' })
      this.#last = now
      return false
    }
  }
}
