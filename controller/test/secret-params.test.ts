/** Secrets that nothing refers to any more are shredded at start; all others stay. */
import { randomBytes } from 'node:crypto'
import { apis, type Row } from '@skerry/contract'
import { describe, expect, it } from 'vitest'
import { hideSecrets, secretFields, secretIds, shredOrphans, unreferenced } from '../src/engine/secret-params.ts'
import { sessionKey } from '../src/engine/session-key.ts'
import { fakeDisk } from '../src/store/fake-disk.ts'
import { openSecrets } from '../src/store/secrets.ts'
import { id, makeWorld, type TestWorld } from './world.ts'

const apiNamed = (name: string) => apis.find(({ api }) => api.api === name)!.api
const open = () => openSecrets({ dir: '/secrets', disk: fakeDisk(), siteKey: Buffer.alloc(32, 1), random: randomBytes })
const put = (w: TestWorld, t: string, k: string, v: Row) => w.commit({ ops: [{ o: 'put', t, k, v: { uuid: k, ...v } }] })

describe('a secret that the last process left behind', () => {
  it('is shredded, and no other', async () => {
    const w = await makeWorld()
    const secrets = await open()
    const [host, store, waiting, stuck, before, inner] = await Promise.all(
      ['host', 'store', 'waiting', 'stuck', 'before', 'inside a long job'].map((v) => secrets.put(v)),
    )
    const orphans = await Promise.all(['never recorded', 'of a finished job', 'of a failed job'].map((v) => secrets.put(v)))
    await put(w, 'host', id('h'), { password: { $secret: host } })
    await put(w, 'backupStorage', id('b'), { password: { $secret: store } })
    const job = (name: string, state: string, secret: string | undefined) =>
      put(w, 'job', id(name), { state, input: { params: { password: { $secret: secret } } } })
    await job('waiting', 'processing', waiting)
    const long = { jobName: 'APIAddKVMHostMsg', jobData: '{}', call: { password: { $secret: inner } } }
    await put(w, 'job', id('long'), { state: 'processing', input: { params: long } })
    await job('stuck', 'stuck', stuck)
    await job('done', 'done', orphans[1])
    await job('failed', 'failed', orphans[2])
    await put(w, 'jobStep', `${id('waiting')}/update`, {
      jobUuid: id('waiting'),
      output: { before: { password: { $secret: before } } },
    })
    expect(await shredOrphans(w.state.graph, secrets)).toBe(3)
    expect((await secrets.list()).sort()).toEqual([host, store, waiting, stuck, before, inner].sort())
    expect(await shredOrphans(w.state.graph, secrets)).toBe(0)
    for (const one of orphans) await expect(secrets.get(one)).rejects.toMatchObject({ code: 'not-found' })
  })
})

describe('secret parameters', () => {
  it('are known by their schema, also where they may be left out, and hidden only where they are recorded', async () => {
    expect(secretFields(apiNamed('AddKVMHost'))).toEqual(['password'])
    expect(secretFields(apiNamed('UpdateKVMHost'))).toEqual(['password'])
    const params = { name: 'h', password: 'value' }
    const hidden = await hideSecrets(apiNamed('AddKVMHost'), params, { put: async (value) => `kept ${value}` })
    expect(hidden).toEqual({ name: 'h', password: { $secret: 'kept value' } })
    expect(await hideSecrets(apiNamed('UpdateKVMHost'), { username: 'u' }, { put: async () => 'x' })).toEqual({ username: 'u' })
  })
})

describe('the call inside a long job', () => {
  const text = (more: Row = {}) =>
    JSON.stringify({ name: 'h', clusterUuid: id('c'), managementIp: '10.0.0.1', username: 'root', password: 'value', ...more })
  const hide = (jobData: string) =>
    hideSecrets(apiNamed('SubmitLongJob'), { jobName: 'APIAddKVMHostMsg', jobData }, { put: async (value) => `kept ${value}` })

  it('is recorded with references, its text without secrets, and without anything that the call does not know', async () => {
    const { call, jobData } = (await hide(text({ session: { uuid: 'a session' } }))) as { call: Row; jobData: string }
    expect(call).toMatchObject({ name: 'h', password: { $secret: 'kept value' } })
    expect(JSON.parse(jobData)).toMatchObject({ name: 'h', password: '*****' })
    expect(jobData).not.toMatch(/value|session/)
    expect(secretIds({ call, jobData })).toEqual(['kept value'])
  })

  it('is as it was when it is read a second time', async () => {
    const once = await hide(text())
    expect(await hideSecrets(apiNamed('SubmitLongJob'), once, { put: () => Promise.reject(new Error('again')) })).toMatchObject({
      call: once['call'],
    })
  })
})

it('a failed job takes no secret along that another one still needs', async () => {
  const w = await makeWorld()
  await put(w, 'job', id('wrapped'), { state: 'processing', input: { params: { password: { $secret: id('one') } } } })
  expect(unreferenced(w.state.graph, [id('one'), id('two')])).toEqual([id('two')])
})

it('a session stands under a key from which nobody gets back to it', () => {
  const session = id('session')
  expect(sessionKey(session)).toMatch(/^[0-9a-f]{32}$/)
  expect(new Set([session, sessionKey(session), sessionKey(sessionKey(session))]).size).toBe(3)
})
