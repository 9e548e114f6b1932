/** Plans of calls that write at once: what would be recorded, refused as the call is refused; nothing is, and nobody is told. */
import { ADMIN_ACCOUNT, apis, type Row } from '@skerry/contract'
import { describe, expect, it } from 'vitest'
import { agentCalls, makeTokens } from '../src/calls/agents.ts'
import { keyCalls } from '../src/calls/keys.ts'
import { sshKeyPairCalls } from '../src/calls/ssh-key-pairs.ts'
import { planOfWrite, type Writes } from '../src/engine/plan-write.ts'
import type { StartedKeys } from '../src/keys/index.ts'
import { call } from './engine-calls.ts'
import { id, makeWorld } from './world.ts'

const AGENT = id('agent')

async function bench() {
  const { state, world } = await makeWorld()
  const acted: string[] = []
  const keys = {
    enforce: async () => Boolean(acted.push('enforce')),
    look: () => void acted.push('look'),
    authority: { signer: 'signer', issue: async () => ({ jwt: 'jwt', seed: 'seed' }) },
  } as unknown as StartedKeys
  const ports = { now: world.now, newId: world.newId, keys, authority: keys.authority }
  const writes: Writes = (into) => ({
    ...keyCalls({ ...ports, state: into }),
    ...agentCalls({ ...ports, state: into, accountSeed: undefined, servers: [], ca: null }),
    ...sshKeyPairCalls({ ...ports, state: into }),
  })
  const row = { uuid: AGENT, name: 'a', kind: 'kvm', publicKey: 'UKEY', revokedDate: null, createDate: 1, lastOpDate: 1 }
  await state.commit({ ops: [{ o: 'put', t: 'agent', k: AGENT, v: row }] }, { actor: 'system' })
  return {
    ...{ state, acted },
    plan: (api: string, params: Row, more = {}) => planOfWrite(call(api, params, more), state, writes),
    run: (api: string, params: Row) => writes(state)[api]!(call(api, params)),
    token: async () => (await makeTokens(state, { count: 1, expiresAt: world.now() + 60_000, actor: 'system' }))[0]!,
  }
}

/** Look something up, or begin and end sessions: nothing of the site is another afterwards. */
const NOTHING_TO_PLAN = /^(Get|Check|Calculate|BatchQuery|LogIn(By|$)|LogOut$|RenewSession$)/
/** What it hands out is recorded nowhere. */
const UNRECORDED = ['IssueBusCredentials']

describe('a plan of a call that writes at once', () => {
  const machine = { kind: 'kvm', machineId: id('m'), managementIp: '192.0.2.9', version: '1', publicKey: 'UNEW', sealKey: 's' }
  const cases: [api: string, params: Row, changes: Row[]][] = [
    ['RevokeAgent', { uuid: AGENT }, [{ op: 'set', resource: 'agent', key: AGENT, values: { revokedDate: expect.any(Number) } }]],
    ['RotateKeys', { what: 'agents' }, [{ op: 'put', resource: 'keyRotation', values: { pending: [AGENT], total: 1 } }]],
    ['CreateAgentToken', {}, []],
    ['EnrolAgent', machine, [{ op: 'put', resource: 'agent', values: { kind: 'kvm', managementIp: '192.0.2.9' } }]],
    ['GenerateSshKeyPair', { name: 'k' }, [{ op: 'put', resource: 'sshKeyPair', values: { name: 'k' } }]],
  ]

  it('is there for each of them', () => {
    const writing = apis.filter(({ api }) => api.sync && !api.query && api.method !== 'GET').map(({ api }) => api.api)
    const planned = [...cases.map(([api]) => api), 'RetryJob', ...UNRECORDED]
    expect(writing.filter((api) => !NOTHING_TO_PLAN.test(api)).sort()).toEqual(planned.sort())
  })

  it.each(cases)('%s', async (api, given, changes) => {
    const b = await bench()
    const params = api === 'EnrolAgent' ? { ...given, token: await b.token() } : given
    const before = [b.state.graph.hash(), b.state.store.status().durableSeq]
    const plan = await b.plan(api, params)
    expect(plan).toMatchObject({
      workflow: expect.any(String),
      cascade: [],
      agents: [],
      hash: expect.stringMatching(/^[0-9a-f]{64}$/),
    })
    expect(plan.changes).toEqual(
      changes.map((one) => expect.objectContaining({ ...one, values: expect.objectContaining(one['values'] as Row) })),
    )
    expect((await b.plan(api, params)).hash, 'as often as it is asked for').toBe(plan.hash)
    expect([b.state.graph.hash(), b.state.store.status().durableSeq]).toEqual(before)
    expect(b.acted).toEqual([])
    await b.run(api, params)
    expect(b.state.graph.hash(), 'the call itself does it').not.toBe(before[0])
  })

  it('is another once what it rests upon has changed', async () => {
    const b = await bench()
    const { hash } = await b.plan('RevokeAgent', { uuid: AGENT })
    await b.state.commit({ ops: [{ o: 'set', t: 'agent', k: AGENT, v: { publicKey: 'UOTHER' } }] }, { actor: 'system' })
    expect((await b.plan('RevokeAgent', { uuid: AGENT })).hash).not.toBe(hash)
  })

  it('of what is done already tells nobody, and has no changes', async () => {
    const b = await bench()
    await b.run('RevokeAgent', { uuid: AGENT })
    b.acted.length = 0
    expect((await b.plan('RevokeAgent', { uuid: AGENT })).changes).toEqual([])
    expect(b.acted).toEqual([])
  })

  it('is refused as the call is', async () => {
    const b = await bench()
    await expect(b.plan('RevokeAgent', { uuid: id('none') })).rejects.toMatchObject({ code: 'not-found' })
    await expect(b.plan('EnrolAgent', { ...machine, token: 'none' })).rejects.toMatchObject({ code: 'enrolment-refused' })
    const nobody = { caller: { accountUuid: ADMIN_ACCOUNT, sessionUuid: '', admin: false } }
    await expect(b.plan('CreateAgentToken', {}, nobody)).rejects.toMatchObject({ code: 'permission-denied' })
    await b.run('RotateKeys', { what: 'agents' })
    await expect(b.plan('RotateKeys', { what: 'agents' })).rejects.toMatchObject({ code: 'in-use' })
  })

  it.each(['LogOut', 'GetVersion', 'GetHostTask'])('is not there for %s, which changes nothing of the site', async (api) => {
    await expect((await bench()).plan(api, {})).rejects.toMatchObject({ code: 'invalid-argument' })
  })
})
