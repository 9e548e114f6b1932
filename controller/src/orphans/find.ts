/**
 * Which things on a host nobody knows of: documents that an agent holds and the graph doesn't have, what carries our mark without any
 * document, and VMs that were made without us. Pure: reports in, rows and the change that records them out.
 */
import { createHash } from 'node:crypto'
import type { Change, Fact, Generation, kvmDesired, Op, Row, Status, storageDesired, vrouterDesired } from '@skerry/contract'
import { canonicalJson } from '@skerry/contract'
import type { Graph } from '@skerry/graph'
import { addressOps, countOps, holdsOf, holdsOfOutside } from './holds.ts'

/** A document as its agent holds it; `spec` null: the agent is too old to say more than that there is one. */
export interface Held {
  noun: string
  uuid: string
  generation: Generation
  spec: Row | null
}

export interface Seen {
  agentUuid: string
  held: readonly Held[]
  statuses: readonly Status[]
  now: number
}

/** A UUIDv4-shaped id that follows from what it names: an orphan found again is the same one. */
export function orphanUuid(agentUuid: string, noun: string, uuid: string): string {
  const hex = createHash('sha256').update(`${agentUuid}/${noun}/${uuid}`).digest('hex')
  return `${hex.slice(0, 12)}4${hex.slice(13, 16)}${'89ab'[Number.parseInt(hex[16]!, 16) & 3]}${hex.slice(17, 32)}`
}

interface About {
  agentUuid: string
  hostUuid: string | null
  now: number
}

function rowOf(graph: Graph, about: About, thing: { noun: string; uuid: string; spec: Row | null; observed: Row }): Row {
  const { noun, uuid: ownUuid, spec } = thing
  const uuid = orphanUuid(about.agentUuid, noun, ownUuid)
  // Sizes and leases move all the time; what moves by itself never enters the log.
  const observed: Row = noun === 'vm' ? { power: thing.observed['power'] ?? 'Unknown' } : {}
  const outside = thing.observed['outside'] as kvmDesired.OutsideVm | undefined
  const machine = outside && machineOf(outside)
  return {
    uuid,
    name: outside?.name ?? nameOf(noun, ownUuid, spec),
    description: null,
    createDate: about.now,
    lastOpDate: about.now,
    ...{ noun, ownUuid, agentUuid: about.agentUuid, hostUuid: about.hostUuid },
    condition: 'Orphaned',
    partOfUuid: null,
    adoptable: machine ? machine.hindrances?.length === 0 : noun === 'vm' && spec !== null,
    ...showing(noun, spec),
    observed,
    since: about.now,
    spec,
    holds: outside ? holdsOfOutside(outside, observed) : holdsOf(graph, { noun, spec, observed }),
    ...(outside ? { outside: true, machine, macs: outside.macs, paths: outside.paths } : {}),
  }
}

const machineOf = ({ name: _, paths: _paths, macs: _macs, ...machine }: kvmDesired.OutsideVm) => machine

function nameOf(noun: string, uuid: string, spec: Row | null): string {
  const own = noun === 'vm' ? spec?.['name'] : noun === 'lease' ? spec?.['hostname'] : undefined
  return typeof own === 'string' && noun === 'vm' ? own : `${noun}-${own ?? uuid.slice(0, 8)}`
}

function showing(noun: string, spec: Row | null): { ips: string[]; macs: string[]; paths: string[] } {
  const none = { ips: [], macs: [], paths: [] }
  if (spec === null) return none
  if (noun === 'vm') {
    const { nics, disks } = spec as kvmDesired.VmSpec
    return { ips: nics.map((n) => n.ip), macs: nics.map((n) => n.mac), paths: disks.map((d) => d.path) }
  }
  if (noun === 'lease') {
    const { ip, mac } = spec as vrouterDesired.LeaseSpec
    return { ...none, ips: [ip], macs: [mac] }
  }
  const path = (spec as Partial<storageDesired.PoolSpec>).path
  return path === undefined ? none : { ...none, paths: [path] }
}

/** Rows of all orphans of one agent. What is under a tombstone is about to go, and is none. */
export function findOrphans(graph: Graph, { agentUuid, held, statuses, now }: Seen): Row[] {
  const hostUuid = (graph.get('agent', agentUuid)?.['hostUuid'] as string | null | undefined) ?? null
  const known = (noun: string, uuid: string) => graph.get('desired', `${agentUuid}/${noun}/${uuid}`) !== undefined
  const statusOf = new Map(statuses.map((s) => [`${s.noun}/${s.uuid}`, s]))
  const about = { agentUuid, hostUuid, now }
  const found = new Map<string, Row>()
  for (const { noun, uuid, spec } of held) {
    if (known(noun, uuid)) continue
    const observed = (statusOf.get(`${noun}/${uuid}`)?.observed ?? {}) as Row
    found.set(`${noun}/${uuid}`, rowOf(graph, about, { noun, uuid, spec, observed }))
  }
  for (const { noun, uuid, condition, observed } of statuses) {
    const key = `${noun}/${uuid}`
    if (condition === 'Orphaned' && !known(noun, uuid) && !found.has(key))
      found.set(key, rowOf(graph, about, { noun, uuid, spec: null, observed: observed as Row }))
  }
  return [...found.values()]
}

