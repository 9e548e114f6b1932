/** VM scheduling rules: where members of their groups may be when they are created and when they start, and what may not be changed meanwhile. */
import { type Op, type Row, SkerryError } from '@skerry/contract'
import { describe, expect, it } from 'vitest'
import type { ControllerEngine } from '../src/engine/engine.ts'
import { candidates, placeVm } from '../src/place/host.ts'
import { call, done, second, twoHosts } from './engine-calls.ts'
import { host, hosts, request } from './place-world.ts'
import { id, type TestWorld, u, vmParams } from './world.ts'

/** A site with two hosts, and groups of VMs and of hosts on it: the second host is in the latter. */
async function site(): Promise<{ w: TestWorld; engine: ControllerEngine; vms: string; hosts: string }> {
  const { w, engine } = await twoHosts()
  const vms = await made(engine, 'CreateVmSchedulingRuleGroup', { name: 'vms', zoneUuid: u.zone })
  const hosts = await made(engine, 'CreateHostSchedulingRuleGroup', { name: 'hosts', zoneUuid: u.zone })
  await ok(engine, 'AddHostToHostSchedulingRuleGroup', { hostGroupUuid: hosts, hostUuid: second })
  return { w, engine, vms, hosts }
}

let calls = 0
async function ok(engine: ControllerEngine, api: string, params: Row): Promise<Row> {
  const job = await done(engine, call(api, params, { bodyHash: `call-${++calls}` }))
  expect(job, `${api}: ${JSON.stringify(job.error)}`).toMatchObject({ state: 'done' })
  return job.result ?? {}
}
const made = async (engine: ControllerEngine, api: string, params: Row) =>
  ((await ok(engine, api, params))['inventory'] as Row)['uuid'] as string
const refused = (engine: ControllerEngine, api: string, params: Row, about: RegExp) =>
  expect(engine.accept(call(api, params, { bodyHash: `call-${++calls}` })), api).rejects.toThrow(about)

const rule = (engine: ControllerEngine, params: Row) =>
  made(engine, 'CreateVmSchedulingRule', { name: 'rule', mode: 'HARD', ...params })
const inGroup = (name: string, group: string, more: Row = {}) => ({
  ...{ ...vmParams, name, systemTags: [`vmSchedulingRuleGroupUuid::${group}`] },
  ...more,
})
const vm = async (engine: ControllerEngine, params: Row) =>
  (await ok(engine, 'CreateVmInstance', params))['inventory'] as Row as { uuid: string; hostUuid: string }

