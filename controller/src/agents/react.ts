/** What a report from a host means for the graph, when no job is at work on the resource. Pure: reports in, change out. */
import type { Change, Fact, Op, Row, Status } from '@skerry/contract'
import { canonicalJson, compareGeneration, vmStates } from '@skerry/contract'
import type { Graph } from '@skerry/graph'
import { connectPart } from '../workflows/storage-parts.ts'
import { releaseHost, reserveHost } from '../workflows/vm.state.ts'
import { reactBalancer } from './react-balancer.ts'
import { reactTunnel, tunnelGone } from './react-ipsec.ts'

const current = (graph: Graph, agentUuid: string, status: Status): boolean => {
  const seq = graph.version('desired', `${agentUuid}/${status.noun}/${status.uuid}`)
  // Only who holds a document may speak about its resource: what A says of B's VM means nothing.
  return (
    seq !== undefined &&
    status.generation !== null &&
    compareGeneration(status.generation, { incarnation: graph.incarnation, seq }) >= 0
  )
}

/** The change that a status asks for; undefined: nothing new. */
export function react(graph: Graph, agentUuid: string, status: Status, now: number): Change | undefined {
  if (status.condition === 'Gone') return carriedOut(graph, agentUuid, status)
  if (!current(graph, agentUuid, status) || graph.get('desired', `${agentUuid}/${status.noun}/${status.uuid}`)?.['tombstone'])
    return undefined
  if (status.noun === 'ipsec') return reactTunnel(graph, status)
  if (status.noun === 'balancer') return reactBalancer(graph, status)
  if (status.noun === 'vm') return reactVm(graph, agentUuid, status, now)
  if (status.noun === 'pool' && status.condition === 'Ready') return reactPool(graph, agentUuid, status, now)
  return undefined
}

/** A tombstone was carried out: it need not be kept. */
function carriedOut(graph: Graph, agentUuid: string, status: Status): Change | undefined {
  const key = `${agentUuid}/${status.noun}/${status.uuid}`
  const row = graph.get('desired', key)
  if (!row?.['tombstone'] || !current(graph, agentUuid, status)) return undefined
  const also = status.noun === 'ipsec' ? tunnelGone(graph, status.uuid) : undefined
  return {
    guards: [{ g: 'version', t: 'desired', k: key, seq: graph.version('desired', key)! }],
    ops: [{ o: 'del', t: 'desired', k: key }, ...(also?.ops ?? [])],
    ...(also?.facts ? { facts: also.facts } : {}),
  }
}

/** What a host reports of a guest, as an event of the VM's state table. */
const eventOf: Readonly<Record<string, string>> = {
  Running: 'running',
  Stopped: 'stopped',
  Paused: 'paused',
  Crashed: 'crashed',
  Unknown: 'noState',
}
/** States in which no workflow is between two others: a report may move them. */
const settled = new Set(['Running', 'Stopped', 'Paused', 'Crashed', 'NoState', 'Unknown'])
/** States of a guest that may have gone on by the time that its host is seen again. A crashed one stands as it is. */
const aliveWhenSeen = new Set(['Running', 'Paused', 'NoState'])

/**
 * A guest that stopped by itself is Stopped, and stays so (DESIGN §6); one that was started by hand is Running, and is not cut; one
 * that was paused, has panicked, or was out of sight is what it is seen to be. One transition a report, none when nothing is new.
 */
function reactVm(graph: Graph, agentUuid: string, status: Status, now: number): Change | undefined {
  const vm = graph.get('vmInstance', status.uuid) as Row | undefined
  const from = vm?.['state'] as string
  if (!vm || !settled.has(from)) return undefined
  const { power, cause } = status.observed as { power?: string; cause?: string }
  if (power === 'Stopped' && cause === 'start-pending') return startPending(vm, status, now)
  const to = vmStates[from]?.[eventOf[power ?? ''] ?? '']
  if (to === undefined || to === from) return undefined
  const common = { vm, to, now, cause: cause ?? null }
  if (to === 'Stopped') return moved(common, ...endedByItself(graph, vm, cause ?? 'unknown'))
  // While it is being stopped by order it runs too.
  if (from === 'Stopped')
    return status.condition === 'Ready' ? moved(common, ...startedByHand(graph, agentUuid, vm, cause ?? 'unknown')) : undefined
  return moved({ ...common, cause: to === 'Running' ? null : common.cause }, {}, [])
}

