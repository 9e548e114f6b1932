/** Host maintenance: no new guests, those that are there are off, and they start again when it ends; a failure leaves all as it was. */
import { type Row, SkerryError } from '@skerry/contract'
import { describe, expect, it } from 'vitest'
import { compareCounters } from '../src/audit/compare.ts'
import { FOR_MAINTENANCE } from '../src/workflows/host.state.ts'
import { call, done, ready } from './engine-calls.ts'
import { type TestWorld, u, vmParams } from './world.ts'

const change = (stateEvent: string, nth = '') =>
  call('ChangeHostState', { uuid: u.host, stateEvent }, { bodyHash: `${stateEvent}${nth}` })

async function withVms(names: readonly string[]) {
  const { w, engine } = await ready()
  const uuids: Record<string, string> = {}
  for (const name of names) {
    const job = await done(engine, call('CreateVmInstance', { ...vmParams, name }))
    uuids[name] = (job.result!['inventory'] as Row)['uuid'] as string
  }
  const vm = (name: string) => w.state.graph.get('vmInstance', uuids[name]!)!
  return { w, engine, uuids, vm }
}
const hostOf = (w: TestWorld) => w.state.graph.get('host', u.host)!
/** Jobs that the end of a maintenance makes; the world of these tests has no engine behind its port. */
function recordJobs(w: TestWorld): Row[] {
  const calls: Row[] = []
  w.world.jobs.accept = async ({ jobName, params }) => void calls.push({ jobName, ...params })
  return calls
}

/** What agents are asked for ends only when it is told to: by its number, with or without an error. */
function held(w: TestWorld) {
  const waiting: ((error?: Error) => void)[] = []
  let told = () => undefined as unknown
  const underWay = (count: number) =>
    new Promise<void>((resolve) => {
      told = () => waiting.length >= count && resolve()
      told()
    })
  w.world.agents.converge = () =>
    new Promise((resolve, reject) => {
      waiting.push((error) => (error ? reject(error) : resolve([])))
      told()
    })
  return { waiting, underWay }
}

