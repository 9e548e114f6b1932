/** One machine in memory with the three real agents on it, enrolled over HTTP as on a real one. */
import type { AgentParts, Identity, Log } from '@skerry/agent'
import type { FakeSftp } from '@skerry/agent-storage'
import { type MemoryBroker, type MemoryBus, type RetiringBus, realTimers, type Timers } from '@skerry/bus'
import type { AgentKind } from '@skerry/contract'
import { type FakeHost, type FakeHostConfig, fakeBlocks, fakeHost, type Host } from '@skerry/host'
import type { FakeLibvirt } from '@skerry/libvirt'
import { type RunningAgent, startAgent } from './agents.ts'
import { type GuestHooks, ObedientGuests, watchGuests } from './guests.ts'
import { restore, type SavedMachine, saved } from './saved.ts'

export const AGENT_KINDS: readonly AgentKind[] = ['kvm', 'storage', 'vrouter']
const STATE = '/var/lib/skerry'

export interface FakeMachineOptions {
  /** The memory bus, or how an agent gets onto a real one with what it was granted; then `bus()` gives no memory bus. */
  broker: MemoryBroker | ((granted: Identity) => Promise<RetiringBus>)
  controllerUrl: string
  managementIp: string
  /** 32 hex */
  machineId: string
  /** a fresh enrolment token for each agent */
  token(kind: AgentKind): Promise<string>
  host?: FakeHostConfig
  log: Log
  /** What an agent is built of, from what today's code builds: another version of it. Asked each time one begins. */
  otherParts?(kind: AgentKind, parts: AgentParts): AgentParts
  /** default: real ones */
  timers?: Timers
  /** how long agents keep tombstones that were carried out, and how often they look; default: their own */
  keep?: { goneKeptMs: number; pruneMs: number }
  /** how long agents leave their host unlooked-at at most; default: their own */
  reconcileIntervalMs?: () => number
  /** wall clock at 0 of `timers`; default: so that it is right now */
  wallBegan?: number
  /** fetches images, and nothing else; default: the global one */
  fetch?: typeof fetch
  /** storage servers; default: there are none */
  sftp?: FakeSftp
  /** What agents get of the machine, from the machine itself. Asked once. */
  seen?(host: FakeHost): Host
  guests?: GuestHooks
  /** The fakes, before anything works on them. */
  made?(fakes: { host: FakeHost; libvirt: FakeLibvirt }): void
  /** A machine that was switched off: it boots with its disk and its definitions of guests. */
  saved?: SavedMachine
  /** What this start of an agent stands on, from what it would be: a process that can be cut off from all of it. */
  stands?(kind: AgentKind, on: Standing): Standing
}

/** All that an agent reaches. */
export interface Standing {
  host: Host
  libvirt: FakeLibvirt
  timers: Timers
  broker: FakeMachineOptions['broker']
}

export interface FakeMachine {
  host: FakeHost
  libvirt: FakeLibvirt
  /** agent uuid by kind */
  agents: Record<AgentKind, string>
  bus(kind: AgentKind): MemoryBus
  /** moves the wall clock of the machine */
  advance(ms: number): void
  /** Ends an agent, as a restart of its process does. */
  end(kind: AgentKind): Promise<void>
  /** It was killed: nothing more is asked of it, and what it had begun stays as it is. */
  forget(kind: AgentKind): void
  /** Starts it again over what is on the disk; a token is asked for when its identity is gone. */
  begin(kind: AgentKind): Promise<void>
  /** Of an agent that was ended: its ledger is lost, or all that it knew. */
  wipe(kind: AgentKind, what: 'ledger' | 'all'): void
  /** Something on the machine may have changed: every agent looks. */
  signal(): void
  /** A file in a folder that an agent watches has changed. */
  changed(folder: string, name: string): void
  /** What outlives that it is switched off. */
  save(): SavedMachine
  /** Resolves when all that was sent is with the server. */
  flush(): Promise<void>
  /** Power cut and boot: agents are to be begun again. */
  reboot(): Promise<void>
  stop(): Promise<void>
}

export async function startFakeMachine(o: FakeMachineOptions): Promise<FakeMachine> {
  const timers = o.timers ?? realTimers
  const wall = { ahead: 0, began: o.wallBegan ?? Date.now() - timers.nowMs() }
  const nowMs = () => Math.floor(wall.began + timers.nowMs() + wall.ahead)
  const host = fakeHost({ nowMs, ...o.host })
  // As `up` makes it: dnsmasq, which gives up root, has to pass through.
  host.disk.makeDir(STATE, 0o755)
  const libvirt = new ObedientGuests({ images: fakeBlocks(host.disk) })
  if (o.saved) await restore({ host, libvirt }, o.saved)
  o.made?.({ host, libvirt })
  const boots = { n: (o.saved?.boots ?? 0) + 1 }
  const watched = new Map<string, Set<(name: string) => void>>()
  const running = new Map<AgentKind, RunningAgent>()
  const agents = {} as Record<AgentKind, string>
  watchGuests(host, libvirt, o.guests)
  const parts = { host: o.seen?.(host) ?? host, libvirt, watched }
  const standing = (kind: AgentKind): Standing => {
    const on = { host: parts.host, libvirt, timers, broker: o.broker }
    return o.stands?.(kind, on) ?? on
  }
  const begin = async (kind: AgentKind) => {
    const { host, libvirt, ...on } = standing(kind)
    const starting = { ...o, ...on, stateDir: stateDirOf(kind), clock: { now: nowMs }, parts: { ...parts, host, libvirt } }
    const agent = await startAgent(kind, starting)
    running.set(kind, agent)
    agents[kind] = agent.uuid
  }
  const end = async (kind: AgentKind) => {
    await running.get(kind)?.stop()
    running.delete(kind)
    if (kind === 'kvm') libvirt.reconnect() // the agent closed its own connection, which is the fake itself
  }
  const endAll = async () => {
    for (const kind of AGENT_KINDS) await end(kind)
  }
  try {
    for (const kind of AGENT_KINDS) await begin(kind)
  } catch (error) {
    await endAll()
    throw error
  }
  return {
    ...{ host, libvirt, agents, begin, end },
    forget: (kind) => void running.delete(kind),
    bus: (kind) => running.get(kind)!.bus as MemoryBus,
    advance: (ms) => void (wall.ahead += ms),
    wipe: (kind, what) => host.disk.remove(what === 'all' ? stateDirOf(kind) : `${stateDirOf(kind)}/ledger`),
    signal() {
      for (const agent of running.values()) agent.signal()
    },
    changed(folder, name) {
      for (const tell of watched.get(folder) ?? []) tell(name)
    },
    save: () => saved({ host, libvirt }, boots.n),
    flush: async () => void (await Promise.all([...running.values()].map(({ bus }) => bus.flush()))),
    async reboot() {
      await endAll()
      libvirt.hostReboots()
      host.reboot()
      boots.n += 1
    },
    async stop() {
      await endAll()
    },
  }
}

const stateDirOf = (kind: AgentKind) => `${STATE}/agent-${kind}`

/** Whether a path belongs to an agent itself, rather than to what it works on. */
export const isAgentsOwn = (path: string) => path.startsWith(`${STATE}/agent-`)
