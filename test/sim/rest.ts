/** What must hold once all is quiet: what is wanted, what is recorded and what there is are one, and nothing is left over. */
import type { Row } from '@skerry/contract'
import { subjects } from '@skerry/contract'
import { compareAddresses, compareCounters, documentOf } from '@skerry/controller/in-process'
import { AGENT_KINDS } from '../harness/fake-machine.ts'
import type { SimHost } from './host.ts'
import { type Graph, rowsOf } from './invariants.ts'
import type { SimSite } from './site.ts'

/** Everything in which what is wanted and what there is are not one; empty once all is quiet. */
export async function atRest(site: SimSite): Promise<string[]> {
  const process = site.controllers.running
  if (!process) return ['there is no controller']
  const { graph } = process.controller.state
  const found: string[] = []
  for (const [uuid, job] of rowsOf(graph, 'job'))
    if (!['done', 'failed'].includes(job['state'] as string)) found.push(`job ${job['api']} ${uuid} is ${job['state']}`)
  for (const [key, row] of rowsOf(graph, 'desired')) if (row['tombstone']) found.push(`tombstone ${key} was not carried out`)
  for (const [uuid, agent] of rowsOf(graph, 'agent'))
    if (agent['status'] !== 'Connected') found.push(`agent ${uuid} is ${agent['status']}`)
  for (const [uuid, host] of rowsOf(graph, 'host'))
    if (host['status'] !== 'Connected') found.push(`host ${uuid} is ${host['status']}`)
  for (const [uuid, orphan] of rowsOf(graph, 'orphan')) found.push(`orphan ${uuid}: ${JSON.stringify(orphan)}`)
  found.push(...guests(site, graph), ...leftOver(graph))
  if (found.length > 0) return found
  for (const host of hostsOf(site, graph)) found.push(...(await digests(site, graph, host)))
  const { body } = await site.client.own('/audit/hosts')
  for (const d of (body?.['differences'] ?? [{ failed: body }]) as Row[]) found.push(`audit: ${JSON.stringify(d)}`)
  for (const d of [...compareCounters(graph), ...compareAddresses(graph)]) found.push(`books: ${JSON.stringify(d)}`)
  return found
}

/** Those whose agents the controller knows. */
const hostsOf = (site: SimSite, graph: Graph): SimHost[] =>
  site.hosts.filter(({ managementIp }) => [...graph.by('agent', 'managementIp', managementIp)].length > 0)

function* guests(site: SimSite, graph: Graph): Generator<string> {
  const domains = new Map<string, { runs: boolean; on: string }>()
  for (const { name, machine } of hostsOf(site, graph))
    for (const { uuid, state } of machine.libvirt.inventory()) {
      const other = domains.get(uuid)
      if (other) yield `domain ${uuid} is on ${other.on} and on ${name}`
      domains.set(uuid, { runs: state === 'running', on: name })
    }
  for (const [uuid, vm] of rowsOf(graph, 'vmInstance')) {
    const runs = domains.get(uuid)?.runs ?? false
    if ((vm['state'] === 'Running') !== runs) yield `vm ${uuid} is ${vm['state']}, and its domain ${runs ? 'runs' : 'does not'}`
    if (!['Running', 'Stopped', 'Destroyed'].includes(vm['state'] as string)) yield `vm ${uuid} is ${vm['state']}`
    // Nobody in this world ends a guest but by an order.
    if ((vm['power'] === 'Running') !== runs) yield `vm ${uuid} should be ${vm['power']}, and ${runs ? 'runs' : 'does not run'}`
  }
  for (const [uuid, { on }] of domains)
    if (!graph.get('vmInstance', uuid)) yield `domain ${uuid} is left on ${on} of a VM that is no more`
}

/** Rows that belong to nobody, or wait for something that never comes. */
function* leftOver(graph: Graph): Generator<string> {
  for (const [uuid, volume] of rowsOf(graph, 'volume')) {
    if (volume['status'] === 'Creating') yield `volume ${uuid} is being created for ever`
    if (volume['vmInstanceUuid'] && !graph.get('vmInstance', volume['vmInstanceUuid'] as string))
      yield `volume ${uuid} is attached to a VM that is no more`
    if (volume['localHostUuid'] && !graph.get('host', volume['localHostUuid'] as string))
      yield `volume ${uuid} lies on a host that is no more`
  }
  for (const [uuid, snapshot] of rowsOf(graph, 'volumeSnapshot')) {
    if (!graph.get('volume', snapshot['volumeUuid'] as string)) yield `snapshot ${uuid} is of a volume that is no more`
    if (snapshot['status'] !== 'Ready') yield `snapshot ${uuid} is ${snapshot['status']} for ever`
  }
  for (const [uuid, nic] of rowsOf(graph, 'vmNic'))
    if (!graph.get('vmInstance', nic['vmInstanceUuid'] as string)) yield `card ${uuid} is of a VM that is no more`
  for (const [uuid, host] of rowsOf(graph, 'host'))
    if (host['state'] === 'PreMaintenance') yield `host ${uuid} is on its way to maintenance for ever`
}

/** Document by document: what agents hold is what the graph wants. */
async function digests(site: SimSite, graph: Graph, { machine, name }: SimHost): Promise<string[]> {
  const found: string[] = []
  for (const kind of AGENT_KINDS) {
    const uuid = machine.agents[kind]
    const answer = (await site.ask(subjects.do(kind, uuid, 'agent', uuid, 'digest'), {})) as { entries: Row[] } | undefined
    const line = (d: { noun: string; uuid: string; generation: unknown; hash: string }) =>
      `${d.noun}/${d.uuid} ${JSON.stringify(d.generation)} ${d.hash}`
    const has = new Set(((answer?.entries ?? []) as Parameters<typeof line>[0][]).map(line))
    const wanted = new Set<string>()
    for (const key of graph.by('desired', 'agentUuid', uuid)) {
      const document = documentOf(graph, key)
      if (document && 'hash' in document) wanted.add(line(document))
    }
    for (const one of wanted) if (!has.has(one)) found.push(`agent-${kind} of ${name} lacks ${one}`)
    for (const one of has) if (!wanted.has(one)) found.push(`agent-${kind} of ${name} holds ${one}, which nobody wants`)
  }
  return found
}
