/** GC jobs follow tombstones of agents that are away: rows that show what waits, and when it was done. Pure. */
import { hash } from 'node:crypto'
import type { Change, Fact, Op, Row } from '@skerry/contract'
import type { Graph } from '@skerry/graph'
import { configMs } from '../configs/value.ts'

/** Changes of one commit: a host with many guests comes in several. */
const BATCH = 1_000

/** Of a tombstone, shaped as a UUIDv4: the same resource may be deleted twice from one agent, but not by one job. */
export function gcJobId(key: string, job: unknown): string {
  const hex = hash('sha256', `gc/${key}/${job ?? ''}`)
  return `${hex.slice(0, 12)}4${hex.slice(13, 16)}${'89ab'[Number.parseInt(hex[16]!, 16) & 3]}${hex.slice(17, 32)}`
}

interface Context {
  noun: string
  uuid: string
  job: string | null
}
const contextOf = (row: Readonly<Row>) => JSON.parse(row['context'] as string) as Context

/** Key of the tombstone that a GC job is about, while it is there. */
export function tombstoneOf(graph: Graph, row: Readonly<Row>): string | undefined {
  const { noun, uuid, job } = contextOf(row)
  const key = `${row['agentUuid']}/${noun}/${uuid}`
  const desired = graph.get('desired', key)
  return desired?.['tombstone'] && (desired['job'] ?? null) === job ? key : undefined
}

const connected = (graph: Graph, agentUuid: unknown) => graph.get('agent', agentUuid as string)?.['status'] === 'Connected'

function missing(graph: Graph, key: string, o: { now: number; nodeUuid: string; agent: Readonly<Row> }): Op | undefined {
  const row = graph.get('desired', key)!
  const uuid = gcJobId(key, row['job'])
  if (graph.get('gcJob', uuid)) return undefined
  const context: Context = {
    noun: row['noun'] as string,
    uuid: row['uuid'] as string,
    job: (row['job'] as string | null) ?? null,
  }
  const v: Row = {
    uuid,
    name: `remove ${context.noun} ${context.uuid}`,
    description: null,
    createDate: o.now,
    lastOpDate: o.now,
    runnerClass: `remove-${context.noun}`,
    context: JSON.stringify(context),
    status: 'Idle',
    managementNodeUuid: o.nodeUuid,
    type: 'EventBased',
    agentUuid: row['agentUuid'],
    hostUuid: o.agent['hostUuid'] ?? null,
  }
  return { o: 'put', t: 'gcJob', k: uuid, v }
}

/** What has become of those that are not done. */
function followed(graph: Graph, uuid: string, now: number): Op | undefined {
  const row = graph.get('gcJob', uuid)!
  const pending = tombstoneOf(graph, row) !== undefined
  const status = !pending ? 'Done' : connected(graph, row['agentUuid']) ? 'Processing' : 'Idle'
  return status === row['status'] ? undefined : { o: 'set', t: 'gcJob', k: uuid, v: { status, lastOpDate: now } }
}

/** Brings the rows in line with tombstones and agents; undefined: they are. Asked again when it is committed, it gives the next batch. */
export function gcChange(graph: Graph, o: { now: number; nodeUuid: string }): Change | undefined {
  const ops: Op[] = []
  const facts: Fact[] = []
  const add = (op: Op | undefined, event: string) => {
    if (!op) return
    ops.push(op)
    facts.push({ noun: 'gcJob', uuid: op.k, event })
  }
  for (const status of ['Idle', 'Processing'])
    for (const uuid of graph.by('gcJob', 'status', status)) {
      const op = followed(graph, uuid, o.now)
      add(op, op?.o === 'set' && op.v['status'] === 'Done' ? 'done' : 'updated')
    }
  for (const [agentUuid, agent] of graph.rows('agent'))
    if (agent['status'] !== 'Connected')
      for (const key of graph.by('desired', 'tombstonesOf', agentUuid))
        if (ops.length < BATCH) add(missing(graph, key, { ...o, agent }), 'created')
  const keptMs = configMs(graph, 'gc.retentionTime')
  for (const uuid of graph.by('gcJob', 'status', 'Done'))
    if (ops.length < BATCH && o.now - (graph.get('gcJob', uuid)!['lastOpDate'] as number) > keptMs)
      ops.push({ o: 'del', t: 'gcJob', k: uuid })
  return ops.length > 0 ? { ops, facts } : undefined
}
