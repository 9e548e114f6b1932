/** The engine: a VM through its life, resume, plans, creations that end where they are accepted. */
import { type Row, SkerryError } from '@skerry/contract'
import { describe, expect, it } from 'vitest'
import { compareCounters } from '../src/audit/compare.ts'
import { call, done, engineOf, ready } from './engine-calls.ts'
import { id, u, vmParams } from './world.ts'

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
    let isThere: () => void
    const hangs = new Promise<void>((resolve) => (isThere = resolve))
    // the first process hangs here and is gone
    w.agents.converge = () => {
      isThere()
      return new Promise(() => undefined)
    }
    const job = await engineOf(w).accept(call('CreateVmInstance', vmParams))
    await hangs
    w.agents.converge = converge
    const second = engineOf(w)
    expect(second.resume()).toBe(1)
    expect((await second.wait(job.uuid, 10_000))!.state).toBe('done')
    expect(w.state.graph.count('vmInstance')).toBe(1)
    expect(w.state.graph.countBy('usedIp', 'l3NetworkUuid', u.l3)).toBe(1)
  })

  it('a crashed VM that does not start again stays on its host', async () => {
    const { w, engine } = await ready()
    const vm = (await done(engine, call('CreateVmInstance', vmParams))).result!['inventory'] as Row
    const uuid = vm['uuid'] as string
    await w.commit({ ops: [{ o: 'set', t: 'vmInstance', k: uuid, v: { state: 'Crashed', stateCause: 'panicked' } }] })
    const { converge } = w.agents
    w.agents.converge = async (names) => {
      if (names.some((name) => name.startsWith('vm/'))) throw new SkerryError('hypervisor-failed', 'qemu refused')
      return converge.call(w.agents, names)
    }
    const ended = await done(engine, call('StartVmInstance', { uuid }))
    expect(ended).toMatchObject({ state: 'failed', error: { code: 'hypervisor-failed' } })
    expect(w.state.graph.get('vmInstance', uuid)).toMatchObject({ state: 'Crashed', hostUuid: null, lastHostUuid: u.host })
    expect(w.state.graph.get('desired', `${u.kvm}/vm/${uuid}`)).toMatchObject({ tombstone: false })
    expect(compareCounters(w.state.graph)).toEqual([])
  })

  it('a crashed VM that is rebooted runs, and what it crashed of is over', async () => {
    const { w, engine } = await ready()
    const vm = (await done(engine, call('CreateVmInstance', vmParams))).result!['inventory'] as Row
    const uuid = vm['uuid'] as string
    await w.commit({ ops: [{ o: 'set', t: 'vmInstance', k: uuid, v: { state: 'Crashed', stateCause: 'panicked' } }] })
    await done(engine, call('RebootVmInstance', { uuid }))
    expect(w.state.graph.get('vmInstance', uuid)).toMatchObject({ state: 'Running', stateCause: null })
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
    const [seq, retry] = [w.state.graph.seq, call('RetryJob', { uuid: ended.uuid })]
    expect(await engine.plan(retry)).toMatchObject({ workflow: 'image.add', steps: ['download', 'register'], changes: [] })
    expect(w.state.graph.seq).toBe(seq)
    away = false
    expect((await engine.retry(ended.uuid)).state).toBe('failed')
    expect(w.state.graph.count('image')).toBe(1)
    await expect(engine.plan(retry)).rejects.toMatchObject({ code: 'illegal-state' })
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
    expect(plan.hosts).toEqual({ possible: [expect.objectContaining({ hostUuid: u.host, vms: 0 })], refused: [] })
    const tenant = { accountUuid: id('tenant'), sessionUuid: id('s'), admin: false }
    const theirs = [
      ['instanceOffering', u.offering],
      ['image', u.image],
      ['l3Network', u.l3],
    ] as const
    const account = { uuid: tenant.accountUuid, name: 'tenant', type: 'Normal' }
    await w.commit({
      ops: [
        { o: 'put', t: 'account', k: tenant.accountUuid, v: account },
        ...theirs.map(([t, k]) => ({ o: 'set' as const, t, k, v: { ownerUuid: tenant.accountUuid } })),
      ],
    })
    expect((await engine.plan(call('CreateVmInstance', vmParams, { caller: tenant }))).hosts).toBeUndefined()
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

  it('hide no defect of a step: only what an agent would have answered may be missing', async () => {
    const { w, engine } = await ready()
    w.world.now = () => {
      throw new TypeError('a defect')
    }
    await expect(engine.plan(call('CreateZone', { name: 'z' }))).rejects.toThrow('a defect')
  })

  it('refuse what the call itself would refuse: a storage whose volumes are there', async () => {
    const { engine } = await ready()
    await done(engine, call('CreateVmInstance', vmParams))
    const detach = call('DetachPrimaryStorageFromCluster', { primaryStorageUuid: u.ps, clusterUuid: u.cluster })
    await expect(engine.plan(detach)).rejects.toMatchObject({ code: 'in-use' })
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
