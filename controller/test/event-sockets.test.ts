/** `/v1/events` as a WebSocket: the same events as the stream, to who may hear them, no faster than they are read. */
import { SkerryError } from '@skerry/contract'
import { expect, it, vi } from 'vitest'
import WebSocket from 'ws'
import { eventSockets, type HttpOptions, listen, type ServedEvent } from '../src/http/index.ts'
import { fakeHttp, SESSION, VIEWER_SESSION } from '../src/testing/index.ts'

type Source = NonNullable<HttpOptions['events']>
const bearer = { headers: { authorization: `Bearer ${SESSION}` } }
const event = (n: number, noun = 'zone'): ServedEvent => ({
  id: `${n}.0`,
  subject: `skerry.v1.evt.${noun}.x.created`,
  data: { noun, n },
})

/** A door on a socket; `tick` is called by nobody but the test. */
async function served(
  since: Source['since'],
  run: (at: { url: string; tick(): unknown; end(): Promise<void> }) => Promise<void>,
) {
  const ticks = new Set<() => void>()
  const every = (_ms: number, tick: () => void) => {
    ticks.add(tick)
    return () => void ticks.delete(tick)
  }
  const { app, door } = fakeHttp({ events: { since }, timers: { every } })
  const consoles = { open: () => Promise.reject(new SkerryError('session-invalid')), other: eventSockets(door) }
  const at = await listen({ app, addr: '127.0.0.1', port: 0, defaultPassword: true, log: door.log, consoles })
  let ended: Promise<void> | undefined
  const end = () => (ended ??= at.close())
  try {
    await run({ url: `${at.url.replace('http', 'ws')}/v1/events`, tick: () => [...ticks].map((tick) => tick()), end })
  } finally {
    await end()
  }
}

/** What came, and how it ended. */
function heard(socket: WebSocket) {
  const messages: unknown[] = []
  socket.on('message', (data) => messages.push(JSON.parse(String(data))))
  const closed = new Promise<{ code: number; reason: string }>((resolve) =>
    socket.on('close', (code, reason) => resolve({ code, reason: String(reason) })),
  )
  return { messages, closed }
}

const refused = (socket: WebSocket) =>
  new Promise<number | undefined>((resolve, reject) => {
    socket.on('unexpected-response', (_request, response) => resolve(response.statusCode))
    socket.on('error', () => undefined).on('open', () => reject(new Error('it was taken')))
  })

/** All that match, behind the one that was seen last, and no more where nobody waits for them. */
const five: Source['since'] = async function* (last, signal, o) {
  for (let n = Number.parseInt(last ?? '0', 10) + 1; n <= 5; n++) {
    const one = event(n, n % 2 ? 'zone' : 'host')
    if (o?.only?.(one) ?? true) yield one
  }
  if (o?.live) await new Promise((resolve) => signal.addEventListener('abort', resolve))
}

it('gives events as messages, by the filters of the stream, and says when these are all', () =>
  served(five, async ({ url }) => {
    const all = heard(new WebSocket(`${url}?live=false`, bearer))
    expect(await all.closed).toEqual({ code: 1000, reason: 'these are all' })
    expect(all.messages[0]).toEqual({ id: '1.0', event: 'skerry.v1.evt.zone.x.created', data: { noun: 'zone', n: 1 } })
    expect(all.messages).toHaveLength(5)
    const some = heard(new WebSocket(`${url}?live=false&noun=host&lastEventId=2.0`, bearer))
    await some.closed
    expect(some.messages).toMatchObject([{ id: '4.0' }])
    const again = heard(new WebSocket(`${url}?live=false`, { headers: { ...bearer.headers, 'Last-Event-ID': '4.0' } }))
    await again.closed
    expect(again.messages).toMatchObject([{ id: '5.0' }])
  }))

