/** What holds a webhook back, and what keeps it: the answer on its way out, the log, results that nobody may read for ever. */
import { EventEmitter } from 'node:events'
import type { ServerResponse } from 'node:http'
import { ADMIN_ACCOUNT, SkerryError } from '@skerry/contract'
import { describe, expect, it, vi } from 'vitest'
import { Disclosures } from '../src/engine/disclosures.ts'
import { Unflushed } from '../src/http/unflushed.ts'
import { fakeDisk } from '../src/store/fake-disk.ts'
import { Hooks } from '../src/tasks/hooks.ts'
import { outdated } from '../src/tasks/housekeeping.ts'
import { fakeHttp } from '../src/testing/index.ts'
import { call, done, engineOf } from './engine-calls.ts'
import { base, id, makeWorld, u } from './world.ts'
import { site } from './world-site.ts'

const later = () => new Promise<void>((resolve) => setTimeout(resolve, 10))

describe('an answer on its way out', () => {
  it.each(['finish', 'close'])('holds the hook of its own job until %s, and no other', async (event) => {
    const unflushed = new Unflushed()
    const outgoing = new EventEmitter() as ServerResponse
    unflushed.begin('job', outgoing)
    let left = false
    const waiting = unflushed.until('job').then(() => (left = true))
    await unflushed.until('another')
    await later()
    expect(left).toBe(false)
    outgoing.emit(event)
    await waiting
    outgoing.emit('close')
    await unflushed.until('job')
  })

  it.each(['/zstack/v1', '/v1'])(
    'is noted under %s before its call is accepted, and only when there is a hook',
    async (prefix) => {
      const seen: string[] = []
      const unflushed = new Unflushed()
      const begin = unflushed.begin.bind(unflushed)
      unflushed.begin = (job, outgoing) => {
        seen.push(`begin ${job}`)
        begin(job, outgoing)
      }
      const { send, engine } = fakeHttp({ unflushed })
      const accept = engine.accept.bind(engine)
      engine.accept = (c) => {
        seen.push(`accept ${c.jobUuid}`)
        return accept(c)
      }
      const zone = { params: { name: 'z' } }
      await send('POST', `${prefix}/zones`, zone, { 'x-web-hook': 'http://127.0.0.1:9/' })
      const [begun, accepted] = seen
      expect([begun?.slice(6), seen.length]).toEqual([accepted?.slice(7), 2])
      await send('POST', `${prefix}/zones`, zone)
      expect(seen.filter((what) => what.startsWith('begin'))).toHaveLength(1)
    },
  )
})