/** It is wanted, and not there yet: only when its host says that it can't start it, it is not what it was. */
function startPending(vm: Row, { condition }: Status, now: number): Change | undefined {
  if (condition !== 'Failed' || vm['state'] === 'Stopped' || vm['state'] === 'Unknown') return undefined
  return moved({ vm, to: 'Unknown', now, cause: 'start-failed' }, {}, [])
}

function endedByItself(graph: Graph, vm: Row, cause: string): [Row, Op[]] {
  const set = {
    power: 'Stopped',
    powerCause: cause,
    hostUuid: null,
    lastHostUuid: vm['hostUuid'] ?? vm['lastHostUuid'],
  }
  return [set, releaseHost(graph, vm['hostUuid'], vm)]
}

/** It takes up its host's CPUs and memory already, also when there were none left. */
function startedByHand(graph: Graph, agentUuid: string, vm: Row, cause: string): [Row, Op[]] {
  const hostUuid = graph.get('agent', agentUuid)?.['hostUuid'] as string
  const { ops } = reserveHost(graph, hostUuid, vm)
  return [{ power: 'Running', powerCause: cause, hostUuid }, vm['hostUuid'] ? [] : ops]
}

/** The transition as one commit: it holds only as long as the VM is still what it was judged to be. */
function moved({ vm, to, now, cause }: { vm: Row; to: string; now: number; cause: string | null }, set: Row, ops: Op[]): Change {
  const uuid = vm['uuid'] as string
  const from = vm['state'] as string
  return {
    guards: [{ g: 'field', t: 'vmInstance', k: uuid, field: 'state', in: [from] }],
    ops: [{ o: 'set', t: 'vmInstance', k: uuid, v: { state: to, stateCause: cause, ...set, lastOpDate: now } }, ...ops],
    facts: [{ noun: 'vmInstance', uuid, event: 'state-changed', data: { from, to, cause } }],
  }
}

/** Capacity enters the log only when it says something new: another size, or free space that moved by a hundredth. */
function reactPool(graph: Graph, agentUuid: string, status: Status, now: number): Change | undefined {
  const observed = status.observed as { totalBytes: number; availableBytes: number }
  const moved = (total: number, free: number) =>
    observed.totalBytes !== total || Math.abs(observed.availableBytes - free) > observed.totalBytes / 100
  const hostUuid = graph.get('agent', agentUuid)?.['hostUuid'] as string
  const part = graph.get('localStorageHost', `${status.uuid}:${hostUuid}`)
  if (part) {
    if (part['status'] === 'Connected' && !moved(part['totalCapacity'] as number, part['availablePhysicalCapacity'] as number))
      return undefined
    return { ops: connectPart(graph, { psUuid: status.uuid, hostUuid }, status, now) }
  }
  const store = graph.get('backupStorage', status.uuid)
  if (
    !store ||
    store['status'] === 'Connecting' ||
    !moved(store['totalCapacity'] as number, store['availableCapacity'] as number)
  )
    return undefined
  const delta = (field: string, value: number): Op => ({
    o: 'add',
    t: 'backupStorage',
    k: status.uuid,
    field,
    delta: value - (store[field] as number),
  })
  return { ops: [delta('totalCapacity', observed.totalBytes), delta('availableCapacity', observed.availableBytes)] }
}

