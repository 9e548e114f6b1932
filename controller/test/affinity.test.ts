/** Affinity groups: their members are on different hosts, when they are created and when they start. */
import { ADMIN_ACCOUNT, type Row, type SkerryError } from '@skerry/contract'
import { describe, expect, it } from 'vitest'
import { groupsForNewVm, groupsForVm } from '../src/calls/affinity-groups.ts'
import type { ControllerEngine } from '../src/engine/engine.ts'
import { joining } from '../src/workflows/affinity-group.ts'
import type { Ctx } from '../src/workflows/world.ts'
import { call, done, second, twoHosts } from './engine-calls.ts'
import { id, u, vmParams } from './world.ts'

async function group(engine: ControllerEngine, policy: string): Promise<string> {
  const job = await done(engine, call('CreateAffinityGroup', { name: policy, policy }))
  return (job.result!['inventory'] as Row)['uuid'] as string
}
const inGroup = (name: string, groupUuid: string, more: Row = {}) =>
  call('CreateVmInstance', { ...vmParams, name, systemTags: [`affinityGroupUuid::${groupUuid}`], ...more })
const vmOf = (job: { result?: Row | null }) =>
  job.result!['inventory'] as Row as { uuid: string; hostUuid: string; state: string }

describe('a group that must be apart', () => {
  it('has its members on different hosts, also those that are created at once; one too many has no host', async () => {
    const { w, engine } = await twoHosts()
    const hard = await group(engine, 'antiHard')
    const jobs = await Promise.all(['a', 'b'].map((name) => done(engine, inGroup(name, hard))))
    expect(jobs.map((job) => job.state)).toEqual(['done', 'done'])
    expect(new Set(jobs.map((job) => vmOf(job).hostUuid))).toEqual(new Set([u.host, second]))
    const third = inGroup('c', hard)
    await expect(engine.accept(third)).rejects.toMatchObject({
      code: 'no-host',
      details: { refused: [{ filter: 'affinity-group' }, { filter: 'affinity-group' }] },
    })
    const shown = await done(engine, call('UpdateAffinityGroup', { uuid: hard, name: 'renamed' }))
    expect((shown.result!['inventory'] as Row)['usages']).toHaveLength(2)
    await done(engine, call('ChangeAffinityGroupState', { uuid: hard, stateEvent: 'disable' }))
    expect((await done(engine, third)).state).toBe('done')
    expect(w.state.graph.countBy('tag', 'resourceUuid', vmOf(jobs[0]!).uuid), 'the tag acts, and is not kept').toBe(0)
  })

  it('takes no VM that shares its host with a member, and lets no member start beside another', async () => {
    const { w, engine } = await twoHosts()
    const hard = await group(engine, 'antiHard')
    const [a, b] = [
      vmOf(await done(engine, inGroup('a', hard, { hostUuid: u.host }))),
      vmOf(await done(engine, call('CreateVmInstance', { ...vmParams, name: 'b', hostUuid: u.host }))),
    ]
    const add = call('AddVmToAffinityGroup', { affinityGroupUuid: hard, uuid: b.uuid })
    await expect(engine.accept(add)).rejects.toMatchObject({ code: 'illegal-state' })
    expect(groupsForVm(w.state.graph, b.uuid)).toEqual({ inventories: [] })
    await done(engine, call('StopVmInstance', { uuid: b.uuid }))
    expect(groupsForVm(w.state.graph, b.uuid)['inventories']).toHaveLength(1)
    expect((await done(engine, add)).state).toBe('done')
    const start = await done(engine, call('StartVmInstance', { uuid: b.uuid }))
    expect(start).toMatchObject({ state: 'failed', error: { code: 'no-host' } })
    expect(JSON.stringify(start.error)).toContain('another VM instance of affinity group antiHard is there')
    await done(engine, call('StopVmInstance', { uuid: a.uuid }))
    expect((await done(engine, call('StartVmInstance', { uuid: b.uuid }, { bodyHash: 'again' }))).state).toBe('done')
  })

  it('moves when it gets a member, so that one whose host is being chosen meanwhile is chosen anew', async () => {
    const { w, engine } = await twoHosts()
    const hard = await group(engine, 'antiHard')
    const b = vmOf(await done(engine, call('CreateVmInstance', { ...vmParams, name: 'b' })))
    const seen = w.state.graph.version('affinityGroup', hard)!
    expect((await done(engine, call('AddVmToAffinityGroup', { affinityGroupUuid: hard, uuid: b.uuid }))).state).toBe('done')
    // what a placement says of the group that it has looked at
    expect(w.state.graph.check([{ g: 'version', t: 'affinityGroup', k: hard, seq: seen }], [])).toBeDefined()
  })

  it('forgets a VM that is taken out, or gone; and goes without its VMs', async () => {
    const { w, engine } = await twoHosts()
    const hard = await group(engine, 'antiHard')
    const a = vmOf(await done(engine, inGroup('a', hard)))
    expect((await done(engine, call('RemoveVmFromAffinityGroup', { affinityGroupUuid: hard, uuid: a.uuid }))).state).toBe('done')
    expect(w.state.graph.count('affinityGroupUsage')).toBe(0)
    const b = vmOf(await done(engine, inGroup('b', hard)))
    await done(engine, call('DestroyVmInstance', { uuid: b.uuid }))
    expect(w.state.graph.count('affinityGroupUsage')).toBe(1)
    await done(engine, call('ExpungeVmInstance', { uuid: b.uuid }))
    expect(w.state.graph.count('affinityGroupUsage')).toBe(0)
    const c = vmOf(await done(engine, inGroup('c', hard)))
    await done(engine, call('DeleteAffinityGroup', { uuid: hard }))
    expect(w.state.graph.count('affinityGroupUsage')).toBe(0)
    expect(w.state.graph.get('vmInstance', c.uuid)?.['state']).toBe('Running')
  })

  it('that does not exist, or is another account’s, is the same to a creation: not there', async () => {
    const { w, engine } = await twoHosts()
    const hard = await group(engine, 'antiHard')
    await w.commit({ ops: [{ o: 'put', t: 'account', k: id('t'), v: { uuid: id('t'), name: 't', type: 'Normal' } }] })
    const joins = (account: string, group: string) => {
      const params = { systemTags: [`affinityGroupUuid::${group}`] }
      const input = { uuid: id('new'), table: 'vmInstance', params, accountUuid: account }
      return () => joining({ world: w.world, input } as unknown as Ctx)
    }
    const wording = (run: () => unknown, group: string) => {
      try {
        return run()
      } catch (error) {
        const { code, message, details } = error as SkerryError
        return JSON.stringify({ code, message, details }).replaceAll(group, 'GROUP')
      }
    }
    const foreign = wording(joins(id('t'), hard), hard)
    expect(foreign).toContain('not-found')
    expect(wording(joins(id('t'), id('nowhere')), id('nowhere'))).toBe(foreign)
    expect(joins(ADMIN_ACCOUNT, hard)().ops).toHaveLength(1)
    await w.commit({ ops: [{ o: 'set', t: 'affinityGroup', k: hard, v: { ownerUuid: id('t') } }] })
    expect(joins(id('t'), hard)().ops).toHaveLength(1)
  })
})

