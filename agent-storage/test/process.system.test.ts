/** The agent as a process: enrolled by HTTP, on a real nats-server with TLS and its own rights, killed and started again. */
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { discoverServices, type GatheringBus, issueUser } from '@skerry/bus'
import { type Heartbeat, type Status, subjects } from '@skerry/contract'
import { requireOrSkip, startNats, type TestNats } from '@skerry/testkit'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { doc, id, POOL, volumeSpec } from './bench.ts'

const available = requireOrSkip('agent-storage as a process', { programs: ['qemu-img', 'nats-server'] })
const MAIN = fileURLToPath(new URL('../src/main.ts', import.meta.url))
const AGENT = id(0xa6e)
const TOKEN = 'a-one-time-token-of-this-test'

describe.skipIf(!available)('the agent-storage process', () => {
  let root: string
  let nats: TestNats
  let http: Server
  let controller: GatheringBus
  let agent: ChildProcess | undefined
  let log = ''
  let enrolments = 0
  const statuses: Status[] = []
  const heartbeats: Heartbeat[] = []

  beforeAll(async () => {
    root = await mkdtemp(join(tmpdir(), 'skerry-agent-'))
    nats = await startNats({ tls: true, auth: true })
    controller = await nats.connect('controller')
    controller.subscribe(subjects.statusOfAll, (m) => void statuses.push(m.data as Status))
    controller.subscribe(subjects.heartbeatOfAll, (m) => void heartbeats.push(m.data as Heartbeat))
    http = createServer(async (req, res) => {
      let body = ''
      for await (const chunk of req) body += chunk
      const { params } = JSON.parse(body)
      enrolments++
      if (req.url !== '/v1/agents/enrol' || params.token !== TOKEN) return void res.writeHead(403).end('{}')
      const user = await issueUser({
        kind: 'agent',
        agent: { kind: params.kind, uuid: AGENT },
        accountSeed: nats.site?.account.seed ?? '',
        userPublicKey: params.publicKey,
      })
      res.end(JSON.stringify({ uuid: AGENT, jwt: user.jwt, servers: [nats.url], ca: nats.ca?.certPem ?? null }))
    })
    await new Promise<void>((resolve) => http.listen(0, '127.0.0.1', resolve))
    await writeFile(join(root, 'token'), `${TOKEN}\n`)
  })
  afterAll(async () => {
    await end('SIGKILL')
    http.close()
    await nats.stop()
    await rm(root, { recursive: true })
  })

  function start(...args: string[]) {
    const child = spawn(process.execPath, ['--import', 'tsx', MAIN, '--state-dir', join(root, 'state'), ...args], {
      stdio: ['ignore', 'pipe', 'inherit'],
    })
    child.stdout.on('data', (chunk) => (log += chunk))
    agent = child
  }
  async function end(signal: NodeJS.Signals): Promise<number | null> {
    const child = agent
    if (!child || child.exitCode !== null || child.signalCode !== null) return null
    child.kill(signal)
    const [code] = await once(child, 'exit')
    return code
  }
  async function until(what: string, check: () => boolean | Promise<boolean>): Promise<void> {
    for (let n = 0; n < 600; n++) {
      if (await check()) return
      await new Promise((resolve) => setTimeout(resolve, 50))
    }
    throw new Error(`not within 30 s: ${what}\n${log}`)
  }
  const ask = async (verb: string, data: unknown) =>
    (await controller.request(subjects.do('storage', AGENT, 'agent', AGENT, verb), data, { timeoutMs: 5_000 })).data
  const exists = (path: string) =>
    stat(path).then(
      () => true,
      () => false,
    )
  const pool = () => join(root, 'pool')

  test('enrols with its token, is found as a service, makes what it is sent and tells it', async () => {
    const { port } = http.address() as AddressInfo
    start('--controller', `http://127.0.0.1:${port}`, '--token-file', join(root, 'token'), '--management-ip', '127.0.0.1')
    await until('a heartbeat', () => heartbeats.length > 0)
    expect(heartbeats[0]).toMatchObject({ agentUuid: AGENT, kind: 'storage', machineId: expect.stringMatching(/^[0-9a-f]{32}$/) })
    await expect
      .poll(() => discoverServices(controller, { timeoutMs: 300 }))
      .toMatchObject([{ name: 'agent-storage', id: AGENT }])
    await ask('sync', {
      documents: [doc('pool', POOL, { path: pool(), kind: 'primary' }), doc('volume', id(3), volumeSpec(pool(), id(3)))],
      epoch: 1,
    })
    await until('both statuses', () => statuses.length >= 2)
    expect(statuses.map((s) => `${s.noun} ${s.condition}`)).toEqual(['pool Ready', 'volume Ready'])
    expect(await exists(join(pool(), 'volumes', `${id(3)}.qcow2`))).toBe(true)
  }, 60_000)

  test('writes its log as JSON lines without its secrets', async () => {
    const { seed } = JSON.parse((await readFile(join(root, 'state/identity.json'), 'utf8')).split('\n')[0] as string)
    for (const line of log.trim().split('\n')) JSON.parse(line)
    expect(seed).toMatch(/^SU/)
    expect(log).not.toContain(seed)
    expect(log).not.toContain(TOKEN)
  })

  test('drains on SIGTERM, exits 0, and touches no volume', async () => {
    expect(await end('SIGTERM')).toBe(0)
    expect(await exists(join(pool(), 'volumes', `${id(3)}.qcow2`))).toBe(true)
    await expect(ask('digest', null)).rejects.toMatchObject({ code: 'agent-unreachable' })
  }, 30_000)

  test('works from its ledger without NATS and without a controller, and comes back when NATS does', async () => {
    await nats.kill()
    await rm(join(pool(), 'cache'), { recursive: true })
    statuses.length = 0
    start()
    await until('the missing folder', () => exists(join(pool(), 'cache')))
    await nats.restart()
    await until('its statuses', () => statuses.length >= 2)
    expect(enrolments).toBe(1)
  }, 60_000)

  test('is the same agent with the same digest after kill -9', async () => {
    const before = (await ask('digest', null)) as { digest: string }
    await end('SIGKILL')
    start()
    await until('an answer', () =>
      ask('digest', null).then(
        (reply) => (reply as { digest: string }).digest === before.digest,
        () => false,
      ),
    )
    expect(await end('SIGTERM')).toBe(0)
  }, 60_000)

  test('without identity and token it says what to give it, and exits 1', async () => {
    log = ''
    const child = spawn(process.execPath, ['--import', 'tsx', MAIN, '--state-dir', join(root, 'empty')], {
      stdio: ['ignore', 'pipe', 'inherit'],
    })
    child.stdout.on('data', (chunk) => (log += chunk))
    expect((await once(child, 'exit'))[0]).toBe(1)
    expect(log).toContain('--token-file')
  }, 30_000)
})
