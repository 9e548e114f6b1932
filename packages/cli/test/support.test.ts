/** `skerry support`: what is in the archive, what never is, and what it does without a controller. */
import { gunzipSync } from 'node:zlib'
import { fakeHost } from '@skerry/host'
import { extract } from 'tar-stream'
import { describe, expect, it } from 'vitest'
import { type World, world } from './cli-world.ts'

const STATE = '/var/lib/skerry'
const FILE = '/tmp/out.tar.gz'
const CANARY = 'c4n4ry-of-support'
const SEED = `SU${'A2B3C4D5'.repeat(7)}`

/** A machine on which a site was set up; `logs` by name. */
function machine(logs: Record<string, string> = {}) {
  const host = fakeHost({ nowMs: () => 1_700_000_000_000 })
  const put = (path: string, text: string) => {
    host.disk.makeDir(path.slice(0, path.lastIndexOf('/')), 0o700)
    host.disk.put(path, Buffer.from(text))
  }
  host.disk.makeDir('/tmp', 0o777)
  put(`${STATE}/up.json`, JSON.stringify({ siteName: 'skerry', url: 'http://127.0.0.1:8080', secretOfTomorrow: CANARY }))
  put(`${STATE}/ca/admin.password`, 'a-good-password')
  put(`${STATE}/nats/account.seed`, SEED)
  put(`${STATE}/primary/volumes/x.qcow2`, 'disk')
  put(`${STATE}/logs/guest-of-tomorrow.log`, CANARY)
  for (const [name, text] of Object.entries(logs)) put(`${STATE}/logs/${name}`, text)
  const io = { machine: async () => ({ files: host.files, now: () => 1_700_000_000_000, absolute: (path: string) => path }) }
  return { host, io }
}

