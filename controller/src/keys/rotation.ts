/**
 * Replacing keys while the site works: add the new, move everybody over, then end the old. What is left to do is in the rotation's
 * row, so that any controller goes on where the last one was killed. Nothing old ends before nobody uses it.
 */
import { type Op, type Row, SkerryError } from '@skerry/contract'
import type { State } from '../engine/state.ts'
import type { KeyAuthority } from './authority.ts'
import { type RekeyPorts, rekey } from './rekey.ts'

export interface RotatorPorts extends RekeyPorts {
  state: State
  now(): number
  monotonic(): number
  alive(agentUuid: string): boolean
  authority: KeyAuthority
  /** Whether nats-server refuses all that it is to refuse by now. */
  enforce(): Promise<boolean>
  /** Moves the controller's own connection over to a key that is signed anew. False: the old one still has work under way. */
  renewOwn(): Promise<boolean>
  /** Keeps stored secrets under another site key. */
  renewSiteKey(): Promise<void>
  every(ms: number, run: () => void): () => void
  report(error: unknown, facts: Row): void
}

const LOOK_MS = 500
/** An agent that could not follow is asked again after this long. */
const AGAIN_MS = 5_000
const AT_ONCE = 4

export class KeyRotator {
  readonly #p: RotatorPorts
  readonly #off: () => void
  /** Monotonic: when a failed agent is asked again. */
  readonly #notBefore = new Map<string, number>()
  #running: Promise<void> | undefined
  #stopped = false

  constructor(ports: RotatorPorts) {
    this.#p = ports
    this.#off = ports.every(LOOK_MS, () => this.look())
  }

  async stop(): Promise<void> {
    this.#stopped = true
    this.#off()
    await this.#running
  }

  /** Goes on with what is to be done, if anything is. */
  look(): void {
    const [key] = this.#p.state.graph.by('keyRotation', 'state', 'Running')
    if (key === undefined || this.#running || this.#stopped || !this.#p.state.store.status().writable) return
    this.#running = this.#goOn(key)
      .catch((error) => this.#report(error, key))
      .finally(() => (this.#running = undefined))
  }

  /** That somebody is away is seen in `pending`, and no failure. */
  #report(error: unknown, rotation: string, more: Row = {}): void {
    const away = error instanceof SkerryError && ['agent-unreachable', 'agent-timeout', 'not-ready'].includes(error.code)
    if (!away && !this.#stopped) this.#p.report(error, { doing: 'rotating keys', rotation, ...more })
  }

  async #goOn(uuid: string): Promise<void> {
    const { authority, state } = this.#p
    const row = state.graph.get('keyRotation', uuid)!
    const what = row['what'] as 'agents' | 'account' | 'site'
    if (what === 'site') {
      await this.#p.renewSiteKey()
      return this.#end(uuid, [])
    }
    if (what === 'account') await authority.addSigner(uuid)
    // Nobody gets a key before the server knows who signed it.
    await authority.tell()
    await this.#agents(uuid, row['pending'] as string[])
    if (this.#stopped || (state.graph.get('keyRotation', uuid)!['pending'] as string[]).length > 0) return
    if (what === 'account') {
      if (!(await this.#p.renewOwn())) return
      await authority.dropOlder(uuid)
      await authority.tell()
    }
    // Done means that the old keys are of no use any more.
    if (!(await this.#p.enforce())) return
    const moot = [...state.graph.rows('revokedKey')].filter(([, revoked]) => authority.isMoot(revoked))
    await this.#end(
      uuid,
      moot.map(([k]) => ({ o: 'del', t: 'revokedKey', k })),
    )
  }

  async #end(uuid: string, ops: Op[]): Promise<void> {
    const at = this.#p.now()
    const done: Op = { o: 'set', t: 'keyRotation', k: uuid, v: { state: 'Done', pending: [], doneDate: at, lastOpDate: at } }
    const facts = [{ noun: 'keyRotation', uuid, event: 'done' }]
    await this.#p.state.commit({ ops: [done, ...ops], facts }, { actor: 'system' })
  }

  async #agents(uuid: string, pending: readonly string[]): Promise<void> {
    const { monotonic } = this.#p
    const due = pending.filter((agent) => (this.#notBefore.get(agent) ?? 0) <= monotonic())
    const next = due[Symbol.iterator]()
    const worker = async () => {
      for (const agentUuid of next) {
        if (this.#stopped) return
        await this.#agent(uuid, agentUuid).catch((error) => {
          this.#notBefore.set(agentUuid, monotonic() + AGAIN_MS)
          this.#report(error, uuid, { agentUuid })
        })
      }
    }
    await Promise.all(Array.from({ length: AT_ONCE }, worker))
  }

  async #agent(uuid: string, agentUuid: string): Promise<void> {
    const { state, authority, now } = this.#p
    const agent = state.graph.get('agent', agentUuid)
    if (!agent || agent['revokedDate']) return this.#left(uuid, agentUuid, [])
    if (!this.#p.alive(agentUuid)) return
    const signer = authority.signer
    const publicKey = await rekey(this.#p, agentUuid, uuid)
    if (publicKey === undefined) return
    const v = { publicKey, signer, lastOpDate: now() }
    await this.#left(uuid, agentUuid, [{ o: 'set', t: 'agent', k: agentUuid, v }, revocation(agent, now())])
  }

  /** One commit: the agent has its new key, the old one is no more, and nothing is left to do for it. */
  async #left(uuid: string, agentUuid: string, ops: Op[]): Promise<void> {
    const { state, now } = this.#p
    const pending = (state.graph.get('keyRotation', uuid)!['pending'] as string[]).filter((a) => a !== agentUuid)
    const set: Op = { o: 'set', t: 'keyRotation', k: uuid, v: { pending, lastOpDate: now() } }
    const facts = ops.length > 0 ? [{ noun: 'agent', uuid: agentUuid, event: 'rekeyed' }] : []
    await state.commit({ ops: [...ops, set], facts }, { actor: 'system' })
  }
}

/** The row by which an agent's key is refused from now on. */
export function revocation(agent: Row, at: number): Op {
  const v = { agentUuid: agent['uuid'], signer: (agent['signer'] as string | null | undefined) ?? null, at }
  return { o: 'put', t: 'revokedKey', k: agent['publicKey'] as string, v }
}
