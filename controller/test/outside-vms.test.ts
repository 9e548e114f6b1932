/** VMs that somebody made on a host without us: shown, what they use is not given away, and nobody touches them. */
import type { Status } from '@skerry/contract'
import { beforeEach, describe, expect, it } from 'vitest'
import { compareAddresses, compareCounters } from '../src/audit/compare.ts'
import { orphanFindings } from '../src/conditions/resources.ts'
import { findOrphans, orphanChange, orphanUuid } from '../src/orphans/find.ts'
import { actions } from '../src/workflows/index.ts'
import { GIB, id, makeWorld, type TestWorld, u } from './world.ts'
import { site } from './world-site.ts'

const uuid = id('outside')
const orphan = orphanUuid(u.kvm, 'vm', uuid)
const MAC = '52:54:00:00:00:01'
let w: TestWorld

/** What agent-kvm tells of it; null: that it is gone. */
async function told(power: string | null, memoryBytes = 2 * GIB): Promise<void> {
  const outside = { name: 'mine', cpuNum: 2, memoryBytes, paths: ['/srv/mine.qcow2'], macs: [MAC] }
  const status = {
    noun: 'vm',
    uuid,
    generation: null,
    condition: 'Orphaned',
    observed: { power, cause: 'outside', pid: null, outside },
  }
  const statuses = power === null ? [] : [status as unknown as Status]
  const found = findOrphans(w.state.graph, { agentUuid: u.kvm, held: [], statuses, now: 5 })
  const change = orphanChange(w.state.graph, u.kvm, found, 5)
  if (change) await w.commit(change)
}
const free = () => {
  const { availableCpuCapacity, availableMemoryCapacity } = w.state.graph.get('host', u.host) as Record<string, number>
  return [availableCpuCapacity, availableMemoryCapacity]
}
const contradictions = () => [...compareCounters(w.state.graph), ...compareAddresses(w.state.graph)]
const check = (name: string) => () =>
  actions.get(name)!.check!({ graph: w.state.graph, params: {}, uuid: orphan, table: 'orphan' })

beforeEach(async () => {
  w = await makeWorld()
  await site(w)
})

describe('a VM that was made without Skerry', () => {
  it('is shown with its name, its host, its power and its disks, and is nothing wrong', async () => {
    await told('Running')
    expect(w.state.graph.get('orphan', orphan)).toMatchObject({
      ...{ name: 'mine', noun: 'vm', ownUuid: uuid, hostUuid: u.host, outside: true, adoptable: false },
      ...{ macs: [MAC], paths: ['/srv/mine.qcow2'], observed: { power: 'Running' } },
    })
    expect(orphanFindings(w.state.graph, orphan)).toEqual([])
    await w.commit({ ops: [{ o: 'set', t: 'orphan', k: orphan, v: { outside: false } }] })
    expect(orphanFindings(w.state.graph, orphan)).toHaveLength(1)
  })

  it('takes of its host while it is on, and nothing when it is off or gone; its MAC is kept', async () => {
    const [cpus, memory] = free() as [number, number]
    await told('Running')
    expect(free()).toEqual([cpus - 2, memory - 2 * GIB])
    await told('Running', 3 * GIB)
    expect(free()).toEqual([cpus - 2, memory - 3 * GIB])
    await told('Stopped')
    expect(free()).toEqual([cpus, memory])
    expect(w.state.graph.get('usedMac', MAC)).toBeDefined()
    expect(contradictions()).toEqual([])
    await told('Paused')
    await told(null)
    expect(free()).toEqual([cpus, memory])
    expect(w.state.graph.get('usedMac', MAC)).toBeUndefined()
    expect([w.state.graph.count('orphan'), contradictions()]).toEqual([0, []])
  })

  it('is refused to whoever would remove it, or adopt what its agent is too old to describe: neither tells its agent anything', async () => {
    await told('Stopped')
    expect(check('orphan.adopt')).toThrow('its agent is too old to say what it consists of')
    expect(check('orphan.remove')).toThrow('touches nothing that it did not make')
    expect([...w.state.graph.by('desired', 'of', `vm/${uuid}`)]).toEqual([])
  })
})
