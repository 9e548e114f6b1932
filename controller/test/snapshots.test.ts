/** What is refused of snapshots and of growing, with reasons; nothing of it changes anything. And what is adopted. */
import type { ErrorCode, Row } from '@skerry/contract'
import { graphInventory } from '@skerry/workflow'
import { describe, expect, it } from 'vitest'
import { compareCounters, compareHost } from '../src/audit/compare.ts'
import { volumes } from '../src/desired/volume.ts'
import { actions } from '../src/workflows/index.ts'
import { after, created, on, ran } from './before.ts'
import { forgetVm, orphanedVm, tell } from './orphan-world.ts'
import { onData, second, snapshot, taken } from './snapshot-cases.ts'
import { data } from './volume-cases.ts'
import { GIB, id, makeWorld, type TestWorld, u } from './world.ts'

const attached: [string, ReturnType<typeof on>] = [
  'volume.attach',
  on('volume', data, { volumeUuid: data, vmInstanceUuid: u.vm }),
]

async function world(set: [table: string, key: string, fields: Row][] = []): Promise<TestWorld> {
  const w = await makeWorld()
  await after([created, ...onData, attached, taken(snapshot), taken(second)], on('volume', data))(w)
  await w.commit({ ops: set.map(([t, k, v]) => ({ o: 'set', t, k, v })) })
  return w
}

type Case = [sentence: string, workflow: string, params: Row, code: ErrorCode, says: string, set: [string, string, Row][]]
const of = { name: 'x', volumeUuid: data }
const cases: Case[] = [
  ['a volume that is not there', 'volumeSnapshot.create', { ...of, volumeUuid: id('none') }, 'not-found', id('none'), []],
  [
    'a volume that was never made',
    'volumeSnapshot.create',
    of,
    'illegal-state',
    'NotInstantiated',
    [['volume', data, { status: 'NotInstantiated' }]],
  ],
  [
    'a volume that is deleted',
    'volumeSnapshot.create',
    of,
    'illegal-state',
    'Deleted',
    [['volume', data, { status: 'Deleted' }]],
  ],
  ['a volume that is being detached', 'volumeSnapshot.create', of, 'in-use', 'leaving', [['volume', data, { detaching: true }]]],
  [
    'a volume that is disabled',
    'volumeSnapshot.create',
    of,
    'illegal-state',
    'Disabled',
    [['volume', data, { state: 'Disabled' }]],
  ],
  ['a raw volume', 'volumeSnapshot.create', of, 'illegal-state', 'only qcow2', [['volume', data, { format: 'raw' }]]],
  [
    'a volume of a VM that is starting',
    'volumeSnapshot.create',
    of,
    'vm-illegal-state',
    'Starting',
    [['vmInstance', u.vm, { state: 'Starting' }]],
  ],
  [
    'the 65th over each other',
    'volumeSnapshot.create',
    of,
    'too-many-snapshots',
    '64',
    [['volumeSnapshot', second, { distance: 64 }]],
  ],
  [
    'a full storage',
    'volumeSnapshot.create',
    of,
    'no-primary-storage',
    'are needed',
    [
      ['localStorageHost', `${u.ps}:${u.host}`, { availableCapacity: GIB }],
      ['volume', data, { actualSize: 4096 }],
    ],
  ],
  ['a VM that runs', 'volumeSnapshot.revert', {}, 'vm-illegal-state', 'Running', []],
  [
    'a snapshot that goes',
    'volumeSnapshot.revert',
    {},
    'illegal-state',
    'Deleting',
    [['volumeSnapshot', snapshot, { status: 'Deleting' }]],
  ],
  [
    'a snapshot that goes',
    'volumeSnapshot.delete',
    {},
    'illegal-state',
    'Deleting',
    [['volumeSnapshot', snapshot, { status: 'Deleting' }]],
  ],
  [
    'no room to copy',
    'volumeSnapshot.delete',
    {},
    'no-primary-storage',
    'no room',
    [['volumeSnapshot', snapshot, { size: 500 * GIB }]],
  ],
  ...(['create', 'revert', 'delete'] as const).map(
    (verb): Case => [
      'a volume that a job works on',
      `volumeSnapshot.${verb}`,
      of,
      'in-use',
      'a job is at work',
      [
        ['volume', data, { filesJob: id('other') }],
        ['vmInstance', u.vm, { state: 'Stopped' }],
      ],
    ],
  ),
  ['a smaller size', 'volume.resizeData', { size: GIB }, 'invalid-argument', 'can only grow', []],
  ['a root volume', 'volume.resizeRoot', { size: 2 * GIB }, 'invalid-argument', 'Data', []],
  ['more than there is room for', 'volume.resizeData', { size: 900 * GIB }, 'no-primary-storage', 'are needed', []],
  ...(['volume.detach', 'volume.delete'] as const).map(
    (workflow): Case => [
      'a volume that a job works on',
      workflow,
      {},
      'in-use',
      'a job is at work',
      [['volume', data, { filesJob: id('other') }]],
    ],
  ),
]

