/** `skerry nats` against a real nats-server. */
import { type ChildProcess, spawn, spawnSync } from 'node:child_process'
import { createServer } from 'node:net'
import { connectNats } from '@skerry/bus'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { exitCodes } from '../src/index.ts'
import { world } from './cli-world.ts'

const present = spawnSync('nats-server', ['--version']).status === 0
if (!present) {
  if (process.env['CI']) throw new Error('nats-server is missing, and in CI a skip is a failure')
  process.stderr.write('SKIPPED: nats-server is not installed\n')
}

const freePort = () =>
  new Promise<number>((resolve) => {
    const server = createServer().listen(0, '127.0.0.1', () => {
      const { port } = server.address() as { port: number }
      server.close(() => resolve(port))
    })
  })

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
      await bus.flush()
      await world(async ({ skerry }) => {
        expect(JSON.parse((await skerry('nats', 'req', 'skerry.echo', '{"a":1}', '--nats-url', url)).out)).toEqual({
          got: { a: 1 },
        })
        expect((await skerry('nats', 'req', 'skerry.nobody', '--nats-url', url)).code).toBe(exitCodes.unreachable)
        expect((await skerry('nats', 'req', 'skerry.echo', 'no json', '--nats-url', url)).code).toBe(exitCodes.usage)
        expect((await skerry('nats', 'req', 'skerry.echo')).code).toBe(exitCodes.usage)
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
})
