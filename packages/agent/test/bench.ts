/** An agent on a fake machine and the memory bus, with a controller's connection to talk to it. */
import { randomBytes } from 'node:crypto'
import { memoryBroker, realTimers, rightsOf } from '@skerry/bus'
import { type AgentKind, type Document, type Generation, type Status, subjects, type Tombstone } from '@skerry/contract'
import { fakeHost } from '@skerry/host'
import type { AnyModule, Change, Module, Timers } from '@skerry/reconcile'
import { z } from 'zod'
import { type Agent, type AgentCommand, type Ledger, type Log, openLedger, runAgent, specHash } from '../src/index.ts'

export const id = (n: number) => n.toString(16).padStart(32, '0')
export const AGENT = id(0xa9e)
export const clock = { now: () => 1_700_000_000_000 }
export const silent: Log = { info: () => undefined, warn: () => undefined, error: () => undefined, child: () => silent }
export const gen = (seq: number, incarnation = 1): Generation => ({ incarnation, seq })

export function doc(noun: string, uuid: string, seq: number, spec: Record<string, unknown> = { size: 1 }): Document {
  return { noun, uuid, schema: 1, generation: gen(seq), hash: specHash(spec), job: null, spec }
}
export const tomb = (noun: string, uuid: string, seq: number): Tombstone => ({
  noun,
  uuid,
  generation: gen(seq),
  job: null,
  tombstone: true,
})

const spec = z.object({ size: z.number(), note: z.string().optional() })
interface Thing {
  uuid: string
  size: number
}
type ThingChange = (Change & { op: 'put'; size: number }) | (Change & { op: 'remove' })

/** Things in a map: what an agent's restart must not touch. */
export function thingModule(things: Map<string, number>, noun = 'thing'): AnyModule {
  const module: Module<z.infer<typeof spec>, Thing, ThingChange> = {
    noun,
    schema: 1,
    spec,
    observe: async () => [...things].map(([uuid, size]) => ({ uuid, size })),
    plan: (want, have, context) => [
      ...have.filter((h) => context.buried.has(h.uuid)).map((h): ThingChange => ({ uuid: h.uuid, op: 'remove' })),
      ...want
        .filter((w) => have.find((h) => h.uuid === w.uuid)?.size !== w.spec.size)
        .map((w): ThingChange => ({ uuid: w.uuid, op: 'put', size: w.spec.size })),
    ],
    apply: async (c) => void (c.op === 'put' ? things.set(c.uuid, c.size) : things.delete(c.uuid)),
    report: (_want, have) => ({ condition: have ? 'Ready' : 'Working', observed: have ? { size: have.size } : {} }),
  }
  return module
}

export class ManualTime implements Timers {
  #now = 0
  #timers: { at: number; fn: () => void }[] = []
  nowMs = () => this.#now
  set = (fn: () => void, ms: number) => {
    const timer = { at: this.#now + ms, fn }
    this.#timers.push(timer)
    return timer
  }
  clear = (handle: unknown) => {
    this.#timers = this.#timers.filter((t) => t !== handle)
  }
  async advance(ms: number): Promise<void> {
    const end = this.#now + ms
    for (;;) {
      await turns()
      const next = this.#timers.filter((t) => t.at <= end).sort((a, b) => a.at - b.at)[0]
      if (!next) break
      this.clear(next)
      this.#now = Math.max(this.#now, next.at)
      next.fn()
    }
    this.#now = end
    await turns()
  }
}

/** Lets everything that is ready run. */
export async function turns(count = 20): Promise<void> {
  for (let n = 0; n < count; n++) await new Promise<void>((resolve) => setImmediate(resolve))
}

export const openTestLedger = (host = fakeHost()): Promise<Ledger> =>
  openLedger({ dir: '/var/lib/agent', files: host.files, clock, newId: () => randomBytes(16).toString('hex') })

export async function bench(
  over: { commands?: AgentCommand[]; timers?: Timers; host?: ReturnType<typeof fakeHost>; kind?: AgentKind } = {},
) {
  const host = over.host ?? fakeHost()
  const broker = memoryBroker()
  const things = new Map<string, number>()
  const controller = broker.connect(rightsOf({ kind: 'controller' }))
  const kind = over.kind ?? 'storage'
  const agents: Agent[] = []
  const statuses: Status[] = []
  const heartbeats: unknown[] = []
  controller.subscribe(subjects.statusOfAll, (m) => void statuses.push(m.data as Status))
  controller.subscribe(subjects.heartbeatOfAll, (m) => void heartbeats.push(m.data))

  async function start(
    bus = broker.connect(rightsOf({ kind: 'agent', agent: { kind, uuid: AGENT } })) as Parameters<typeof runAgent>[0]['bus'],
  ) {
    const ledger = await openTestLedger(host)
    const agent = runAgent({
      identity: { kind, uuid: AGENT, machineId: id(1), bootId: 'boot-1' },
      bus,
      modules: [thingModule(things)],
      commands: over.commands ?? [],
      ledger,
      clock,
      timers: over.timers ?? realTimers,
      random: () => 0.5,
      version: '0.1.0',
      log: silent,
      inventory: async () => [...things].map(([uuid]) => ({ kind: 'thing', id: uuid, owner: uuid, facts: {} })),
      config: { drainMs: 50 },
    })
    agents.push(agent)
    await turns()
    return { agent, ledger }
  }
  const ask = async (verb: string, data: unknown, noun = 'agent', uuid = AGENT) =>
    (await controller.request(subjects.do(kind, AGENT, noun, uuid, verb), data, { timeoutMs: 30_000 })).data
  const stop = async () => {
    for (const agent of agents) await agent.stop()
    await controller.close()
  }
  return { host, broker, things, controller, statuses, heartbeats, start, ask, stop, kind }
}

export async function until(check: () => boolean): Promise<void> {
  for (let n = 0; n < 400; n++) {
    if (check()) return
    await new Promise((resolve) => setTimeout(resolve, 5))
  }
  throw new Error(`did not happen: ${check}`)
}
