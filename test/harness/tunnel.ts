/** A connection to a guest's port, as `skerry tunnel` makes it. */
import { once } from 'node:events'
import type { Row } from '@skerry/contract'
import WebSocket from 'ws'
import type { TestSite } from './site.ts'

/** Sends a text to the port and gives all that comes back until the guest closes. */
export async function throughTunnel(
  site: TestSite,
  { vm, port, text }: { vm: string; port: number; text: string },
): Promise<string> {
  const { token } = (await site.call('RequestTunnel', { vmInstanceUuid: vm, port })) as Row as { token: string }
  const socket = new WebSocket(site.client.tunnelUrl(token))
  let heard = ''
  socket.on('message', (data) => (heard += String(data)))
  await new Promise((resolve, reject) => socket.once('open', resolve).once('error', reject))
  socket.send(text)
  const [, reason] = (await once(socket, 'close')) as [number, Buffer]
  if (String(reason) !== 'the guest has closed the connection') throw new Error(`the tunnel ended: ${reason}`)
  return heard
}
