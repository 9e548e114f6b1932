/** Every kind of condition: what makes it appear, what it says, and what makes it go. */
import { type ConditionCode, conditionCodes, conditionKinds, severities } from '@skerry/contract'
import { describe, expect, it } from 'vitest'
import { type Case, cases, pool, vm, volume } from './conditions-cases.ts'
import { conditionsWorld, desired, failure, named, T0 } from './conditions-world.ts'
import { id, u } from './world.ts'

describe.each(Object.entries(cases) as [ConditionCode, Case][])('%s', (code, { raise, clear, about, says, with: more = [] }) => {
  it('appears with its cause, names what it is about, and goes with its cause', async () => {
    const w = await conditionsWorld()
    expect(w.now()).toEqual([])
    await raise(w)
    expect(w.now()).toEqual([`${code}: ${about}`, ...more].sort())
    const condition = w.conditions().find((c) => c.code === code)!
    expect(condition.message).toMatch(says)
    expect(condition).toMatchObject({ severity: conditionKinds[code].severity, since: w.facts.now })
    const kind = conditionKinds[code].about
    if (kind !== 'resource') expect(condition.noun).toBe(kind)
    expect(w.alarms.map(({ change, condition: c }) => `${change} ${named(c)}`).sort()).toEqual(
      [`raised ${code}: ${about}`, ...more.map((m) => `raised ${m}`)].sort(),
    )
    await clear(w)
    expect(w.now()).toEqual([])
    expect(w.alarms.filter(({ change }) => change === 'cleared').map(({ condition: c }) => c.code)).toContain(code)
  })
})

describe('the list of kinds', () => {
  it('has a case above for each', () => {
    expect(Object.keys(cases).sort()).toEqual([...conditionCodes].sort())
  })
  it('is ordered data: codes in kebab case, a known severity, a time, and words', () => {
    for (const [code, kind] of Object.entries(conditionKinds)) {
      expect(code).toMatch(/^[a-z]+(-[a-z]+)*$/)
      expect(severities).toContain(kind.severity)
      expect(kind.visibleMs).toBeGreaterThan(0)
      for (const text of [kind.title, kind.heals, kind.hint]) expect(text.length, code).toBeGreaterThan(5)
    }
  })
})

it('a guest that panicked is a crash while what is left of it stands, and when it was cut', async () => {
  const w = await conditionsWorld()
  await vm({ state: 'Crashed', stateCause: 'panicked' })(w)
  expect(w.now()).toEqual(['vm-crashed: vm web'])
  await vm({ state: 'Stopped', stateCause: 'panicked' })(w)
  expect(w.now()).toEqual(['vm-crashed: vm web'])
})

it("a guest's own decision to end, and the boot of its host, are no conditions", async () => {
  const w = await conditionsWorld()
  for (const stateCause of ['guest', 'host', 'api', null]) {
    await vm({ state: 'Stopped', stateCause })(w)
    expect(w.now()).toEqual([])
  }
})

it('a condition that stays keeps its id and since, and tells once; its message follows the facts', async () => {
  const w = await conditionsWorld()
  pool(90)(w)
  w.settle()
  w.facts.now += 60_000
  pool(50)(w)
  const [condition] = w.conditions()
  expect(condition).toMatchObject({
    id: `storage-nearly-full/${u.ps}/pool/${u.storage}`,
    since: T0,
    message: expect.stringMatching(/ 5 %/),
  })
  expect(w.alarms).toHaveLength(1)
})

it('names the resources that it concerns: a lost volume its VM and its host', async () => {
  const w = await conditionsWorld()
  await volume('Failed', 'volume-lost')(w)
  expect(w.conditions()[0]?.resourceUuids).toEqual([id('root'), u.vm, u.host])
})

it('what an agent had said goes with the agent', async () => {
  const w = await conditionsWorld()
  await w.commit({ ops: [desired(u.kvm, 'vm', u.vm)] })
  w.status(u.kvm, 'vm', u.vm, { condition: 'Failed', error: failure('hypervisor-failed', 'no') })
  expect(w.now()).toEqual(['resource-failed: vm web'])
  await w.commit({ ops: [{ o: 'del', t: 'agent', k: u.kvm }] })
  expect(w.now()).toEqual([])
})
