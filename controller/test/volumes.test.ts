/** What is refused of data volumes, with reasons; nothing of it changes anything. */
import type { ErrorCode, Row } from '@skerry/contract'
import { graphInventory } from '@skerry/workflow'
import { describe, expect, it } from 'vitest'
import { compareCounters } from '../src/audit/compare.ts'
import { dueByAge } from '../src/tasks/expunge.ts'
import { actions } from '../src/workflows/index.ts'
import { after, created, on, ran } from './before.ts'
import { forgetVm, orphanedVm, tell } from './orphan-world.ts'
import { data } from './volume-cases.ts'
import { GIB, id, makeWorld, type TestWorld, u } from './world.ts'

const made = on('volume', data, { name: 'data', diskSize: GIB })
const toVm = { volumeUuid: data, vmInstanceUuid: u.vm }
const attached: [string, ReturnType<typeof on>] = ['volume.attach', on('volume', data, toVm)]
const elsewhere = id('h2')

/** A VM and a data volume, with more that was done before, and then this in the graph. */
async function world(
  earlier: [string, ReturnType<typeof on>][],
  set: [table: string, key: string, fields: Row][],
): Promise<TestWorld> {
  const w = await makeWorld()
  await after([created, ['volume.create', made], ...earlier], made)(w)
  await w.commit({ ops: set.map(([t, k, v]) => ({ o: 'set', t, k, v })) })
  return w
}

type Case = [
  sentence: string,
  workflow: string,
  params: Row,
  code: ErrorCode,
  says: string,
  set?: [string, string, Row][],
  earlier?: [string, ReturnType<typeof on>][],
]

const root = (w: TestWorld) => w.state.graph.get('vmInstance', u.vm)!['rootVolumeUuid'] as string
const ready = { status: 'Ready', primaryStorageUuid: u.ps }

const cases: Case[] = [
  ['a volume without a size', 'volume.create', { name: 'x' }, 'invalid-argument', 'diskSize'],
  ['an offering that is not there', 'volume.create', { name: 'x', diskOfferingUuid: id('none') }, 'not-found', id('none')],
  [
    'a storage on several hosts without a host',
    'volume.create',
    { name: 'x', diskSize: 1, primaryStorageUuid: u.ps },
    'invalid-argument',
    'is on 0 hosts',
    [['localStorageHost', `${u.ps}:${u.host}`, { primaryStorageUuid: id('gone') }]],
  ],
  [
    'more than there is room for',
    'volume.create',
    { name: 'x', diskSize: 500 * GIB, primaryStorageUuid: u.ps },
    'no-primary-storage',
    'are free',
  ],
  ['a volume that is disabled', 'volume.attach', toVm, 'illegal-state', 'Disabled', [['volume', data, { state: 'Disabled' }]]],
  ['a volume that is deleted', 'volume.attach', toVm, 'illegal-state', 'Deleted', [['volume', data, { status: 'Deleted' }]]],
  ['a volume that is attached', 'volume.attach', toVm, 'in-use', 'hello', [], [attached]],
  [
    'a VM that is destroyed',
    'volume.attach',
    toVm,
    'vm-illegal-state',
    'Destroyed',
    [],
    [['vm.destroy', on('vmInstance', u.vm)]],
  ],
  [
    "a volume on another host's local disk",
    'volume.attach',
    toVm,
    'illegal-state',
    'lies on the local disk of host h2',
    [['volume', data, { ...ready, localHostUuid: elsewhere }]],
  ],
  ['a volume of no VM', 'volume.detach', {}, 'illegal-state', 'attached to no VM instance', [['volume', data, ready]]],
  ['a volume of another VM', 'volume.detach', { vmUuid: id('other') }, 'invalid-argument', 'another VM instance', [], [attached]],
  [
    'a volume of a VM that is starting',
    'volume.detach',
    {},
    'vm-illegal-state',
    'Starting',
    [['vmInstance', u.vm, { state: 'Starting' }]],
    [attached],
  ],
  [
    'the volume of a VM that is starting',
    'volume.delete',
    {},
    'vm-illegal-state',
    'Starting',
    [['vmInstance', u.vm, { state: 'Starting' }]],
    [attached],
  ],
  ['a volume that is not deleted', 'volume.recover', {}, 'illegal-state', 'it must be Deleted', [['volume', data, ready]]],
  [
    'a volume that is not deleted, for good',
    'volume.expunge',
    {},
    'illegal-state',
    'it must be Deleted',
    [['volume', data, ready]],
  ],
]

