/** Decisions on calls of users and of accounts that roles bind: which rule, which statement, and for whom. */
import { type Api, apis, type Resource, type Row, SkerryError } from '@skerry/contract'
import { describe, expect, it } from 'vitest'
import type { Caller } from '../src/engine/port.ts'
import { decide } from '../src/identity/decide.ts'
import { hasForm } from '../src/identity/statements.ts'
import { FakeEngine } from '../src/testing/index.ts'

const [A, B, ANN, BOB] = ['a', 'b', '1', '2'].map((digit) => digit.repeat(32)) as [string, string, string, string]
const POLICY = '3'.repeat(32)
const account: Caller = { accountUuid: A, sessionUuid: 's', admin: false }
const ann: Caller = { ...account, userUuid: ANN }

const say = (effect: 'Allow' | 'Deny', ...actions: string[]) => ({ name: `${effect} it`, effect, actions })

interface World {
  policies?: Row[][]
  groups?: Row[][]
  roles?: { state: string; statements: Row[] }[]
}

/** Account `a` with users ann and bob; the policies hold for ann, those of groups through one group each. */
function world({ policies = [], groups = [], roles = [] }: World): FakeEngine {
  const engine = new FakeEngine()
  const policy = (statements: Row[]) => engine.add('policy', { accountUuid: A, name: 'p', statements })['uuid'] as string
  engine.add('user', { uuid: ANN, accountUuid: A, policyUuids: policies.map(policy) })
  engine.add('user', { uuid: BOB, accountUuid: A, policyUuids: [] })
  for (const statements of groups)
    engine.add('userGroup', { accountUuid: A, userUuids: [ANN], policyUuids: [policy(statements)] })
  const roleUuids = roles.map(({ state, statements }) => {
    const placed = statements.map((statement) => ({ uuid: POLICY, roleUuid: POLICY, statement }))
    return engine.add('role', { name: 'r', state, statements: placed, policyUuids: [] })['uuid']
  })
  engine.add('account', { uuid: A, type: 'Normal', roleUuids })
  engine.add('account', { uuid: B, type: 'Normal', roleUuids: [] })
  return engine
}

const named = (name: string) => apis.find(({ api }) => api.api === name) as { api: Api; resource: Resource }
const asked = (w: World, caller: Caller, api: string, params?: Row) =>
  decide(world(w).graph, { ...named(api), caller, ...(params ? { params } : {}) })
const ruled = (w: World, caller: Caller, api: string, params?: Row) => {
  const { allowed, rule } = asked(w, caller, api, params)
  return [allowed, rule]
}

describe('a user', () => {
  it('reads without a policy, writes with one, and is told which statement decided', () => {
    expect(ruled({}, ann, 'QueryVmInstance')).toEqual([true, 'statement'])
    expect(ruled({}, ann, 'CreateTag')).toEqual([false, 'no statement allows it'])
    const told = asked({ groups: [[say('Allow', 'tag-pattern:*')]] }, ann, 'CreateTag')
    expect(told).toMatchObject({
      allowed: true,
      statement: { name: 'Allow it', effect: 'Allow', in: expect.stringContaining('policy p') },
    })
  })
  it('is denied what any of its policies denies, in whatever order they stand', () => {
    const [allow, deny] = [[say('Allow', '*')], [say('Deny', 'DeleteTag')]]
    for (const w of [{ policies: [allow, deny] }, { policies: [deny, allow] }, { policies: [allow], groups: [deny] }]) {
      const { allowed, statement, error } = asked(w, ann, 'DeleteTag')
      expect([allowed, statement?.effect, error?.code]).toEqual([false, 'Deny', 'permission-denied'])
      expect(ruled(w, ann, 'CreateTag')).toEqual([true, 'statement'])
    }
    expect(ruled({ policies: [[say('Deny', '*:read')]] }, ann, 'QueryVmInstance')).toEqual([false, 'statement'])
  })
  it('changes itself without a policy, and nobody else', () => {
    expect(ruled({}, ann, 'UpdateUser', { uuid: ANN })).toEqual([true, 'oneself'])
    expect(ruled({}, ann, 'UpdateUser', { uuid: BOB })).toEqual([false, 'no statement allows it'])
    expect(ruled({ policies: [[say('Deny', 'UpdateUser')]] }, ann, 'UpdateUser', { uuid: ANN })).toEqual([false, 'statement'])
    expect(ruled({ policies: [[say('Allow', 'user:*')]] }, ann, 'UpdateUser', { uuid: BOB })).toEqual([true, 'statement'])
    // The account itself is bound by no policy.
    expect(ruled({}, account, 'UpdateUser', { uuid: BOB })).toEqual([true, 'own account'])
  })
  it('makes keys for itself only: with one of the account it would be bound by nothing', () => {
    const may = { policies: [[say('Allow', '*')]] }
    const key = (userUuid: string) => ({ accountUuid: A, userUuid })
    expect(ruled(may, ann, 'CreateAccessKey', key(ANN))).toEqual([true, 'statement'])
    for (const other of [A, BOB]) expect(ruled(may, ann, 'CreateAccessKey', key(other))).toEqual([false, "another user's"])
    expect(ruled({}, account, 'CreateAccessKey', key(BOB))).toEqual([true, 'own account'])
    const root: Caller = { ...ann, admin: true }
    expect(ruled(may, root, 'CreateAccessKey', key(A))).toEqual([false, "another user's"])
  })
  it('is refused a long job for what it may not do itself', () => {
    const may = { policies: [[say('Allow', 'SubmitLongJob')]] }
    const job = { jobName: 'APICreateTagMsg', jobData: JSON.stringify({ name: 't', value: 'v' }) }
    expect(ruled(may, ann, 'SubmitLongJob', job)).toEqual([false, 'no statement allows it'])
  })
})

