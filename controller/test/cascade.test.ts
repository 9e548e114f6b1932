/** Deletions with all that hangs on them, guests included: whole or not at all, wherever they are disturbed. */
import { type Row, SkerryError } from '@skerry/contract'
import { prove } from '@skerry/workflow'
import { describe, expect, it } from 'vitest'
import { compareCounters } from '../src/audit/compare.ts'
import type { PlanNode } from '../src/engine/port.ts'
import { actions } from '../src/workflows/index.ts'
import { after, created, on, vm } from './before.ts'
import { call, done, ready } from './engine-calls.ts'
import { GIB, id, proven, type TestWorld, u, vmParams } from './world.ts'

const cases: [string, string, string][] = [
  ['resource.delete', 'zone', u.zone],
  ['host.delete', 'host', u.host],
  ['ipRange.delete', 'ipRange', u.range],
  ['resource.delete', 'instanceOffering', u.offering],
]

describe('with a guest that runs', () => {
  it.each(cases)('%s of a %s fails, repeats, undoes and survives a kill at every step', async (name, table, uuid) => {
    const report = await prove(actions.get(name)!.workflow, () => proven(after([created], on(table, uuid))))
    expect(report.steps).toEqual(table === 'instanceOffering' ? ['check'] : ['check', 'mark-guests', 'power-off'])
  })

  it('that was destroyed already, a zone goes too', async () => {
    await prove(actions.get('resource.delete')!.workflow, () => proven(after([created, ['vm.destroy', vm]], on('zone', u.zone))))
  })
})

/** An engine with a VM that runs. */
async function running() {
  const { w, engine } = await ready()
  const { graph } = w.state
  const job = await done(engine, call('CreateVmInstance', vmParams))
  await w.agents.settle()
  const uuid = (job.result!['inventory'] as Row)['uuid'] as string
  return { w, engine, graph, uuid, vm: () => graph.get('vmInstance', uuid) }
}
const left = (w: TestWorld, ...tables: string[]) => tables.filter((t) => w.state.graph.count(t) > 0)
const capacities = ({ state: { graph } }: TestWorld) => {
  const host = graph.get('host', u.host)
  return [
    host?.['availableCpuCapacity'],
    host?.['availableMemoryCapacity'],
    graph.get('primaryStorage', u.ps)?.['availableCapacity'],
  ]
}
const WHOLE = [40, 16 * GIB, 90 * GIB]

