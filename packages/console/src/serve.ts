/**
 * `/v1/consoles/<token>?kind=serial|vnc` and `/v1/tunnels/<token>`: a console, or a connection to a port of a guest, as a WebSocket.
 * The token is the credential, and good once.
 */
import type { IncomingMessage, Server } from 'node:http'
import type { Duplex } from 'node:stream'
import { PREFIX, routes, SkerryError, toErrorBody } from '@skerry/contract'
import { type RawData, type WebSocket, WebSocketServer } from 'ws'
import type { ConsoleKind, ConsoleStream, OpenConsole } from './bridge.ts'
import type { OpenTunnel } from './tunnel.ts'
import { TunnelSocket } from './tunnel-socket.ts'

/** Told of each console or tunnel that was refused; never with its token. */
export interface RefusalLog {
  warn(facts: Record<string, unknown>, message: string): void
}

/** Who answers upgrades of a server that ask for no console. */
export interface OtherUpgrades {
  /** false: it is not for this one */
  takes(request: IncomingMessage, socket: Duplex, head: Buffer): boolean
  /** Ends all that is open. */
  end(): void
}

/** What a token is traded for. */
export interface Opens {
  open: OpenConsole
  /** absent: tunnels are not served here */
  tunnel?: OpenTunnel
  other?: OtherUpgrades
}

type Wanted = { what: 'console'; token: string; kind: ConsoleKind } | { what: 'tunnel'; token: string }

const prefixOf = (route: string) => PREFIX.own + route.replace('{token}', '')
const [consolePrefix, tunnelPrefix] = [prefixOf(routes.console), prefixOf(routes.tunnel)]
/** Keystrokes, pasted text, what one read of a connection gives. */
const MAX_MESSAGE_BYTES = 64 * 1024
/** What a browser offers must be among those that the server takes; noVNC offers it. */
const PROTOCOL = 'binary'

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

/** What a request asks for; undefined where that is neither. Throws `invalid-argument` for another kind of console. */
function asked(request: IncomingMessage): Wanted | undefined {
  const [path = '', query = ''] = (request.url ?? '').split('?')
  const plain = path.replace(/\/{2,}/g, '/')
  const [prefix] = [consolePrefix, tunnelPrefix].filter((one) => plain.startsWith(one))
  const token = prefix ? plain.slice(prefix.length) : ''
  if (!/^[A-Za-z0-9_-]{16,256}$/.test(token)) return undefined
  if (prefix === tunnelPrefix) return { what: 'tunnel', token }
  const kind = new URLSearchParams(query).get('kind') ?? 'serial'
  if (kind === 'serial' || kind === 'vnc') return { what: 'console', token, kind }
  throw new SkerryError('invalid-argument', 'kind must be serial or vnc')
}

/** Gives what joins the opened stream with its socket, and what lets go of it when that never comes. */
async function opened(opens: Opens, wanted: Wanted): Promise<{ attach(socket: WebSocket): void; close(): void } | undefined> {
  if (wanted.what === 'console') {
    const stream = await opens.open(wanted.token, wanted.kind)
    return { attach: (socket) => join(socket, stream), close: () => stream.close() }
  }
  if (!opens.tunnel) return undefined
  const near = new TunnelSocket()
  const channel = await opens.tunnel(wanted.token, near)
  return { attach: (socket) => near.attach(socket, channel), close: () => channel.close('the client left') }
}

const STATUS: Record<string, string> = { 'session-invalid': '401 Unauthorized', 'invalid-argument': '400 Bad Request' }

/** Answers WebSocket upgrades on the server; other upgrades are refused. The function it gives ends all that is open. */
export function serveConsoles(server: Server, opens: Opens, log: RefusalLog): () => void {
  const handleProtocols = (offered: Set<string>) => (offered.has(PROTOCOL) ? PROTOCOL : false)
  const sockets = new WebSocketServer({ noServer: true, maxPayload: MAX_MESSAGE_BYTES, handleProtocols })
  const answer = async (request: IncomingMessage, socket: Duplex, head: Buffer) => {
    const wanted = asked(request)
    const stream = wanted && (await opened(opens, wanted))
    if (!stream) return refuse(socket, '404 Not Found', 'no such path')
    if (socket.destroyed) return stream.close()
    sockets.handleUpgrade(request, socket, head, (ready) => stream.attach(ready))
  }
  server.on('upgrade', (request: IncomingMessage, socket: Duplex, head: Buffer) => {
    // One that leaves while its console is being opened.
    socket.on('error', () => socket.destroy())
    if (opens.other?.takes(request, socket, head)) return
    answer(request, socket, head).catch((error: unknown) => {
      const { code, message } = toErrorBody(error)
      log.warn({ route: routes.console, code }, 'a console or tunnel was refused')
      refuse(socket, STATUS[code] ?? '503 Service Unavailable', message)
    })
  })
  return () => {
    for (const socket of sockets.clients) socket.terminate()
    opens.other?.end()
  }
}