describe('refused is', () => {
  for (const [sentence, workflow, params, code, says, set = [], earlier = []] of cases) {
    it(`${workflow} of ${sentence}`, async () => {
      const w = await world(earlier, [])
      const host = { ...(w.state.graph.get('host', u.host) as Row), uuid: elsewhere, name: 'h2' }
      await w.commit({
        ops: [{ o: 'put', t: 'host', k: elsewhere, v: host }, ...set.map(([t, k, v]) => ({ o: 'set' as const, t, k, v }))],
      })
      const before = graphInventory(w.state.graph)
      const uuid = workflow === 'volume.create' ? id('fresh') : data
      const call = () => actions.get(workflow)!.check!({ graph: w.state.graph, params, uuid, table: 'volume' })
      expect(call).toThrow(expect.objectContaining({ code, message: expect.stringContaining(says) }))
      expect(graphInventory(w.state.graph)).toEqual(before)
    })
  }

  it('every verb on the root volume', async () => {
    const w = await world([], [])
    for (const verb of ['attach', 'detach', 'delete', 'recover', 'expunge']) {
      const call = () =>
        actions.get(`volume.${verb}`)!.check!({ graph: w.state.graph, params: toVm, uuid: root(w), table: 'volume' })
      expect(call, verb).toThrow(expect.objectContaining({ code: 'invalid-argument', message: expect.stringContaining('Root') }))
    }
  })

  it('the 25th data volume', async () => {
    const w = await world([], [])
    const row = w.state.graph.get('volume', data) as Row
    const at = { ...ready, localHostUuid: u.host, vmInstanceUuid: u.vm }
    const others = Array.from({ length: 24 }, (_, n) => ({ ...row, ...at, uuid: id(`d${n}`), deviceId: n + 1 }))
    await w.commit({ ops: others.map((v) => ({ o: 'put' as const, t: 'volume', k: v.uuid, v })) })
    const call = () => actions.get('volume.attach')!.check!({ graph: w.state.graph, params: toVm, uuid: data, table: 'volume' })
    expect(call).toThrow(expect.objectContaining({ code: 'illegal-state', message: expect.stringContaining('24') }))
    const create = () =>
      actions.get('vm.create')!.check!({
        graph: w.state.graph,
        params: { ...created[1].params, dataDiskSizes: Array.from({ length: 25 }, () => 1) },
        uuid: id('vm2'),
        table: 'vmInstance',
      })
    expect(create).toThrow(expect.objectContaining({ code: 'invalid-argument', message: expect.stringContaining('24') }))
  })
})

it('a deleted volume is due to be expunged when its time is over', async () => {
  const w = await world([], [['volume', data, { ...ready, status: 'Deleted', deletedAt: 1_000 }]])
  const keptMs = 3 * 86_400_000
  expect(dueByAge(w.state.graph, 1_000 + keptMs, ['volume'])).toEqual([])
  expect(dueByAge(w.state.graph, 1_001 + keptMs, ['volume'])).toEqual([{ api: 'ExpungeDataVolume', uuid: data }])
})

it('a volume outlives its VM when that goes with the storage of its root volume', async () => {
  const w = await world([], [])
  const other = id('ps2')
  const part = `${other}:${u.host}`
  const copyOf = (table: string, key: string, own: Row) => ({ ...(w.state.graph.get(table, key) as Row), ...own })
  const empty = { totalCapacity: 100 * GIB, systemUsedCapacity: 0, availableCapacity: 100 * GIB }
  const storage = copyOf('primaryStorage', u.ps, { ...empty, uuid: other, name: 'ps2', url: '/ps2', mountPath: '/ps2' })
  const here = copyOf('localStorageHost', `${u.ps}:${u.host}`, { ...empty, uuid: part, primaryStorageUuid: other })
  await w.commit({
    ops: [
      { o: 'put', t: 'primaryStorage', k: other, v: storage },
      { o: 'put', t: 'localStorageHost', k: part, v: here },
    ],
  })
  await w.agents.settle()
  const kept = id('kept')
  const params = { name: 'kept', diskSize: GIB, primaryStorageUuid: other, systemTags: [`localStorage::hostUuid::${u.host}`] }
  await ran(w, 'volume.create', on('volume', kept, params))
  await ran(w, 'volume.attach', on('volume', kept, { volumeUuid: kept, vmInstanceUuid: u.vm }))
  await ran(w, 'primaryStorage.delete', on('primaryStorage', u.ps))
  const { graph } = w.state
  expect(graph.get('vmInstance', u.vm)).toBeUndefined()
  expect(graph.get('volume', kept)).toMatchObject({
    vmInstanceUuid: null,
    deviceId: null,
    lastVmInstanceUuid: u.vm,
    status: 'Ready',
  })
  expect([...graph.rows('volume')].map(([, v]) => v['name']).sort()).toEqual(['data', 'kept'])
  expect(compareCounters(graph)).toEqual([])
})

it('a VM that is adopted has its data volumes, in the slots that they had', async () => {
  const second = id('second')
  const w = await world(
    [
      attached,
      ['volume.create', on('volume', second, { name: 'second', diskSize: GIB })],
      ['volume.attach', on('volume', second, { volumeUuid: second, vmInstanceUuid: u.vm })],
      ['volume.detach', on('volume', data)],
    ],
    [],
  )
  const { graph } = w.state
  const before = graph.get('volume', second)!
  expect(before).toMatchObject({ deviceId: 2, type: 'Data' })
  await tell(w, await forgetVm(w))
  expect(graph.get('volume', second)).toBeUndefined()
  await ran(w, 'orphan.adopt', on('orphan', orphanedVm))
  const { deviceId, type, status, size, vmInstanceUuid, installPath } = before
  expect(graph.get('volume', second)).toMatchObject({ deviceId, type, status, size, vmInstanceUuid, installPath })
  expect(compareCounters(graph)).toEqual([])
})

it('a job of a volume waits its turn among those of the VM that has it', async () => {
  const w = await world([attached], [])
  const queue = (workflow: string, params: Row) =>
    actions.get(workflow)!.queueKey!({ ...on('volume', data, params), accountUuid: 'x' }, w.state.graph)
  expect([queue('volume.attach', toVm), queue('volume.detach', {}), queue('volume.delete', {})]).toEqual([u.vm, u.vm, u.vm])
})
