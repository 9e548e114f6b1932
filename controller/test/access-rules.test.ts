/** From which addresses one may log in. */
import { apis, type Op, type Row, SkerryError } from '@skerry/contract'
import { describe, expect, it } from 'vitest'
import type { Call } from '../src/engine/port.ts'
import { credentialOf } from '../src/http/auth.ts'
import type { Door, Visit } from '../src/http/context.ts'
import { LoginLimiter } from '../src/http/logins.ts'
import { callSync } from '../src/http/sync.ts'
import { addressesOf, mayLogIn } from '../src/identity/access-rules.ts'
import { call, done, ready } from './engine-calls.ts'
import { base, id, makeWorld } from './world.ts'

type Rule = [strategy: string, rule: string]
async function graphWith(rules: Rule[]) {
  const w = await makeWorld()
  const ops = rules.map(([strategy, rule], i): Op => {
    const k = id(`rule${i}`)
    return { o: 'put', t: 'accessControlRule', k, v: { ...base(k, `rule${i}`), strategy, rule } }
  })
  await w.commit({ ops })
  return w.state.graph
}

const office: Rule = ['Allow', '10.0.0.0/24, 2001:db8::/64']
const printer: Rule = ['Deny', '10.0.0.9']
const guests: Rule = ['blacklist', '192.0.2.10-192.0.2.20']

describe('an address', () => {
  it.each<[string, Rule[], boolean]>([
    ['198.51.100.1', [], true],
    ['10.0.0.7', [office, printer], true],
    ['::ffff:10.0.0.7', [office], true],
    ['2001:db8::7', [office], true],
    ['2001:db8:1::7', [office], false],
    ['10.0.1.7', [office], false],
    ['10.0.0.9', [office, printer], false],
    ['192.0.2.9', [guests], true],
    ['192.0.2.10', [guests], false],
    ['192.0.2.20', [guests], false],
    ['198.51.100.1', [office, ['whitelist', '198.51.100.1']], true],
    ['127.0.0.1', [office, ['Deny', '127.0.0.1']], true],
    ['::1', [office], true],
    ['nats', [office], true],
  ])('%s, with the rules %o, may log in: %s', async (address, rules, expected) => {
    expect(mayLogIn(await graphWith(rules), address)).toBe(expected)
  })
})

describe('a rule', () => {
  it.each([
    '',
    'nowhere',
    '10.0.0.1/33',
    '10.0.0.9-10.0.0.5',
    '10.0.0.1-2001:db8::1',
    '10.0.0.1,',
    '10.0.0.0/24-10.0.0.9',
    'fe80::1%eth0',
  ])('%o is none', (rule) => expect(() => addressesOf(rule)).toThrow(/invalid field\[rule\]/))

  it('is made, changed and deleted; a bad one is refused and changes nothing', async () => {
    const { w, engine } = await ready()
    const given = { name: 'office', rule: '10.0.0.0/24', controlStrategy: 'Whitelist' }
    const made = (await done(engine, call('AddAccessControlRule', given))).result!['inventory'] as Row
    expect(made).toMatchObject({ rule: '10.0.0.0/24', strategy: 'Whitelist' })
    const change = (rule: string) => call('UpdateAccessControlRule', { uuid: made['uuid'], rule }, { bodyHash: rule })
    await expect(engine.accept(change('all of them'))).rejects.toMatchObject({ code: 'invalid-argument' })
    await done(engine, change('10.0.0.5'))
    expect([mayLogIn(w.state.graph, '10.0.0.5'), mayLogIn(w.state.graph, '10.0.0.6')]).toEqual([true, false])
    await done(engine, call('DeleteAccessControlRule', { uuid: made['uuid'] }))
    expect(mayLogIn(w.state.graph, '10.0.0.6')).toBe(true)
  })
})

describe('the door', () => {
  const doorOf = async (rules: Rule[]) => {
    const asked: string[] = []
    const refuse = (given: Call) => {
      asked.push(given.api.api)
      return Promise.reject(new SkerryError('login-failed'))
    }
    const signed = () => Promise.resolve({ accountUuid: 'a', sessionUuid: '', admin: true })
    const engine = { call: refuse, signed, graph: await graphWith(rules) }
    const clock = { now: () => 1_700_000_000_000 }
    return { asked, door: { logins: new LoginLimiter(clock, 5), engine, clock } as unknown as Door }
  }
  const login = { ...apis.find(({ api }) => api.api === 'LogInByAccount')!, params: { accountName: 'a' } } as unknown as Call

  it('asks for no password from where nobody may log in', async () => {
    const { door, asked } = await doorOf([office])
    await expect(callSync(door, { address: '192.0.2.1' }, login)).rejects.toMatchObject({ code: 'permission-denied' })
    expect(asked).toEqual([])
    await expect(callSync(door, { address: '10.0.0.1' }, login)).rejects.toMatchObject({ code: 'login-failed' })
  })

  it('takes no access key from there, and sessions that have begun', async () => {
    const { door } = await doorOf([office])
    const visit = (address: string, header: string) => {
      const headers = { Authorization: header, Date: new Date(1_700_000_000_000).toUTCString() }
      const url = new URL('http://site.test/zstack/v1/zones')
      return { request: new Request(url, { headers }), url, path: '/zones', address, facts: {} } as Visit
    }
    const of = (address: string, header: string) => credentialOf(door, visit(address, header), ['OAuth'])
    await expect(of('192.0.2.1', 'ZStack key:c2ln')).rejects.toThrow(/allows no access keys from this address/)
    expect(await of('10.0.0.1', 'ZStack key:c2ln')).toMatchObject({ caller: { accountUuid: 'a' } })
    expect(await of('192.0.2.1', 'OAuth abc')).toEqual({ session: 'abc' })
  })
})
