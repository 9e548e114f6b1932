/** What reports of agents mean for the graph: every pair of believed and observed state that has a meaning. */
import { kvmDesired, type Op, type Status, vmStates } from '@skerry/contract'
import { describe, expect, it } from 'vitest'
import { react, reactPresence } from '../src/agents/react.ts'
import { compareCounters } from '../src/audit/compare.ts'
import { base, GIB, id, makeWorld, type TestWorld, u } from './world.ts'
import { site } from './world-site.ts'

const NOW = 1_700_000_001_000

const taken: Op[] = [
  { o: 'add', t: 'host', k: u.host, field: 'availableCpuCapacity', delta: -1 },
  { o: 'add', t: 'host', k: u.host, field: 'availableMemoryCapacity', delta: -GIB },
]

async function withVm(state: string, power = 'Running'): Promise<TestWorld> {
  const w = await makeWorld()
  await site(w)
  const volume = {
    ...base(id('root'), 'root'),
    status: 'Ready',
    state: 'Enabled',
    type: 'Root',
    format: 'qcow2',
    size: GIB,
    primaryStorageUuid: u.ps,
    vmInstanceUuid: u.vm,
    localHostUuid: u.host,
    deviceId: 0,
    backing: null,
  }
  const vm = {
    ...base(u.vm, 'vm'),
    state,
    power,
    powerCause: 'api',
    powerMode: 'grace',
    hostUuid: state === 'Stopped' ? null : u.host,
    lastHostUuid: state === 'Stopped' ? u.host : null,
    cpuNum: 1,
    memorySize: GIB,
    placementEpoch: 1,
    rootVolumeUuid: id('root'),
    zoneUuid: u.zone,
    clusterUuid: u.cluster,
  }
  await w.commit({
    ops: [
      { o: 'put', t: 'volume', k: id('root'), v: volume },
      { o: 'put', t: 'vmInstance', k: u.vm, v: vm },
      ...(state === 'Stopped' ? [] : taken),
    ],
  })
  return w
}

function status(w: TestWorld, power: string, cause: string, more: Partial<Status> = {}): Status {
  const seq = w.state.graph.version('desired', `${u.kvm}/vm/${u.vm}`)!
  return {
    noun: 'vm',
    uuid: u.vm,
    generation: { incarnation: 1, seq },
    condition: 'Ready',
    error: null,
    observed: { power, cause, pid: null },
    at: NOW,
    bootId: 'boot1',
    ...more,
  }
}

const STEADY = ['Running', 'Stopped', 'Paused', 'Crashed', 'NoState', 'Unknown']
const IN_BETWEEN = ['Pausing', 'Resuming', 'Created', 'Starting', 'Stopping', 'Rebooting', 'Destroying', 'Destroyed', 'Expunging']
/** What is reported, and what it makes of a VM in a settled state. */
const REPORTED = { Running: 'Running', Stopped: 'Stopped', Paused: 'Paused', Crashed: 'Crashed', Unknown: 'NoState' }
const pairs = Object.entries(REPORTED).flatMap(([seen, becomes]) => [
  ...STEADY.map((believed) => [believed, seen, becomes] as const),
  ...IN_BETWEEN.map((believed) => [believed, seen, believed] as const),
])

describe('a report of a VM', () => {
  it('has a row in this table for every state of the contract', () => {
    expect([...STEADY, ...IN_BETWEEN].sort()).toEqual(Object.keys(vmStates).sort())
    expect(Object.keys(REPORTED).sort()).toEqual([...kvmDesired.vmObserved.shape.power.options].sort())
  })

  it.each(pairs)('believed %s, seen %s → %s', async (believed, seen, becomes) => {
    const w = await withVm(believed, believed === 'Stopped' ? 'Stopped' : 'Running')
    const change = react(w.state.graph, u.kvm, status(w, seen, 'why'), NOW)
    if (change) await w.commit(change)
    expect(w.state.graph.get('vmInstance', u.vm)?.['state']).toBe(becomes)
    const moved = believed !== becomes
    expect(change?.facts ?? []).toEqual(moved ? [expect.objectContaining({ event: 'state-changed', uuid: u.vm })] : [])
    if (!moved) return expect(change).toBeUndefined()
    const cause = becomes === 'Running' && believed !== 'Stopped' ? null : 'why'
    expect(change!.facts![0]!.data).toEqual({ from: believed, to: becomes, cause })
    expect(w.state.graph.get('vmInstance', u.vm)?.['stateCause']).toBe(cause)
    const again = react(w.state.graph, u.kvm, status(w, seen, 'why'), NOW)
    expect(again, 'the same report is no second transition').toBeUndefined()
    expect(compareCounters(w.state.graph).filter(({ kind }) => kind === 'host')).toEqual([])
  })

  it('that was started by hand runs on its host and takes of it, also when nothing is left', async () => {
    const w = await withVm('Stopped', 'Stopped')
    await w.commit({ ops: [{ o: 'add', t: 'host', k: u.host, field: 'availableCpuCapacity', delta: -39 }] })
    const left = w.state.graph.get('host', u.host)?.['availableCpuCapacity'] as number
    await w.commit(react(w.state.graph, u.kvm, status(w, 'Running', 'by-hand'), NOW)!)
    expect(w.state.graph.get('vmInstance', u.vm)).toMatchObject({
      state: 'Running',
      stateCause: 'by-hand',
      power: 'Running',
      hostUuid: u.host,
    })
    expect(w.state.graph.get('host', u.host)?.['availableCpuCapacity']).toBe(left - 1)
  })

  it('that still runs while it is being stopped says nothing new of a Stopped one', async () => {
    const w = await withVm('Stopped', 'Stopped')
    expect(react(w.state.graph, u.kvm, status(w, 'Running', 'api', { condition: 'Working' }), NOW)).toBeUndefined()
  })

  it("that is off and about to be started is no stop; only when it can't be started nobody knows it running", async () => {
    const w = await withVm('Running')
    for (const condition of ['Working', 'Ready'] as const)
      expect(react(w.state.graph, u.kvm, status(w, 'Stopped', 'start-pending', { condition }), NOW)).toBeUndefined()
    const failed = status(w, 'Stopped', 'start-pending', { condition: 'Failed' })
    await w.commit(react(w.state.graph, u.kvm, failed, NOW)!)
    expect(w.state.graph.get('vmInstance', u.vm)).toMatchObject({
      state: 'Unknown',
      stateCause: 'start-failed',
      power: 'Running',
      hostUuid: u.host,
    })
    expect(react(w.state.graph, u.kvm, failed, NOW)).toBeUndefined()
    await w.commit(react(w.state.graph, u.kvm, status(w, 'Running', 'api'), NOW)!)
    expect(w.state.graph.get('vmInstance', u.vm)).toMatchObject({ state: 'Running', stateCause: null })
  })

  it('that stopped by itself gives its CPU back, keeps its host as the last one, and is not wanted running any more', async () => {
    const w = await withVm('Running')
    await w.commit(react(w.state.graph, u.kvm, status(w, 'Stopped', 'guest'), NOW)!)
    expect(w.state.graph.get('vmInstance', u.vm)).toMatchObject({
      stateCause: 'guest',
      power: 'Stopped',
      hostUuid: null,
      lastHostUuid: u.host,
    })
    expect(w.state.graph.get('host', u.host)?.['availableCpuCapacity']).toBe(40)
  })

  it('of an older document is not believed', async () => {
    const w = await withVm('Running')
    expect(
      react(w.state.graph, u.kvm, status(w, 'Stopped', 'guest', { generation: { incarnation: 1, seq: 1 } }), NOW),
    ).toBeUndefined()
  })

  it('that nobody knows changes nothing', async () => {
    const w = await withVm('Running')
    expect(
      react(
        w.state.graph,
        u.kvm,
        { ...status(w, 'Running', 'api'), uuid: id('stranger'), condition: 'Orphaned', generation: null },
        NOW,
      ),
    ).toBeUndefined()
  })
})