describe('deleting', () => {
  it('a zone takes everything in it along, and leaves what belongs to none', async () => {
    const { w, engine } = await running()
    expect((await done(engine, call('DeleteZone', { uuid: u.zone }))).state).toBe('done')
    const inside = ['cluster', 'host', 'primaryStorage', 'l2Network', 'l3Network', 'ipRange', 'vmInstance', 'volume', 'vmNic']
    expect(left(w, 'zone', ...inside, 'usedIp', 'usedMac', 'localStorageHost', 'routerUplink')).toEqual([])
    expect(left(w, 'image', 'backupStorage', 'instanceOffering', 'agent')).toHaveLength(4)
    expect(w.state.graph.get('agent', u.kvm)?.['hostUuid']).toBeNull()
    await w.agents.settle()
    expect([...w.agents.hosts.keys()].filter((key) => !key.endsWith(`/pool/${u.bs}`))).toEqual([])
  })

  it('a zone takes a guest that is off', async () => {
    const { w, engine, uuid } = await running()
    await done(engine, call('StopVmInstance', { uuid }))
    expect((await done(engine, call('DeleteZone', { uuid: u.zone }))).state).toBe('done')
    expect(left(w, 'vmInstance', 'volume', 'zone')).toEqual([])
  })

  it.each([
    ['host', 'DeleteHost', u.host],
    ['cluster', 'DeleteCluster', u.cluster],
  ])('a %s takes along the guests whose disks are there', async (_, api, uuid) => {
    const { w, engine, graph } = await running()
    expect((await done(engine, call(api, { uuid }))).state).toBe('done')
    expect(left(w, 'host', 'vmInstance', 'volume', 'usedIp', 'localStorageHost')).toEqual([])
    expect(graph.get('l3Network', u.l3)).toMatchObject({ routerAgentUuid: null, routerUplink: null })
    expect(graph.get('primaryStorage', u.ps)?.['availableCapacity']).toBe(0)
    expect(compareCounters(graph)).toEqual([])
  })

  it('a primary storage destroys the guests on it, and their host has its room again', async () => {
    const { w, engine, graph } = await running()
    expect((await done(engine, call('DeletePrimaryStorage', { uuid: u.ps }))).state).toBe('done')
    expect(left(w, 'vmInstance', 'volume', 'vmNic', 'usedIp', 'localStorageHost')).toEqual([])
    expect(capacities(w).slice(0, 2)).toEqual(WHOLE.slice(0, 2))
    expect(compareCounters(graph)).toEqual([])
  })

  it.each([
    ['an L2 network', 'DeleteL2Network', u.l2],
    ['an L3 network', 'DeleteL3Network', u.l3],
    ['an IP range', 'DeleteIpRange', u.range],
  ])('%s takes its cards from the guests, which are stopped before and stay', async (_, api, uuid) => {
    const { w, engine, vm } = await running()
    const powers: unknown[] = []
    const { converge } = w.agents
    w.agents.converge = (names) => {
      powers.push(vm()?.['power'])
      return converge.call(w.agents, names)
    }
    expect((await done(engine, call(api, { uuid }))).state).toBe('done')
    expect(powers).toEqual(['Stopped'])
    expect(vm()).toMatchObject({ state: 'Stopped', hostUuid: null, lastHostUuid: u.host, defaultL3NetworkUuid: null })
    expect(left(w, 'vmNic', 'usedIp', 'usedMac')).toEqual([])
    expect(left(w, 'volume')).toEqual(['volume'])
    expect(capacities(w)).toEqual([WHOLE[0], WHOLE[1], WHOLE[2]! - GIB])
  })

  it('an offering leaves its guests running, without it', async () => {
    const { engine, vm } = await running()
    expect((await done(engine, call('DeleteInstanceOffering', { uuid: u.offering }))).state).toBe('done')
    expect(vm()).toMatchObject({ state: 'Running', instanceOfferingUuid: null })
  })

  it('tells each that went, once, and what the guests went through', async () => {
    const { w, engine, uuid } = await running()
    const facts: string[] = []
    const { commit } = w.state.store
    w.state.store.commit = (change, by) => {
      for (const { noun, uuid: of, event, data } of change.facts ?? [])
        if (of === uuid || noun === 'zone') facts.push(`${noun} ${event} ${data?.['to'] ?? ''}`.trim())
      return commit.call(w.state.store, change, by)
    }
    await done(engine, call('DeleteZone', { uuid: u.zone }))
    expect(facts).toEqual(['vmInstance state-changed Destroying', 'vmInstance deleted', 'zone deleted'])
  })
})

describe('a host that does not answer', () => {
  const silent = async () => {
    const site = await running()
    site.w.agents.converge = async () => {
      throw new SkerryError('agent-unreachable', 'host h1 does not answer')
    }
    return site
  }

  it('fails a permissive deletion, which gives all back', async () => {
    const { w, engine, vm } = await silent()
    const before = vm()
    const job = await done(engine, call('DeleteZone', { uuid: u.zone, deleteMode: 'Permissive' }))
    expect([job.state, job.error?.code]).toEqual(['failed', 'agent-unreachable'])
    const { lastOpDate: _, ...rest } = before!
    expect(vm()).toMatchObject(rest)
    expect(capacities(w)[0]).toBe(39)
  })

  it('does not hold an enforcing one: its tombstones wait for it', async () => {
    const { w, engine, uuid } = await silent()
    w.agents.gone = async () => false
    const job = await done(engine, call('DeleteZone', { uuid: u.zone, deleteMode: 'Enforcing' }))
    expect(job.state).toBe('done')
    expect(left(w, 'vmInstance', 'zone')).toEqual([])
    expect(w.state.graph.get('desired', `${u.kvm}/vm/${uuid}`)).toMatchObject({ tombstone: true })
  })

  it('and a defect is hidden by neither', async () => {
    const { w, engine } = await silent()
    w.agents.converge = async () => {
      throw new TypeError('a defect')
    }
    const job = await done(engine, call('DeleteZone', { uuid: u.zone, deleteMode: 'Enforcing' }))
    expect([job.state, job.error?.code]).toEqual(['failed', 'internal'])
  })
})

