/** The simulator's door, and what is checked of what comes in: without a site behind it. */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Log } from '@skerry/agent'
import { fakeHost, files } from '@skerry/host'
import { fakeLibvirt } from '@skerry/libvirt'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { chanceOf, checkOperations, knownOperations, misbehave, ORDINARY } from '../src/behaviour.ts'
import { simulatorApp } from '../src/http.ts'
import { Simulator } from '../src/index.ts'
import { addressOfHost, readSimulateSettings } from '../src/site/settings.ts'

const TOKEN = 'a-token-of-this-test'
const log: Log = { info: () => {}, warn: () => {}, error: () => {}, child: () => log }

describe('the door', () => {
  let dir: string
  let simulator: Simulator
  let stopped = 0
  let app: ReturnType<typeof simulatorApp>
  const ask = async (method: string, path: string, body?: string, token = TOKEN) => {
    const answer = await app.request(path, { method, headers: { authorization: `Bearer ${token}` }, ...(body ? { body } : {}) })
    return { status: answer.status, body: (await answer.json()) as Record<string, unknown> }
  }
  beforeAll(async () => {
    dir = await mkdtemp(join(tmpdir(), 'skerry-door-'))
    simulator = new Simulator({
      ...{ controllerUrl: 'http://127.0.0.1:1', files: files(), dir, log, random: () => 0 },
      connect: () => Promise.reject(new Error('there is no bus')),
      sleep: async () => undefined,
    })
    await simulator.resume()
    app = simulatorApp({ simulator, token: TOKEN, ready: () => true, stop: () => void (stopped += 1) })
  })
  afterAll(() => rm(dir, { recursive: true, force: true }))

  test('opens for nobody without its token', async () => {
    for (const token of ['', 'another', `${TOKEN}x`])
      expect(await ask('POST', '/stop', undefined, token)).toMatchObject({ status: 403, body: { code: 'permission-denied' } })
    expect(stopped).toBe(0)
    expect((await ask('POST', '/stop')).status).toBe(200)
    expect(stopped).toBe(1)
  })

  const TOKENS = { kvm: 'a', storage: 'b', vrouter: 'c' }
  test.each([
    ['POST', '/machines', '{', 400],
    ['POST', '/machines', '[]', 400],
    ['POST', '/machines', JSON.stringify({ address: '10.0.0.1', tokens: TOKENS }), 400],
    ['POST', '/machines', JSON.stringify({ address: '127.0.0.1/../x', tokens: TOKENS }), 400],
    ['POST', '/machines', JSON.stringify({ address: '127.0.0.1', tokens: { kvm: 'a' } }), 400],
    ['PUT', '/machines/10.0.0.1', '{}', 400],
    ['PUT', '/machines/127.0.0.1', '{}', 404],
    ['PUT', '/machines/all', JSON.stringify({ latencyMs: -1 }), 400],
    ['PUT', '/machines/all', JSON.stringify({ latencyMs: '5' }), 400],
    ['PUT', '/machines/all', JSON.stringify({ memoryBytes: 1 }), 400],
    ['PUT', '/machines/all', JSON.stringify({ colour: 'red' }), 400],
    ['PUT', '/machines/all', JSON.stringify({ latencyMs: 9, fail: { 'libvirt.fly': 1 } }), 400],
    ['PUT', '/machines/all', JSON.stringify({ latencyMs: 9, fail: { 'libvirt.domainCreate': 2 } }), 400],
    ['POST', '/machines', `"${'x'.repeat(70_000)}"`, 413],
    ['GET', '/nothing', undefined, 404],
  ])('%s %s with %s is refused, and changes nothing', async (method, path, body, status) => {
    const refused = await ask(method, path, body)
    expect(refused.status).toBe(status)
    expect(refused.body['message']).toBeTypeOf('string')
    expect((await ask('PUT', '/machines/all', '{}')).body).toEqual({ machines: [] })
    expect(simulator.size).toBe(0)
  })

  test('a machine whose agents cannot enrol is none, and the next try begins anew', async () => {
    const body = JSON.stringify({ address: '127.0.0.5', tokens: TOKENS })
    for (let i = 0; i < 2; i += 1) expect((await ask('POST', '/machines', body)).status).toBeGreaterThanOrEqual(400)
    expect(simulator.size).toBe(0)
  })
})

