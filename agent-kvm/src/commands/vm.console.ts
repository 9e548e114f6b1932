/**
 * `do.vm.<vmUuid>.console`: joins a session's subjects to the VM's serial port or screen (VNC). A console has one session: a
 * new one takes it over. An agent that was restarted opens sessions anew; those before have ended with it.
 */
import { defineCommand } from '@skerry/agent'
import type { Bus } from '@skerry/bus'
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

  constructor(ports: ConsolePorts) {
    this.#p = ports
  }

  command() {
    return defineCommand({
      noun: 'vm',
      verb: 'console',
      // No receipt: a repeat must open the session again when this agent doesn't hold it any more.
      reads: true,
      ...kvmCommands.console,
      run: async ({ uuid, input: { session, kind } }) => {
        await this.#open(uuid, kind, session)
        return { kind }
      },
    })
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
