/**
 * `/v1/events` as a WebSocket: what the stream of server-sent events says, asked for in the same way. A message is one event as JSON,
 * `{ id, event, data }`; the client sends nothing. A browser, which can't send headers, offers its session as a sub-protocol.
 */
import type { IncomingMessage } from 'node:http'
import type { Duplex } from 'node:stream'
import type { OtherUpgrades } from '@skerry/console'
import { PREFIX, routes, toErrorBody } from '@skerry/contract'
import { type WebSocket, WebSocketServer } from 'ws'
import type { Door, Visit } from './context.ts'
import { failed, ownCaller } from './dialect-own.ts'
import { eventsFor, KEEPALIVE_MS } from './events.ts'
import type { ServedEvent } from './ports.ts'

/** The sub-protocol that the server takes, and what stands before a session in another. */
const PROTOCOL = 'skerry.events'
const SESSION = 'skerry.session.'
/** So much may wait for a reader before the source waits for it too. */
const WAITING_BYTES = 256 * 1024
const MAX_MESSAGE_BYTES = 1024
/** The reason of a close is no longer than a control frame takes. */
const REASON_BYTES = 120
/** RFC 6455, 7.4.1 */
const CLOSE = { done: 1000, stops: 1001, data: 1003, failed: 1011 }

const PATH = PREFIX.own + routes.events

/** Takes the upgrades of `/v1/events`. */
export function eventSockets(door: Door): OtherUpgrades {
  const handleProtocols = (offered: Set<string>) => (offered.has(PROTOCOL) ? PROTOCOL : false)
  const sockets = new WebSocketServer({ noServer: true, maxPayload: MAX_MESSAGE_BYTES, handleProtocols })
  return {
    takes(request, socket, head) {
      const visit = visitOf(request)
      if (visit === undefined) return false
      open(door, visit, { sockets, request, socket, head }).catch((error: unknown) =>
        refuse(socket, failed(door, visit, error)).catch(() => socket.destroy()),
      )
      return true
    },
    end() {
      for (const socket of sockets.clients) {
        socket.close(CLOSE.stops, 'the controller stops')
        setImmediate(() => socket.terminate())
      }
    },
  }
}

/** undefined: it is not for this path. */
function visitOf(request: IncomingMessage): Visit | undefined {
  const url = new URL(`http://site${(request.url ?? '/').replace(/\/{2,}/g, '/')}`)
  if (url.pathname !== PATH) return undefined
  const headers = new Headers()
  for (const name of ['authorization', 'date', 'last-event-id']) {
    const value = request.headers[name]
    if (typeof value === 'string') headers.set(name, value)
  }
  const offered = (request.headers['sec-websocket-protocol'] ?? '').split(',').map((one) => one.trim())
  const session = offered.find((one) => one.startsWith(SESSION))?.slice(SESSION.length)
  if (session && !headers.has('authorization')) headers.set('authorization', `Bearer ${session}`)
  const address = request.socket.remoteAddress ?? 'in-process'
  const facts = { route: `WebSocket ${routes.events}` }
  return { request: new Request(url, { headers }), url, path: routes.events, address, facts }
}

interface Upgrade {
  sockets: WebSocketServer
  request: IncomingMessage
  socket: Duplex
  head: Buffer
}

/** Throws what refuses the request, before it is a WebSocket. */
async function open(door: Door, visit: Visit, { sockets, request, socket, head }: Upgrade): Promise<void> {
  const since = await eventsFor(door, visit, await ownCaller(door, visit))
  if (socket.destroyed) return
  sockets.handleUpgrade(request, socket, head, (ready) => {
    door.log.info({ ...visit.facts, status: 101 }, 'request')
    const stop = new AbortController()
    const events = since(stop.signal)[Symbol.asyncIterator]()
    const quiet = watched(door, ready)
    ready.on('close', () => {
      quiet?.()
      stop.abort()
      events.return?.().catch(() => undefined) // what it says now has no reader
    })
    ready.on('message', () => ready.close(CLOSE.data, 'nothing is read here: ask in the query string'))
    // ws emits `close` after `error`
    ready.on('error', () => ready.terminate())
    send(ready, events).catch((error: unknown) => {
      const { code, message } = toErrorBody(error)
      door.log.warn({ ...visit.facts, code }, 'a stream of events ended early')
      ready.close(CLOSE.failed, cut(`${code}: ${message}`))
    })
  })
}

/** Event after event, as fast as they are taken. */
async function send(socket: WebSocket, events: AsyncIterator<ServedEvent>): Promise<void> {
  while (socket.readyState === socket.OPEN) {
    const { done, value } = await events.next()
    if (done) return socket.close(CLOSE.done, 'these are all')
    const text = JSON.stringify({ id: value.id, event: value.subject, data: value.data })
    if (socket.bufferedAmount < WAITING_BYTES) socket.send(text)
    else await new Promise<void>((resolve) => socket.send(text, () => resolve()))
  }
}

/** Asks now and then whether the other end is still there. One that has not answered by the next time is gone. */
function watched(door: Door, socket: WebSocket): (() => void) | undefined {
  let answered = true
  socket.on('pong', () => (answered = true))
  return door.timers?.every(KEEPALIVE_MS, () => {
    if (!answered) return socket.terminate()
    answered = false
    socket.ping()
  })
}

const cut = (text: string) =>
  new TextDecoder().decode(new TextEncoder().encode(text).slice(0, REASON_BYTES)).replace(/\uFFFD$/, '')

/** The problem document, as an answer to a request that was to become a WebSocket. */
async function refuse(socket: Duplex, response: Response): Promise<void> {
  const body = await response.text()
  const headers = [`Content-Type: application/problem+json`, `Content-Length: ${Buffer.byteLength(body)}`, 'Connection: close']
  socket.end(`HTTP/1.1 ${response.status} Refused\r\n${headers.join('\r\n')}\r\n\r\n${body}`)
}
