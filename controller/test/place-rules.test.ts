/** Which host a VM gets: the strategies, what is kept free, what is promised twice. */
import { type Op, SkerryError } from '@skerry/contract'
import { describe, expect, it } from 'vitest'
import { compareCounters } from '../src/audit/compare.ts'
import { candidates, type PlaceRequest, placeVm } from '../src/place/host.ts'
import { releaseHost, reserveHost } from '../src/workflows/vm.state.ts'
import { host, hosts, ownSetting, put, request, set, setting, vmOn } from './place-world.ts'
import { base, GIB, id, type TestWorld, u } from './world.ts'

const nameOf = (w: TestWorld, o: Partial<PlaceRequest> = {}) =>
  w.state.graph.get('host', placeVm(w.state.graph, { ...request, ...o }).hostUuid)?.['name']
function refusalsOf(w: TestWorld, o: Partial<PlaceRequest> = {}): Record<string, string> {
  try {
    placeVm(w.state.graph, { ...request, ...o })
  } catch (error) {
    const refused = (error as SkerryError).details['refused'] as { host: string; filter: string }[]
    return Object.fromEntries(refused.map((r) => [r.host, r.filter]))
  }
  throw new Error('it was placed')
}

const tag = (resourceUuid: string, resourceType: string, text: string): Op =>
  put('tag', id(text + resourceUuid), { ...base(id(text), text), resourceUuid, resourceType, tag: text, type: 'System' })

describe('the strategy', () => {
  const stoppedOn3 = [0, 1, 2].map((n) => vmOn(`off${n}`, null, { lastHostUuid: host(3) }))
  it.each<[string, Partial<PlaceRequest>, string]>([
    ['LeastVmPreferredHostAllocatorStrategy', {}, 'h3'],
    ['StoppedVmAwareLeastVmPreferredHostAllocatorStrategy', {}, 'h2'],
    ['LastHostPreferredAllocatorStrategy', { lastHostUuid: host(1) }, 'h1'],
    ['LastHostPreferredAllocatorStrategy', {}, 'h3'],
    ['DesignatedHostAllocatorStrategy', { hostUuid: host(1) }, 'h1'],
    ['DesignatedHostAllocatorStrategy', { lastHostUuid: host(2) }, 'h2'],
  ])('%s with %o takes %s', async (strategy, o, expected) => {
    const w = await hosts([3, 2, 1])
    await w.commit({ ops: stoppedOn3 })
    expect(nameOf(w, { strategy, ...o })).toBe(expected)
    const { possible } = candidates(w.state.graph, { ...request, strategy, ...o })
    if (strategy !== 'DesignatedHostAllocatorStrategy') expect(possible[0]!.host).toBe(expected)
  })

  it('DefaultHostAllocatorStrategy takes any host, also one with more VMs', async () => {
    const w = await hosts([3, 2, 1])
    let n = 0
    const random = () => (n = (n * 7 + 0.31) % 1)
    const taken = new Set<unknown>()
    for (let i = 0; i < 60; i++) taken.add(nameOf(w, { strategy: 'DefaultHostAllocatorStrategy', random }))
    expect([...taken].sort()).toEqual(['h1', 'h2', 'h3'])
  })

  it('LastHostPreferred goes elsewhere when the last host has no room', async () => {
    const w = await hosts([0, 1])
    await w.commit({ ops: [set('host', u.host, { state: 'Disabled' })] })
    expect(nameOf(w, { strategy: 'LastHostPreferredAllocatorStrategy', lastHostUuid: u.host })).toBe('h2')
  })
})

describe('what has changed since the last choice', () => {
  it.each<[string, Op, Op]>([
    ['a host', set('host', u.host, { state: 'Disabled' }), set('host', u.host, { state: 'Enabled' })],
    [
      'its disk',
      set('localStorageHost', `${u.ps}:${u.host}`, { status: 'Disconnected' }),
      set('localStorageHost', `${u.ps}:${u.host}`, { status: 'Connected' }),
    ],
    ['a setting', setting('kvm', 'reservedMemory', '16G'), setting('kvm', 'reservedMemory', '1G')],
    [
      'a tag',
      tag(u.host, 'HostVO', 'reservedMemory::16G'),
      { o: 'del', t: 'tag', k: tag(u.host, 'HostVO', 'reservedMemory::16G').k },
    ],
  ])('counts: %s', async (_, away, back) => {
    const w = await hosts([0])
    await w.commit({ ops: [away] })
    expect(() => nameOf(w)).toThrow('no host can take')
    await w.commit({ ops: [back] })
    expect(nameOf(w)).toBe('h1')
    await w.commit({ ops: [away] })
    expect(() => nameOf(w)).toThrow('no host can take')
  })

  it('counts: where VMs are, and hosts that come and go', async () => {
    const w = await hosts([1, 0])
    expect(nameOf(w)).toBe('h2')
    await w.commit({ ops: [vmOn('x', host(2)), vmOn('y', host(2))] })
    expect(nameOf(w)).toBe('h1')
    await w.commit({
      ops: [set('vmInstance', id('x'), { hostUuid: host(1) }), set('vmInstance', id('y'), { hostUuid: host(1) })],
    })
    expect(nameOf(w)).toBe('h2')
    const row = w.state.graph.get('host', host(2))!
    await w.commit({ ops: [{ o: 'del', t: 'host', k: host(2) }] })
    expect(nameOf(w)).toBe('h1')
    await w.commit({ ops: [put('host', host(2), { ...row })] })
    expect(nameOf(w)).toBe('h2')
  })
})

