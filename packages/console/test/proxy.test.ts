import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { SkerryError } from '@skerry/contract'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import WebSocket from 'ws'
import type { ConsoleStream } from '../src/bridge.ts'
import { readProxyOptions } from '../src/options.ts'
import { pageFile } from '../src/page.ts'
import { type ConsoleProxy, startProxy } from '../src/proxy.ts'

const token = 't'.repeat(40)
let dir: string
let proxy: ConsoleProxy
const asked: string[] = []
const warned: unknown[] = []

const echo = (): ConsoleStream => {
  let tell: (bytes: Uint8Array) => void = () => undefined
  return {
    write: (bytes) => tell(bytes),
    onData: (listener) => void (tell = listener),
    onClose: () => undefined,
    close: () => undefined,
  }
}

beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'skerry-page-'))
  await mkdir(join(dir, 'page'))
  await writeFile(join(dir, 'page/index.html'), '<p>console</p>')
  await writeFile(join(dir, 'page/page.js'), 'export {}')
  await writeFile(join(dir, 'secret.js'), 'no')
  proxy = await startProxy({
    open: async (given, kind) => {
      asked.push(`${given} ${kind}`)
      if (given !== token) throw new SkerryError('session-invalid', 'used or expired')
      return echo()
    },
    page: (name) => pageFile(join(dir, 'page'), name),
    ready: () => true,
    ...{ addr: '127.0.0.1', port: 0, log: { warn: (facts) => void warned.push(facts) } },
  })
})
afterAll(async () => {
  await proxy.close()
  await rm(dir, { recursive: true, force: true })
})

function refusal(path: string): Promise<number> {
  return new Promise((resolve, reject) => {
    new WebSocket(`${proxy.url.replace('http', 'ws')}${path}`)
      .once('unexpected-response', (_, response) => resolve(response.statusCode ?? 0))
      .once('open', () => reject(new Error('it was opened')))
      .once('error', () => undefined)
  })
}

describe('a console proxy', () => {
  test('carries bytes of a console whose token is good, in the protocol that noVNC offers', async () => {
    const socket = new WebSocket(`${proxy.url.replace('http', 'ws')}/v1/consoles/${token}?kind=vnc`, ['binary'])
    const got = await new Promise<Buffer>((resolve, reject) => {
      socket.once('open', () => socket.send(Buffer.from([0, 255, 7])))
      socket.once('message', (data) => resolve(data as Buffer))
      socket.once('error', reject)
    })
    expect([...got]).toEqual([0, 255, 7])
    expect(socket.protocol).toBe('binary')
    expect(asked).toContain(`${token} vnc`)
    socket.terminate()
  })

  test('refuses other tokens, kinds and paths, and keeps tokens out of its log', async () => {
    const other = 'x'.repeat(40)
    expect(await refusal(`/v1/consoles/${other}`)).toBe(401)
    expect(await refusal(`/v1/consoles/${token}?kind=ssh`)).toBe(400)
    expect(await refusal('/v1/consoles/short')).toBe(404)
    expect(await refusal('/else')).toBe(404)
    expect(JSON.stringify(warned)).not.toContain(other)
  })

  test('serves the page and nothing beside it', async () => {
    const page = await fetch(`${proxy.url}/console/`)
    expect(await page.text()).toBe('<p>console</p>')
    expect(page.headers.get('content-security-policy')).toContain("default-src 'none'")
    expect((await fetch(`${proxy.url}/console/page.js`)).headers.get('content-type')).toContain('javascript')
    for (const path of ['/console/..%2fsecret.js', '/console/%2e%2e/secret.js', '/console/.hidden.js', '/console/none.js', '/'])
      expect((await fetch(`${proxy.url}${path}`)).status, path).toBe(404)
    expect((await fetch(`${proxy.url}/console/`, { method: 'POST' })).status).toBe(405)
    expect((await fetch(`${proxy.url}/readyz`)).status).toBe(200)
  })
})

describe('its options', () => {
  test('refuse what would be no use or not safe', async () => {
    const creds = join(dir, 'proxy.creds')
    await writeFile(creds, 'creds')
    const read = (...argv: string[]) => readProxyOptions(['--nats-creds', creds, ...argv], {})
    expect(await read()).toMatchObject({ addr: '127.0.0.1', port: 8081, creds: 'creds' })
    await expect(readProxyOptions([], {})).rejects.toThrow('--nats-creds')
    await expect(read('--http-addr', '192.0.2.1')).rejects.toThrow('without TLS')
    await expect(read('--http-cert', creds)).rejects.toThrow('go together')
    await expect(read('--http-port', 'x')).rejects.toThrow('--http-port')
    await expect(read('--unknown')).rejects.toThrow()
  })
})