describe('a webhook', () => {
  it('that was accepted is delivered after a power cut', async () => {
    const disk = fakeDisk()
    const w = await makeWorld({ disk })
    const webHook = 'http://127.0.0.1:9/hook'
    await engineOf(w).accept(call('CreateZone', { name: 'z' }, { jobUuid: id('job'), webHook }))
    const after = await makeWorld({ disk: disk.crash(() => 0.5), ids: 'after' })
    const engine = engineOf(after)
    engine.resume()
    const posted: string[] = []
    const hooks = new Hooks({
      state: after.state,
      sleep: async () => undefined,
      flushed: async () => undefined,
      report: () => undefined,
      render: (job) => ({ ok: engine.job(job)?.state === 'done', body: {} }),
      post: async ({ url, headers }) => {
        posted.push(`${url} ${headers['X-Job-UUID']} ${headers['X-Job-Success']}`)
        return 200
      },
    })
    hooks.resume()
    await vi.waitUntil(() => after.state.graph.count('hook') === 0)
    expect(posted).toEqual([`${webHook} ${id('job')} true`])
  })

  it('of a job that is stuck tells so once, and the end when it has been retried', async () => {
    const w = await makeWorld()
    await site(w)
    const url = 'http://127.0.0.1:9/hook'
    const posted: string[] = []
    const hooksOf = () =>
      new Hooks({
        state: w.state,
        sleep: async () => undefined,
        flushed: async () => undefined,
        report: () => undefined,
        render: (job) => ({ ok: false, body: engine.job(job)?.state }),
        post: async ({ body }) => posted.push(body) && 200,
      })
    let hooks = hooksOf()
    const engine = engineOf(w, undefined, (job) => hooks.ended(job.uuid))
    const { command } = w.agents
    let away = true
    w.agents.command = async (...a: Parameters<typeof command>) => {
      if (a[1].verb === 'download') throw new SkerryError('image-unreachable', 'the source answered 404')
      if (a[1].verb === 'remove' && away) throw new SkerryError('internal', 'the store is broken')
      return command.apply(w.agents, a)
    }
    const image = { name: 'i', url: 'http://127.0.0.1/x', backupStorageUuids: [u.bs] }
    const job = await done(engine, call('AddImage', image, { webHook: url }))
    await vi.waitUntil(() => w.state.graph.get('hook', job.uuid)?.['told'] === true)
    // Not again by the next process, nor by a retry that changes nothing.
    hooks = hooksOf()
    hooks.resume()
    expect((await engine.retry(job.uuid)).state).toBe('stuck')
    away = false
    expect((await engine.retry(job.uuid)).state).toBe('failed')
    await vi.waitUntil(() => w.state.graph.count('hook') === 0)
    expect(posted).toEqual(['"stuck"', '"failed"'])
  })

  it('keeps its job: what it is to tell is not dropped before', async () => {
    const w = await makeWorld()
    const job = (name: string) => ({
      o: 'put' as const,
      t: 'job',
      k: id(name),
      v: { ...base(id(name), name), state: 'done', finishedAt: 1 },
    })
    const hook = { o: 'put' as const, t: 'hook', k: id('a'), v: { uuid: id('a'), url: 'http://h/' } }
    await w.commit({ ops: [job('a'), job('b'), job('c'), hook] })
    expect(outdated(w.state.graph, 0, 1).map(({ k }) => k)).toEqual([id('b'), id('c')])
  })
})

describe('a result that nothing else shows', () => {
  it('is told for ten minutes, also by the next process, and then no more', async () => {
    const w = await makeWorld()
    const row = { ...base(id('job'), 'job'), api: 'CreateAccessKey', state: 'done', finishedAt: 1_000, resourceUuid: id('key') }
    await w.commit({ ops: [{ o: 'put', t: 'job', k: id('job'), v: row }] })
    let now = 1_000
    const found = vi.fn(async (uuid: string) => ({ inventory: { uuid } }))
    const process = () =>
      new Disclosures({ graph: w.state.graph, now: () => now, volatile: {}, disclosed: { CreateAccessKey: found } })
    const first = process()
    await first.find(id('job'))
    expect(first.get(id('job'))).toEqual({ inventory: { uuid: id('key') } })
    now += 599_999
    const second = process()
    await second.again()
    expect(second.get(id('job'))).toEqual({ inventory: { uuid: id('key') } })
    now += 1
    expect([first.get(id('job')), second.get(id('job'))]).toEqual([undefined, undefined])
    const third = process()
    await third.again()
    expect([third.get(id('job')), found.mock.calls.length]).toEqual([undefined, 2])
  })
})

it('an account that is deleted takes its access keys along', async () => {
  const w = await makeWorld()
  const { cascadeOf } = await import('../src/workflows/cascade.ts')
  const key = { ...base(id('key'), 'key'), accountUuid: ADMIN_ACCOUNT, AccessKeySecret: { $secret: id('secret') } }
  await w.commit({ ops: [{ o: 'put', t: 'accessKey', k: id('key'), v: key }] })
  const order = cascadeOf(w.state.graph, 'account', ADMIN_ACCOUNT).order
  expect(order.map(({ table, action }) => `${table} ${action}`)).toContain('accessKey delete')
})