describe('a tombstone', () => {
  it('is forgotten when it was carried out, and only then', async () => {
    const w = await withVm('Running')
    const key = `${u.kvm}/vm/${u.vm}`
    const early = status(w, 'Running', 'api', { condition: 'Gone' })
    expect(react(w.state.graph, u.kvm, early, NOW)).toBeUndefined()
    await w.commit({ ops: [{ o: 'set', t: 'vmInstance', k: u.vm, v: { state: 'Destroyed' } }] })
    expect(w.state.graph.get('desired', key)).toMatchObject({ tombstone: true })
    expect(react(w.state.graph, u.kvm, early, NOW)).toBeUndefined()
    await w.commit(react(w.state.graph, u.kvm, status(w, 'Stopped', 'api', { condition: 'Gone' }), NOW)!)
    expect(w.state.graph.get('desired', key)).toBeUndefined()
  })
})

describe('an agent that falls silent', () => {
  it('makes its host Disconnected and its VMs Unknown, once, and its return undoes the host', async () => {
    const w = await withVm('Running')
    await w.commit(reactPresence(w.state.graph, u.kvm, false, { now: NOW })!)
    expect(w.state.graph.get('host', u.host)).toMatchObject({ status: 'Disconnected' })
    expect(w.state.graph.get('vmInstance', u.vm)).toMatchObject({ state: 'Unknown', stateCause: 'host-disconnected' })
    expect(reactPresence(w.state.graph, u.kvm, false, { now: NOW })).toBeUndefined()
    await w.commit(reactPresence(w.state.graph, u.kvm, true, { now: NOW })!)
    expect(w.state.graph.get('host', u.host)).toMatchObject({ status: 'Connected', disconnectCause: null })
  })

  it('of storage takes its part of the storage away from placement', async () => {
    const w = await withVm('Running')
    await w.commit(reactPresence(w.state.graph, u.storage, false, { now: NOW })!)
    expect(w.state.graph.get('localStorageHost', `${u.ps}:${u.host}`)?.['status']).toBe('Disconnected')
    expect(w.state.graph.get('backupStorage', u.bs)?.['status']).toBe('Disconnected')
  })
})

describe('a report of a pool', () => {
  const report = (w: TestWorld, totalBytes: number, availableBytes: number): Status => {
    const seq = w.state.graph.version('desired', `${u.storage}/pool/${u.ps}`)!
    return {
      noun: 'pool',
      uuid: u.ps,
      generation: { incarnation: 1, seq },
      condition: 'Ready',
      error: null,
      observed: { totalBytes, availableBytes, usedBytes: 0 },
      at: NOW,
      bootId: 'boot1',
    }
  }
  it('that says nothing new is not recorded; a larger disk gives more to promise', async () => {
    const w = await makeWorld()
    await site(w)
    expect(react(w.state.graph, u.storage, report(w, 100 * GIB, 90 * GIB - 1000), NOW)).toBeUndefined()
    await w.commit(react(w.state.graph, u.storage, report(w, 120 * GIB, 110 * GIB), NOW)!)
    expect(w.state.graph.get('primaryStorage', u.ps)).toMatchObject({ totalCapacity: 120 * GIB, availableCapacity: 110 * GIB })
    expect(w.state.graph.get('localStorageHost', `${u.ps}:${u.host}`)).toMatchObject({
      availableCapacity: 110 * GIB,
      availablePhysicalCapacity: 110 * GIB,
    })
  })
})
