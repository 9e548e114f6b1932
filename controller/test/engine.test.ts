/** The engine: acceptance, limits that hold under races, repeats with one effect, resume, plans. */
import { createHash } from 'node:crypto'
import { realTimers } from '@skerry/bus'
import { ADMIN_ACCOUNT, apis, type Row, SkerryError } from '@skerry/contract'
import { describe, expect, it } from 'vitest'
import { compareAddresses, compareCounters } from '../src/audit/compare.ts'
import { ControllerEngine } from '../src/engine/engine.ts'
import type { PlanPorts } from '../src/engine/plan.ts'
import type { Call, JobView } from '../src/engine/port.ts'
import { GIB, id, makeWorld, site, type TestWorld, u, vmParams } from './world.ts'

const sleep = (ms: number) => new Promise<void>((resolve) => setTimeout(resolve, ms))

function engineOf(w: TestWorld, dryRun: PlanPorts['dryRun'] = async () => []): ControllerEngine {
  const faults: unknown[] = []
  return new ControllerEngine({
    state: w.state,
    world: w.world,
    now: w.world.now,
    newId: w.world.newId,
    sleep,
    timers: realTimers,
    seal: (h) => h,
    report: (error) => faults.push(error),
    calls: {},
    volatile: {},
    onEnded: () => undefined,
    dryRun,
  })
}

const call = (api: string, params: Row, more: Partial<Call> = {}): Call => {
  const found = apis.find((a) => a.api.api === api)!
  return {
    ...found,
    params,
    bodyHash: createHash('sha256')
      .update(api + JSON.stringify(params))
      .digest('hex'),
    caller: { accountUuid: ADMIN_ACCOUNT, sessionUuid: id('s'), admin: true },
    ...more,
  }
}

async function done(engine: ControllerEngine, c: Call): Promise<JobView> {
  const job = await engine.accept(c)
  return (await engine.wait(job.uuid, 10_000))!
}

async function ready(options = {}): Promise<{ w: TestWorld; engine: ControllerEngine }> {
  const w = await makeWorld()
  w.world.random = Math.random
  await site(w, options)
  return { w, engine: engineOf(w) }
}

/** Creates so many VMs at once; what each ended with. */
async function race(engine: ControllerEngine, count: number): Promise<(JobView | SkerryError)[]> {
  return Promise.all(
    Array.from({ length: count }, (_, i) =>
      done(engine, call('CreateVmInstance', { ...vmParams, name: `vm${i}` })).catch((e: SkerryError) => e),
    ),
  )
}
const succeeded = (ends: (JobView | SkerryError)[]) =>
  ends.filter((e) => !(e instanceof SkerryError) && e.state === 'done').length