async function unpacked(bytes: Uint8Array): Promise<Record<string, string>> {
  const parts: Record<string, string> = {}
  const reader = extract()
  reader.end(gunzipSync(bytes))
  for await (const entry of reader) {
    const chunks: Buffer[] = []
    for await (const chunk of entry) chunks.push(chunk as Buffer)
    parts[entry.header.name.replace(/^[^/]*\//, '')] = Buffer.concat(chunks).toString()
  }
  return parts
}

const line = (facts: object) => `${JSON.stringify({ level: 30, time: 1, msg: 'request', ...facts })}\n`

async function bundle(
  w: World,
  host: ReturnType<typeof machine>['host'],
): Promise<{ parts: Record<string, string>; out: string }> {
  const { code, out, err } = await w.skerry('support', FILE)
  expect({ code, err: code === 0 ? '' : err }).toEqual({ code: 0, err: '' })
  const file = host.disk.files.get(FILE)!
  expect(file.mode).toBe(0o600)
  return { parts: await unpacked(file.data), out }
}

describe('skerry support', () => {
  it('packs what is known of site and machine, and shows what is inside', async () => {
    const { host, io } = machine({
      'controller.log': line({ route: 'GET /zones', status: 200 }),
      'nats.log': '[1] [INF] Server is ready\n',
    })
    await world(
      async (w) => {
        w.engine.add('agent', { name: 'kvm@h1' })
        w.engine.add('job', { api: 'CreateZone', state: 'failed', error: { code: 'no-host', message: 'nobody has room' } })
        const { parts, out } = await bundle(w, host)
        expect(Object.keys(parts)).toEqual(
          expect.arrayContaining([
            'versions.json',
            'doctor.json',
            'agents.json',
            'jobs.json',
            'resources.json',
            'metrics.txt',
            'files.txt',
            'setup.json',
            'logs/controller.log',
            'logs/nats.log',
            'missing.json',
          ]),
        )
        expect(JSON.parse(parts['agents.json']!)).toMatchObject([{ name: 'kvm@h1' }])
        expect(JSON.parse(parts['jobs.json']!)).toMatchObject([
          { api: 'CreateZone', error: { code: 'no-host', message: 'nobody has room' } },
        ])
        expect(parts['metrics.txt']).toContain('skerry_http_requests_total')
        expect(JSON.parse(parts['logs/controller.log']!)).toMatchObject({ route: 'GET /zones', status: 200 })
        expect(parts['files.txt']).toMatch(/ca\/admin\.password/)
        expect(parts['files.txt']).not.toContain('x.qcow2')
        for (const name of ['agents.json', 'logs/nats.log', FILE]) expect(out).toContain(name)
      },
      { io },
    )
  })

  it('leaves out every field that nobody named', async () => {
    const log = line({
      params: { password: CANARY },
      authorization: CANARY,
      err: { type: 'E', message: 'failed', details: { password: CANARY } },
    })
    const { host, io } = machine({ 'controller.log': log })
    await world(
      async (w) => {
        w.engine.add('agent', { name: 'a', sealKey: CANARY, publicKey: CANARY })
        w.engine.add('host', { name: 'h', username: CANARY, password: { $secret: CANARY } })
        w.engine.add('job', {
          state: 'failed',
          result: { token: CANARY },
          error: {
            code: 'internal',
            message: 'no',
            details: { x: CANARY },
            cause: { code: 'conflict', message: 'why', details: { y: CANARY } },
          },
        })
        const { parts } = await bundle(w, host)
        expect(Object.entries(parts).filter(([, text]) => text.includes(CANARY))).toEqual([])
        expect(JSON.parse(parts['logs/controller.log']!)).toEqual({
          level: 30,
          time: 1,
          msg: 'request',
          err: { type: 'E', message: 'failed' },
        })
        expect(JSON.parse(parts['jobs.json']!)[0].error).toEqual({
          code: 'internal',
          message: 'no',
          cause: { code: 'conflict', message: 'why' },
        })
      },
      { io },
    )
  })

  it.each([
    ['the seed of a NATS key', SEED],
    ['a private key', '-----BEGIN PRIVATE KEY-----'],
    ['a session', `OAuth ${'5'.repeat(32)}`],
    ['the password of admin', 'tried a-good-password'],
    ['the password of admin in base64', Buffer.from('a-good-password').toString('base64')],
    ['a JWT', 'eyJhbGciOiJlZDI1NTE5.eyJzdWIiOiJhYmNkZWYi.c2lnbmF0dXJlc2ln'],
  ])('writes nothing when a text that is allowed holds %s', async (_, text) => {
    const { host, io } = machine({ 'agent-kvm.log': line({ msg: `said ${text}` }) })
    await world(
      async (w) => {
        const { code, err } = await w.skerry('support', FILE)
        expect([code, host.disk.files.has(FILE)]).toEqual([1, false])
        expect(err).toContain('logs/agent-kvm.log')
        expect(err).not.toContain(text)
      },
      { io },
    )
  })

  it('is made when the controller is dead, and says what is missing', async () => {
    const { host, io } = machine({ 'controller.log': 'Error: it broke\n    at here\n' })
    let asked = 0
    const fetch = async () => {
      asked += 1
      throw new TypeError('fetch failed')
    }
    await world(
      async (w) => {
        const { parts, out } = await bundle(w, host)
        expect(parts['logs/controller.log']).toContain('it broke')
        expect(JSON.parse(parts['missing.json']!).map(({ name }: { name: string }) => name)).toEqual(
          expect.arrayContaining(['conditions.json', 'agents.json', 'jobs.json', 'audit.json', 'metrics.txt']),
        )
        expect(out).toMatch(/agents\.json +missing +.*cannot be reached/)
        expect(asked).toBe(1)
      },
      { io: { ...io, fetch } },
    )
  })

  it('is made where no site was set up, and without a session', async () => {
    const host = fakeHost({})
    host.disk.makeDir('/tmp', 0o777)
    const io = { machine: async () => ({ files: host.files, now: () => 0, absolute: (path: string) => path }) }
    await world(
      async (w) => {
        const { parts } = await bundle(w, host)
        const missing = JSON.parse(parts['missing.json']!) as { name: string; why: string }[]
        expect(missing.find(({ name }) => name === 'agents.json')?.why).toMatch(/log in|Authorization/i)
        expect(missing.map(({ name }) => name)).toEqual(expect.arrayContaining(['setup.json', 'files.txt', 'logs']))
        expect(parts['metrics.txt']).toContain('skerry_')
      },
      { io, loggedIn: false },
    )
  })
})
