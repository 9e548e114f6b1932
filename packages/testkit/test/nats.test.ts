import { spawnSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { startNats } from '../src/index.ts'

const here = spawnSync('nats-server', ['--version']).status === 0
if (!here && process.env.CI) throw new Error('testkit nats: nats-server is not installed')
if (!here) process.stderr.write('SKIPPED testkit nats: nats-server is not installed (apt-get install nats-server)\n')

const isAlive = (pid: number): boolean => {
  try {
    return process.kill(pid, 0)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ESRCH') return false
    throw error
  }
}

describe.runIf(here)('startNats', () => {
  it.each([
    { tls: false, auth: false },
    { tls: true, auth: false },
    { tls: false, auth: true },
    { tls: true, auth: true },
  ])('serves requests with tls $tls and auth $auth, and leaves neither process nor folder', async (options) => {
    const server = await startNats(options)
    const uuid = 'c'.repeat(32)
    const controller = await server.connect('controller')
    const agent = await server.connect('agent', { agent: { kind: 'kvm', uuid } })
    agent.serve(`skerry.v1.agent.kvm.${uuid}.do.>`, async () => 'done')
    await agent.flush()
    expect((await controller.request(`skerry.v1.agent.kvm.${uuid}.do.x`, null, { timeoutMs: 5_000 })).data).toBe('done')
    expect(server.site !== undefined).toBe(options.auth)
    expect(server.ca !== undefined).toBe(options.tls)
    const { pid, dir } = server
    expect(isAlive(pid)).toBe(true)
    await server.stop()
    expect(isAlive(pid)).toBe(false)
    expect(existsSync(dir)).toBe(false)
  })

  it('restarts on the same port with what JetStream had stored, as another process', async () => {
    const server = await startNats({ tls: true, auth: true })
    const bus = await server.connect('controller')
    const timeoutMs = 5_000
    await bus.request(
      '$JS.API.STREAM.CREATE.kept',
      { name: 'kept', subjects: ['skerry.v1.evt.>'], storage: 'file', retention: 'limits' },
      { timeoutMs },
    )
    const before = { pid: server.pid, url: server.url }
    await server.kill()
    expect(isAlive(before.pid)).toBe(false)
    await server.restart()
    expect(server.url).toBe(before.url)
    expect(server.pid).not.toBe(before.pid)
    await new Promise<void>((resolve) => {
      let down = false
      bus.onState((s) => {
        down ||= s === 'disconnected'
        if (down && s === 'connected') resolve()
      })
    })
    expect((await bus.request('$JS.API.STREAM.NAMES', null, { timeoutMs })).data).toMatchObject({ streams: ['kept'] })
    await server.stop()
  })

  it('several at once take different ports', async () => {
    const servers = await Promise.all([1, 2, 3, 4].map(() => startNats()))
    expect(new Set(servers.map((s) => s.port)).size).toBe(4)
    await Promise.all(servers.map((s) => s.stop()))
  })
})
