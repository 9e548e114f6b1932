/** WebSockets of the site: consoles and tunnels. */
import type { IncomingMessage } from 'node:http'
import { SkerryError } from '@skerry/contract/errors'
import type { RawData, WebSocket } from 'ws'
import type { Context } from './contexts.ts'
import type { Io } from './io.ts'

export const bytesOf = (data: RawData): Uint8Array =>
  Array.isArray(data) ? Buffer.concat(data) : data instanceof ArrayBuffer ? new Uint8Array(data) : data

async function refusal(response: IncomingMessage): Promise<string> {
  let said = ''
  for await (const chunk of response) said = (said + chunk).slice(0, 500)
  return said.trim() || `HTTP ${response.statusCode}`
}

/** Paused: nothing comes before its listeners are there and resume it. `what` is named in the error when it can't be opened, with the server's own words. */
export async function openSocket(io: Io, context: Context, { url, what }: { url: string; what: string }): Promise<WebSocket> {
  const { WebSocket: Socket } = await import('ws')
  const socket = new Socket(url, context.ca ? { ca: await io.readFile(context.ca) } : {})
  await new Promise<void>((resolve, reject) => {
    const fail = (cause: unknown, why: string) =>
      reject(new SkerryError('agent-unreachable', `${what} could not be opened: ${why}`, {}, { cause }))
    socket.once('open', () => {
      // messages may have come with the answer itself
      socket.pause()
      resolve()
    })
    socket.once('unexpected-response', (_, response: IncomingMessage) => {
      refusal(response).then((why) => fail(undefined, why), reject)
    })
    socket.once('error', (cause) => fail(cause, cause.message))
  })
  return socket
}
