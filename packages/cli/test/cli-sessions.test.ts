import { statSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { exitCodes } from '../src/index.ts'
import { world } from './cli-world.ts'

describe('failures', () => {
  it('say what failed, where, why, what helps, and which job it was', () =>
    world(async ({ skerry }) => {
      const failed = await skerry('create', 'zone', 'fail-no-host', '--wait')
      expect(failed.code).toBe(exitCodes.conflict)
      expect(failed.err.split('\n').slice(-6)).toEqual([
        'error: cannot create zone fail-no-host: asked to fail as no-host',
        '  where: step place',
        '  hint: The details say why each host was refused.',
        expect.stringMatching(/^ {2}job: [0-9a-f]{32}$/),
        '  cause: no agent on host h1',
        '',
      ])
    }))
  it('have exit codes of their kind', () =>
    world(async ({ skerry, engine }) => {
      for (const name of ['twin', 'twin']) engine.add('zone', { name })
      expect((await skerry('get', 'zone', 'nobody')).code).toBe(exitCodes.notFound)
      const twins = await skerry('delete', 'zone', 'twin')
      expect([twins.code, twins.err.match(/candidate: /g)]).toEqual([exitCodes.conflict, ['candidate: ', 'candidate: ']])
      expect((await skerry('create', 'zone', ';')).code).toBe(exitCodes.usage)
      expect((await skerry('create', 'zone', 'fail-disk-full', '--wait')).code).toBe(exitCodes.failure)
      expect((await skerry('create', 'zone', 'fail-permission-denied', '--wait')).code).toBe(exitCodes.permission)
    }))
  it('tell an absent controller from a refusing one', async () => {
    await world(
      async ({ skerry }) =>
        expect(await skerry('get', 'zone')).toMatchObject({
          code: exitCodes.unreachable,
          err: expect.stringContaining('scripts/up'),
        }),
      {
        io: {
          fetch: async () => {
            throw new TypeError('fetch failed', {
              cause: Object.assign(new Error('connect ECONNREFUSED'), { code: 'ECONNREFUSED' }),
            })
          },
        },
      },
    )
    await world(async ({ skerry }) => expect((await skerry('get', 'zone')).code).toBe(exitCodes.permission), { loggedIn: false })
  })
})

describe('login', () => {
  it('keeps the session in a context that only its owner can read', () =>
    world(
      async ({ skerry, files, io }) => {
        files.set('/pw', 'password\n')
        expect(
          await skerry('login', '--url', 'http://site.test:8080', '--password-file', '/pw', '--context', 'site1'),
        ).toMatchObject({ code: 0, out: expect.stringContaining('(context site1)') })
        const file = `${io.configFolder}/contexts.json`
        expect(statSync(file).mode & 0o777).toBe(0o600)
        expect(statSync(io.configFolder).mode & 0o777).toBe(0o700)
        const { readContexts, saveContext } = await import('../src/contexts.ts')
        const { current, contexts } = await readContexts(io.configFolder)
        expect([current, contexts['site1']]).toEqual([
          'site1',
          { url: 'http://site.test:8080', account: 'admin', session: expect.stringMatching(/^[0-9a-f]{32}$/) },
        ])
        expect(JSON.stringify(contexts)).not.toContain('password')
        const { SESSION } = await import('@skerry/controller/testing')
        await saveContext(io.configFolder, 'site1', { ...contexts['site1']!, session: SESSION })
        expect((await skerry('get', 'zone')).code).toBe(0)
        expect((await skerry('get', 'zone', '--context', 'nowhere')).code).toBe(exitCodes.usage)
        // also before the verb, as with other tools
        expect((await skerry('--context', 'nowhere', 'get', 'zone')).code).toBe(exitCodes.usage)
        expect((await skerry('--context=site1', '-o', 'json', 'get', 'zone')).out).toMatch(/^\[/)
        expect((await skerry('--context=nowhere', 'status')).err).toContain('there is no context nowhere')
        expect((await skerry('logout')).code).toBe(0)
        expect((await skerry('get', 'zone')).code).toBe(exitCodes.permission)
      },
      { loggedIn: false },
    ))
  it('asks a person, takes SKERRY_PASSWORD, and else says what to use', async () => {
    await world(
      async ({ skerry, engine }) => {
        expect((await skerry('login')).code).toBe(0)
        expect(engine.calls[0]?.params['password']).toMatch(/^[0-9a-f]{128}$/)
      },
      { loggedIn: false, io: { ask: async () => 'typed' } },
    )
    await world(async ({ skerry }) => expect((await skerry('login')).code).toBe(0), {
      loggedIn: false,
      io: { env: { SKERRY_PASSWORD: 'x' } },
    })
    await world(
      async ({ skerry }) =>
        expect(await skerry('login')).toMatchObject({ code: exitCodes.usage, err: expect.stringContaining('--password-file') }),
      { loggedIn: false },
    )
  })
})

describe('other commands', () => {
  it('audit fails when something differs', async () => {
    const difference = { host: 'h1', kind: 'tap', id: 't0', expected: 'absent', observed: 'present', remedy: 'delete the tap' }
    await world(
      async ({ skerry }) =>
        expect(await skerry('audit', '--hosts')).toMatchObject({
          code: 1,
          out: expect.stringContaining('h1    tap   t0  absent'),
        }),
      { http: { audit: { hosts: async () => ({ differences: [difference], checked: 7 }) } } },
    )
    await world(
      async ({ skerry }) =>
        expect(await skerry('audit', '--hosts')).toEqual({ code: 0, out: '0 differences, 7 things checked\n', err: '' }),
      { http: { audit: { hosts: async () => ({ differences: [], checked: 7 }) } } },
    )
  })
  it('events prints what there is, and ends', () =>
    world(
      async ({ skerry }) => {
        expect(await skerry('events', '--since', '1.0')).toEqual({ code: 0, out: '2.0  a.b  {"after":"1.0"}\n', err: '' })
        expect(JSON.parse((await skerry('events', '--since', '1.0', '-o', 'json')).out)).toEqual({
          id: '2.0',
          subject: 'a.b',
          data: { after: '1.0' },
        })
      },
      {
        http: {
          events: {
            async *since(last) {
              yield { id: '2.0', subject: 'a.b', data: { after: last } }
            },
          },
        },
      },
    ))
  it('job retry, job wait and agent token read as people say them', () =>
    world(async ({ skerry, engine }) => {
      const { uuid } = engine.add('job')
      expect((await skerry('job', 'retry', String(uuid))).code).toBe(0)
      const token = await skerry('agent', 'token', '--ttl', '15m')
      expect([token.code, engine.calls.at(-1)?.params]).toEqual([0, { ttlSeconds: 900 }])
      await skerry('create', 'zone', 'fail-no-host')
      expect((await skerry('job', 'wait', [...engine.jobs.keys()].at(-1)!)).code).toBe(exitCodes.conflict)
    }))
  it('agent revoke takes a name; keys rotate says what it waits for, or does not wait', () =>
    world(async ({ skerry, engine }) => {
      const { uuid } = engine.add('agent', { name: 'kvm@h1', status: 'Disconnected' })
      expect((await skerry('agent', 'revoke', 'kvm@h1')).code).toBe(0)
      expect(engine.calls.at(-1)).toMatchObject({ api: { api: 'RevokeAgent' }, params: { uuid } })
      expect(await skerry('keys', 'rotate', 'agents', '--no-wait')).toMatchObject({ code: 0 })
      expect(engine.calls.at(-1)).toMatchObject({ api: { api: 'RotateKeys' }, params: { what: 'agents' } })
      expect((await skerry('keys', 'rotate', 'everything')).code).not.toBe(0)
    }))
  it('doctor passes a sound machine', () => world(async ({ skerry }) => expect((await skerry('doctor')).code).toBe(0)))
})