/** The VM that a disk or lease is a part of, by its own uuid. */
function wholes(rows: readonly Readonly<Row>[]): Map<string, string> {
  const found = new Map<string, string>()
  for (const row of rows) {
    const spec = row['noun'] === 'vm' ? (row['spec'] as kvmDesired.VmSpec | null) : null
    for (const disk of spec?.disks ?? []) found.set(`volume/${disk.volumeUuid}`, row['uuid'] as string)
    for (const nic of spec?.nics ?? []) found.set(`lease/${nic.nicUuid}`, row['uuid'] as string)
  }
  return found
}

const same = (a: unknown, b: unknown) => canonicalJson(a) === canonicalJson(b)
const MOVING = ['name', 'hostUuid', 'adoptable', 'ips', 'macs', 'paths', 'observed', 'machine', 'spec', 'holds'] as const

/** What makes these the orphans of the agent; undefined: they are already. */
export function orphanChange(graph: Graph, agentUuid: string, found: readonly Row[], now: number): Change | undefined {
  const ops: Op[] = []
  const facts: Fact[] = []
  const wanted = new Map(found.map((row) => [row['uuid'] as string, row]))
  const all = [...graph.rows('orphan')].map(([, row]) => row)
  const mine = all.filter((row) => row['agentUuid'] === agentUuid)
  const gone = mine.filter((row) => !wanted.has(row['uuid'] as string))
  for (const row of gone) {
    ops.push({ o: 'del', t: 'orphan', k: row['uuid'] as string }, ...countOps(graph, row, 1))
    facts.push({ noun: 'orphan', uuid: row['uuid'] as string, event: 'gone' })
  }
  const after = all.filter((row) => row['agentUuid'] !== agentUuid)
  const moved: Readonly<Row>[] = []
  for (const [uuid, row] of wanted) {
    const old = graph.get('orphan', uuid)
    if (!old) {
      ops.push({ o: 'put', t: 'orphan', k: uuid, v: row }, ...countOps(graph, row, -1))
      facts.push({ noun: 'orphan', uuid, event: 'found', data: { noun: row['noun'], ownUuid: row['ownUuid'] } })
    } else {
      const news = Object.fromEntries(MOVING.filter((f) => !same(old[f] ?? null, row[f] ?? null)).map((f) => [f, row[f] ?? null]))
      if (Object.keys(news).length > 0) {
        ops.push({ o: 'set', t: 'orphan', k: uuid, v: { ...news, lastOpDate: now } })
        if ('holds' in news || 'hostUuid' in news) {
          ops.push(...countOps(graph, old, 1), ...countOps(graph, row, -1))
          moved.push(old)
        }
      }
    }
    after.push({ ...row, partOfUuid: old?.['partOfUuid'] ?? null })
  }
  if (ops.length > 0) ops.push(...addressOps(graph, after, [...gone, ...moved], now))
  const partOf = wholes(after)
  for (const row of after) {
    const whole = partOf.get(`${row['noun']}/${row['ownUuid']}`) ?? null
    if (row['partOfUuid'] !== whole) ops.push({ o: 'set', t: 'orphan', k: row['uuid'] as string, v: { partOfUuid: whole } })
  }
  return ops.length > 0 ? { ops, facts } : undefined
}

/**
 * Operations that take orphans out of the graph with all that is kept for them: they are adopted, or about to be removed.
 * `counts` false: what they used goes too, with its host.
 */
export function dropOrphans(graph: Graph, uuids: readonly string[], now: number, counts = true): Op[] {
  const dropped = new Set(uuids)
  const rows = [...graph.rows('orphan')].map(([, row]) => row)
  const gone = rows.filter((row) => dropped.has(row['uuid'] as string))
  const after = rows.filter((row) => !dropped.has(row['uuid'] as string))
  return [
    ...gone.flatMap((row): Op[] => [
      { o: 'del', t: 'orphan', k: row['uuid'] as string },
      ...(counts ? countOps(graph, row, 1) : []),
    ]),
    ...addressOps(graph, after, gone, now),
  ]
}