describe('a refusal', () => {
  it('names the filter of each host', async () => {
    const w = await hosts([0, 0, 0, 0, 0])
    await w.commit({
      ops: [
        set('host', host(1), { state: 'Maintenance' }),
        { o: 'add', t: 'host', k: host(2), field: 'availableCpuCapacity', delta: -40 },
        { o: 'add', t: 'localStorageHost', k: `${u.ps}:${host(3)}`, field: 'availableCapacity', delta: -90 * GIB },
      ],
    })
    expect(refusalsOf(w, { avoidHostUuids: [host(4)], boundTo: [id('elsewhere')] })).toEqual({
      h1: 'host-state',
      h2: 'host-capacity',
      h3: 'host-primary-storage',
      h4: 'avoid-host',
      h5: 'resource-binding',
    })
    const { possible, refused } = candidates(w.state.graph, { ...request, avoidHostUuids: [host(4)] })
    expect(possible.map((p) => p.host)).toEqual(['h5'])
    expect(refused).toHaveLength(4)
  })

  it('of a VM with volumes says where they are', async () => {
    const w = await hosts([0, 0])
    expect(nameOf(w, { volumeHostUuid: host(2), diskBytes: 0 })).toBe('h2')
    expect(refusalsOf(w, { volumeHostUuid: host(2), hostUuid: host(1), diskBytes: 0 })).toEqual({
      h1: 'attached-volume-primary-storage',
    })
  })

  it('is not for want of disk when nothing new is stored', async () => {
    const w = await hosts([0])
    const delta = -90 * GIB
    await w.commit({ ops: [{ o: 'add', t: 'localStorageHost', k: `${u.ps}:${u.host}`, field: 'availableCapacity', delta }] })
    expect(nameOf(w, { volumeHostUuid: u.host, diskBytes: 0 })).toBe('h1')
  })
})

describe('a binding', () => {
  it('keeps a VM on its hosts or clusters; a soft one lets it go elsewhere when they have no room', async () => {
    const w = await hosts([5, 0])
    expect(nameOf(w, { boundTo: [host(1)] })).toBe('h1')
    expect(nameOf(w, { boundTo: [u.cluster] })).toBe('h2')
    await w.commit({ ops: [set('host', host(1), { state: 'Disabled' })] })
    expect(refusalsOf(w, { boundTo: [host(1)] })).toEqual({ h1: 'host-state', h2: 'resource-binding' })
    await w.commit({ ops: [setting('vm', 'resourceBinding.strategy', 'Soft')] })
    expect(nameOf(w, { boundTo: [host(1)] })).toBe('h2')
    await w.commit({ ops: [set('host', host(1), { state: 'Enabled' })] })
    expect(nameOf(w, { boundTo: [host(1)] })).toBe('h1')
  })
})

describe('what is kept free', () => {
  const most = (w: TestWorld) => {
    for (let gib = 40; gib > 0; gib--) {
      try {
        placeVm(w.state.graph, { ...request, memoryBytes: gib * GIB })
        return gib
      } catch (error) {
        if (!(error instanceof SkerryError && error.code === 'no-host')) throw error
      }
    }
    return 0
  }
  it('is told by the host’s tag, else its cluster’s, else its zone’s, else the setting, each only where its level is on', async () => {
    const w = await hosts([0])
    expect(most(w)).toBe(15)
    await w.commit({ ops: [setting('kvm', 'reservedMemory', '2G')] })
    expect(most(w)).toBe(14)
    await w.commit({ ops: [tag(u.zone, 'ZoneVO', 'host::reservedMemory::3G')] })
    expect(most(w)).toBe(13)
    await w.commit({ ops: [tag(u.cluster, 'ClusterVO', 'host::reservedMemory::4G')] })
    expect(most(w)).toBe(12)
    await w.commit({ ops: [tag(u.host, 'HostVO', 'reservedMemory::5G')] })
    expect(most(w)).toBe(11)
    await w.commit({ ops: [setting('hostAllocator', 'reservedCapacity.hostLevel', 'false')] })
    expect(most(w)).toBe(12)
  })

  it('is less than nothing where memory is promised twice, and the guard holds the same line', async () => {
    const w = await hosts([0])
    await w.commit({ ops: [ownSetting('mevoco.overProvisioning.memory', u.cluster, '1.5')] })
    expect(most(w)).toBe(23)
    const vm = (gib: number) => ({ cpuNum: 1, memorySize: gib * GIB })
    await expect(w.commit(reserveHost(w.state.graph, u.host, vm(24)))).rejects.toThrow()
    await w.commit(reserveHost(w.state.graph, u.host, vm(23)))
    await w.commit({ ops: [ownSetting('mevoco.overProvisioning.memory', u.host, '1')] })
    expect(refusalsOf(w)).toEqual({ h1: 'host-capacity' })
    await w.commit({ ops: releaseHost(w.state.graph, u.host, vm(23)) })
    expect(most(w)).toBe(15)
  })

  it('and another CPU ratio changes the capacity of hosts in the same moment', async () => {
    const w = await hosts([0])
    await w.commit({ ops: [ownSetting('host.cpu.overProvisioning.ratio', u.host, '2.5')] })
    expect(w.state.graph.get('host', u.host)).toMatchObject({ totalCpuCapacity: 10, availableCpuCapacity: 10 })
    expect(refusalsOf(w, { cpuNum: 11 })).toEqual({ h1: 'host-capacity' })
    expect(compareCounters(w.state.graph).filter(({ kind }) => kind === 'host')).toEqual([])
  })
})
