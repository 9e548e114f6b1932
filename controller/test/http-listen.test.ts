import { connect } from 'node:net'
import { Readable } from 'node:stream'
import type { ConsoleStream } from '@skerry/console'
import { isLoopback } from '@skerry/contract'
import { describe, expect, it } from 'vitest'
import WebSocket from 'ws'
import { readBody } from '../src/http/body.ts'
import { type Listening, listen, refusalToBind } from '../src/http/index.ts'
import { fakeHttp, SESSION } from '../src/testing/index.ts'

const quiet = { info() {}, warn() {}, error() {} }
async function served(
  run: (at: Listening) => Promise<void>,
  consoles?: { open(token: string): Promise<ConsoleStream> },
): Promise<void> {
  const { app } = fakeHttp()
  const at = await listen({
    app,
    addr: '127.0.0.1',
    port: 0,
    defaultPassword: true,
    log: quiet,
    ...(consoles ? { consoles } : {}),
  })
  try {
    await run(at)
  } finally {
    await at.close()
  }
}

describe('where it may listen', () => {
  it.each(['127.0.0.1', '127.8.9.1', '::1', 'localhost', '::ffff:127.0.0.1'])('%s is loopback', (address) =>
    expect(isLoopback(address)).toBe(true),
  )
  it.each(['0.0.0.0', '10.0.0.1', '::', 'fe80::1', '::2', '1::1', 'example.org', '127.0.0.1.example.org'])(
    '%s is not',
    (address) => expect(isLoopback(address)).toBe(false),
  )
  it('beyond loopback only with TLS and a password of its own', () => {
    expect(refusalToBind({ address: '0.0.0.0', tls: false, defaultPassword: false })).toContain('TLS')
    expect(refusalToBind({ address: '0.0.0.0', tls: true, defaultPassword: true })).toContain('password')
    expect(refusalToBind({ address: '0.0.0.0', tls: true, defaultPassword: false })).toBeUndefined()
    expect(() => listen({ app: fakeHttp().app, addr: '0.0.0.0', port: 0, defaultPassword: false, log: quiet })).toThrow('TLS')
  })
})

describe('on a socket', () => {
  it.each([
    ['aborted', 'ECONNRESET', { name: 'Refusal', status: 400 }],
    ['i/o error', 'EIO', { code: 'EIO' }],
  ])('tells a client that is gone from what is wrong here (%s)', async (message, code, failure) => {
    const socket = new Readable({ read() {} })
    const reading = readBody(new Request('http://x/', { method: 'POST' }), 1_000, socket)
    socket.push('{"params":')
    socket.destroy(Object.assign(new Error(message), { code }))
    await expect(reading).rejects.toMatchObject(failure)
  })

  it('answers with the Host that the client used', () =>
    served(async ({ url, port }) => {
      const reply = await fetch(`${url}/zstack/v1/zones`, {
        method: 'POST',
        headers: { authorization: `OAuth ${SESSION}` },
        body: '{"params":{"name":"z"}}',
      })
      expect(reply.status).toBe(202)
      expect(((await reply.json()) as { location: string }).location).toContain(`http://127.0.0.1:${port}/zstack/v1/api-jobs/`)
    }))

  it('leaves a connection open for the next call for longer than clients wait between two', () =>
    served(async ({ url }) => {
      expect((await fetch(`${url}/healthz`)).headers.get('keep-alive')).toBe('timeout=75')
    }))

  it('refuses an announced body of 100 MB at once, and goes on serving', () =>
    served(async ({ url, port }) => {
      const head = `POST /zstack/v1/zones HTTP/1.1\r\nHost: x\r\nAuthorization: OAuth ${SESSION}\r\nContent-Length: 104857600\r\n\r\n`
      const answer = await new Promise<string>((resolve, reject) => {
        const socket = connect(port, '127.0.0.1', () => socket.write(head))
        socket.once('data', (bytes) => {
          resolve(bytes.toString())
          socket.destroy()
        })
        socket.once('error', reject)
      })
      expect(answer).toContain('HTTP/1.1 413')
      expect((await fetch(`${url}/healthz`)).status).toBe(200)
    }))

  it('carries a console both ways, once its token was good', async () => {
    const token = 'k'.repeat(32)
    const consoles = {
      async open(given: string): Promise<ConsoleStream> {
        if (given !== token) throw new Error('unknown token')
        let tell: (bytes: Uint8Array) => void = () => {}
        let end: (reason: string) => void = () => {}
        return {
          write: (bytes) => tell(Buffer.from(`echo ${Buffer.from(bytes)}`)),
          onData: (listener) => void (tell = listener),
          onClose: (listener) => void (end = listener),
          close: () => end('closed'),
        }
      },
    }
    await served(async ({ port }) => {
      const socket = new WebSocket(`ws://127.0.0.1:${port}/v1/consoles/${token}`)
      const said = await new Promise<string>((resolve, reject) => {
        socket.once('open', () => socket.send('hi'))
        socket.once('message', (data) => resolve(String(data)))
        socket.once('error', reject)
      })
      expect(said).toBe('echo hi')
      socket.terminate()
      const refused = await new Promise<number>((resolve) => {
        new WebSocket(`ws://127.0.0.1:${port}/v1/consoles/${'x'.repeat(32)}`)
          .once('unexpected-response', (_, response) => resolve(response.statusCode ?? 0))
          .once('error', () => {})
      })
      expect(refused).toBe(503)
    }, consoles)
  })
})
