/** `skerry tunnel <vm> <port>`: a TCP connection to a guest on stdin and stdout, through the router of its network. */
import type { Readable, Writable } from 'node:stream'
import { SkerryError } from '@skerry/contract/errors'
import type { RawData, WebSocket } from 'ws'
import type { Io } from '../io.ts'
import { clientFor, contextOf, type Globals } from '../session.ts'
import { bytesOf, openSocket } from '../web-socket.ts'

export interface TunnelOptions extends Globals {
  proxy?: string
}

/** What is sent before the other side takes it. */
const BUFFERED_BYTES = 256 * 1024
/** How long an answer is waited for after piped input has ended. */
const AFTER_INPUT_MS = 2_000
const LOOK = 'does the guest run, and does something in it listen there? skerry logs <vm>, skerry console <vm>'
const CLOSED_BY_GUEST = 'the guest has closed the connection'

export function portOf(text: string): number {
  const port = /^\d{1,5}$/.test(text) ? Number(text) : 0
  if (port < 1 || port > 65_535) throw new SkerryError('invalid-argument', `${text} is no TCP port`, { field: 'port' })
  return port
}

export async function tunnel(io: Io, vm: string, port: string, o: TunnelOptions): Promise<void> {
  const params = { port: portOf(port) }
  if (!io.streams) throw new SkerryError('internal', 'there is no stdin and stdout to carry')
  const { context } = await contextOf(io, o)
  const client = await clientFor(io, context)
  const { uuid } = await client.get('vmInstance', vm)
  const { inventory } = await client.call('RequestTunnel', { ...params, vmInstanceUuid: uuid }, { wait: true })
  const token = String((inventory as { token?: unknown } | undefined)?.token ?? '')
  const url = client.tunnelUrl(token, o.proxy ? { proxy: o.proxy } : {})
  const socket = await openSocket(io, context, { url, what: 'the tunnel' })
  const streams = io.streams()
  try {
    const { reason, heard } = await carried(streams, socket)
    if (heard === 0 && reason !== '' && reason !== CLOSED_BY_GUEST)
      throw new SkerryError('agent-unreachable', reason, { remedy: LOOK })
    if (reason !== CLOSED_BY_GUEST && reason !== '') io.err(`${reason}\n`)
  } finally {
    streams.input.destroy()
    socket.terminate()
  }
}

/** To the end of the connection; `reason` is empty when it was this side's own. */
function carried({ input, output }: { input: Readable; output: Writable }, socket: WebSocket) {
  return new Promise<{ reason: string; heard: number }>((resolve, reject) => {
    let heard = 0
    const end = (reason: string) => resolve({ reason, heard })
    input.on('data', (bytes: Buffer) => {
      socket.send(bytes, () => socket.bufferedAmount < BUFFERED_BYTES && input.resume())
      if (socket.bufferedAmount >= BUFFERED_BYTES) input.pause()
    })
    input.once('end', () => setTimeout(end, AFTER_INPUT_MS, ''))
    input.once('error', () => end(''))
    // whoever read it is gone (EPIPE)
    output.once('error', () => end(''))
    output.on('drain', () => socket.resume())
    socket.on('message', (data: RawData) => {
      const bytes = bytesOf(data)
      heard += bytes.length
      if (!output.write(bytes)) socket.pause()
    })
    socket.on('close', (_code, reason) => end(reason.toString() || 'the tunnel was closed'))
    socket.on('error', reject)
    socket.resume()
  })
}
