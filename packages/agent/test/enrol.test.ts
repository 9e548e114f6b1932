import { createServer } from 'node:https'
import type { AddressInfo } from 'node:net'
import { createCa, issueServerCert } from '@skerry/bus'
import { fakeHost } from '@skerry/host'
import { expect, test } from 'vitest'
import { createSealKeys, enrol, fetchTrusting, loadIdentity, type PostJson, seal, unseal } from '../src/index.ts'
import { readSettings } from '../src/settings.ts'
import { id } from './bench.ts'

const GRANT = { uuid: id(5), jwt: 'header.claims.signature', servers: ['tls://192.0.2.1:4222'], ca: 'PEM' }
const TOKEN = 'one-time-token-0123456789'

function controller(answers: { status: number; body: unknown }[]) {
  const seen: { url: string; body: { params: Record<string, string> } }[] = []
  const fetch: PostJson = async (url, { body }) => {
    seen.push({ url, body: JSON.parse(body) })
    const answer = answers.shift()
    if (!answer) throw new Error('connection refused')
    return { status: answer.status, text: async () => JSON.stringify(answer.body) }
  }
  return { seen, fetch }
}
const options = (host: ReturnType<typeof fakeHost>, fetch: PostJson) => ({
  controllerUrl: 'http://192.0.2.1:8080',
  token: TOKEN,
  kind: 'kvm' as const,
  machineId: id(1),
  managementIp: '192.0.2.10',
  stateDir: '/var/lib/agent',
  files: host.files,
  fetch,
  version: '0.1.0',
})

test('enrolment offers public keys, stores what it is granted in a 0600 file, and is not repeated', async () => {
  const host = fakeHost()
  const { seen, fetch } = controller([{ status: 200, body: GRANT }])
  const identity = await enrol(options(host, fetch))
  expect(identity).toMatchObject({ ...GRANT, kind: 'kvm' })
  expect(identity.seed).toMatch(/^SU/)
  expect(seen).toEqual([
    {
      url: 'http://192.0.2.1:8080/v1/agents/enrol',
      body: {
        params: {
          token: TOKEN,
          kind: 'kvm',
          machineId: id(1),
          managementIp: '192.0.2.10',
          version: '0.1.0',
          publicKey: expect.stringMatching(/^U[A-Z2-7]{55}$/),
          sealKey: expect.stringMatching(/^[\w-]{43}$/),
        },
      },
    },
  ])
  expect(JSON.stringify(seen)).not.toContain(identity.seed)
  expect(JSON.stringify(seen)).not.toContain(identity.sealPrivateKey)
  expect(host.disk.files.get('/var/lib/agent/identity.json')?.mode).toBe(0o600)
  expect(await enrol(options(host, fetch))).toEqual(identity)
  expect(await loadIdentity(host.files, '/var/lib/agent', 'kvm')).toEqual(identity)
  expect(seen).toHaveLength(1)
})

test('a repeat after a lost answer offers the same keys', async () => {
  const host = fakeHost()
  const { seen, fetch } = controller([])
  await expect(enrol(options(host, fetch))).rejects.toMatchObject({ code: 'not-ready' })
  expect(await loadIdentity(host.files, '/var/lib/agent', 'kvm')).toBeUndefined()
  await expect(enrol(options(host, fetch))).rejects.toMatchObject({ code: 'not-ready' })
  expect(seen[1]).toEqual(seen[0])
})

test('a refused token is told apart from a controller that is not ready', async () => {
  const refused = { code: 'enrolment-refused', message: 'token expired', retry: 'never' }
  const of = (status: number, body: unknown) => enrol(options(fakeHost(), controller([{ status, body }]).fetch))
  await expect(of(403, refused)).rejects.toMatchObject({ code: 'enrolment-refused', cause: { message: 'token expired' } })
  await expect(of(503, 'starting')).rejects.toMatchObject({ code: 'not-ready' })
  await expect(of(200, { uuid: 'x' })).rejects.toMatchObject({ code: 'enrolment-refused' })
})

test("a state folder of another kind's agent is not taken over", async () => {
  const host = fakeHost()
  await enrol(options(host, controller([{ status: 200, body: GRANT }]).fetch))
  await expect(loadIdentity(host.files, '/var/lib/agent', 'storage')).rejects.toMatchObject({ code: 'invalid-argument' })
})

test('a sealed secret opens only with its own keys, in its own place, unchanged', () => {
  const keys = createSealKeys()
  const sealed = seal(keys.publicKey, Buffer.from('canary'), 'vm/1/password')
  expect(sealed).not.toContain('canary')
  expect(unseal(keys, sealed, 'vm/1/password').toString()).toBe('canary')
  expect(seal(keys.publicKey, Buffer.from('canary'), 'vm/1/password')).not.toBe(sealed)
  const last = sealed.endsWith('A') ? 'B' : 'A'
  const bad = [
    () => unseal(createSealKeys(), sealed, 'vm/1/password'),
    () => unseal(keys, sealed, 'vm/2/password'),
    () => unseal(keys, sealed.slice(0, -2) + last + last, 'vm/1/password'),
    () => unseal(keys, 'x', ''),
  ]
  for (const act of bad) expect(act).toThrow(expect.objectContaining({ code: 'invalid-argument' }))
  expect(() => seal('not a key', Buffer.from('x'), '')).toThrow(expect.objectContaining({ code: 'invalid-argument' }))
})

test('settings: arguments win over the environment, and what is wrong is named', async () => {
  const env = { SKERRY_STATE_DIR: '/srv/env', SKERRY_CONTROLLER: 'http://a:1', UNRELATED: 'x' }
  expect(await readSettings('kvm', ['--state-dir', '/srv/arg'], env)).toMatchObject({
    stateDir: '/srv/arg',
    controller: 'http://a:1',
    logLevel: 'info',
  })
  expect(await readSettings('kvm', [], {})).toMatchObject({ stateDir: '/var/lib/skerry/agent-kvm' })
  await expect(readSettings('kvm', ['--state-dir', 'relative'], {})).rejects.toThrow(/stateDir/)
  await expect(readSettings('kvm', ['--colour', 'red'], {})).rejects.toMatchObject({ code: 'invalid-argument' })
})

test("over TLS, only a controller of the site's own CA is believed", async () => {
  const [site, stranger] = [await createCa(), await createCa()]
  const cert = await issueServerCert(site, { names: ['localhost'], ips: ['127.0.0.1'] })
  const server = createServer({ cert: cert.certPem, key: cert.keyPem }, (_req, res) => void res.end(JSON.stringify(GRANT)))
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const controllerUrl = `https://127.0.0.1:${(server.address() as AddressInfo).port}`
  try {
    const of = (ca: string) => enrol({ ...options(fakeHost(), fetchTrusting(ca)), controllerUrl })
    expect(await of(site.certPem)).toMatchObject({ uuid: GRANT.uuid })
    await expect(of(stranger.certPem)).rejects.toMatchObject({ code: 'not-ready' })
  } finally {
    server.closeAllConnections()
    await new Promise((resolve) => server.close(resolve))
  }
})