describe('VM instances that are to be apart', () => {
  it('are on different hosts, also when they are created at once; one too many has no host until the rule is off', async () => {
    const { w, engine, vms } = await site()
    const apart = await rule(engine, { rule: 'ANTIAFFINITY', vmGroupUuid: vms })
    const both = await Promise.all(['a', 'b'].map((name) => vm(engine, inGroup(name, vms))))
    expect(new Set(both.map((one) => one.hostUuid))).toEqual(new Set([u.host, second]))
    const third = engine.accept(call('CreateVmInstance', inGroup('c', vms)))
    await expect(third).rejects.toMatchObject({
      code: 'no-host',
      details: { refused: [{ filter: 'scheduling-rule' }, { filter: 'scheduling-rule' }] },
    })
    expect(w.state.graph.countBy('tag', 'resourceUuid', both[0]!.uuid), 'the tag acts, and is not kept').toBe(0)
    await ok(engine, 'ChangeVmSchedulingRuleState', { uuid: apart, state: 'disable' })
    const c = await vm(engine, inGroup('c', vms))
    await refused(
      engine,
      'ChangeVmSchedulingRuleState',
      { uuid: apart, state: 'enable' },
      /are on one host.*stop one of them first/,
    )
    await ok(engine, 'UpdateVmSchedulingRule', { uuid: apart, mode: 'SOFT', name: 'rather' })
    expect(w.state.graph.get('vmSchedulingRule', apart)).toMatchObject({ policy: 'antiSoft', name: 'rather' })
    await ok(engine, 'ChangeVmSchedulingRuleState', { uuid: apart, state: 'enable' })
    await refused(engine, 'UpdateVmSchedulingRule', { uuid: apart, mode: 'HARD' }, /are on one host/)
    await ok(engine, 'DetachVmFromVmSchedulingRuleGroup', { vmGroupUuid: vms, vmUuid: c.uuid })
    await ok(engine, 'UpdateVmSchedulingRule', { uuid: apart, mode: 'HARD' })
    await refused(engine, 'AddVmToVmSchedulingRuleGroup', { vmGroupUuid: vms, vmUuid: c.uuid }, /are on one host/)
  })

  it('do not start beside one another', async () => {
    const { engine, vms } = await site()
    const a = await vm(engine, { ...vmParams, name: 'a', hostUuid: u.host })
    const b = await vm(engine, { ...vmParams, name: 'b', hostUuid: u.host })
    await ok(engine, 'StopVmInstance', { uuid: b.uuid })
    for (const vmUuid of [a.uuid, b.uuid]) await ok(engine, 'AddVmToVmSchedulingRuleGroup', { vmGroupUuid: vms, vmUuid })
    await rule(engine, { rule: 'ANTIAFFINITY', vmGroupUuid: vms })
    const start = await done(engine, call('StartVmInstance', { uuid: b.uuid }))
    expect(start).toMatchObject({ state: 'failed', error: { code: 'no-host' } })
    expect(JSON.stringify(start.error)).toContain('scheduling rule rule keeps it apart from a VM instance that is there')
    await ok(engine, 'StopVmInstance', { uuid: a.uuid })
    await ok(engine, 'StartVmInstance', { uuid: b.uuid })
  })
})

describe('VM instances that are to be together', () => {
  it('follow the first, onto a busier host too, and none is elsewhere', async () => {
    const { engine, vms } = await site()
    await rule(engine, { rule: 'AFFINITY', vmGroupUuid: vms })
    for (const name of ['x', 'y']) await vm(engine, { ...vmParams, name, hostUuid: second })
    const elsewhere = await vm(engine, { ...vmParams, name: 'z', hostUuid: u.host })
    await vm(engine, inGroup('a', vms, { hostUuid: second }))
    const [b, c] = await Promise.all(['b', 'c'].map((name) => vm(engine, inGroup(name, vms))))
    expect([b!.hostUuid, c!.hostUuid]).toEqual([second, second])
    await refused(
      engine,
      'CreateVmInstance',
      inGroup('d', vms, { hostUuid: u.host }),
      /keeps it together with VM instances that are elsewhere/,
    )
    await refused(engine, 'AddVmToVmSchedulingRuleGroup', { vmGroupUuid: vms, vmUuid: elsewhere.uuid }, /are on different hosts/)
  })
})

