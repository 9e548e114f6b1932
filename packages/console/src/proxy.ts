/** A console proxy: the page and the WebSockets on one socket. Without a graph, a key or a file: what it needs is in the token. */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import { createServer as createTlsServer } from 'node:https'
import type { AddressInfo } from 'node:net'
import { routes } from '@skerry/contract'
import type { PageFile } from './page.ts'
import { type Opens, type RefusalLog, serveConsoles } from './serve.ts'

export interface ProxyPorts extends Opens {
  page(name: string): Promise<PageFile>
  /** Is it connected to NATS? */
  ready(): boolean
  addr: string
  /** 0: any free port */
  port: number
  tls?: { cert: string; key: string } | undefined
  log: RefusalLog
}

export interface ConsoleProxy {
  url: string
  close(): Promise<void>
}

const plain = (status: number, body: string) => ({ status, body, headers: { 'content-type': 'text/plain' } })

async function answer({ page, ready }: ProxyPorts, request: IncomingMessage) {
  const path = (request.url ?? '').split('?')[0] ?? ''
  if (request.method !== 'GET' && request.method !== 'HEAD') return plain(405, 'only GET\n')
  if (path === routes.health) return plain(200, 'ok\n')
  if (path === routes.ready) return ready() ? plain(200, 'ready\n') : plain(503, 'not connected to NATS\n')
  if (path.startsWith(routes.consolePage)) return page(path.slice(routes.consolePage.length))
  return plain(404, 'no such path\n')
}

export function startProxy(p: ProxyPorts): Promise<ConsoleProxy> {
  const handle = (request: IncomingMessage, response: ServerResponse) => {
    answer(p, request).then(
      ({ status, body, headers }) => response.writeHead(status, headers).end(request.method === 'HEAD' ? undefined : body),
      (error: unknown) => {
        p.log.warn({ err: error }, 'a request failed')
        response.writeHead(500).end('internal error\n')
      },
    )
  }
  const server: Server = p.tls ? createTlsServer(p.tls, handle) : createServer(handle)
  const endConsoles = serveConsoles(server, p, p.log)
  return new Promise((resolve, reject) => {
    server.once('error', reject)
    server.listen(p.port, p.addr, () => {
      const { port } = server.address() as AddressInfo
      const host = p.addr.includes(':') ? `[${p.addr}]` : p.addr
      const close = () =>
        new Promise<void>((closed) => {
          server.close(() => closed())
          endConsoles()
          server.closeAllConnections()
        })
      resolve({ url: `${p.tls ? 'https' : 'http'}://${host}:${port}`, close })
    })
  })
}
