/** `skerry console` through the door's own WebSocket. */

import type { ConsoleStream } from '@skerry/console'
import { listen } from '@skerry/controller/http'
import { expect, it } from 'vitest'
import type { RawTerminal } from '../src/index.ts'
import { world } from './cli-world.ts'

function echo(): ConsoleStream {
  let tell: (bytes: Uint8Array) => void = () => {}
  return {
    write: (bytes) => tell(Buffer.from(`<${Buffer.from(bytes)}>`)),
    onData: (listener) => void (tell = listener),
    onClose() {},
    close() {},
  }
}

it('carries keystrokes and answers, and leaves at Ctrl-]', async () => {
  const tokens: string[] = []
  const consoles = {
    open: async (token: string) => {
      tokens.push(token)
      return echo()
    },
  }
  const seen: string[] = []
  let closed = false
  const terminal: RawTerminal = {
    onInput: (listener) => void setTimeout(() => listener(Buffer.from('ls\r')), 20),
    onEnd() {},
    write: (bytes) => void seen.push(Buffer.from(bytes).toString()),
    close: () => void (closed = true),
  }
  await world(async ({ app, skerry, engine, io }) => {
    engine.add('vmInstance', { name: 'hello' })
    const at = await listen({
      app,
      addr: '127.0.0.1',
      port: 0,
      defaultPassword: true,
      consoles,
      log: { info() {}, warn() {}, error() {} },
    })
    const leaving: RawTerminal = {
      ...terminal,
      onInput: (listener) => {
        terminal.onInput(listener)
        setTimeout(() => listener(Buffer.from([0x78, 0x1d])), 150)
      },
    }
    Object.assign(io, { rawTerminal: () => leaving, fetch: undefined, env: { ...io.env, SKERRY_URL: at.url } })
    engine.volatileToken = 'c'.repeat(32)
    try {
      const left = await skerry('console', 'hello')
      expect(left).toMatchObject({ code: 0, err: expect.stringContaining('Ctrl-] leaves') })
    } finally {
      await at.close()
    }
  })
  expect(tokens).toEqual(['c'.repeat(32)])
  expect(seen[0]).toBe('<ls\r>')
  expect(closed).toBe(true)
})

it('shows the answer to what was piped in, and leaves by itself', async () => {
  const seen: string[] = []
  const piped: RawTerminal = {
    onInput: (listener) => void setTimeout(() => listener(Buffer.from('uptime\r')), 10),
    onEnd: (listener) => void setTimeout(listener, 20),
    write: (bytes) => void seen.push(Buffer.from(bytes).toString()),
    close: () => undefined,
  }
  await world(async ({ app, skerry, engine, io }) => {
    engine.add('vmInstance', { name: 'hello' })
    const log = { info() {}, warn() {}, error() {} }
    const at = await listen({
      app,
      addr: '127.0.0.1',
      port: 0,
      defaultPassword: true,
      consoles: { open: async () => echo() },
      log,
    })
    Object.assign(io, { rawTerminal: () => piped, fetch: undefined, env: { ...io.env, SKERRY_URL: at.url } })
    engine.volatileToken = 'c'.repeat(32)
    try {
      expect(await skerry('console', 'hello')).toMatchObject({ code: 0, err: expect.stringContaining('the input has ended') })
    } finally {
      await at.close()
    }
  })
  expect(seen).toEqual(['<uptime\r>'])
})

it('prints the address of a page for a browser, at the controller or a proxy', async () => {
  await world(async ({ skerry, engine }) => {
    engine.add('vmInstance', { name: 'hello' })
    engine.volatileToken = 'c'.repeat(32)
    const url = 'http://127.0.0.1:8080'
    const facts = `token=${'c'.repeat(32)}&kind`
    expect((await skerry('console', 'hello', '--web')).out).toBe(`${url}/console/#${facts}=serial&name=hello\n`)
    const screen = await skerry('console', 'hello', '--web', '--vnc', '--proxy', 'https://consoles.example')
    expect(screen.out).toBe(`https://consoles.example/console/#${facts}=vnc&name=hello\n`)
    expect(await skerry('console', 'hello', '--vnc')).toMatchObject({ code: 2, err: expect.stringContaining('--web') })
  })
})
