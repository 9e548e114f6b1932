/** What each agent's own main does, with fakes for the machine. */
import { randomUUID } from 'node:crypto'
import {
  type Agent,
  AgentKeys,
  type AgentParts,
  type BuildContext,
  enrol,
  loadIdentity,
  openLedger,
  runAgent,
  sealKeysOf,
  unseal,
} from '@skerry/agent'
import { kvmAgent } from '@skerry/agent-kvm/kvm'
import { buildStorage, FakeSftp } from '@skerry/agent-storage'
import { buildVrouter } from '@skerry/agent-vrouter/build'
import { type GatheringBus, type MemoryBroker, rightsOf, type Timers } from '@skerry/bus'
import { type AgentKind, SKERRY_VERSION } from '@skerry/contract'
import type { Host } from '@skerry/host'
import type { FakeLibvirt } from '@skerry/libvirt'
import type { FakeMachineOptions } from './machine.ts'

export interface RunningAgent {
  uuid: string
  bus: GatheringBus
  signal(): void
  stop(): Promise<void>
}

interface MachineParts {
  /** what agents see of the machine */
  host: Host
  libvirt: FakeLibvirt
  /** by folder: who wants to hear of its files */
  watched: Map<string, Set<(name: string) => void>>
}

type Starting = FakeMachineOptions & { stateDir: string; timers: Timers; clock: { now(): number }; parts: MachineParts }

/** On the bus with its identity, which is asked for when there is none yet. */
async function joined(kind: AgentKind, o: Starting) {
  const { host } = o.parts
  const { controllerUrl, machineId, managementIp, stateDir, broker } = o
  const place = { stateDir, files: host.files }
  const identity =
    (await loadIdentity(host.files, stateDir, kind)) ??
    (await enrol({ ...place, kind, controllerUrl, machineId, managementIp, token: await o.token(kind), fetch }))
  if (typeof broker !== 'function') {
    const agent = { kind, uuid: identity.uuid }
    return { identity, keys: undefined, bus: (broker as MemoryBroker).connect(rightsOf({ kind: 'agent', agent }), o) }
  }
  const report = (err: unknown) => o.log.error({ err }, 'keys')
  const keys = new AgentKeys({ ...place, kind, identity, connect: broker, report }, await broker(identity))
  return { identity, keys, bus: keys.bus }
}

export async function startAgent(kind: AgentKind, o: Starting): Promise<RunningAgent> {
  const { clock, timers, stateDir, log } = o
  const { host } = o.parts
  const { identity: granted, keys, bus } = await joined(kind, o)
  const { uuid } = granted
  const identity = { kind, uuid, machineId: o.machineId, bootId: await host.facts.bootId() }
  const newId = () => randomUUID().replaceAll('-', '')
  const kept = o.keep ? { goneKeptMs: o.keep.goneKeptMs } : {}
  const ledger = await openLedger({ dir: `${stateDir}/ledger`, files: host.files, clock, newId, ...kept })
  const late: { agent?: Agent } = {}
  const signal: BuildContext['signal'] = (of) => late.agent?.signal(of)
  const built = await build(kind, o, {
    identity,
    ledger,
    clock,
    timers,
    log,
    stateDir,
    signal,
    bus: () => bus,
    unseal: (sealed, about) => unseal(sealKeysOf(granted), sealed, about),
  })
  const parts = o.otherParts?.(kind, built) ?? built
  late.agent = runAgent({
    ...{ identity, bus, ledger, clock, timers, log },
    modules: parts.modules,
    commands: parts.commands,
    sinceBootMs: timers.nowMs,
    random: Math.random,
    version: SKERRY_VERSION,
    inventory: () => parts.inventory(),
    ...(keys ? { rekey: (data: unknown) => keys.rekey(data) } : {}),
    config: {
      drainMs: 100,
      ...(o.keep ? { pruneMs: o.keep.pruneMs } : {}),
      ...(o.reconcileIntervalMs ? { reconcileIntervalMs: o.reconcileIntervalMs } : {}),
    },
  })
  return {
    ...{ uuid, bus, signal: () => signal() },
    async stop() {
      await late.agent?.stop()
      await parts.stop?.()
    },
  }
}

function build(kind: AgentKind, o: Starting, context: BuildContext): AgentParts | Promise<AgentParts> {
  const { host, libvirt, watched } = o.parts
  switch (kind) {
    case 'kvm': {
      const { uuid: agentUuid, bootId } = context.identity
      return kvmAgent({ ...context, host, libvirt, monotonicMs: context.timers.nowMs, domainType: 'qemu', agentUuid, bootId })
    }
    case 'storage':
      return buildStorage(host, context, { fetch: o.fetch ?? fetch, sftp: o.sftp ?? new FakeSftp() })
    case 'vrouter':
      // Folders exist only in memory: who changes one says so (`changed`); the slow timer and the passes find the rest.
      return buildVrouter(host, context, { watchFolder: (folder, tell) => watch(watched, folder, tell) })
  }
}

function watch(watched: MachineParts['watched'], folder: string, tell: (name: string) => void): () => void {
  const listeners = watched.get(folder) ?? new Set()
  watched.set(folder, listeners.add(tell))
  return () => {
    listeners.delete(tell)
    if (listeners.size === 0) watched.delete(folder)
  }
}