it('takes the session of a browser as a sub-protocol, and tells nobody what is not for them', () =>
  served(five, async ({ url }) => {
    const offered = (session: string) => ['skerry.events', `skerry.session.${session}`]
    const socket = new WebSocket(`${url}?live=false`, offered(SESSION))
    const { messages, closed } = heard(socket)
    await closed
    expect([socket.protocol, messages.length]).toEqual(['skerry.events', 5])
    const viewer = heard(new WebSocket(`${url}?live=false`, offered(VIEWER_SESSION)))
    await viewer.closed
    expect(viewer.messages).toEqual([])
    expect(await refused(new WebSocket(url, offered('0'.repeat(32))))).toBe(401)
  }))

it.each([
  ['without a session', '', {}, 401],
  ['by an unknown filter', '?colour=red', bearer, 400],
  ['from no event', '?lastEventId=x', bearer, 400],
  ['at another path', '/more', bearer, 404],
])('refuses who asks %s, before it is a WebSocket', (_who, search, headers, status) =>
  served(five, async ({ url }) => expect(await refused(new WebSocket(url + search, headers))).toBe(status)),
)

it('waits for a slow reader', () => {
  let made = 0
  const endless: Source['since'] = async function* () {
    for (;;) yield { ...event(++made), data: { filling: 'x'.repeat(100_000) } }
  }
  return served(endless, async ({ url }) => {
    const socket = new WebSocket(url, bearer)
    await new Promise((resolve) => socket.once('message', resolve))
    socket.pause()
    const turns = async () => {
      for (let i = 0; i < 200; i++) await new Promise(setImmediate)
    }
    await vi.waitFor(async () => {
      const before = made
      await turns()
      expect(made).toBe(before)
    })
    const waited = made
    socket.resume()
    await vi.waitFor(() => expect(made).toBeGreaterThan(waited + 10))
    socket.terminate()
  })
})

it('asks whether its reader is there, and leaves nothing at the source when it is not', () => {
  let ended = 0
  const silent: Source['since'] = async function* (_last, signal) {
    try {
      await new Promise((resolve) => signal.addEventListener('abort', resolve))
    } finally {
      ended++
    }
    yield* []
  }
  return served(silent, async ({ url, tick }) => {
    const there = new WebSocket(url, bearer)
    const gone = new WebSocket(url, { ...bearer, autoPong: false })
    await Promise.all([there, gone].map((socket) => new Promise((resolve) => socket.on('open', resolve))))
    const { closed } = heard(gone)
    const pinged = Promise.all([there, gone].map((socket) => new Promise((resolve) => socket.once('ping', resolve))))
    tick()
    await pinged
    // Its pong is on its way; the answer to a ping of our own comes behind it.
    const behind = new Promise((resolve) => there.once('pong', resolve))
    there.ping()
    await behind
    tick()
    expect((await closed).code).toBe(1006)
    await vi.waitFor(() => expect(ended).toBe(1))
    expect(there.readyState).toBe(WebSocket.OPEN)
    const left = heard(there).closed
    there.close()
    await left
    await vi.waitFor(() => expect(ended).toBe(2))
  })
})

it('says why it ends: nothing is read, the source failed, the controller stops', async () => {
  const failing: Source['since'] = async function* () {
    yield event(1)
    throw new SkerryError('history-gone', 'events behind 1 are no longer kept')
  }
  await served(failing, async ({ url }) => {
    const { messages, closed } = heard(new WebSocket(url, bearer))
    expect(await closed).toEqual({ code: 1011, reason: 'history-gone: events behind 1 are no longer kept' })
    expect(messages).toHaveLength(1)
  })
  await served(five, async ({ url, end }) => {
    const talking = new WebSocket(url, bearer)
    talking.on('open', () => talking.send('hello'))
    expect((await heard(talking).closed).code).toBe(1003)
    const waiting = new WebSocket(`${url}?lastEventId=4.0`, bearer)
    const { closed } = heard(waiting)
    await new Promise((resolve) => waiting.once('message', resolve))
    await end()
    expect(await closed).toEqual({ code: 1001, reason: 'the controller stops' })
  })
})
