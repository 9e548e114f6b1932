/** Puts the app on a socket. The only file of the door that opens one. */
import { createServer as createHttpServer, type Server } from 'node:http'
import { createServer as createTlsServer } from 'node:https'
import type { AddressInfo } from 'node:net'
import { serve } from '@hono/node-server'
import { type Opens, serveConsoles } from '@skerry/console'
import { SkerryError } from '@skerry/contract'
import type { createHttp } from './app.ts'
import { refusalToBind } from './bind-rules.ts'
import type { Log } from './ports.ts'

export interface ListenOptions {
  app: Pick<ReturnType<typeof createHttp>, 'fetch'>
  addr: string
  /** 0: any free port */
  port: number
  /** PEM texts */
  tls?: { cert: string; key: string }
  /** true while the administrator has the password that everybody knows */
  defaultPassword: boolean
  /** consoles and tunnels, as WebSockets */
  consoles?: Opens
  log: Log
}

/** Clients keep a connection to use it again; one that is closed at the moment they do looks like a failed call. Node's 5 s are too short. */
const KEEP_ALIVE_MS = 75_000

export interface Listening {
  port: number
  url: string
  server: Server
  /** Stops accepting, ends what is open. */
  close(): Promise<void>
}

/** Throws `invalid-argument` where binding is refused, and what the socket throws (EADDRINUSE, EACCES). */
export function listen(o: ListenOptions): Promise<Listening> {
  const refusal = refusalToBind({ address: o.addr, tls: o.tls !== undefined, defaultPassword: o.defaultPassword })
  if (refusal) throw new SkerryError('invalid-argument', refusal, { address: o.addr })
  return new Promise((resolve, reject) => {
    const transport = o.tls ? { createServer: createTlsServer, serverOptions: o.tls } : { createServer: createHttpServer }
    const server = serve(
      { fetch: o.app.fetch, hostname: o.addr, port: o.port, ...transport } as Parameters<typeof serve>[0],
      (info: AddressInfo) => {
        server.off('error', reject)
        const host = o.addr.includes(':') ? `[${o.addr}]` : o.addr
        resolve({
          port: info.port,
          url: `${o.tls ? 'https' : 'http'}://${host}:${info.port}`,
          server,
          close: () => closing(server, endConsoles),
        })
      },
    ) as Server
    server.once('error', reject)
    server.keepAliveTimeout = KEEP_ALIVE_MS
    const endConsoles = o.consoles ? serveConsoles(server, o.consoles, o.log) : () => {}
  })
}

function closing(server: Server, endConsoles: () => void): Promise<void> {
  return new Promise((resolve, reject) => {
    server.close((error) => (error ? reject(error) : resolve()))
    server.closeAllConnections()
    endConsoles()
  })
}