const codes = (ends: (JobView | SkerryError)[]) => [
  ...new Set(ends.flatMap((e) => (e instanceof SkerryError ? [e.code] : e.error ? [e.error.code] : []))),
]

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
  it('a call under the same key has one effect and gives the same job', async () => {
    const { w, engine } = await ready()
    const c = call('CreateZone', { name: 'z' }, { idempotencyKey: 'k1' })
    const [a, b] = [await engine.accept(c), await engine.accept(c)]
    expect(b.uuid).toBe(a.uuid)
    await engine.wait(a.uuid, 5_000)
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

describe('a VM through its life', () => {
  it('keeps its address over stop and start, and leaves nothing after expunge', async () => {
    const { w, engine } = await ready()
    const before = { counters: w.state.graph.get('host', u.host), rows: w.state.graph.count('usedIp') }
    const inventory = (await done(engine, call('CreateVmInstance', vmParams))).result!['inventory'] as {
      uuid: string
      state: string
      vmNics: Row[]
    }
    expect(inventory.state).toBe('Running')
    const ip = inventory.vmNics[0]!['ip']
    expect((await done(engine, call('StopVmInstance', { uuid: inventory.uuid }))).result).toMatchObject({
      inventory: { state: 'Stopped', vmNics: [{ ip }] },
    })
    expect((await done(engine, call('StartVmInstance', { uuid: inventory.uuid }))).result).toMatchObject({
      inventory: { state: 'Running', vmNics: [{ ip }] },
    })
    expect((await done(engine, call('RebootVmInstance', { uuid: inventory.uuid }))).result).toMatchObject({
      inventory: { state: 'Running' },
    })
    expect((await done(engine, call('DestroyVmInstance', { uuid: inventory.uuid }))).result).toEqual({})
    expect((await done(engine, call('RecoverVmInstance', { uuid: inventory.uuid }))).result).toMatchObject({
      inventory: { state: 'Stopped', vmNics: [{ ip }] },
    })
    await done(engine, call('DestroyVmInstance', { uuid: inventory.uuid }))
    expect((await done(engine, call('ExpungeVmInstance', { uuid: inventory.uuid }))).state).toBe('done')
    expect(
      w.state.graph.count('vmInstance') +
        w.state.graph.count('volume') +
        w.state.graph.count('vmNic') +
        w.state.graph.count('usedMac'),
    ).toBe(0)
    expect(w.state.graph.count('usedIp')).toBe(before.rows)
    expect(w.state.graph.get('host', u.host)).toMatchObject({
      availableCpuCapacity: before.counters!['availableCpuCapacity'],
      availableMemoryCapacity: before.counters!['availableMemoryCapacity'],
    })
    expect([...w.agents.hosts.keys()].filter((k) => /\/(vm|volume|lease)\//.test(k))).toEqual([])
  })

  it('a second engine takes up a job that the first left in the middle', async () => {
    const { w } = await ready()
    const converge = w.agents.converge.bind(w.agents)
    w.agents.converge = () => new Promise(() => undefined) // the first process hangs here and is gone
    const job = await engineOf(w).accept(call('CreateVmInstance', vmParams))
    await sleep(50)
    w.agents.converge = converge
    const second = engineOf(w)
    expect(second.resume()).toBe(1)
    expect((await second.wait(job.uuid, 10_000))!.state).toBe('done')
    expect(w.state.graph.count('vmInstance')).toBe(1)
    expect(w.state.graph.countBy('usedIp', 'l3NetworkUuid', u.l3)).toBe(1)
  })

  it('an undo that fails leaves a stuck job that names its step and can be retried', async () => {
    const { w, engine } = await ready()
    const { command } = w.agents
    let away = true
    w.agents.command = async (...a: Parameters<typeof command>) => {
      if (a[1].verb === 'download') throw new SkerryError('image-unreachable', 'the source answered 404')
      if (a[1].verb === 'remove' && away) throw new SkerryError('internal', 'the store is broken')
      return command.apply(w.agents, a)
    }
    const ended = await done(engine, call('AddImage', { name: 'i', url: 'http://127.0.0.1/x', backupStorageUuids: [u.bs] }))
    expect(ended).toMatchObject({ state: 'stuck', step: 'download' })
    away = false
    expect((await engine.retry(ended.uuid)).state).toBe('failed')
    expect(w.state.graph.count('image')).toBe(1)
  })
})

describe('plans', () => {
  it('show the cascade of a deletion and change nothing', async () => {
    const { w, engine } = await ready()
    const seq = w.state.graph.seq
    const plan = await engine.plan(call('DeleteZone', { uuid: u.zone }))
    expect(plan.cascade.map((c) => `${c.action} ${c.resource}`)).toContain('delete host')
    expect(plan.cascade.at(-1)).toMatchObject({ resource: 'zone', uuid: u.zone })
    expect(w.state.graph.seq).toBe(seq)
  })

  it('show what a creation would write', async () => {
    const { w, engine } = await ready()
    const plan = await engine.plan(call('CreateVmInstance', vmParams))
    expect(plan.steps).toContain('allocate-host')
    expect(plan.changes).toContainEqual(expect.objectContaining({ step: 'persist', resource: 'vmInstance' }))
    expect(plan.changes).toContainEqual(expect.objectContaining({ step: 'allocate-nics', resource: 'usedIp' }))
    expect(w.state.graph.count('vmInstance')).toBe(0)
  })

  it('ask agents what the documents of the call would change there', async () => {
    const { w } = await ready()
    const asked: string[] = []
    const engine = engineOf(w, async (documents) => {
      for (const list of documents.values()) for (const d of list) asked.push(`${d.noun}${'tombstone' in d ? ' gone' : ''}`)
      return []
    })
    await engine.plan(call('CreateVmInstance', vmParams))
    expect(asked.sort()).toEqual(['lease', 'router', 'volume'])
    const vm = await done(engine, call('CreateVmInstance', vmParams))
    await w.agents.settle()
    asked.length = 0
    const plan = await engine.plan(call('DestroyVmInstance', { uuid: (vm.result!['inventory'] as Row)['uuid'] }))
    expect(asked).toEqual(['vm gone'])
    expect(plan.changes.at(-1)).toMatchObject({ step: 'finish' })
  })

  it('refuse what the call itself would refuse: a zone whose VMs are there', async () => {
    const { engine } = await ready()
    await done(engine, call('CreateVmInstance', vmParams))
    await expect(engine.plan(call('DeleteZone', { uuid: u.zone }))).rejects.toMatchObject({ code: 'in-use' })
  })
})

describe('a creation that is only a row', () => {
  it('is accepted, done and told about in one commit', async () => {
    const { w, engine } = await ready()
    const before = w.state.graph.seq
    const facts: string[] = []
    w.state.store.onCommit((commit) => facts.push(...commit.facts.map((fact) => `${fact.noun} ${fact.event}`)))
    const job = await engine.accept(call('CreateZone', { name: 'one commit' }))
    expect(job).toMatchObject({ state: 'done', step: 'create', result: { inventory: { name: 'one commit' } } })
    expect(w.state.graph.seq).toBe(before + 1)
    expect(facts).toEqual(['zone created'])
    expect(w.state.graph.count('jobStep')).toBe(0)
  })

  it('goes the ordinary way when its commit is refused, and its job then says why', async () => {
    const { w, engine } = await ready()
    const zone = (await engine.accept(call('CreateZone', { name: 'short-lived' }))).result!['inventory'] as Row
    const commit = w.state.commit.bind(w.state)
    let refused = 0
    w.state.commit = async (change, by) => {
      const first = refused++ === 0
      if (first) await commit({ ops: [{ o: 'del', t: 'zone', k: zone['uuid'] as string }] }, { actor: 'test' })
      return commit(change, by)
    }
    const job = await done(engine, call('CreateCluster', { name: 'c', zoneUuid: zone['uuid'], hypervisorType: 'KVM' }))
    expect(job).toMatchObject({ state: 'failed', error: { code: 'not-found' } })
    expect(w.state.graph.by('cluster', 'zoneUuid', zone['uuid'])).toEqual([])
  })
})