describe('VM instances and a group of hosts', () => {
  it('that they must be on: on no other, and none leaves the group under them', async () => {
    const { engine, vms, hosts } = await site()
    await rule(engine, { rule: 'AFFINITY', vmGroupUuid: vms, hostGroupUuid: hosts })
    const a = await vm(engine, inGroup('a', vms))
    expect(a.hostUuid).toBe(second)
    await refused(engine, 'CreateVmInstance', inGroup('b', vms, { hostUuid: u.host }), /keeps it on the hosts of group hosts/)
    const leave = { hostGroupUuid: hosts, hostUuid: second }
    await refused(engine, 'DetachHostFromHostSchedulingRuleGroup', leave, /not on one of the hosts that it must be on/)
    await ok(engine, 'StopVmInstance', { uuid: a.uuid })
    await ok(engine, 'DetachHostFromHostSchedulingRuleGroup', leave)
    await refused(engine, 'CreateVmInstance', inGroup('b', vms), /keeps it on the hosts of group hosts/)
  })

  it('that they must keep off: on another, and none of theirs comes into the group', async () => {
    const { engine, vms, hosts } = await site()
    await rule(engine, { rule: 'ANTIAFFINITY', vmGroupUuid: vms, hostGroupUuid: hosts })
    expect((await vm(engine, inGroup('a', vms))).hostUuid).toBe(u.host)
    const b = await vm(engine, { ...vmParams, name: 'b', hostUuid: second })
    await refused(engine, 'AddVmToVmSchedulingRuleGroup', { vmGroupUuid: vms, vmUuid: b.uuid }, /on a host that it must keep off/)
    await refused(engine, 'AddHostToHostSchedulingRuleGroup', { hostGroupUuid: hosts, hostUuid: u.host }, /must keep off/)
  })

  it('that they would rather be on, or off, are elsewhere when there is no room', async () => {
    const { w, engine, vms, hosts } = await site()
    const near = await rule(engine, { rule: 'AFFINITY', mode: 'SOFT', vmGroupUuid: vms, hostGroupUuid: hosts })
    for (const name of ['x', 'y']) await vm(engine, { ...vmParams, name, hostUuid: second })
    expect((await vm(engine, inGroup('a', vms))).hostUuid).toBe(second)
    await w.commit({ ops: [{ o: 'set', t: 'host', k: second, v: { state: 'Disabled' } }] })
    expect((await vm(engine, inGroup('b', vms))).hostUuid).toBe(u.host)
    await w.commit({ ops: [{ o: 'set', t: 'host', k: second, v: { state: 'Enabled' } }] })
    await ok(engine, 'RemoveVmSchedulingRule', { uuid: near })
    await rule(engine, { rule: 'ANTIAFFINITY', mode: 'SOFT', vmGroupUuid: vms, hostGroupUuid: hosts })
    for (const name of ['p', 'q', 'r']) await vm(engine, { ...vmParams, name, hostUuid: u.host })
    expect((await vm(engine, inGroup('c', vms))).hostUuid).toBe(u.host)
  })
})

describe('groups', () => {
  it('lose what goes, and take their rules along', async () => {
    const { w, engine, vms, hosts } = await site()
    const { graph } = w.state
    await rule(engine, { rule: 'AFFINITY', vmGroupUuid: vms, hostGroupUuid: hosts })
    const a = await vm(engine, inGroup('a', vms))
    await ok(engine, 'DestroyVmInstance', { uuid: a.uuid })
    expect(graph.count('vmSchedulingRuleGroupRef')).toBe(1)
    await ok(engine, 'ExpungeVmInstance', { uuid: a.uuid })
    expect(graph.count('vmSchedulingRuleGroupRef')).toBe(0)
    await ok(engine, 'DeleteHost', { uuid: second })
    expect(graph.count('hostSchedulingRuleGroupRef')).toBe(0)
    await ok(engine, 'DeleteHostSchedulingRuleGroup', { uuid: hosts })
    expect([graph.count('vmSchedulingRule'), graph.count('vmSchedulingRuleGroup')]).toEqual([0, 1])
    await ok(engine, 'DeleteVmSchedulingRuleGroup', { uuid: vms })
  })

  it('are of one zone with their rules and members, and have each member once', async () => {
    const { w, engine, vms, hosts } = await site()
    const zone = { ...w.state.graph.get('zone', u.zone)!, uuid: id('zone2'), name: 'zone2' }
    await w.commit({ ops: [{ o: 'put', t: 'zone', k: id('zone2'), v: zone }] })
    const far = await made(engine, 'CreateVmSchedulingRuleGroup', { name: 'far', zoneUuid: id('zone2') })
    const a = await vm(engine, inGroup('a', vms))
    const again = { vmGroupUuid: vms, vmUuid: a.uuid }
    await refused(engine, 'AddVmToVmSchedulingRuleGroup', again, /in this group already/)
    await refused(engine, 'AddVmToVmSchedulingRuleGroup', { ...again, vmGroupUuid: far }, /another zone/)
    await refused(engine, 'DetachVmFromVmSchedulingRuleGroup', { ...again, vmGroupUuid: far }, /not in this group/)
    await refused(engine, 'CreateVmInstance', inGroup('b', far), /is of another zone/)
    const given = { name: 'r', rule: 'AFFINITY', mode: 'HARD' }
    await refused(engine, 'CreateVmSchedulingRule', { ...given, vmGroupUuid: far, hostGroupUuid: hosts }, /another zone/)
    await refused(engine, 'CreateVmSchedulingRule', { ...given, vmGroupUuid: vms, policy: 'antiSoft' }, /has the policy antiHard/)
  })
})

