/** Servers in memory, and connections to them. */
import type { Duplex } from 'node:stream'
import type { Tcp } from '../tcp.ts'
import { duplexPair } from './duplex-pair.ts'

/** By `<namespace>|<address>:<port>`; the namespace is empty for the host's own. */
export type FakeServers = Map<string, (client: Duplex) => void>

export const serverKey = (netns: string, address: string, port: number) => `${netns}|${address}:${port}`

export function fakeTcp(servers: FakeServers): Tcp {
  return {
    async connect({ address, port, netns = '' }) {
      const accept = servers.get(serverKey(netns, address, port))
      const [stream, far] = duplexPair()
      const ended = new Promise<string>((resolve) => {
        stream.once('close', () => resolve('the guest has closed the connection'))
        if (!accept) resolve(`${address}:${port}: connection refused`)
      })
      // what the real one does when the guest has said its last byte
      stream.once('end', () => stream.destroy())
      if (accept) accept(far)
      else stream.destroy()
      return { stream, ended, close: () => void stream.destroy() }
    },
  }
}