describe('chances of failure', () => {
  test('the operation itself counts before patterns, the longer pattern before the shorter', () => {
    const fail = { '*': 0.1, 'libvirt.*': 0.2, 'libvirt.domainCreate': 0 }
    expect(chanceOf(fail, 'libvirt.domainCreate')).toBe(0)
    expect(chanceOf(fail, 'libvirt.domainDestroy')).toBe(0.2)
    expect(chanceOf(fail, 'qemuImg.create')).toBe(0.1)
    expect(chanceOf({}, 'qemuImg.create')).toBe(0)
  })

  test('names are those of the ports', () => {
    for (const name of ['libvirt.domainCreate', 'qemuImg.create', 'files.write', 'ip.links.add', 'nft.apply', 'exec.run'])
      expect(knownOperations()).toContain(name)
    expect(() => checkOperations(['*', 'libvirt.*', 'ip.links.*'])).not.toThrow()
    expect(() => checkOperations(['libvirt.start'])).toThrow(/libvirt\.start/)
    expect(() => checkOperations(['ceph.*'])).toThrow(/ceph/)
  })
})

describe('a machine that misbehaves', () => {
  const fakes = { host: fakeHost(), libvirt: fakeLibvirt() }
  const now = { ...ORDINARY }
  const slept: number[] = []
  const sleep = async (ms: number) => void slept.push(ms)
  misbehave(fakes, () => now, { random: () => 0.5, sleep })
  const { host, libvirt } = fakes
  const listed = () => libvirt.call('listDomains', {}, { timeoutMs: 1_000 })

  test('is slow at each operation, but not at what its agents keep for themselves', async () => {
    now.latencyMs = 7
    await host.files.makeDir('/data')
    await listed()
    expect(slept).toEqual([7, 7])
    await host.files.makeDir('/var/lib/skerry/agent-kvm')
    expect(slept).toEqual([7, 7])
    now.latencyMs = 0
  })

  test('fails with the errors of the real ports, by chance, and then no more', async () => {
    now.fail = { 'files.*': 0.6, 'libvirt.listDomains': 0.6 }
    await expect(host.files.makeDir('/data')).rejects.toMatchObject({ code: 'host-command-failed' })
    await expect(listed()).rejects.toMatchObject({ code: 'hypervisor-failed', details: { op: 'listDomains' } })
    await host.files.write('/var/lib/skerry/agent-kvm/x', 'kept')
    now.fail = { 'files.*': 0.4, 'libvirt.listDomains': 0.4 }
    await host.files.makeDir('/data')
    expect(await listed()).toEqual([])
  })

  test('a latency beyond the deadline of a call is the deadline’s error', async () => {
    now.fail = {}
    now.latencyMs = 50
    const slow = fakeLibvirt()
    misbehave({ host: fakeHost(), libvirt: slow }, () => now, { random: () => 0, sleep: () => new Promise(() => undefined) })
    await expect(slow.call('listDomains', {}, { timeoutMs: 20 })).rejects.toMatchObject({ code: 'deadline-exceeded' })
  })
})

describe('settings', () => {
  const env = { SKERRY_STATE_DIR: '/tmp/sim' }
  test('N is a number of hosts', () => {
    expect(readSimulateSettings(['--simulate', '7', '--no-demo'], env)).toMatchObject({ hosts: 7, demo: false, httpPort: 8080 })
    expect(readSimulateSettings(['--simulate=12'], env)).toMatchObject({ hosts: 12, demo: true })
    expect(readSimulateSettings(['--simulate'], env)).toMatchObject({ hosts: 3 })
    for (const argv of [
      ['--simulate', '0'],
      ['--simulate', 'x'],
      ['--simulate', '1.5'],
      ['--simulate', '99999'],
      ['--simulate', '3', '4'],
    ])
      expect(() => readSimulateSettings(argv, env)).toThrow()
  })

  test('it takes plugins and workflows as a real site does', () => {
    const argv = ['--plugins', 'mine', '--simulate=2', '--workflows=none']
    expect(readSimulateSettings(argv, env)).toMatchObject({ hosts: 2, plugins: 'mine', workflows: 'none' })
    expect(readSimulateSettings(['--simulate', '2'], env)).toMatchObject({ plugins: undefined, workflows: undefined })
    for (const bad of [['--plugins'], ['--plugins='], ['--workflows', '--no-demo'], ['--plugin', 'x']])
      expect(() => readSimulateSettings(['--simulate', '2', ...bad], env)).toThrow()
  })

  test('it listens on loopback only', () => {
    for (const more of [{ SKERRY_HTTP_ADDR: '0.0.0.0' }, { SKERRY_NATS_ADDR: '10.0.0.1:4222' }, { SKERRY_HTTP_PORT: '70000' }])
      expect(() => readSimulateSettings(['--simulate', '1'], { ...env, ...more })).toThrow()
  })

  test('hosts have addresses of their own', () => {
    const all = Array.from({ length: 10_000 }, (_, i) => addressOfHost(i + 1))
    expect(new Set(all).size).toBe(10_000)
    expect([all[0], all[249], all[250]]).toEqual(['127.0.1.1', '127.0.1.250', '127.0.2.1'])
  })
})