describe('placement by scheduling rules', () => {
  const put = (t: string, k: string, v: Row): Op => ({ o: 'put', t, k, v: { uuid: k, name: k, ...v } })
  /** ten hosts, the later the busier; the last three are in the group */
  async function ten(rule: Row): Promise<TestWorld> {
    const w = await hosts([0, 1, 2, 3, 4, 5, 6, 7, 8, 9])
    const ops = [8, 9, 10].map((n) =>
      put('hostSchedulingRuleGroupRef', `g:${host(n)}`, { hostGroupUuid: 'g', hostUuid: host(n) }),
    )
    ops.push(put('vmSchedulingRuleGroup', 'v', { zoneUuid: u.zone }), put('hostSchedulingRuleGroup', 'g', { zoneUuid: u.zone }))
    ops.push(put('vmSchedulingRule', 'r', { vmGroupUuid: 'v', hostGroupUuid: 'g', state: 'Enabled', ...rule }))
    await w.commit({ ops })
    return w
  }
  const asked = { ...request, vmSchedulingGroupUuids: ['v'] }

  it.each([
    [{ rule: 'AFFINITY', mode: 'HARD' }, 8],
    [{ rule: 'AFFINITY', mode: 'SOFT' }, 8],
    [{ rule: 'ANTIAFFINITY', mode: 'HARD' }, 1],
    [{ rule: 'ANTIAFFINITY', mode: 'SOFT' }, 1],
  ])('%o takes the least busy host that it may, as its candidates say', async (rule, n) => {
    const w = await ten(rule)
    expect(placeVm(w.state.graph, asked).hostUuid).toBe(host(n))
    const { possible } = candidates(w.state.graph, asked)
    expect(possible[0]!.hostUuid).toBe(host(n))
    expect(possible).toHaveLength(rule.mode === 'SOFT' ? 10 : rule.rule === 'AFFINITY' ? 3 : 7)
  })

  it.each(['HARD', 'SOFT'])('keeps up with the hosts of a %s group', async (mode) => {
    const w = await ten({ rule: 'AFFINITY', mode })
    const ref = (n: number) => ({ t: 'hostSchedulingRuleGroupRef', k: `g:${host(n)}` })
    const takes = async (...ops: Op[]) => {
      await w.commit({ ops })
      return placeVm(w.state.graph, asked).hostUuid
    }
    expect(await takes()).toBe(host(8))
    expect(await takes({ o: 'del', ...ref(8) })).toBe(host(9))
    expect(await takes({ o: 'put', ...ref(5), v: { hostGroupUuid: 'g', hostUuid: host(5) } })).toBe(host(5))
    expect(await takes({ o: 'set', t: 'host', k: host(5), v: { availableMemoryCapacity: 0 } })).toBe(host(9))
    expect(await takes({ o: 'del', ...ref(9) }, { o: 'del', t: 'host', k: host(9) })).toBe(host(10))
  })

  it('goes elsewhere than it would rather, to the least busy', async () => {
    const w = await ten({ rule: 'AFFINITY', mode: 'SOFT' })
    await w.commit({ ops: [8, 9, 10].map((n) => ({ o: 'set', t: 'host', k: host(n), v: { state: 'Disabled' } })) })
    expect(placeVm(w.state.graph, asked).hostUuid).toBe(host(1))
    expect(() => placeVm(w.state.graph, { ...asked, hostUuid: host(9) })).toThrow(SkerryError)
  })
})
