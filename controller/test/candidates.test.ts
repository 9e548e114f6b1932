/** Where a VM could be created or started, as ZStack's clients ask before they offer a choice. */
import type { Row } from '@skerry/contract'
import { Graph } from '@skerry/graph'
import { describe, expect, it } from 'vitest'
import { attachableCalls } from '../src/calls/attachable.ts'
import { candidateCalls } from '../src/calls/candidates.ts'
import { tables } from '../src/engine/tables.ts'
import { call, done, engineOf } from './engine-calls.ts'
import { host, hosts, set } from './place-world.ts'
import { GIB, id, type TestWorld, u, vmParams } from './world.ts'

const NEW = { instanceOfferingUuid: u.offering, imageUuid: u.image, l3NetworkUuids: [u.l3] }

async function site(vms: readonly number[]) {
  const w = await hosts(vms)
  const ops = vms.map((_, i) => set('host', host(i + 1), { state: 'Enabled' }))
  await w.commit({ ops: [set('l2Network', u.l2, { physicalInterface: 'eth0' }), ...ops] })
  return w
}

function asked(w: TestWorld, api: string, params: Row, seen: Graph = w.state.graph): Record<string, unknown[]> {
  const answer = candidateCalls({ graph: w.state.graph, seen })[api]!(call(api, params))
  return Object.fromEntries(Object.entries(answer).map(([list, rows]) => [list, (rows as Row[]).map((row) => row['name'])]))
}
const creating = (w: TestWorld, more: Row = {}, seen?: Graph) =>
  asked(w, 'GetCandidateZonesClustersHostsForCreatingVm', { ...NEW, ...more }, seen)

describe('a VM that is to be created', () => {
  it('could be on each host with room, the preferred first', async () => {
    const w = await site([2, 0, 1])
    expect(creating(w)).toEqual({ zones: ['zone'], clusters: ['cluster'], hosts: ['h2', 'h3', 'h1'] })
    await w.commit({ ops: [set('host', host(2), { state: 'Disabled' })] })
    expect(creating(w)['hosts']).toEqual(['h3', 'h1'])
    expect(creating(w, { instanceOfferingUuid: undefined, cpuNum: 999, memorySize: 1024 ** 3 })).toEqual({
      ...{ zones: [], clusters: [], hosts: [] },
    })
    expect(creating(w, { clusterUuid: id('elsewhere') })['hosts']).toEqual([])
  })

  it('shows no hosts to an account that may not see them', async () => {
    const w = await site([0, 0])
    const seen = new Graph(tables)
    for (const table of ['zone', 'cluster'])
      for (const [k, v] of w.state.graph.rows(table)) seen.apply({ ops: [{ o: 'put', t: table, k, v: { ...v } }] }, 1)
    expect(creating(w, {}, seen)).toEqual({ zones: ['zone'], clusters: ['cluster'], hosts: [] })
  })
})

describe('disks of a VM that is to be created', () => {
  const names = (list: unknown) => (list as Row[]).map((row) => row['name'])
  function storages(w: TestWorld, more: Row = {}): [root: unknown[], data: Record<string, unknown[]>] {
    const { graph } = w.state
    const api = 'GetCandidatePrimaryStoragesForCreatingVm'
    const params = { imageUuid: u.image, l3NetworkUuids: [u.l3], ...more }
    const { rootVolumePrimaryStorages, dataVolumePrimaryStorages } = candidateCalls({ graph, seen: graph })[api]!(
      call(api, params),
    )
    const data = Object.entries(dataVolumePrimaryStorages as Row).map(([disk, list]) => [disk, names(list)])
    return [names(rootVolumePrimaryStorages), Object.fromEntries(data)]
  }

  it('could be on each primary storage that has room for all of them on one host', async () => {
    const w = await site([0, 0])
    const [ps, part] = [w.state.graph.get('primaryStorage', u.ps)!, w.state.graph.get('localStorageHost', `${u.ps}:${u.host}`)!]
    const small = id('small')
    await w.commit({
      ops: [
        { o: 'put', t: 'primaryStorage', k: small, v: { ...ps, uuid: small, name: 'small' } },
        {
          ...{ o: 'put', t: 'localStorageHost', k: `${small}:${u.host}` },
          v: { ...part, uuid: `${small}:${u.host}`, primaryStorageUuid: small, availableCapacity: 20 * GIB },
        },
      ],
    })
    expect(storages(w)).toEqual([['ps', 'small'], {}])
    expect(storages(w, { dataDiskSizes: [30 * GIB] })).toEqual([['ps'], { [30 * GIB]: ['ps'] }])
    expect(storages(w, { dataDiskSizes: [30 * GIB, 900 * GIB] })[0]).toEqual([])
    await w.commit({ ops: [set('primaryStorage', u.ps, { state: 'Disabled' })] })
    expect(storages(w)).toEqual([['small'], {}])
    expect(storages(w, { zoneUuid: id('elsewhere') })).toEqual([[], {}])
  })
})

