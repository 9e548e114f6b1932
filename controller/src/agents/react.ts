/** What a report from a host means for the graph, when no job is at work on the resource. Pure: reports in, change out. */
import type { Change, Op, Row, Status } from '@skerry/contract'
import { compareGeneration } from '@skerry/contract'
import type { Graph } from '@skerry/graph'
import { connectPart } from '../workflows/storage-parts.ts'
import { releaseHost } from '../workflows/vm.state.ts'

const current = (graph: Graph, agentUuid: string, status: Status): boolean => {
  const seq = graph.version('desired', `${agentUuid}/${status.noun}/${status.uuid}`)
  return (
    seq !== undefined &&
    status.generation !== null &&
    compareGeneration(status.generation, { incarnation: graph.incarnation, seq }) >= 0
  )
}

/** The change that a status asks for; undefined: nothing new. */
export function react(graph: Graph, agentUuid: string, status: Status, now: number): Change | undefined {
  if (status.condition === 'Gone') return carriedOut(graph, agentUuid, status)
  if (!current(graph, agentUuid, status)) return undefined
  if (status.noun === 'vm') return reactVm(graph, status, now)
  if (status.noun === 'pool' && status.condition === 'Ready') return reactPool(graph, agentUuid, status, now)
  return undefined
}

/** A tombstone was carried out: it need not be kept. */
function carriedOut(graph: Graph, agentUuid: string, status: Status): Change | undefined {
  const key = `${agentUuid}/${status.noun}/${status.uuid}`
  const row = graph.get('desired', key)
  if (!row?.['tombstone'] || !current(graph, agentUuid, status)) return undefined
  return {
    guards: [{ g: 'version', t: 'desired', k: key, seq: graph.version('desired', key)! }],
    ops: [{ o: 'del', t: 'desired', k: key }],
  }
}

/** A guest that stopped by itself is Stopped, and stays so (DESIGN §6); one that was out of sight is what it is seen to be. */
function reactVm(graph: Graph, status: Status, now: number): Change | undefined {
  const uuid = status.uuid
  const vm = graph.get('vmInstance', uuid) as Row | undefined
  if (!vm) return undefined
  const state = vm['state'] as string
  const { power, cause } = status.observed as { power?: string; cause?: string }
  const guards = [{ g: 'field' as const, t: 'vmInstance', k: uuid, field: 'state', in: [state] }]
  const fact = (to: string) => [
    { noun: 'vmInstance', uuid, event: 'state-changed', data: { from: state, to, cause: cause ?? null } },
  ]
  if ((state === 'Unknown' || state === 'Crashed' || state === 'NoState') && power === 'Running') {
    return {
      guards,
      ops: [{ o: 'set', t: 'vmInstance', k: uuid, v: { state: 'Running', stateCause: null, lastOpDate: now } }],
      facts: fact('Running'),
    }
  }
  if (['Running', 'Unknown', 'Paused', 'Crashed'].includes(state) && (power === 'Stopped' || power === 'Crashed')) {
    const set = {
      state: 'Stopped',
      stateCause: cause ?? 'guest',
      power: 'Stopped',
      powerCause: cause ?? 'guest',
      hostUuid: null,
      lastHostUuid: vm['hostUuid'] ?? vm['lastHostUuid'],
      lastOpDate: now,
    }
    return {
      guards,
      ops: [{ o: 'set', t: 'vmInstance', k: uuid, v: set }, ...releaseHost(graph, vm['hostUuid'], vm)],
      facts: fact('Stopped'),
    }
  }
  return undefined
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
  facts: { bootId?: string; version?: string; now: number },
): Change | undefined {
  const agent = graph.get('agent', agentUuid)
  if (!agent) return undefined
  const status = alive ? 'Connected' : 'Disconnected'
  const news: Row = {}
  if (agent['status'] !== status) news['status'] = status
  if (facts.bootId && agent['bootId'] !== facts.bootId) news['bootId'] = facts.bootId
  if (facts.version && agent['version'] !== facts.version) news['version'] = facts.version
  const ops: Op[] = Object.keys(news).length > 0 ? [{ o: 'set', t: 'agent', k: agentUuid, v: news }] : []
  const more =
    agent['kind'] === 'kvm'
      ? hostPresence(graph, agent['hostUuid'], alive, facts.now)
      : agent['kind'] === 'storage'
        ? storagePresence(graph, agentUuid, agent['hostUuid'], alive)
        : { ops: [], facts: [] }
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
  const facts = [{ noun: 'host', uuid: key, event: alive ? 'connected' : 'disconnected' }]
  if (!alive) {
    for (const vm of graph.by('vmInstance', 'hostUuid', key)) {
      if (graph.get('vmInstance', vm)?.['state'] !== 'Running') continue
      ops.push({ o: 'set', t: 'vmInstance', k: vm, v: { state: 'Unknown', stateCause: 'host-disconnected', lastOpDate: now } })
      facts.push({ noun: 'vmInstance', uuid: vm, event: 'state-changed' })
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
