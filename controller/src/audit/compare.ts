/** Expected against observed, and the graph against itself. Pure; every difference says what to do about it. */
import type { InventoryItem, OrphanHolds, Row } from '@skerry/contract'
import type { Graph } from '@skerry/graph'
import type { AuditDifference } from '../http/ports.ts'
import type { Expected } from './expect.ts'

/** Kinds that may come and go by themselves: a lease ends when the guest is off, and is wrong only for a stranger. */
const transient = new Set(['dhcp-lease'])

const remedyForMissing: Record<string, string> = {
  'volume-file': 'its data is gone: restore it from a backup; it is never made anew',
  'image-file': 'add the image again',
  'image-ref': 'add the image again',
  domain: 'stop and start the VM instance: the agent defines it again',
}

export interface HostAudit {
  host: string
  expected: readonly Expected[]
  observed: readonly InventoryItem[]
  /** MACs of all NICs: their leases are welcome */
  knownMacs: ReadonlySet<string>
  /** uuids of what is listed as an orphan: a person is to decide */
  orphans?: ReadonlySet<string>
  /** uuids of volumes: nobody is told to remove one of their files */
  volumes?: ReadonlySet<string>
}

export function compareHost(audit: HostAudit): AuditDifference[] {
  const seen = new Map(audit.observed.map((o) => [`${o.kind}/${o.id}`, o]))
  const wanted = new Set(audit.expected.map((e) => `${e.kind}/${e.id}`))
  const expected = audit.expected.flatMap((e) => asAdopted(e, seen))
  return [...expected.flatMap((e) => compareItem(audit.host, e, seen.get(`${e.kind}/${e.id}`))), ...unwanted(audit, wanted)]
}

/** A guest that was adopted while it ran has the disks and taps that somebody else named until its next start. */
function asAdopted(e: Expected, seen: ReadonlyMap<string, InventoryItem>): Expected[] {
  const domain = seen.get(`domain/${e.vm ?? (e.kind === 'domain' ? e.id : '')}`)
  if (domain?.facts['adopted'] !== true) return [e]
  const { disks: _, ...facts } = e.facts
  return e.vm ? [] : [{ ...e, facts }]
}

/** One thing that should be there, with the facts that should hold. */
function compareItem(host: string, e: Expected, found: InventoryItem | undefined): AuditDifference[] {
  const { kind, id } = e
  const its = "its agent corrects it within its interval; if not, look at the agent's log"
  if (!found) return [{ host, kind, id, expected: 'present', observed: 'missing', remedy: remedyForMissing[kind] ?? its }]
  return Object.entries(e.facts).flatMap(([fact, value]) => {
    const is = String(found.facts[fact] ?? '')
    return is === value
      ? []
      : [{ host, kind, id, expected: `${fact} ${value}`, observed: `${fact} ${is || 'unknown'}`, remedy: its }]
  })
}

/** What carries our mark and is wanted by nobody. */
function unwanted({ host, observed, knownMacs, orphans, volumes }: HostAudit, wanted: ReadonlySet<string>): AuditDifference[] {
  const strangers = observed.filter(
    (o) => !wanted.has(`${o.kind}/${o.id}`) && !(transient.has(o.kind) && knownMacs.has(String(o.facts['mac']))),
  )
  return strangers.map(({ kind, id, owner }) => {
    const whose = owner ? ` (it belonged to ${owner})` : ''
    if (owner && orphans?.has(owner)) {
      const remedy = 'skerry get orphans shows what it belongs to; skerry adopt orphan or skerry remove orphan'
      return { host, kind, id, expected: 'known', observed: 'orphaned', remedy }
    }
    // A file of a volume may be what all its others lie on.
    if (kind === 'volume-file' && owner && volumes?.has(owner)) {
      const remedy = `it belongs to volume ${owner}, whose other files may lie on it: leave it, and look at the volume's conditions`
      return { host, kind, id, expected: 'known', observed: 'unknown', remedy }
    }
    const remedy = `nobody wants it any more, and without a tombstone no agent deletes: remove it by hand after a look${whose}`
    return { host, kind, id, expected: 'absent', observed: 'present', remedy }
  })
}

const DEFECT = 'this is a defect: please report it with a support bundle'

/** Sum of a field over the rows that an index finds. */
function sumBy(
  graph: Graph,
  of: { table: string; field: string; value: string },
  sum: string,
  only: (row: Readonly<Row>) => boolean = () => true,
): number {
  let total = 0
  for (const key of graph.by(of.table, of.field, of.value)) {
    const row = graph.get(of.table, key)!
    if (only(row)) total += row[sum] as number
  }
  return total
}

