/** Expected against observed, and the graph against itself. Pure; every difference says what to do about it. */
import type { InventoryItem, Row } from '@skerry/contract'
import type { Graph } from '@skerry/graph'
import type { AuditDifference } from '../http/ports.ts'
import type { Expected } from './expect.ts'

/** Kinds that may come and go by themselves: a lease ends when the guest is off, and is wrong only for a stranger. */
const transient = new Set(['dhcp-lease'])

const remedyForMissing: Record<string, string> = {
  'volume-file': 'its data is gone: restore it from a backup; it is never made anew', 'image-file': 'add the image again', 'image-ref': 'add the image again', domain: 'stop and start the VM instance: the agent defines it again',
}

export function compareHost(host: string, expected: readonly Expected[], observed: readonly InventoryItem[], knownMacs: ReadonlySet<string>): AuditDifference[] {
  const differences: AuditDifference[] = []
  const seen = new Map(observed.map((o) => [`${o.kind}/${o.id}`, o]))
  const wanted = new Set<string>()
  for (const e of expected) {
    const key = `${e.kind}/${e.id}`
    wanted.add(key)
    const found = seen.get(key)
    if (!found) {
      differences.push({ host, kind: e.kind, id: e.id, expected: 'present', observed: 'missing', remedy: remedyForMissing[e.kind] ?? 'its agent makes it again within its interval; if not, look at the agent\'s log' })
      continue
    }
    for (const [fact, value] of Object.entries(e.facts)) {
      const is = String(found.facts[fact] ?? '')
      if (is !== value) differences.push({ host, kind: e.kind, id: e.id, expected: `${fact} ${value}`, observed: `${fact} ${is || 'unknown'}`, remedy: 'its agent corrects it within its interval; if not, look at the agent\'s log' })
    }
  }
  for (const o of observed) {
    if (wanted.has(`${o.kind}/${o.id}`)) continue
    if (transient.has(o.kind) && knownMacs.has(String(o.facts['mac']))) continue
    differences.push({ host, kind: o.kind, id: o.id, expected: 'absent', observed: 'present', remedy: `nobody wants it any more, and without a tombstone no agent deletes: remove it by hand after a look${o.owner ? ` (it belonged to ${o.owner})` : ''}` })
  }
  return differences
}

/** Counters against the sums of what they count. */
export function compareCounters(graph: Graph): AuditDifference[] {
  const differences: AuditDifference[] = []
  const check = (kind: string, id: string, row: Readonly<Row>, field: string, expected: number) => {
    if (row[field] !== expected) differences.push({ host: 'controller', kind, id, expected: `${field} ${expected}`, observed: `${field} ${row[field]}`, remedy: 'this is a defect: please report it with a support bundle' })
  }
  for (const [uuid, host] of graph.rows('host')) {
    const vms = [...graph.by('vmInstance', 'hostUuid', uuid)].map((k) => graph.get('vmInstance', k)!)
    const sum = (field: string) => vms.reduce((n, vm) => n + (vm[field] as number), 0)
    check('host', uuid, host, 'availableCpuCapacity', (host['totalCpuCapacity'] as number) - sum('cpuNum'))
    check('host', uuid, host, 'availableMemoryCapacity', (host['totalMemoryCapacity'] as number) - sum('memorySize'))
  }
  for (const [key, part] of graph.rows('localStorageHost')) {
    let used = 0
    for (const k of graph.by('volume', 'localHostUuid', part['hostUuid'])) {
      const volume = graph.get('volume', k)!
      if (volume['primaryStorageUuid'] === part['primaryStorageUuid']) used += volume['size'] as number
    }
    check('localStorageHost', key, part, 'availableCapacity', (part['totalCapacity'] as number) - (part['systemUsedCapacity'] as number) - used)
  }
  for (const [uuid, ps] of graph.rows('primaryStorage')) {
    const parts = [...graph.by('localStorageHost', 'primaryStorageUuid', uuid)].map((k) => graph.get('localStorageHost', k)!)
    check('primaryStorage', uuid, ps, 'availableCapacity', parts.reduce((n, p) => n + (p['availableCapacity'] as number), 0))
  }
  return differences
}

/** Addresses without a NIC, and NICs without their address. */
export function compareAddresses(graph: Graph): AuditDifference[] {
  const differences: AuditDifference[] = []
  const remedy = 'this is a defect: please report it with a support bundle'
  for (const [key, ip] of graph.rows('usedIp')) {
    if (ip['vmNicUuid'] !== null && !graph.get('vmNic', ip['vmNicUuid'] as string)) differences.push({ host: 'controller', kind: 'usedIp', id: key, expected: 'held by a NIC', observed: 'held by nobody', remedy })
  }
  for (const [key, nic] of graph.rows('vmNic')) {
    if (graph.get('usedIp', `${nic['l3NetworkUuid']}:${nic['ip']}`)?.['vmNicUuid'] !== key) differences.push({ host: 'controller', kind: 'vmNic', id: key, expected: `holds ${nic['ip']}`, observed: 'does not hold it', remedy })
    if (!graph.get('vmInstance', nic['vmInstanceUuid'] as string)) differences.push({ host: 'controller', kind: 'vmNic', id: key, expected: 'belongs to a VM instance', observed: 'its VM instance is gone', remedy })
  }
  return differences
}
