import { apis, type Row, SkerryError } from '@skerry/contract'
import { expect, test } from 'vitest'
import type { Call } from '../src/engine/port.ts'
import type { Door } from '../src/http/context.ts'
import { LoginLimiter } from '../src/http/logins.ts'
import { callSync } from '../src/http/sync.ts'

/** no access control rules */
const noRules = { count: () => 0 }
const YEAR = 365 * 86_400_000

test.each([0, YEAR, -YEAR])('guessing is slowed down for a minute, also when the clock jumps by %d ms meanwhile', (jump) => {
  const clock = { at: 1_700_000_000_000, now: () => clock.at }
  const limiter = new LoginLimiter(clock, 2)
  const guess = () => limiter.attempt('admin', '192.0.2.1')
  guess()
  guess()
  expect(guess).toThrow('too many failed logins')
  clock.at += jump + 60_000
  guess()
  guess()
  expect(guess).toThrow('too many failed logins')
})

test.each([
  ['LogInByAccount', { accountName: 'a' }, { username: 'a', loginType: 'account' }],
  ['LogInByUser', { accountName: 'a', userName: 'u' }, { username: 'u', loginType: 'user', properties: { accountName: 'a' } }],
])('%s and the call for all kinds of logins give no more guesses together than one of them', async (name, own, unified) => {
  const refuse = () => Promise.reject(new SkerryError('login-failed'))
  const door = { logins: new LoginLimiter({ now: () => 0 }, 2), engine: { call: refuse, graph: noRules } } as unknown as Door
  const guess = (api: string, params: Row) =>
    callSync(door, { address: '192.0.2.1' }, { ...apis.find((one) => one.api.api === api)!, params } as Call)
  await expect(guess(name, own)).rejects.toMatchObject({ code: 'login-failed' })
  await expect(guess('LogIn', unified)).rejects.toMatchObject({ code: 'login-failed' })
  await expect(guess(name, own)).rejects.toMatchObject({ code: 'too-many-requests' })
  await expect(guess('LogIn', unified)).rejects.toMatchObject({ code: 'too-many-requests' })
  await expect(guess('LogIn', { ...unified, username: 'other' })).rejects.toMatchObject({ code: 'login-failed' })
})

test('whoever has guessed too often is let in again by an administrator, and nobody else is', async () => {
  const refuse = ({ api }: Call) => (api.verb === 'login' ? Promise.reject(new SkerryError('login-failed')) : Promise.resolve({}))
  const door = { logins: new LoginLimiter({ now: () => 0 }, 1), engine: { call: refuse, graph: noRules } } as unknown as Door
  const ask = (name: string, params: Row) =>
    callSync(door, { address: '192.0.2.1' }, { ...apis.find((one) => one.api.api === name)!, params } as Call)
  const guesses: [string, Row][] = [
    ['LogInByAccount', { accountName: 'a' }],
    ['LogInByAccount', { accountName: 'b' }],
    ['LogInByUser', { accountName: 'a', userName: 'u' }],
  ]
  const answers = () => Promise.all(guesses.map(([name, params]) => ask(name, params).catch((error) => error.code)))
  const [failed, locked] = ['login-failed', 'too-many-requests']
  expect(await answers()).toEqual([failed, failed, failed])
  expect(await answers()).toEqual([locked, locked, locked])
  await ask('UnlockIdentity', { resourceName: 'a', loginType: 'account' })
  expect(await answers()).toEqual([failed, locked, locked])
  await ask('UnlockIdentity', { resourceName: 'u', loginType: 'user' })
  expect(await answers()).toEqual([locked, locked, failed])
})
