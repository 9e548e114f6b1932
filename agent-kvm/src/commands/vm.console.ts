/**
 * `do.vm.<vmUuid>.allow-console` and `.console`: who shows a token that the controller has announced gets a session between its
 * subjects and the VM's serial port or screen (VNC). The agent is the only one who sees every use of a token, so it is here that
 * one is good once; a restart forgets them, and another has to be asked for. A console has one session: a new one takes it over.
 */
import { defineCommand } from '@skerry/agent'
import type { Bus } from '@skerry/bus'
import { OneTimeTokens } from '@skerry/console/one-time'
import { kvmCommands, SkerryError, subjects } from '@skerry/contract'
import type { Timers } from '@skerry/reconcile'
import { type Line, openLine } from '../console/line.ts'
import { vmFolder } from '../vms/memory.ts'

export interface ConsolePorts {
  bus(): Bus | undefined
  timers: Timers
  agentUuid: string
  stateDir: string
  idleMs?: number
}

interface Session {
  id: string
  line: Promise<Line>
}

export class Consoles {
  readonly #p: ConsolePorts
  /** By `<vm uuid>/<kind>`. */
  readonly #sessions = new Map<string, Session>()
  readonly #tokens: OneTimeTokens<null>

  constructor(ports: ConsolePorts) {
    this.#p = ports
    this.#tokens = new OneTimeTokens(() => ports.timers.nowMs())
  }

  commands() {
    const allow = defineCommand({
      noun: 'vm',
      verb: 'allow-console',
      // What it leaves is in memory only: after a restart a repeat has to be carried out.
      reads: true,
      ...kvmCommands.allowConsole,
      run: async ({ uuid, input }) => {
        this.#tokens.allow(uuid, input, null)
        return {}
      },
    })
    const open = defineCommand({
      noun: 'vm',
      verb: 'console',
      // No receipt: it would keep the token.
      reads: true,
      ...kvmCommands.console,
      run: async ({ uuid, input: { session, kind, token } }) => {
        const known = this.#sessions.get(`${uuid}/${kind}`)
        // A repeat of the request that opened it.
        if (known?.id !== session) this.#tokens.redeem(uuid, token)
        await this.#open(uuid, kind, session)
        return { kind }
      },
    })
    return [allow, open]
  }

  async close(): Promise<void> {
    const all = [...this.#sessions.values()]
    this.#sessions.clear()
    await Promise.allSettled(all.map(async ({ line }) => (await line).end('the agent is ending')))
  }

  async #open(uuid: string, kind: 'serial' | 'vnc', id: string): Promise<void> {
    const key = `${uuid}/${kind}`
    const before = this.#sessions.get(key)
    if (before?.id === id) return void (await before.line)
    const session: Session = { id, line: this.#replace(before, { uuid, kind, id }) }
    this.#sessions.set(key, session)
    const forget = () => {
      if (this.#sessions.get(key) === session) this.#sessions.delete(key)
    }
    try {
      const line = await session.line
      line.onEnd(forget)
    } catch (error) {
      forget()
      throw error
    }
  }

  /** qemu serves one client at a time: the one before has to go first. */
  async #replace(before: Session | undefined, next: { uuid: string; kind: 'serial' | 'vnc'; id: string }): Promise<Line> {
    const line = await before?.line.catch(() => undefined) // who asked for it was told
    await line?.end('another session took this console over')
    const bus = this.#p.bus()
    if (!bus) throw new SkerryError('agent-unreachable', 'this agent has no bus to send a console over')
    const { agentUuid, timers, stateDir, idleMs } = this.#p
    const io = (way: 'in' | 'out') => subjects.io('kvm', agentUuid, next.id, way)
    const paths = vmFolder(stateDir, next.uuid)
    return openLine(paths[next.kind], { bus, timers, inSubject: io('in'), outSubject: io('out'), idleMs })
  }
}
