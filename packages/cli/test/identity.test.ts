/** Accounts and users on the command line: passwords, logins, and `skerry why --calling`. */
import { createHash } from 'node:crypto'
import { type Row, SkerryError } from '@skerry/contract'
import { describe, expect, it } from 'vitest'
import { exitCodes } from '../src/index.ts'
import { type World, world } from './cli-world.ts'

/** The fake engine answers this, and keeps what it was asked. */
function answering(w: World, decision: Row): Row[] {
  const asked: Row[] = []
  const { call } = w.engine
  w.engine.call = async (given) => {
    if (given.api.api !== 'ExplainPermission') return call.call(w.engine, given)
    asked.push(given.params)
    return decision
  }
  return asked
}
const denied = {
  allowed: false,
  rule: 'statement',
  statement: { name: 'keep', effect: 'Deny', in: 'policy tags (p)' },
  message: 'DeleteTag is denied by keep in policy tags (p)',
}

describe('why --calling', () => {
  it('tells the rule and the statement that decides, of a resource and in the place of a user', () =>
    world(async (w) => {
      const asked = answering(w, denied)
      const tag = w.engine.add('tagPattern', { name: 'blue' })
      const user = w.engine.add('user', { name: 'ann' })
      const { code, out } = await w.skerry('why', 'tag-pattern', 'blue', '--calling', 'DeleteTag', '--user', 'ann')
      expect([code, out]).toEqual([
        0,
        'DeleteTag is denied: statement\n  Deny by statement keep in policy tags (p)\n  DeleteTag is denied by keep in policy tags (p)\n',
      ])
      expect(asked).toEqual([{ apiName: 'DeleteTag', resourceUuid: tag['uuid'], userUuid: user['uuid'] }])
      const json = await w.skerry('why', '--calling', 'CreateTag', '-o', 'json')
      expect(JSON.parse(json.out)).toMatchObject({ api: 'CreateTag', allowed: false, statement: { name: 'keep' } })
      expect(asked[1]).toEqual({ apiName: 'CreateTag' })
    }))
  it('asks about what can not be seen by its uuid, and says so of no call at all', () =>
    world(async (w) => {
      const asked = answering(w, { allowed: false, rule: 'not there', parameter: 'uuid', message: 'there is no vm' })
      const { out } = await w.skerry('why', 'vm', 'f'.repeat(32), '--calling', 'StopVmInstance')
      expect(out).toBe('StopVmInstance is denied: not there\n  parameter uuid\n  there is no vm\n')
      expect(asked).toEqual([{ apiName: 'StopVmInstance', resourceUuid: 'f'.repeat(32) }])
      expect((await w.skerry('why', '--calling', 'no api')).code).toBe(exitCodes.usage)
      expect(await w.skerry('why')).toMatchObject({ code: exitCodes.usage, err: expect.stringContaining('--calling') })
    }))
  it('is what a refused call names', () =>
    world(async (w) => {
      w.engine.accept = async () => {
        throw new SkerryError('permission-denied', 'CreateZone is for administrators', { api: 'CreateZone' })
      }
      const { code, err } = await w.skerry('create', 'zone', '--name', 'z')
      expect([code, err]).toEqual([exitCodes.permission, expect.stringContaining('run: skerry why --calling CreateZone\n')])
    }))
})

describe('passwords of accounts and users', () => {
  const sha512 = (text: string) => createHash('sha512').update(text).digest('hex')
  it('come from files, and leave this machine only as what clients of ZStack send', () =>
    world(async ({ skerry, files, engine }) => {
      files.set('/new', 'new one\n')
      files.set('/old', 'old one\n')
      const user = engine.add('user', { name: 'ann' })
      expect(await skerry('create', 'account', 'a', '--password-file', '/new', '--wait')).toMatchObject({ code: 0 })
      const changed = ['--password-file', '/new', '--old-password-file', '/old', '--wait']
      expect(await skerry('update', 'user', 'ann', ...changed)).toMatchObject({ code: 0 })
      expect(engine.calls.map(({ api, params }) => [api.api, params])).toEqual([
        ['CreateAccount', { name: 'a', password: sha512('new one') }],
        ['UpdateUser', { uuid: user['uuid'], password: sha512('new one'), oldPassword: sha512('old one') }],
      ])
    }))
  it('log a user of an account in', () =>
    world(
      async ({ skerry, files, engine }) => {
        files.set('/pw', 'hush')
        const told = ['--url', 'http://site.test:8080', '--account', 'a', '--user', 'ann', '--password-file', '/pw']
        expect(await skerry('login', ...told)).toMatchObject({
          code: 0,
          out: expect.stringContaining('logged in as ann of a at'),
        })
        const [{ api, params }] = engine.calls as [(typeof engine.calls)[0]]
        expect([api.api, params]).toEqual(['LogInByUser', { accountName: 'a', userName: 'ann', password: sha512('hush') }])
      },
      { loggedIn: false },
    ))
})