const holdsOn = (graph: Graph, hostUuid: unknown) =>
  [...graph.by('orphan', 'hostUuid', hostUuid)].map((k) => graph.get('orphan', k)!['holds'] as OrphanHolds)

/** What orphans use of a host, and of its part of a storage. */
function keptOn(graph: Graph, hostUuid: string): { cpuNum: number; memoryBytes: number } {
  const holds = holdsOn(graph, hostUuid)
  return { cpuNum: holds.reduce((n, h) => n + h.cpuNum, 0), memoryBytes: holds.reduce((n, h) => n + h.memoryBytes, 0) }
}

const keptIn = (graph: Graph, part: Readonly<Row>) =>
  holdsOn(graph, part['hostUuid'])
    .filter((h) => h.poolUuid === part['primaryStorageUuid'])
    .reduce((n, h) => n + h.diskBytes, 0)

/** Counters against the sums of what they count. */
export function compareCounters(graph: Graph): AuditDifference[] {
  const differences: AuditDifference[] = []
  const check = (where: { kind: string; id: string; row: Readonly<Row> }, field: string, expected: number) => {
    const { kind, id, row } = where
    if (row[field] !== expected)
      differences.push({
        host: 'controller',
        kind,
        id,
        expected: `${field} ${expected}`,
        observed: `${field} ${row[field]}`,
        remedy: DEFECT,
      })
  }
  for (const [id, row] of graph.rows('host')) {
    const vms = { table: 'vmInstance', field: 'hostUuid', value: id }
    const kept = keptOn(graph, id)
    check(
      { kind: 'host', id, row },
      'availableCpuCapacity',
      (row['totalCpuCapacity'] as number) - sumBy(graph, vms, 'cpuNum') - kept.cpuNum,
    )
    check(
      { kind: 'host', id, row },
      'availableMemoryCapacity',
      (row['totalMemoryCapacity'] as number) - sumBy(graph, vms, 'memorySize') - kept.memoryBytes,
    )
  }
  for (const [id, row] of graph.rows('localStorageHost')) {
    const used = sumBy(
      graph,
      { table: 'volume', field: 'localHostUuid', value: row['hostUuid'] as string },
      'size',
      (v) => v['primaryStorageUuid'] === row['primaryStorageUuid'],
    )
    const kept = sumBy(
      graph,
      { table: 'volumeSnapshot', field: 'primaryStorageUuid', value: row['primaryStorageUuid'] as string },
      'size',
      (s) => graph.get('volume', s['volumeUuid'] as string)?.['localHostUuid'] === row['hostUuid'],
    )
    check(
      { kind: 'localStorageHost', id, row },
      'availableCapacity',
      (row['totalCapacity'] as number) - (row['systemUsedCapacity'] as number) - used - kept - keptIn(graph, row),
    )
  }
  for (const [id, row] of graph.rows('primaryStorage')) {
    check(
      { kind: 'primaryStorage', id, row },
      'availableCapacity',
      sumBy(graph, { table: 'localStorageHost', field: 'primaryStorageUuid', value: id }, 'availableCapacity'),
    )
  }
  return differences
}

/** Addresses without a NIC, and NICs without their address. */
export function compareAddresses(graph: Graph): AuditDifference[] {
  const differences: AuditDifference[] = []
  const remedy = DEFECT
  for (const [key, ip] of graph.rows('usedIp')) {
    if (ip['vmNicUuid'] !== null && !graph.get('vmNic', ip['vmNicUuid'] as string))
      differences.push({
        host: 'controller',
        kind: 'usedIp',
        id: key,
        expected: 'held by a NIC',
        observed: 'held by nobody',
        remedy,
      })
  }
  for (const [key, nic] of graph.rows('vmNic')) {
    if (graph.get('usedIp', `${nic['l3NetworkUuid']}:${nic['ip']}`)?.['vmNicUuid'] !== key)
      differences.push({
        host: 'controller',
        kind: 'vmNic',
        id: key,
        expected: `holds ${nic['ip']}`,
        observed: 'does not hold it',
        remedy,
      })
    if (!graph.get('vmInstance', nic['vmInstanceUuid'] as string))
      differences.push({
        host: 'controller',
        kind: 'vmNic',
        id: key,
        expected: 'belongs to a VM instance',
        observed: 'its VM instance is gone',
        remedy,
      })
  }
  return differences
}
