import { createConnection, type Socket } from 'node:net'
import type { SkerryError } from '@skerry/contract'
import { requireOrSkip, startNats, type TestNats } from '@skerry/testkit'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { connectNats, connectNatsLater, type GatheringBus } from '../src/index.ts'
import { eventually, failure } from './conformance/world.ts'
import { conformance } from './conformance.ts'

/** A client that sends what it likes, as a hostile or broken one would. */
class RawClient {
  received = ''
  readonly #socket: Socket
  constructor(port: number) {
    this.#socket = createConnection(port, '127.0.0.1')
    this.#socket.on('data', (chunk) => {
      this.received += chunk.toString()
    })
    this.send('CONNECT {"verbose":false,"pedantic":false,"headers":true,"no_responders":true}\r\nPING\r\n')
  }
  send(text: string): void {
    this.#socket.write(text, 'latin1')
  }
  async ready(): Promise<void> {
    await eventually(() => this.received.includes('PONG'))
  }
  end(): void {
    this.#socket.destroy()
  }
}

if (requireOrSkip('the bus on nats-server', { programs: ['nats-server'] })) {
  conformance('nats-server', async () => {
    const server = await startNats()
    return {
      connect: (options) => server.connect('controller', options),
      breakLinks: () => server.kill(),
      mendLinks: () => server.restart(),
      end: () => server.stop(),
    }
  })

  describe('foreign clients', () => {
    let server: TestNats
    let raw: RawClient
    let bus: GatheringBus
    const errors: SkerryError[] = []
    beforeAll(async () => {
      server = await startNats()
      raw = new RawClient(server.port)
      bus = await server.connect('controller', { onError: (e) => void errors.push(e) })
    })
    afterAll(async () => {
      raw.end()
      await server.stop()
    })

    it('that send a request which is not JSON get a clear error, and the serving goes on', async () => {
      bus.serve('json.do', async (m) => m.data)
      await bus.flush()
      raw.send('SUB _INBOX.raw 1\r\nPUB json.do _INBOX.raw 5\r\n{oops\r\n')
      await eventually(() => raw.received.includes('malformed-request'))
      expect(raw.received).toContain('Skerry-Error: malformed-request')
      expect((await bus.request('json.do', 1, { timeoutMs: 30_000 })).data).toBe(1)
    })

    it('that publish no JSON are reported and the subscription goes on', async () => {
      errors.length = 0
      const seen: unknown[] = []
      bus.subscribe('json.evt', (m) => void seen.push(m.data))
      await bus.flush()
      raw.send('PUB json.evt 2\r\n\xff{\r\nPUB json.evt 4\r\ntrue\r\n')
      await eventually(() => seen.length === 1)
      expect(seen).toEqual([true])
      expect(errors.map((e) => e.code)).toEqual(['malformed-request'])
    })

    it('that reply with malformed headers do not end the requester’s connection', async () => {
      errors.length = 0
      raw.received = ''
      raw.send('SUB evil.do 2\r\nPING\r\n')
      await raw.ready()
      const asked = failure(bus.request('evil.do', null, { timeoutMs: 500 }))
      await eventually(() => raw.received.includes('evil.do'))
      const reply = /MSG evil\.do 2 (\S+)/.exec(raw.received)?.[1]
      const headers = 'NATS/1.0\r\nBad Name\u0001: x\r\n\r\n'
      raw.send(`HPUB ${reply} ${headers.length} ${headers.length + 4}\r\n${headers}null\r\n`)
      expect((await asked).code).toBe('agent-timeout')
      expect(errors.map((e) => e.code)).toEqual(['internal'])
      bus.serve('evil.after', async () => 'alive')
      await bus.flush()
      expect((await bus.request('evil.after', null, { timeoutMs: 30_000 })).data).toBe('alive')
    })

    it.each([
      ['{"code":"toString","message":"x"}', { code: 'internal', message: 'x', details: { foreignCode: 'toString' } }],
      ['[]', { code: 'in-use' }],
      [`${'{"code":"in-use","message":"m","cause":'.repeat(5_000)}null${'}'.repeat(5_000)}`, { code: 'in-use', message: 'm' }],
    ])('that reply with an odd error body are read as far as it goes', async (body, expected) => {
      raw.received = ''
      raw.send('SUB odd.do 3\r\nPING\r\n')
      await raw.ready()
      const asked = failure(bus.request('odd.do', null, { timeoutMs: 30_000 }))
      await eventually(() => raw.received.includes('odd.do'))
      const reply = /MSG odd\.do 3 (\S+)/.exec(raw.received)?.[1]
      const headers = 'NATS/1.0\r\nSkerry-Error: in-use\r\n\r\n'
      raw.send(`UNSUB 3\r\nHPUB ${reply} ${headers.length} ${headers.length + body.length}\r\n${headers}${body}\r\n`)
      expect(await asked).toMatchObject(expected)
    })
  })

  describe('connecting', () => {
    it('says that no server can be reached, or waits for one when told to', async () => {
      const server = await startNats()
      await server.kill()
      expect((await failure(connectNats({ servers: [server.url], name: 'early' }))).code).toBe('not-ready')
      const tries: string[] = []
      const onError = (e: SkerryError): void => void tries.push(e.code)
      const early = connectNats({
        servers: [server.url],
        name: 'early',
        waitOnFirstConnect: true,
        reconnect: { minMs: 20, maxMs: 40 },
        onError,
      })
      await eventually(() => tries.length >= 2)
      expect(new Set(tries)).toEqual(new Set(['not-ready']))
      await server.restart()
      await (await early).close()
      await server.stop()
    })

    it('stops waiting when its signal says so', async () => {
      const server = await startNats()
      await server.kill()
      const stop = new AbortController()
      const onError = (): void => stop.abort()
      const waiting = connectNats({
        servers: [server.url],
        name: 'early',
        waitOnFirstConnect: true,
        signal: stop.signal,
        onError,
      })
      expect((await failure(waiting)).code).toBe('not-ready')
      await server.stop()
    })

    it('is a bus before its server is there: nothing goes out, and then everything that was subscribed works', async () => {
      const server = await startNats()
      await server.kill()
      const errors: SkerryError[] = []
      const states: string[] = []
      const reconnect = { minMs: 20, maxMs: 40 }
      const late = connectNatsLater({ servers: [server.url], name: 'late', reconnect, onError: (e) => void errors.push(e) })
      const seen: unknown[] = []
      late.subscribe('late.evt', (m) => void seen.push(m.data))
      const stopped = late.subscribe('late.*', (m) => void seen.push(m.data))
      late.serve('late.do', async () => 'done')
      late.onState((state) => void states.push(state))
      late.publish('late.evt', 'lost')
      expect((await failure(late.request('late.do', null, { timeoutMs: 1_000 }))).code).toBe('agent-unreachable')
      await eventually(() => errors.length > 0)
      await stopped.stop()
      await server.restart()
      await eventually(() => states.at(-1) === 'connected')
      const other = await server.connect('controller')
      expect((await other.request('late.do', null, { timeoutMs: 30_000 })).data).toBe('done')
      other.publish('late.evt', 'heard')
      await eventually(() => seen.length > 0)
      expect(seen).toEqual(['heard'])
      expect(states).toEqual(['disconnected', 'connected'])
      expect(errors.map((e) => e.code)).toEqual(['not-ready'])
      await late.close()
      await server.stop()
    })

    it('ends while its server is still away', async () => {
      const server = await startNats()
      await server.kill()
      const late = connectNatsLater({ servers: [server.url], name: 'late', onError: () => undefined })
      await late.close()
      expect((await failure(late.request('late.do', null, { timeoutMs: 1_000 }))).details['reason']).toBe('closed')
      await server.stop()
    })
  })
}
