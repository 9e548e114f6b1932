/** `/v1/consoles/<token>`: a console as a WebSocket. The token is the credential, and good once. */
import type { IncomingMessage, Server } from 'node:http'
import type { Duplex } from 'node:stream'
import { PREFIX, routes, toErrorBody } from '@skerry/contract'
import { type RawData, type WebSocket, WebSocketServer } from 'ws'
import type { ConsoleStream, Consoles, Log } from './ports.ts'

const prefix = PREFIX.own + routes.console.replace('{token}', '')
/** Keystrokes and pasted text; more in one message is not a person. */
const MAX_MESSAGE_BYTES = 64 * 1024

const bytesOf = (data: RawData): Uint8Array =>
  Array.isArray(data) ? Buffer.concat(data) : data instanceof ArrayBuffer ? new Uint8Array(data) : data

function join(socket: WebSocket, stream: ConsoleStream): void {
  stream.onData((bytes) => socket.send(bytes, { binary: true }))
  stream.onClose((reason) => socket.close(1000, reason.slice(0, 100)))
  socket.on('message', (data: RawData) => stream.write(bytesOf(data)))
  socket.on('close', () => stream.close())
  // ws emits `close` after `error`; the console ends there
  socket.on('error', () => socket.terminate())
}

function refuse(socket: Duplex, status: string, message: string): void {
  socket.end(
    `HTTP/1.1 ${status}\r\nContent-Type: text/plain\r\nContent-Length: ${Buffer.byteLength(message)}\r\nConnection: close\r\n\r\n${message}`,
  )
}

/** Answers WebSocket upgrades on the server; other upgrades are refused. The function it gives ends every open console. */
export function serveConsoles(server: Server, consoles: Consoles, log: Log): () => void {
  const sockets = new WebSocketServer({ noServer: true, maxPayload: MAX_MESSAGE_BYTES })
  server.on('upgrade', (request: IncomingMessage, socket: Duplex, head: Buffer) => {
    const path = (request.url ?? '').split('?')[0]?.replace(/\/{2,}/g, '/') ?? ''
    const token = path.startsWith(prefix) ? path.slice(prefix.length) : ''
    if (!/^[A-Za-z0-9_-]{16,256}$/.test(token)) return refuse(socket, '404 Not Found', 'no such path')
    consoles.open(token).then(
      (stream) => sockets.handleUpgrade(request, socket, head, (opened) => join(opened, stream)),
      (error: unknown) => {
        const { code, message } = toErrorBody(error)
        log.warn({ route: routes.console, code }, 'a console was refused')
        refuse(socket, code === 'session-invalid' ? '401 Unauthorized' : '503 Service Unavailable', message)
      },
    )
  })
  return () => {
    for (const socket of sockets.clients) socket.terminate()
  }
}
