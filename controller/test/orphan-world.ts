/** A VM that the graph has forgotten and the hosts have not: what a restore of an older backup leaves. */
import type { Op, Row } from '@skerry/contract'
import { documentOf } from '../src/agents/documents.ts'
import { findOrphans, type Held, orphanChange, orphanUuid } from '../src/orphans/find.ts'
import { dropNics } from '../src/workflows/vm.rows.ts'
import { releaseHost } from '../src/workflows/vm.state.ts'
import { dropVolumes } from '../src/workflows/volume.rows.ts'
import { type TestWorld, u } from './world.ts'

export const AGENTS = [u.kvm, u.storage, u.vrouter]
export const orphanedVm = orphanUuid(u.kvm, 'vm', u.vm)

/** Documents of the VM and its parts, by agent, as the agents hold them. */
export function heldOf(w: TestWorld, agentUuid: string): Held[] {
  const { graph } = w.state
  return [...graph.by('desired', 'agentUuid', agentUuid)].flatMap((key) => {
    const document = documentOf(graph, key)!
    return 'spec' in document ? [{ ...document, spec: document.spec as Row }] : []
  })
}

/** Takes the VM out of the graph as a restore does: no tombstone tells the hosts. Gives what the agents still hold. */
export async function forgetVm(w: TestWorld): Promise<Map<string, Held[]>> {
  const { graph } = w.state
  const held = new Map(AGENTS.map((agent) => [agent, heldOf(w, agent)]))
  const vm = graph.get('vmInstance', u.vm) as Row
  const names = [`vm/${u.vm}`, ...[...graph.by('volume', 'vmInstanceUuid', u.vm)].map((k) => `volume/${k}`)]
  for (const nic of graph.by('vmNic', 'vmInstanceUuid', u.vm)) names.push(`lease/${nic}`)
  const ops: Op[] = [
    ...names.flatMap((name) => [...graph.by('desired', 'of', name)]).map((k): Op => ({ o: 'del', t: 'desired', k })),
    ...releaseHost(graph, vm['hostUuid'], vm),
    ...dropNics(graph, u.vm),
    ...dropVolumes(graph, u.vm),
    { o: 'del', t: 'vmInstance', k: u.vm },
  ]
  await w.state.store.commit({ ops }, { actor: 'test' })
  return held
}

/** Every agent tells what it holds. */
export async function tell(w: TestWorld, held: ReadonlyMap<string, Held[]>): Promise<void> {
  for (const [agentUuid, documents] of held) {
    const statuses = documents.flatMap((d) => w.agents.status(agentUuid, d.noun, d.uuid) ?? [])
    const found = findOrphans(w.state.graph, { agentUuid, held: documents, statuses, now: 5 })
    const change = orphanChange(w.state.graph, agentUuid, found, 5)
    if (change) await w.commit(change)
  }
}
