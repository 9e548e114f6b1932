/** One machine in memory with the three real agents on it, enrolled over HTTP as on a real one. */
import { type Agent, type AgentParts, type BuildContext, enrol, type Log, openLedger, runAgent } from '@skerry/agent'
import { kvmAgent } from '@skerry/agent-kvm/kvm'
import { buildStorage } from '@skerry/agent-storage'
import { buildVrouter } from '@skerry/agent-vrouter/build'
import { type MemoryBroker, type MemoryBus, realTimers, rightsOf } from '@skerry/bus'
import { type AgentKind, SKERRY_VERSION } from '@skerry/contract'
import { type FakeHost, type FakeHostConfig, fakeHost } from '@skerry/host'
import { type Calls, FakeLibvirt, type Operation, parseDomain } from '@skerry/libvirt'

export const AGENT_KINDS: readonly AgentKind[] = ['kvm', 'storage', 'vrouter']
const STATE = '/var/lib/skerry'

export interface FakeMachineOptions {
  broker: MemoryBroker
  controllerUrl: string
  managementIp: string
  /** 32 hex */
  machineId: string
  /** a fresh enrolment token for each agent */
  token(): Promise<string>
  host?: FakeHostConfig
  log: Log
}

export interface FakeMachine {
  host: FakeHost
  libvirt: FakeLibvirt
  /** agent uuid by kind */
  agents: Record<AgentKind, string>
  bus(kind: AgentKind): MemoryBus
  stop(): Promise<void>
}

interface Running {
  uuid: string
  bus: MemoryBus
  stop(): Promise<void>
}

export async function startFakeMachine(o: FakeMachineOptions): Promise<FakeMachine> {
  const host = fakeHost({ nowMs: () => Date.now(), ...o.host })
  // As `up` makes it: dnsmasq, which gives up root, has to pass through.
  host.disk.makeDir(STATE, 0o755)
  const libvirt = new ObedientGuests()
  const running = {} as Record<AgentKind, Running>
  plugTaps(host, libvirt)
  for (const kind of AGENT_KINDS) running[kind] = await startAgent(kind, { ...o, fakes: { host, libvirt } })
  const all = Object.entries(running) as [AgentKind, Running][]
  return {
    host,
    libvirt,
    agents: Object.fromEntries(all.map(([kind, { uuid }]) => [kind, uuid])) as Record<AgentKind, string>,
    bus: (kind) => running[kind].bus,
    async stop() {
      for (const [, agent] of all) await agent.stop()
    },
  }
}

/** Guests that reboot when asked by ACPI: libvirt shows it as a short pause (qemuProcessFakeReboot of libvirt 9.0). */
class ObedientGuests extends FakeLibvirt {
  override async call<K extends Operation>(op: K, args: Calls[K]['args'], o: { timeoutMs: number }): Promise<Calls[K]['result']> {
    const result = await super.call(op, args, o)
    if (op !== 'domainReboot') return result
    const { uuid } = args as Calls['domainReboot']['args']
    await super.call('domainSuspend', { uuid }, o)
    await super.call('domainResume', { uuid }, o)
    return result
  }
}

/** Taps of running domains, which libvirt makes and removes by itself; the two fakes know nothing of each other. */
function plugTaps({ network }: FakeHost, libvirt: FakeLibvirt): void {
  const taps = new Map<string, string[]>()
  libvirt.onLifecycle(({ domainUuid, event }) => {
    if (event === 'started') {
      const domain = libvirt.inventory().find((d) => d.uuid === domainUuid)
      const names = parseDomain(domain!.xml).nics.flatMap((nic) => nic.tap ?? [])
      taps.set(domainUuid, names)
      for (const name of names) network.addNic(name)
    }
    if (event !== 'stopped') return
    const host = network.in('')
    for (const link of host.links.filter(({ name }) => taps.get(domainUuid)?.includes(name))) network.dropLink(host, link)
    taps.delete(domainUuid)
  })
}

interface Fakes {
  host: FakeHost
  libvirt: FakeLibvirt
}

/** What each agent's own main does, with fakes for the machine. */
async function startAgent(kind: AgentKind, o: FakeMachineOptions & { fakes: Fakes }): Promise<Running> {
  const { host } = o.fakes
  const stateDir = `${STATE}/agent-${kind}`
  const { uuid } = await enrol({
    controllerUrl: o.controllerUrl,
    token: await o.token(),
    kind,
    machineId: o.machineId,
    managementIp: o.managementIp,
    stateDir,
    files: host.files,
    fetch,
  })
  const clock = { now: () => Date.now() }
  const identity = { kind, uuid, machineId: o.machineId, bootId: await host.facts.bootId() }
  const ledger = await openLedger({ dir: `${stateDir}/ledger`, files: host.files, clock })
  const bus = o.broker.connect(rightsOf({ kind: 'agent', agent: { kind, uuid } }))
  const late: { agent?: Agent } = {}
  const common = {
    identity,
    ledger,
    clock,
    timers: realTimers,
    log: o.log,
    stateDir,
    signal: () => late.agent?.signal(),
    bus: () => bus,
  }
  const parts = await build(kind, o.fakes, common)
  late.agent = runAgent({
    identity,
    bus,
    modules: parts.modules,
    commands: parts.commands,
    ledger,
    clock,
    timers: realTimers,
    random: Math.random,
    version: SKERRY_VERSION,
    log: o.log,
    inventory: () => parts.inventory(),
    config: { drainMs: 100 },
  })
  return {
    uuid,
    bus,
    async stop() {
      await late.agent?.stop()
      await parts.stop?.()
    },
  }
}

function build(kind: AgentKind, { host, libvirt }: Fakes, context: BuildContext): AgentParts | Promise<AgentParts> {
  switch (kind) {
    case 'kvm': {
      const { uuid: agentUuid, bootId } = context.identity
      return kvmAgent({ ...context, host, libvirt, monotonicMs: () => performance.now(), domainType: 'qemu', agentUuid, bootId })
    }
    case 'storage':
      return buildStorage(host, context, { fetch })
    case 'vrouter':
      // Nobody watches folders that exist only in memory: its slow timer and the passes after each sync find what changes.
      return buildVrouter(host, context, { watchFolder: () => () => undefined })
  }
}