describe('a deletion and other calls', () => {
  it('is refused while somebody else is at work on what would go, and changes nothing', async () => {
    const { w, engine, uuid, vm } = await running()
    let release = () => {}
    const { converge } = w.agents
    const held = new Promise<void>((resolve) => (release = resolve))
    w.agents.converge = async (names) => {
      await held
      return converge.call(w.agents, names)
    }
    const stopping = await engine.accept(call('StopVmInstance', { uuid }))
    await expect(engine.accept(call('DeleteZone', { uuid: u.zone }))).rejects.toMatchObject({ code: 'conflict' })
    release()
    expect((await engine.wait(stopping.uuid, 10_000))?.state).toBe('done')
    expect(vm()?.['state']).toBe('Stopped')
    expect((await done(engine, call('DeleteZone', { uuid: u.zone }))).state).toBe('done')
  })

  it('keeps calls off the guests that it has marked', async () => {
    const { w, engine, uuid } = await running()
    const refused: string[] = []
    const { converge } = w.agents
    w.agents.converge = async (names) => {
      for (const api of ['StartVmInstance', 'StopVmInstance', 'RebootVmInstance'])
        await engine.accept(call(api, { uuid })).catch((error: SkerryError) => refused.push(error.code))
      return converge.call(w.agents, names)
    }
    expect((await done(engine, call('DeleteZone', { uuid: u.zone }))).state).toBe('done')
    expect(refused).toEqual(['vm-illegal-state', 'vm-illegal-state', 'vm-illegal-state'])
  })

  it('is given up where a guest came to be meanwhile that nobody has powered off', async () => {
    const { w, engine, uuid, graph } = await running()
    const { converge } = w.agents
    w.agents.converge = async (names) => {
      const late = { ...graph.get('vmInstance', uuid), uuid: id('late'), name: 'late', state: 'Running' }
      await w.commit({ ops: [{ o: 'put', t: 'vmInstance', k: id('late'), v: late }] })
      return converge.call(w.agents, names)
    }
    const job = await done(engine, call('DeleteZone', { uuid: u.zone }))
    expect([job.state, job.error?.code, job.error?.cause?.message]).toEqual([
      'failed',
      'conflict',
      expect.stringContaining('late'),
    ])
    expect(graph.get('vmInstance', uuid)?.['state']).toBe('Running')
  })
})

describe('a dry run', () => {
  it('shows the tree leaf first, with the guests, and that they are powered off', async () => {
    const { w, engine, uuid } = await running()
    const before = w.state.graph.seq
    const plan = await engine.plan(call('DeleteZone', { uuid: u.zone }))
    const lines = plan.cascade.map((line) => `${line.action} ${line.resource}`)
    const at = (line: string) => lines.indexOf(line)
    expect(lines.at(-1)).toBe('delete zone')
    expect(at('delete vmNic')).toBeLessThan(at('delete vmInstance'))
    expect(at('delete vmInstance')).toBeLessThan(at('delete zone'))
    expect(at('delete host')).toBeLessThan(at('delete cluster'))
    expect(plan.changes).toContainEqual(expect.objectContaining({ step: 'mark-guests', resource: 'vmInstance', key: uuid }))
    expect(plan.changes).toContainEqual(expect.objectContaining({ step: 'finish', op: 'del', resource: 'zone' }))
    expect(w.state.graph.seq).toBe(before)
  })

  it('shows a guest that only stops before the card that it loses', async () => {
    const { engine } = await running()
    const plan = await engine.plan(call('DeleteL3Network', { uuid: u.l3 }))
    const lines = plan.cascade.map((line) => `${line.action} ${line.resource}`)
    expect(lines.indexOf('stop vmInstance')).toBeLessThan(lines.indexOf('delete vmNic'))
    expect(lines).not.toContain('delete vmInstance')
  })

  it('is a tree too: each row once, below what takes it along, and the deletion deletes just these', async () => {
    const { w, engine } = await running()
    const { tree, cascade } = await engine.plan(call('DeleteZone', { uuid: u.zone }))
    const paths: string[] = []
    const walk = (node: PlanNode, above: string): void => {
      const path = `${above}/${node.resource}`
      paths.push(path)
      for (const child of node.children) walk(child, path)
    }
    walk(tree!, '')
    expect(tree).toMatchObject({ resource: 'zone', uuid: u.zone, name: 'zone', action: 'delete' })
    expect(paths).toEqual(
      expect.arrayContaining([
        '/zone/cluster/host',
        '/zone/cluster',
        '/zone/primaryStorage',
        '/zone/l2Network/l3Network/ipRange',
      ]),
    )
    expect(
      paths.some((path) => path.endsWith('/vmInstance/vmNic') || path.endsWith('/l3Network/vmNic') || path.endsWith('/vmNic')),
    ).toBe(true)
    expect(paths).toHaveLength(cascade.length)
    expect(await done(engine, call('DeleteZone', { uuid: u.zone }))).toMatchObject({ state: 'done' })
    const left = cascade.filter(({ action, resource, uuid }) => action === 'delete' && w.state.graph.get(resource, uuid))
    expect(left).toEqual([])
  })
})