/** An agent came or went: its own row, its host's, and what can't be seen any more. Only transitions. */
export function reactPresence(
  graph: Graph,
  agentUuid: string,
  alive: boolean,
  facts: { bootId?: string; version?: string; schemas?: Record<string, number>; ledger?: string; now: number },
): Change | undefined {
  const agent = graph.get('agent', agentUuid)
  if (!agent) return undefined
  const status = alive ? 'Connected' : 'Disconnected'
  const news: Row = {}
  if (agent['status'] !== status) news['status'] = status
  if (facts.bootId && agent['bootId'] !== facts.bootId) news['bootId'] = facts.bootId
  if (facts.version && agent['version'] !== facts.version) news['version'] = facts.version
  if (facts.ledger && agent['ledger'] !== facts.ledger) news['ledger'] = facts.ledger
  // An agent that says nothing of them is one from before they were told.
  const schemas = facts.schemas ?? null
  if (alive && canonicalJson(agent['schemas'] ?? null) !== canonicalJson(schemas)) news['schemas'] = schemas
  const ops: Op[] = Object.keys(news).length > 0 ? [{ o: 'set', t: 'agent', k: agentUuid, v: news }] : []
  const more =
    agent['kind'] === 'kvm'
      ? hostPresence(graph, agent['hostUuid'], alive, facts.now)
      : agent['kind'] === 'storage'
        ? storagePresence(graph, agentUuid, agent['hostUuid'], alive)
        : vpcPresence(graph, agentUuid, alive)
  const all = [...ops, ...more.ops]
  return all.length > 0
    ? {
        ops: all,
        facts: [
          ...(news['status'] ? [{ noun: 'agent', uuid: agentUuid, event: alive ? 'connected' : 'disconnected' }] : []),
          ...more.facts,
        ],
      }
    : undefined
}

/** Routers of VPCs that run there; one that is being made says it itself. */
function vpcPresence(graph: Graph, agentUuid: string, alive: boolean): Required<Pick<Change, 'ops' | 'facts'>> {
  const [from, to] = alive ? ['Disconnected', 'Connected'] : ['Connected', 'Disconnected']
  const moved = [...graph.by('vpcRouter', 'agentUuid', agentUuid)].filter((k) => graph.get('vpcRouter', k)?.['status'] === from)
  return {
    ops: moved.map((k): Op => ({ o: 'set', t: 'vpcRouter', k, v: { status: to } })),
    facts: moved.map((uuid) => ({ noun: 'vpcRouter', uuid, event: alive ? 'connected' : 'disconnected' })),
  }
}

function hostPresence(graph: Graph, hostUuid: unknown, alive: boolean, now: number): Required<Pick<Change, 'ops' | 'facts'>> {
  const host = typeof hostUuid === 'string' ? graph.get('host', hostUuid) : undefined
  // A host that is being added is Connecting until its workflow says otherwise.
  if (!host || host['status'] === 'Connecting') return { ops: [], facts: [] }
  const wanted = alive ? 'Connected' : 'Disconnected'
  if (host['status'] === wanted) return { ops: [], facts: [] }
  const key = hostUuid as string
  const ops: Op[] = [
    { o: 'set', t: 'host', k: key, v: { status: wanted, disconnectCause: alive ? null : 'its agent-kvm has been silent' } },
  ]
  const facts: Fact[] = [{ noun: 'host', uuid: key, event: alive ? 'connected' : 'disconnected' }]
  if (!alive) {
    for (const vm of graph.by('vmInstance', 'hostUuid', key)) {
      const from = graph.get('vmInstance', vm)?.['state'] as string
      if (!aliveWhenSeen.has(from)) continue
      ops.push({ o: 'set', t: 'vmInstance', k: vm, v: { state: 'Unknown', stateCause: 'host-disconnected', lastOpDate: now } })
      const data = { from, to: 'Unknown', cause: 'host-disconnected' }
      facts.push({ noun: 'vmInstance', uuid: vm, event: 'state-changed', data })
    }
  }
  return { ops, facts }
}

function storagePresence(
  graph: Graph,
  agentUuid: string,
  hostUuid: unknown,
  alive: boolean,
): Required<Pick<Change, 'ops' | 'facts'>> {
  const wanted = alive ? 'Connected' : 'Disconnected'
  const ops: Op[] = []
  for (const key of graph.by('localStorageHost', 'hostUuid', hostUuid))
    if (graph.get('localStorageHost', key)?.['status'] !== wanted)
      ops.push({ o: 'set', t: 'localStorageHost', k: key, v: { status: wanted } })
  for (const key of graph.by('backupStorage', 'agentUuid', agentUuid)) {
    const status = graph.get('backupStorage', key)?.['status']
    if (status !== 'Connecting' && status !== wanted) ops.push({ o: 'set', t: 'backupStorage', k: key, v: { status: wanted } })
  }
  return { ops, facts: [] }
}
