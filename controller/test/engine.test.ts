/** The engine: acceptance, limits that hold under races, repeats with one effect. */
import type { Row } from '@skerry/contract'
import { describe, expect, it } from 'vitest'
import { compareAddresses, compareCounters } from '../src/audit/compare.ts'
import { call, codes, done, race, ready, succeeded } from './engine-calls.ts'
import { GIB, id, u, vmParams } from './world.ts'

describe('limits', () => {
  it('exactly as many VMs get an address as there are addresses, however many ask at once', async () => {
    const { w, engine } = await ready({ lastAddresses: 3 })
    const ends = await race(engine, 8)
    expect(succeeded(ends)).toBe(3)
    expect(codes(ends)).toEqual(['no-address'])
    expect(w.state.graph.countBy('usedIp', 'l3NetworkUuid', u.l3)).toBe(3)
    expect([...compareCounters(w.state.graph), ...compareAddresses(w.state.graph)]).toEqual([])
  })

  it('exactly as many VMs start as there are CPUs', async () => {
    const { w, engine } = await ready({ cpu: 2 })
    const ends = await race(engine, 6)
    expect(succeeded(ends)).toBe(2)
    expect(codes(ends)).toEqual(['no-host'])
    expect(w.state.graph.get('host', u.host)?.['availableCpuCapacity']).toBe(0)
  })

  it('exactly as many volumes are made as there are gigabytes', async () => {
    const { w, engine } = await ready({ disk: 3 * GIB })
    const ends = await race(engine, 5)
    expect(succeeded(ends)).toBe(2)
    expect(w.state.graph.get('localStorageHost', `${u.ps}:${u.host}`)?.['availableCapacity']).toBe(GIB)
  })

  it('memory that is kept for the host is not given to VMs', async () => {
    const { engine } = await ready({ memory: GIB + GIB / 4 })
    expect(succeeded(await race(engine, 2))).toBe(1)
  })
})

