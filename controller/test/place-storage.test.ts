/** Which primary storage takes a volume: by strategy, by tags of offerings, by what is free. */
import type { Op } from '@skerry/contract'
import { describe, expect, it } from 'vitest'
import { candidates, placeVm } from '../src/place/host.ts'
import { choosePool } from '../src/place/pool.ts'
import { requestOf } from '../src/workflows/vm.request.ts'
import { chooseFor } from '../src/workflows/volume.attach.ts'
import { takeRoom } from '../src/workflows/volume.rows.ts'
import { host, hosts, ownSetting, put, request, set, vmOn } from './place-world.ts'
import { base, GIB, id, type TestWorld, u, vmParams } from './world.ts'

const tag = (resourceUuid: string, resourceType: string, text: string): Op =>
  put('tag', id(text + resourceUuid), { ...base(id(text), text), resourceUuid, resourceType, tag: text, type: 'System' })

/** Beside `ps` another one with less physical room, and more that is not promised. */
async function twoStorages(): Promise<TestWorld> {
  const w = await hosts([0])
  const { graph } = w.state
  const other = id('ps2')
  await w.commit({
    ops: [
      put('primaryStorage', other, { ...graph.get('primaryStorage', u.ps)!, uuid: other, name: 'ps2' }),
      put('localStorageHost', `${other}:${u.host}`, {
        ...graph.get('localStorageHost', `${u.ps}:${u.host}`)!,
        ...{ uuid: `${other}:${u.host}`, primaryStorageUuid: other },
        ...{ availablePhysicalCapacity: 50 * GIB, availableCapacity: 95 * GIB },
      }),
      put('volume', id('v'), {
        ...base(id('v'), 'v'),
        primaryStorageUuid: u.ps,
        type: 'Data',
        status: 'Deleted',
        state: 'Enabled',
      }),
    ],
  })
  return w
}
const userTag = (resourceUuid: string, text: string) => ({
  ...base(id(text), text),
  ...{ resourceUuid, resourceType: 'PrimaryStorageVO', tag: text, type: 'User' },
})

