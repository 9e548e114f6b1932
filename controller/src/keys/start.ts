/** What a controller that holds its site's keys does with them by itself, and on demand. */
import type { Bus } from '@skerry/bus'
import type { Row } from '@skerry/contract'
import type { AgentBook } from '../agents/book.ts'
import type { State } from '../engine/state.ts'
import type { KeyAuthority } from './authority.ts'
import { KeyKeeper } from './keeper.ts'
import { KeyRotator } from './rotation.ts'

export interface SiteKeys {
  authority: KeyAuthority
  /** Moves the controller's own connection over to a key that is signed anew. False: the old one still has work under way. */
  renewOwn(): Promise<boolean>
  /** Keeps stored secrets under another site key. */
  renewSiteKey(): Promise<void>
}

export interface StartedKeys {
  authority: KeyAuthority
  /** Whether nats-server refuses by now all that it is to refuse. */
  enforce(): Promise<boolean>
  /** A rotation was begun. */
  look(): void
  stop(): Promise<void>
}

interface Ports {
  keys?: SiteKeys
  bus: Bus
  enrol: { servers: string[]; ca: string | null }
  now(): number
  monotonic(): number
  every(ms: number, run: () => void): () => void
}

interface Parts {
  state: State
  book: AgentBook
  report(error: unknown, facts: Row): void
}

/** Undefined: this controller holds no keys. */
export function startKeys(p: Ports, { state, book, report }: Parts): StartedKeys | undefined {
  if (!p.keys) return undefined
  const { authority, renewOwn, renewSiteKey } = p.keys
  const common = { state, bus: p.bus, authority, every: p.every, report }
  const keeper = new KeyKeeper(common)
  const rotator = new KeyRotator({
    ...{ ...common, graph: state.graph, renewOwn, renewSiteKey, now: p.now, monotonic: p.monotonic },
    ...{ servers: p.enrol.servers, ca: p.enrol.ca },
    alive: (agentUuid) => book.alive(agentUuid),
    enforce: () => keeper.enforce(),
  })
  return {
    authority,
    enforce: () => keeper.enforce(),
    look: () => rotator.look(),
    async stop() {
      keeper.stop()
      await rotator.stop()
    },
  }
}