describe('maintenance', () => {
  it('stops what runs, frees the host, takes nothing new, and has it started when the host is enabled, not before', async () => {
    const { w, engine, uuids, vm } = await withVms(['runs', 'off'])
    await done(engine, call('StopVmInstance', { uuid: uuids['off'] }))
    const starts = recordJobs(w)
    const job = await done(engine, change('maintain'))
    expect(job).toMatchObject({ state: 'done', result: { inventory: { state: 'Maintenance' } } })
    expect(vm('runs')).toMatchObject({ state: 'Stopped', power: 'Stopped', stateCause: FOR_MAINTENANCE, hostUuid: null })
    expect(vm('runs')['lastHostUuid']).toBe(u.host)
    expect(vm('off')['stateCause'] ?? null).toBeNull()
    expect(hostOf(w)['availableCpuCapacity']).toBe(hostOf(w)['totalCpuCapacity'])
    expect(compareCounters(w.state.graph)).toEqual([])
    await expect(engine.accept(call('CreateVmInstance', { ...vmParams, name: 'new' }))).rejects.toMatchObject({
      code: 'no-host',
      details: { refused: [{ filter: 'host-state', because: 'it is Maintenance' }] },
    })
    expect((await done(engine, change('maintain', ' again'))).state).toBe('done')
    await done(engine, change('disable'))
    expect(starts).toEqual([])
    await done(engine, change('enable'))
    expect(starts).toEqual([{ jobName: 'APIStartVmInstanceMsg', uuid: uuids['runs'] }])
  })

  it.each(['fails as well', 'is done'])(
    'a guest whose destruction fails is not between two states when the maintenance %s',
    async (how) => {
      const { w, engine, uuids, vm } = await withVms(['goes'])
      const { waiting, underWay } = held(w)
      const silent = new SkerryError('agent-unreachable', 'it is silent', {})
      const maintained = done(engine, change('maintain'))
      await underWay(1)
      const destroyed = done(engine, call('DestroyVmInstance', { uuid: uuids['goes'] }))
      await underWay(2)
      waiting[0]!(how === 'is done' ? undefined : silent)
      await maintained
      waiting[1]!(silent)
      expect((await destroyed).state).toBe('failed')
      expect(vm('goes')).toMatchObject({ state: 'Unknown', power: 'Stopped', hostUuid: u.host })
      expect(compareCounters(w.state.graph)).toEqual([])
    },
  )

  it('a guest whose destruction fails while the maintenance goes on is left to that', async () => {
    const { w, engine, uuids, vm } = await withVms(['stays'])
    const { waiting, underWay } = held(w)
    const maintained = done(engine, change('maintain'))
    await underWay(1)
    const destroyed = done(engine, call('DestroyVmInstance', { uuid: uuids['stays'] }))
    await underWay(2)
    waiting[1]!(new SkerryError('agent-unreachable', 'it is silent', {}))
    expect((await destroyed).state).toBe('failed')
    expect(vm('stays')['state']).toBe('Stopping')
    waiting[0]!()
    expect((await maintained).state).toBe('done')
    expect(vm('stays')).toMatchObject({ state: 'Stopped', stateCause: FOR_MAINTENANCE })
  })

  it('leaves a guest to who destroys it at the same time, and its room is given back once', async () => {
    const { w, engine, uuids, vm } = await withVms(['goes', 'stays'])
    const { converge } = w.world.agents
    const waiting: (() => void)[] = []
    let told = () => undefined as unknown
    const underWay = (count: number) =>
      new Promise<void>((resolve) => {
        told = () => waiting.length >= count && resolve()
        told()
      })
    w.world.agents.converge = async (...args) => {
      await new Promise<void>((go) => {
        waiting.push(go)
        told()
      })
      return converge.apply(w.world.agents, args)
    }
    const maintained = done(engine, change('maintain'))
    await underWay(2)
    const destroyed = done(engine, call('DestroyVmInstance', { uuid: uuids['goes'] }))
    await underWay(3)
    // The later order first, and all in one moment.
    for (const go of waiting.toReversed()) go()
    expect([(await destroyed).state, (await maintained).state]).toEqual(['done', 'done'])
    expect(vm('goes')).toMatchObject({ state: 'Destroyed', stateCause: null, hostUuid: null })
    expect(vm('stays')).toMatchObject({ state: 'Stopped', stateCause: FOR_MAINTENANCE, hostUuid: null })
    expect(compareCounters(w.state.graph)).toEqual([])
  })

  it('ends also when a guest can not be started, and says so of that guest; a controller that can not accept is no such thing', async () => {
    const { w, engine, uuids } = await withVms(['a', 'b'])
    await done(engine, change('maintain'))
    const starts: unknown[] = []
    w.world.jobs.accept = async ({ params }) => {
      if (params['uuid'] === uuids['a']) throw new SkerryError('quota-exceeded', 'no CPUs are left to its account')
      starts.push(params['uuid'])
    }
    const facts: Row[] = []
    const { commit } = w.state
    w.state.commit = async (change, by) => {
      facts.push(...((change.facts ?? []) as unknown as Row[]).filter(({ event }) => event === 'start-refused'))
      return commit.call(w.state, change, by)
    }
    expect((await done(engine, change('enable'))).state).toBe('done')
    expect([hostOf(w)['state'], starts]).toEqual(['Enabled', [uuids['b']]])
    expect(facts).toMatchObject([{ noun: 'vmInstance', uuid: uuids['a'], data: { code: 'quota-exceeded' } }])

    await done(engine, change('maintain', ' 2'))
    w.world.jobs.accept = async () => Promise.reject(new SkerryError('store-stopped', 'the log is not written'))
    expect(await done(engine, change('enable', ' 2'))).toMatchObject({ state: 'failed', error: { code: 'store-stopped' } })
    expect(hostOf(w)['state']).toBe('Maintenance')
  })

  it('leaves off what somebody stopped meanwhile', async () => {
    const { w, engine, uuids } = await withVms(['a'])
    const starts = recordJobs(w)
    await done(engine, change('maintain'))
    await done(engine, call('StopVmInstance', { uuid: uuids['a'] }))
    await done(engine, change('enable'))
    expect(starts).toEqual([])
  })

  it('tells how far it is, and gives everything back when a guest can not be stopped', async () => {
    const { w, engine, uuids, vm } = await withVms(['a', 'b'])
    const before = [hostOf(w)['availableCpuCapacity'], vm('a'), vm('b')].map((x) => JSON.stringify(x))
    const { converge } = w.agents
    const during: unknown[] = []
    w.agents.converge = async (names) => {
      during.push(hostOf(w)['state'], vm('a')['state'])
      if (names.includes(`vm/${uuids['b']}`) && vm('b')['power'] === 'Stopped')
        throw new SkerryError('agent-unreachable', 'the agent does not answer')
      return converge.call(w.agents, names)
    }
    const job = await done(engine, change('maintain'))
    expect(job).toMatchObject({ state: 'failed', error: { code: 'agent-unreachable' } })
    expect(during).toContain('PreMaintenance')
    expect(during).toContain('Stopping')
    expect(hostOf(w)['state']).toBe('Enabled')
    const after = [hostOf(w)['availableCpuCapacity'], vm('a'), vm('b')].map((x) => JSON.stringify(x))
    expect(after).toEqual(before)
  })

  it('is refused while a guest is between two states, or when its host can not be asked', async () => {
    const { w, engine, uuids, vm } = await withVms(['a'])
    await w.commit({ ops: [{ o: 'set', t: 'vmInstance', k: uuids['a']!, v: { state: 'Rebooting' } }] })
    expect(await done(engine, change('maintain'))).toMatchObject({ state: 'failed', error: { code: 'in-use' } })
    expect(hostOf(w)['state']).toBe('Enabled')
    expect(vm('a')['state']).toBe('Rebooting')
    await w.commit({ ops: [{ o: 'set', t: 'host', k: u.host, v: { status: 'Disconnected' } }] })
    await expect(engine.accept(change('maintain', ' 2'))).rejects.toMatchObject({ code: 'illegal-state' })
  })
})

describe('the states of a host', () => {
  const rows: [string, string, string | undefined][] = [
    ['Enabled', 'enable', 'Enabled'],
    ['Enabled', 'disable', 'Disabled'],
    ['Enabled', 'maintain', 'Maintenance'],
    ['Disabled', 'enable', 'Enabled'],
    ['Disabled', 'disable', 'Disabled'],
    ['Disabled', 'maintain', 'Maintenance'],
    ['PreMaintenance', 'enable', 'Enabled'],
    ['PreMaintenance', 'disable', 'Disabled'],
    ['PreMaintenance', 'maintain', 'Maintenance'],
    ['Maintenance', 'enable', 'Enabled'],
    ['Maintenance', 'disable', 'Disabled'],
    ['Maintenance', 'maintain', 'Maintenance'],
  ]
  it.each(rows)('%s, %s → %s', async (from, event, to) => {
    const { w, engine } = await ready()
    await w.commit({ ops: [{ o: 'set', t: 'host', k: u.host, v: { state: from } }] })
    expect(await done(engine, change(event))).toMatchObject({ state: 'done', result: { inventory: { state: to } } })
  })
})
