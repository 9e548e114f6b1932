/** Consoles: a one-time token, then bytes through the agent of the VM's host. Nothing of it is recorded. */
import { createHash, randomBytes } from 'node:crypto'
import type { Bus } from '@skerry/bus'
import { type Row, SkerryError, subjects } from '@skerry/contract'
import type { Graph } from '@skerry/graph'
import { z } from 'zod'
import { agentOn } from '../desired/agents-of.ts'
import type { ConsoleStream } from '../http/ports.ts'
import type { AgentsPort } from '../workflows/world.ts'

/** ZStack console.vnc.token.timeout is 30 min; ours is for one use, at once. */
const TOKEN_MS = 60_000
const frame = z.object({ d: z.base64().optional(), end: z.boolean().optional(), reason: z.string().optional() })

export interface ConsolePorts {
  bus: Bus
  graph: Graph
  agents: AgentsPort
  now(): number
  newId(): string
  address: { hostname: string; port: number; scheme: string }
}

export class Consoles {
  readonly #p: ConsolePorts
  /** SHA-256 of a token → what it opens */
  readonly #tokens = new Map<string, { vmUuid: string; expiresAt: number }>()

  constructor(ports: ConsolePorts) {
    this.#p = ports
  }

  /** ConsoleInventory with a fresh token. */
  grant(params: Row): Row {
    const token = randomBytes(24).toString('base64url')
    const expiresAt = this.#p.now() + TOKEN_MS
    for (const [key, { expiresAt: at }] of this.#tokens) if (at <= this.#p.now()) this.#tokens.delete(key)
    this.#tokens.set(hash(token), { vmUuid: params['vmInstanceUuid'] as string, expiresAt })
    return { inventory: { ...this.#p.address, token, expiredDate: expiresAt } }
  }

  async open(token: string): Promise<ConsoleStream> {
    const granted = this.#tokens.get(hash(token))
    this.#tokens.delete(hash(token))
    if (!granted || granted.expiresAt <= this.#p.now())
      throw new SkerryError('session-invalid', 'this console token is unknown, used or expired', {})
    const vm = this.#p.graph.get('vmInstance', granted.vmUuid)
    const agentUuid = agentOn(this.#p.graph, vm?.['hostUuid'] as string | null, 'kvm')
    if (!vm || !agentUuid)
      throw new SkerryError('vm-illegal-state', 'the VM instance is not running any more', { uuid: granted.vmUuid })
    return this.#bridge(agentUuid, granted.vmUuid)
  }

  async #bridge(agentUuid: string, vmUuid: string): Promise<ConsoleStream> {
    const session = this.#p.newId()
    const data = new Set<(bytes: Uint8Array) => void>()
    const closed = new Set<(reason: string) => void>()
    const early: Uint8Array[] = []
    const out = this.#p.bus.subscribe(subjects.io('kvm', agentUuid, session, 'out'), (m) => {
      const parsed = frame.safeParse(m.data)
      if (!parsed.success) return
      if (parsed.data.d) {
        const bytes = Buffer.from(parsed.data.d, 'base64')
        if (data.size === 0) early.push(bytes)
        for (const listener of data) listener(bytes)
      }
      if (parsed.data.end) for (const listener of closed) listener(parsed.data.reason ?? 'the console was closed')
    })
    const send = (message: Row) => this.#p.bus.publish(subjects.io('kvm', agentUuid, session, 'in'), message)
    try {
      const waiting = { remainingMs: () => 15_000, progress: () => undefined }
      await this.#p.agents.command(
        agentUuid,
        { id: `console_${session}`, noun: 'vm', uuid: vmUuid, verb: 'console', input: { session, kind: 'serial' } },
        waiting,
      )
    } catch (error) {
      await out.stop()
      throw error
    }
    return {
      write: (bytes) => send({ d: Buffer.from(bytes).toString('base64') }),
      onData: (listener) => {
        data.add(listener)
        for (const bytes of early.splice(0)) listener(bytes)
      },
      onClose: (listener) => void closed.add(listener),
      close: () => {
        send({ end: true, reason: 'the client left' })
        void out.stop()
      },
    }
  }
}

const hash = (token: string) => createHash('sha256').update(token).digest('hex')