describe('an account', () => {
  const bound = (state: string, ...statements: Row[]) => ({ roles: [{ state, statements }] })
  it('may do what a role allows once one that is enabled binds it, and its users no more than that', () => {
    const w = bound('Enabled', say('Allow', '*:read', 'tag-pattern:create'))
    expect(ruled(w, account, 'CreateTag')).toEqual([true, 'statement'])
    expect(ruled(w, account, 'DeleteTag')).toEqual([false, 'no statement allows it'])
    expect(ruled({ ...w, policies: [[say('Allow', '*')]] }, ann, 'DeleteTag')).toEqual([false, 'no statement allows it'])
    expect(ruled(bound('Disabled', say('Deny', '*')), account, 'DeleteTag')).toEqual([true, 'own account'])
  })
  it('can always ask what it may and why, and stay logged in', () => {
    for (const api of ['CheckApiPermission', 'CheckResourcePermission', 'ExplainPermission', 'RenewSession'])
      for (const caller of [account, ann])
        expect([api, asked(bound('Enabled', say('Allow', 'CreateZone')), caller, api).allowed]).toEqual([api, true])
  })
  it('gets nothing of administrators by a statement', () => {
    expect(ruled(bound('Enabled', say('Allow', '*')), account, 'CreateZone')).toEqual([false, 'API for administrators'])
    expect(ruled({ policies: [[say('Allow', '*')]] }, ann, 'CreateAccount')).toEqual([false, 'API for administrators'])
  })
  it("is told of another account's user as of none", () => {
    const engine = world({})
    engine.add('user', { uuid: '9'.repeat(32), accountUuid: B, policyUuids: [] })
    const errorOf = (uuid: string) => decide(engine.graph, { ...named('DeleteUser'), caller: account, params: { uuid } }).error
    const [foreign, absent] = [errorOf('9'.repeat(32)), errorOf('8'.repeat(32))]
    expect(foreign).toBeInstanceOf(SkerryError)
    expect([foreign?.code, foreign?.message.replace(/9/g, '8')]).toEqual([absent?.code, absent?.message])
  })
})

describe('forms of actions', () => {
  it('hold any characters for a star, and are read in linear time', () => {
    expect(['vm:start', 'vm:', 'xvm:start'].map((text) => hasForm(text, 'vm:*'))).toEqual([true, true, false])
    expect(['abcab', 'ab', 'aab', 'ba'].map((text) => hasForm(text, 'a*b'))).toEqual([true, true, true, false])
    expect(hasForm('a'.repeat(50_000), `${'a*'.repeat(1_000)}b`)).toBe(false)
  })
})