describe('refused is', () => {
  for (const [sentence, workflow, params, code, says, set] of cases) {
    it(`${workflow} of ${sentence}`, async () => {
      const w = await world(set)
      const before = graphInventory(w.state.graph)
      const table = workflow.split('.')[0]!
      const uuid = workflow === 'volumeSnapshot.create' ? id('fresh') : table === 'volume' ? data : snapshot
      const call = () => actions.get(workflow)!.check!({ graph: w.state.graph, params, uuid, table })
      expect(call).toThrow(expect.objectContaining({ code, message: expect.stringContaining(says) }))
      expect(graphInventory(w.state.graph)).toEqual(before)
    })
  }
})

it('a VM that is adopted keeps the snapshots of its volumes', async () => {
  const w = await world()
  const { installPath } = w.state.graph.get('volume', data)!
  const path = w.state.graph.get('volumeSnapshot', second)!['primaryStorageInstallPath']
  await tell(w, await forgetVm(w))
  expect(w.state.graph.get('volumeSnapshot', second)).toBeUndefined()
  await ran(w, 'orphan.adopt', on('orphan', orphanedVm))
  const { graph } = w.state
  expect(graph.get('volume', data)).toMatchObject({ installPath })
  expect(graph.get('volumeSnapshot', second)).toMatchObject({
    volumeUuid: data,
    primaryStorageInstallPath: path,
    status: 'Ready',
  })
  expect(compareCounters(graph)).toEqual([])
  await ran(w, 'volumeSnapshot.delete', on('volumeSnapshot', second))
  expect(compareCounters(graph)).toEqual([])
})

it('nobody is told to remove an unknown file of a volume that is known', () => {
  const observed = [{ kind: 'volume-file', id: '/ps/x', owner: data, facts: {} }]
  const told = (volumes: string[]) =>
    compareHost({ host: 'h', expected: [], observed, knownMacs: new Set(), volumes: new Set(volumes) })[0]?.remedy
  expect(told([])).toContain('remove it by hand')
  expect(told([data])).toContain('leave it')
})

it('a job of a snapshot waits its turn among those of the VM that has the volume', async () => {
  const w = await world()
  const queue = (workflow: string, uuid: string) =>
    actions.get(workflow)!.queueKey!({ ...on('volumeSnapshot', uuid, of), accountUuid: 'x' }, w.state.graph)
  expect(['create', 'revert', 'delete'].map((verb) => queue(`volumeSnapshot.${verb}`, snapshot))).toEqual([u.vm, u.vm, u.vm])
})

it('a volume that is being copied is no document, which would have it made empty; the snapshot is kept for it meanwhile', async () => {
  const w = await world()
  const uuid = id('copy')
  let during: unknown
  const ordinary = w.agents.command.bind(w.agents)
  w.agents.command = async (agent, command) => {
    const { graph } = w.state
    if (command.verb === 'copy') during = [volumes.agents(graph, uuid), graph.get('volume', data)!['filesJob'] !== null]
    return ordinary(agent, command)
  }
  await ran(w, 'volume.fromSnapshot', on('volume', uuid, { name: 'copy', volumeSnapshotUuid: snapshot }))
  expect(during).toEqual([[], true])
  expect([volumes.agents(w.state.graph, uuid), w.state.graph.get('volume', data)!['filesJob']]).toEqual([[u.storage], null])
})