describe('a group that would rather be apart', () => {
  it('uses other hosts first, also busier ones, and then shares one', async () => {
    const { engine } = await twoHosts()
    const soft = await group(engine, 'antiSoft')
    const first = vmOf(await done(engine, inGroup('a', soft, { hostUuid: u.host })))
    for (const name of ['x', 'y', 'z']) await done(engine, call('CreateVmInstance', { ...vmParams, name, hostUuid: second }))
    expect(first.hostUuid).toBe(u.host)
    expect(vmOf(await done(engine, inGroup('b', soft))).hostUuid).toBe(second)
    expect(vmOf(await done(engine, inGroup('c', soft))).hostUuid).toBe(u.host)
  })
})

describe('groups for a VM that is to be created', () => {
  it('are those of its zone, and with a host those that have no member there', async () => {
    const { w, engine } = await twoHosts()
    const hard = await group(engine, 'antiHard')
    await done(engine, inGroup('a', hard, { hostUuid: u.host }))
    const count = (params: Row) => (groupsForNewVm(w.state.graph, params)['inventories'] as Row[]).length
    expect(count({ zoneUuid: u.zone })).toBe(1)
    expect(count({ zoneUuid: u.zone, hostUuid: u.host })).toBe(0)
    expect(count({ zoneUuid: u.zone, hostUuid: second })).toBe(1)
    await w.commit({ ops: [{ o: 'set', t: 'affinityGroup', k: hard, v: { zoneUuid: id('other') } }] })
    expect(count({ zoneUuid: u.zone })).toBe(0)
  })
})
