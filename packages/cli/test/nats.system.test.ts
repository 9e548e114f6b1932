/** `skerry nats` against a real nats-server. */
import { type ChildProcess, spawn, spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type Log, openLedger, runAgent } from '@skerry/agent'
import { memoryStorage } from '@skerry/agent/example'
import { connectNats, realTimers } from '@skerry/bus'
import { SESSION } from '@skerry/controller/testing'
import { realHost } from '@skerry/host'
import { freePort } from '@skerry/testkit'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { exitCodes } from '../src/index.ts'
import { world } from './cli-world.ts'

const present = spawnSync('nats-server', ['--version']).status === 0
if (!present) {
  if (process.env['CI']) throw new Error('nats-server is missing, and in CI a skip is a failure')
  process.stderr.write('SKIPPED: nats-server is not installed\n')
}

let server: ChildProcess
let url = ''

describe.skipIf(!present)('skerry nats', () => {
  beforeAll(async () => {
    const port = await freePort()
    url = `nats://127.0.0.1:${port}`
    server = spawn('nats-server', ['-a', '127.0.0.1', '-p', String(port)], { stdio: ['ignore', 'ignore', 'pipe'] })
    await new Promise<void>((resolve) =>
      server.stderr?.on('data', (bytes) => String(bytes).includes('Server is ready') && resolve()),
    )
  })
  afterAll(() => void server?.kill())

  it('asks, listens and lists', async () => {
    const bus = await connectNats({ servers: [url], name: 'test' })
    const stop = new AbortController()
    try {
      bus.serve('skerry.echo', async ({ data }) => ({ got: data }))
      bus.serve('skerry.v1.api.>', async ({ subject, data, headers }) => ({ subject, data, headers }))
      await bus.flush()
      await world(async ({ skerry }) => {
        expect(JSON.parse((await skerry('nats', 'req', 'skerry.echo', '{"a":1}', '--nats-url', url)).out)).toEqual({
          got: { a: 1 },
        })
        expect((await skerry('nats', 'req', 'skerry.nobody', '--nats-url', url)).code).toBe(exitCodes.unreachable)
        expect((await skerry('nats', 'req', 'skerry.echo', 'no json', '--nats-url', url)).code).toBe(exitCodes.usage)
        expect((await skerry('nats', 'req', 'skerry.echo')).code).toBe(exitCodes.usage)
        const on = ['--nats-url', url, '--timeout', '5', '--wait', '--job', 'j'.repeat(32)]
        const called = await skerry('nats', 'call', 'vm', 'stop', '{"type":"cold"}', '--resource', 'u'.repeat(32), ...on)
        const headers = { Authorization: `Bearer ${SESSION}`, 'Skerry-Wait': '5000ms', 'Skerry-Job': 'j'.repeat(32) }
        expect(JSON.parse(called.out)).toEqual({
          ...{ subject: `skerry.v1.api.vm.${'u'.repeat(32)}.stop`, data: { type: 'cold' } },
          headers: { ...headers, 'Skerry-Deadline': '5000' },
        })
        expect((await skerry('nats', 'services', '--nats-url', url, '--timeout', '0.2')).out).toBe('no services answer\n')
      })
      await world(
        async ({ skerry }) => {
          const telling = setInterval(() => bus.publish('skerry.v1.evt.zone.x.created', { n: 1 }), 20)
          setTimeout(() => stop.abort(), 500)
          const heard = await skerry('nats', 'sub', 'skerry.>', '--nats-url', url)
          clearInterval(telling)
          expect(heard).toMatchObject({ code: 0, out: expect.stringContaining('skerry.v1.evt.zone.x.created  {"n":1}\n') })
        },
        { io: { interrupted: stop.signal } },
      )
    } finally {
      await bus.close()
    }
  })

  it('tries an agent: the example passes, and one that is not there is said to be absent', async () => {
    const uuid = 'e'.repeat(32)
    const folder = mkdtempSync(join(tmpdir(), 'skerry-conformance-'))
    const clock = { now: () => Date.now() }
    const ledger = await openLedger({ dir: folder, files: realHost().files, clock })
    const quiet: Log = { info: () => undefined, warn: () => undefined, error: () => undefined, child: () => quiet }
    const agent = runAgent({
      identity: { kind: 'storage', uuid, machineId: 'a'.repeat(32), bootId: 'b' },
      bus: await connectNats({ servers: [url], name: 'agent', onError: () => undefined }),
      ...{ ledger, clock, timers: realTimers, random: Math.random, version: '0.1.0', log: quiet },
      ...memoryStorage(),
    })
    try {
      await world(async ({ skerry, files }) => {
        const document = { noun: 'pool', schema: 1, spec: { path: '/data/conformance', kind: 'primary' } }
        const command = { noun: 'storage', verb: 'forget', input: { path: '/data/none' } }
        files.set('sample.json', JSON.stringify({ document, command }))
        const on = ['--nats-url', url, '--sample', 'sample.json']
        const tried = await skerry('conformance', ...on)
        expect(tried).toMatchObject({ code: 0, out: expect.stringMatching(/storage e{32}: \d\d passed, 0 failed, 0 skipped\n$/) })
        const told = JSON.parse((await skerry('conformance', uuid, ...on, '-o', 'json')).out)
        expect(told.agent).toEqual({ kind: 'storage', uuid })
        expect((await skerry('conformance', 'f'.repeat(32), ...on)).code).toBe(exitCodes.usage)
      })
    } finally {
      await agent.stop()
      rmSync(folder, { recursive: true, force: true })
    }
  })
})