describe('acceptance', () => {
  it.each(['k1', 'k'.repeat(255)])(
    'a call under the same key has one effect and gives the same job: %s',
    async (idempotencyKey) => {
      const { w, engine } = await ready()
      const c = call('CreateZone', { name: 'z' }, { idempotencyKey })
      const [a, b] = [await engine.accept(c), await engine.accept(c)]
      expect(b.uuid).toBe(a.uuid)
      await engine.wait(a.uuid, 5_000)
      expect([...w.state.graph.by('zone', 'name', 'z')]).toHaveLength(1)
    },
  )

  it('a call that comes twice in one moment is taken once, and the other is told that it is a repeat', async () => {
    const { w, engine } = await ready()
    const c = call('CreateZone', { name: 'z' }, { jobUuid: id('twice') })
    const ends = await Promise.allSettled([engine.accept(c), engine.accept(c)])
    const [taken, told] = [ends.filter((e) => e.status === 'fulfilled'), ends.filter((e) => e.status === 'rejected')]
    expect(taken).toHaveLength(1)
    expect(told).toMatchObject([{ reason: { code: 'duplicate-job' } }])
    expect([...w.state.graph.by('zone', 'name', 'z')]).toHaveLength(1)
  })

  it('another call under a used key is refused', async () => {
    const { engine } = await ready()
    await engine.accept(call('CreateZone', { name: 'z' }, { idempotencyKey: 'k1' }))
    await expect(engine.accept(call('CreateZone', { name: 'other' }, { idempotencyKey: 'k1' }))).rejects.toMatchObject({
      code: 'duplicate-job',
    })
  })

  it.each<[string, Row, string]>([
    ['CreateCluster', { name: 'c', zoneUuid: id('nowhere'), hypervisorType: 'KVM' }, 'not-found'],
    ['CreateZone', { name: 'z', resourceUuid: u.zone }, 'duplicate-uuid'],
    ['DeleteZone', { uuid: id('nowhere') }, 'not-found'],
    [
      'AddIpRange',
      { name: 'r', l3NetworkUuid: u.l3, startIp: '10.0.0.50', endIp: '10.0.0.60', netmask: '255.255.255.0' },
      'invalid-argument',
    ],
    [
      'AddIpRange',
      { name: 'r', l3NetworkUuid: u.l3, startIp: '10.0.0.220', endIp: '10.0.1.2', netmask: '255.255.255.0' },
      'invalid-argument',
    ],
    [
      'AddIpRange',
      { name: 'r', l3NetworkUuid: u.l3, startIp: '10.0.0.230', endIp: '10.0.0.220', netmask: '255.255.255.0' },
      'invalid-argument',
    ],
    [
      'AddIpRange',
      { name: 'r', l3NetworkUuid: u.l3, startIp: '10.0.0.220', endIp: '10.0.0.230', netmask: '255.0.255.0' },
      'invalid-argument',
    ],
    [
      'AddIpRange',
      {
        name: 'r',
        l3NetworkUuid: u.l3,
        startIp: '10.0.0.220',
        endIp: '10.0.0.230',
        netmask: '255.255.255.0',
        gateway: '10.9.0.1',
      },
      'invalid-argument',
    ],
    ['AddIpRangeByNetworkCidr', { name: 'r', l3NetworkUuid: u.l3, networkCidr: '10.0.0.0/31' }, 'invalid-argument'],
    [
      'AddKVMHost',
      { name: 'h', clusterUuid: u.cluster, managementIp: '127.0.0.9', username: 'root', password: 'x' },
      'agent-absent',
    ],
    ['CreateVmInstance', { ...vmParams, l3NetworkUuids: [u.l3, u.l3] }, 'invalid-argument'],
    ['CreateVmInstance', { ...vmParams, rootDiskSize: 5 }, 'invalid-argument'],
    ['CreateVmInstance', { name: 'v', imageUuid: u.image, l3NetworkUuids: [u.l3], cpuNum: 0, memorySize: 0 }, 'invalid-argument'],
    ['AttachL2NetworkToCluster', { l2NetworkUuid: u.l2, clusterUuid: u.cluster }, 'illegal-state'],
    ['RecoverImage', { imageUuid: u.image }, 'illegal-state'],
    ['RemoveDnsFromL3Network', { l3NetworkUuid: u.l3, dns: '1.1.1.1' }, 'not-found'],
  ])('%s with bad input is refused and nothing is recorded: %o', async (api, params, code) => {
    const { w, engine } = await ready()
    const before = w.state.graph.seq
    await expect(engine.accept(call(api, params))).rejects.toMatchObject({ code })
    expect(w.state.graph.seq).toBe(before)
  })

  it('an illegal state change names the states that allow it', async () => {
    const { engine } = await ready()
    const vm = await done(engine, call('CreateVmInstance', vmParams))
    const uuid = (vm.result!['inventory'] as Row)['uuid'] as string
    await expect(engine.accept(call('RecoverVmInstance', { uuid }))).rejects.toMatchObject({
      code: 'vm-illegal-state',
      details: { state: 'Running', allowed: ['Destroyed'] },
    })
  })

  it('a normal account may not change anything', async () => {
    const { engine } = await ready()
    const caller = { accountUuid: id('user'), sessionUuid: id('s'), admin: false }
    await expect(engine.accept(call('CreateZone', { name: 'z' }, { caller }))).rejects.toMatchObject({
      code: 'permission-denied',
    })
  })

  it('a password is recorded only as a reference', async () => {
    const { w, engine } = await ready()
    await done(
      engine,
      call('AddImageStoreBackupStorage', {
        name: 'b',
        hostname: '127.0.0.1',
        username: 'root',
        password: 'canary-7c1f',
        url: '/other',
      }),
    )
    const all = ['job', 'backupStorage'].flatMap((t) => [...w.state.graph.rows(t)].map(([, row]) => row))
    expect(JSON.stringify(all)).not.toContain('canary-7c1f')
    expect(JSON.stringify(all)).toContain('$secret')
  })
})
