/** A local HTTP server that gives images the way sources do, well and badly: by path. */
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'

export interface ImageServer {
  url(path: string): string
  /** `<path> <range or ->` of each request. */
  requests: string[]
  close(): Promise<void>
}

/** `image`: what good paths give. `other`: what `/changed` gives after its first, cut answer. */
export async function imageServer(image: Uint8Array, other: Uint8Array, evil: Uint8Array): Promise<ImageServer> {
  const requests: string[] = []
  const cuts = new Map<string, number>()
  const server = createServer((req, res) => {
    const path = req.url ?? ''
    requests.push(`${path} ${req.headers.range ?? '-'}`)
    const turn = (cuts.get(path) ?? 0) + 1
    cuts.set(path, turn)
    const base = `http://${req.headers.host}`
    if (path === '/good' || path === '/good?a=b') return give(req, res, { bytes: image, etag: '"v1"' })
    if (path === '/cut') return give(req, res, { bytes: image, etag: '"v1"', cutAfter: turn <= 2 ? image.length / 3 : undefined })
    if (path === '/cut-without-etag') return give(req, res, { bytes: image, cutAfter: turn === 1 ? 100_000 : undefined })
    if (path === '/cut-always') return give(req, res, { bytes: image, etag: '"v1"', cutAfter: 0 })
    if (path === '/down-once')
      return give(req, res, { bytes: image, etag: '"v1"', cutAfter: turn <= 5 ? (turn === 1 ? 100_000 : 0) : undefined })
    if (path === '/changed') {
      const first = turn === 1
      return give(req, res, {
        bytes: first ? image : other,
        etag: first ? '"v1"' : '"v2"',
        cutAfter: first ? 100_000 : undefined,
      })
    }
    if (path === '/evil') return give(req, res, { bytes: evil, etag: '"e"' })
    if (path === '/slow') return drip(res, image)
    const to = { '/redirect': '/good', '/to-file': 'file:///etc/passwd', '/loop': '/loop', '/to-port-1': 'http://127.0.0.1:1/x' }[
      path
    ]
    if (to) return void res.writeHead(302, { location: to.startsWith('/') ? base + to : to }).end()
    res.writeHead(404).end('no such image')
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo
  return {
    url: (path) => `http://127.0.0.1:${port}${path}`,
    requests,
    close: () => {
      server.closeAllConnections()
      return new Promise((resolve) => server.close(() => resolve()))
    },
  }
}

interface Gift {
  bytes: Uint8Array
  etag?: string
  cutAfter?: number
}

function give(req: IncomingMessage, res: ServerResponse, { bytes, etag, cutAfter }: Gift): void {
  const wanted = /^bytes=(\d+)-$/.exec(req.headers.range ?? '')
  const resumed = wanted !== null && etag !== undefined && req.headers['if-range'] === etag
  const from = resumed ? Number(wanted[1]) : 0
  const headers: Record<string, string | number> = { 'content-length': bytes.length - from }
  if (etag) headers['etag'] = etag
  if (resumed) headers['content-range'] = `bytes ${from}-${bytes.length - 1}/${bytes.length}`
  if (cutAfter === 0) return void res.destroy()
  res.writeHead(resumed ? 206 : 200, headers)
  if (cutAfter === undefined) return void res.end(bytes.subarray(from))
  // destroyed only after the bytes left, else none would arrive
  res.write(bytes.subarray(from, from + Math.floor(cutAfter)), () => setTimeout(() => res.destroy(), 50))
}

function drip(res: ServerResponse, bytes: Uint8Array): void {
  res.writeHead(200, { 'content-length': bytes.length, etag: '"s"' })
  let at = 0
  const timer = setInterval(() => res.write(bytes.subarray(at, (at += 1000))), 20)
  res.on('close', () => clearInterval(timer))
}