describe('a primary storage', () => {
  it('takes by its strategy: most physical room, most room that is not promised, or fewest volumes', async () => {
    const w = await twoStorages()
    const { graph } = w.state
    const other = id('ps2')
    const chosen = (strategy?: string) =>
      choosePool(graph, { host: graph.get('host', u.host)!, diskBytes: GIB, strategy }).storage
    expect(chosen()).toBe(u.ps)
    expect(chosen('MaximumAvailableCapacityPrimaryStorageAllocationStrategy')).toBe(other)
    expect(chosen('LeastVolumePrimaryStorageAllocationStrategy')).toBe(other)
  })

  it('is the one that a tag of the offering names, or has the tag that it requires; what it would rather have comes first', async () => {
    const w = await twoStorages()
    const { graph } = w.state
    const other = id('ps2')
    const chosen = (wish: string[]) => {
      const ops = wish.map((text) => tag(u.offering, 'InstanceOfferingVO', `primaryStorage::allocator::${text}`))
      return w.commit({ ops }).then(async () => {
        const of = requestOf({ graph, params: { ...vmParams } })
        const { storage, reasons } = choosePool(graph, { host: graph.get('host', u.host)!, diskBytes: GIB, wish: of.storageWish })
        const placed = storage && placeVm(graph, of).primaryStorageUuid
        await w.commit({ ops: ops.map(({ t, k }) => ({ o: 'del', t, k })) })
        return placed ?? reasons
      })
    }
    expect(await chosen([])).toBe(u.ps)
    expect(await chosen([`uuid::${other}`])).toBe(other)
    await w.commit({ ops: [tag(other, 'PrimaryStorageVO', 'fast')] })
    expect(await chosen(['userTag::fast']), 'a system tag of that text is no user tag').toBe(u.ps)
    expect(await chosen(['userTag::fast::required'])).toEqual([
      'primary storage ps lacks the tag that the offering requires: fast',
      'primary storage ps2 lacks the tag that the offering requires: fast',
    ])
    await w.commit({ ops: [{ ...tag(other, 'PrimaryStorageVO', 'fast'), v: userTag(other, 'fast') } as Op] })
    expect(await chosen(['userTag::fast'])).toBe(other)
    expect(await chosen(['userTag::fast::required'])).toBe(other)
    expect(await chosen(['userTag::fast::required', `uuid::${u.ps}`])).toHaveLength(2)
  })

  it('for a data volume is the one that its disk offering wants', async () => {
    const w = await twoStorages()
    const volume = (diskOfferingUuid: string | null) => ({
      ...{ ...base(id('data'), 'data'), type: 'Data', status: 'NotInstantiated', state: 'Enabled', size: GIB, diskOfferingUuid },
      ...{ primaryStorageUuid: null, vmInstanceUuid: null, localHostUuid: null },
    })
    const root = { ...base(id('root'), 'root'), type: 'Root', status: 'Ready', primaryStorageUuid: u.ps, localHostUuid: u.host }
    const offering = { ...base(id('large'), 'large'), diskSize: GIB, state: 'Enabled' }
    const strategy = 'MaximumAvailableCapacityPrimaryStorageAllocationStrategy'
    await w.commit({
      ops: [
        vmOn('vm', host(1), { rootVolumeUuid: id('root') }),
        put('volume', id('root'), { ...root, vmInstanceUuid: id('vm') }),
        put('volume', id('data'), volume(null)),
        put('diskOffering', id('large'), { ...offering, allocatorStrategy: strategy }),
      ],
    })
    const chosen = () => chooseFor(w.state.graph, id('data'), id('vm'))?.primaryStorageUuid
    expect(chosen()).toBe(u.ps)
    await w.commit({ ops: [set('volume', id('data'), { diskOfferingUuid: id('large') })] })
    expect(chosen()).toBe(id('ps2'))
    const named = tag(id('large'), 'DiskOfferingVO', `primaryStorage::allocator::uuid::${u.ps}`)
    await w.commit({ ops: [named] })
    expect(chosen()).toBe(u.ps)
  })

  it('that is disabled takes nothing new, and its VMs start', async () => {
    const w = await hosts([0])
    await w.commit({ ops: [set('primaryStorage', u.ps, { state: 'Disabled' })] })
    const filters = (more: object) => candidates(w.state.graph, { ...request, ...more }).refused.map(({ filter }) => filter)
    const starts = { volumeHostUuid: u.host, diskBytes: 0 }
    expect([filters({}), filters(starts)]).toEqual([['host-primary-storage'], []])
    await w.commit({ ops: [set('primaryStorage', u.ps, { state: 'Maintenance' })] })
    expect(filters(starts)).toEqual(['host-primary-storage'])
  })

  it('may be promised twice by its setting, until its disks are nearly full', async () => {
    const w = await hosts([0], { disk: 2 * GIB })
    const { graph } = w.state
    const at = { hostUuid: u.host, primaryStorageUuid: u.ps }
    expect(() => takeRoom(graph, at, 2 * GIB)).toThrow('bytes are needed on primary storage ps')
    await w.commit({ ops: [ownSetting('mevoco.overProvisioning.primaryStorage', u.ps, '1.1')] })
    await w.commit(takeRoom(graph, at, 11 * GIB))
    expect(() => takeRoom(graph, at, 1)).toThrow('1 bytes are needed on primary storage ps')
    await w.commit({ ops: [ownSetting('mevoco.overProvisioning.primaryStorage', u.ps, '9')] })
    const full = { o: 'add' as const, t: 'localStorageHost', k: `${u.ps}:${u.host}`, field: 'availablePhysicalCapacity' }
    await w.commit({ ops: [{ ...full, delta: -85 * GIB }] })
    expect(() => takeRoom(graph, at, 1)).toThrow('its disks are nearly full')
  })
})
