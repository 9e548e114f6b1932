/**
 * The agent's NATS key, and how it is replaced while the agent works. The new key is made here and its secret half never leaves
 * this machine; the old one stays in the identity file until the server has let us in with the new one.
 */
import { type ConnectNatsOptions, type RetiringBus, rightsOf, SwitchingBus } from '@skerry/bus'
import { type AgentKind, type RekeyReply, rekeyRequest, SkerryError } from '@skerry/contract'
import { adoptKey, type Identity, newKey } from './enrol.ts'
import type { LedgerFiles } from './ledger/checked-file.ts'

export interface AgentKeysOptions {
  files: LedgerFiles
  stateDir: string
  kind: AgentKind
  identity: Identity
  /** On the bus, or throws: `permission-denied` when the server refuses this identity. */
  connect(identity: Identity): Promise<RetiringBus>
  /** What fails after it was answered for. */
  report(error: unknown): void
}

/** What runs on the old connection may take this long; then it is ended, and who asked asks again. */
const RETIRE_MS = 900_000

/** An agent on the bus, whose key the controller can have replaced. */
export class AgentKeys {
  readonly bus: SwitchingBus
  readonly #o: AgentKeysOptions
  #identity: Identity
  #busy: Promise<unknown> = Promise.resolve()

  constructor(options: AgentKeysOptions, first: RetiringBus) {
    this.#o = options
    this.#identity = options.identity
    this.bus = new SwitchingBus(first)
  }

  /** `do.agent.<agentUuid>.rekey`. One at a time; each may be repeated. */
  rekey(data: unknown): Promise<RekeyReply> {
    const next = this.#busy.then(() => this.#rekey(data))
    this.#busy = next.catch(() => undefined) // whoever asked is told
    return next
  }

  async #rekey(data: unknown): Promise<RekeyReply> {
    const parsed = rekeyRequest.safeParse(data)
    if (!parsed.success) throw new SkerryError('invalid-argument', 'a rekey request does not fit its schema')
    const { rotation, grant } = parsed.data
    if (this.#identity.rotation !== rotation) {
      const next = await newKey(this.#o, rotation)
      if (grant?.publicKey !== next.publicKey)
        return { publicKey: this.#identity.publicKey, next: next.publicKey, retiring: false }
      const { publicKey: _known, ...granted } = grant
      const identity: Identity = { ...this.#identity, ...next, ...granted, rotation }
      const bus = await this.#o.connect(identity)
      // Kept before it is used: once we speak with the new key, the old one may be revoked.
      await adoptKey(this.#o, identity).catch(async (error) => {
        await bus.close()
        throw error
      })
      this.#identity = identity
      const { retired } = await this.bus.switchTo(bus, RETIRE_MS)
      retired.catch((error) => this.#o.report(error))
    }
    return { publicKey: this.#identity.publicKey, next: null, retiring: this.bus.retiring }
  }
}

/** What an identity needs to be on the bus. */
export function connectionOf(kind: AgentKind, { uuid, jwt, seed, servers, ca }: Identity): ConnectNatsOptions {
  const { inboxPrefix } = rightsOf({ kind: 'agent', agent: { kind, uuid } })
  const tls = ca ? { tls: { ca } } : {}
  return { servers, name: `agent-${kind}-${uuid}`, inboxPrefix, credentials: { jwt, seed }, ...tls }
}