describe('a VM that is to be started', () => {
  it('could be where its disk is, and nowhere while it has a host', async () => {
    const w = await site([0, 0])
    const engine = engineOf(w)
    const job = await done(engine, call('CreateVmInstance', { ...vmParams, hostUuid: host(1) }))
    const { uuid } = job.result!['inventory'] as Row
    const starting = () => asked(w, 'GetVmStartingCandidateClustersHosts', { uuid })
    expect(starting).toThrow('only one that is off can be started')
    await done(engine, call('StopVmInstance', { uuid }))
    expect(starting()).toEqual({ clusters: ['cluster'], hosts: ['h1'] })
    await w.commit({ ops: [set('host', host(1), { state: 'Maintenance' })] })
    expect(starting()).toEqual({ clusters: [], hosts: [] })
  })
})

describe('layer 2 networks and clusters', () => {
  it('could be attached where they are of one zone and are not yet', async () => {
    const w = await site([0])
    const { graph } = w.state
    const [l2, cluster] = [graph.get('l2Network', u.l2)!, graph.get('cluster', u.cluster)!]
    const [other, far] = [id('other'), id('far')]
    await w.commit({
      ops: [
        { o: 'put', t: 'l2Network', k: other, v: { ...l2, uuid: other, name: 'other', attachedClusterUuids: [] } },
        { o: 'put', t: 'cluster', k: far, v: { ...cluster, uuid: far, name: 'far', zoneUuid: far } },
        { o: 'put', t: 'cluster', k: other, v: { ...cluster, uuid: other, name: 'same zone' } },
      ],
    })
    const calls = attachableCalls(graph)
    const ask = (api: string, params: Row) => (calls[api]!(call(api, params))['inventories'] as Row[]).map((row) => row['name'])
    expect(ask('GetCandidateL2NetworksForAttachingCluster', { clusterUuid: u.cluster })).toEqual(['other'])
    expect(ask('GetCandidateL2NetworksForAttachingCluster', { clusterUuid: far })).toEqual([])
    const clusters = (more: Row) => ask('GetCandidateClustersForAttachingL2Network', { l2NetworkUuid: other, ...more })
    expect(clusters({})).toEqual(['cluster', 'same zone'])
    expect([clusters({ start: 1 }), clusters({ limit: 1 })]).toEqual([['same zone'], ['cluster']])
    expect([clusters({ clusterTypes: ['zstack'] }), clusters({ clusterTypes: ['baremetal'] })]).toEqual([clusters({}), []])
    expect(ask('GetCandidateClustersForAttachingL2Network', { l2NetworkUuid: u.l2 })).toEqual(['same zone'])
  })
})

describe('networks and images', () => {
  it('can be used together where a cluster of the zone has storage, the networks and a store of the image', async () => {
    const w = await site([0])
    const { graph } = w.state
    const ask = (params: Row) => {
      const { inventories } = attachableCalls(graph)['GetInterdependentL3NetworksImages']!(
        call('GetInterdependentL3NetworksImages', { zoneUuid: u.zone, ...params }),
      )
      return (inventories as Row[]).map((row) => row['uuid'])
    }
    expect(ask({ l3NetworkUuids: [u.l3] })).toEqual([u.image])
    expect(ask({ imageUuid: u.image })).toEqual([u.l3])
    expect(() => ask({})).toThrow('give l3NetworkUuids or imageUuid')
    const store = graph.get('backupStorage', u.bs)!
    await w.commit({ ops: [set('backupStorage', u.bs, { attachedZoneUuids: [] })] })
    expect([ask({ l3NetworkUuids: [u.l3] }), ask({ imageUuid: u.image })]).toEqual([[], []])
    await w.commit({
      ops: [
        set('backupStorage', u.bs, { attachedZoneUuids: store['attachedZoneUuids'] }),
        set('l2Network', u.l2, { attachedClusterUuids: [] }),
      ],
    })
    expect([ask({ l3NetworkUuids: [u.l3] }), ask({ imageUuid: u.image })]).toEqual([[], []])
    expect(() => ask({ imageUuid: u.image, raiseException: true })).toThrow(/no network reaches/)
  })
})
