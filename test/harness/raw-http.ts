/** Requests as bytes, for clients whose every header counts: no library adds, sorts or mends anything. */
import { connect } from 'node:net'
import { gunzipSync } from 'node:zlib'

export interface RawAnswer {
  status: number
  headers: Record<string, string>
  text: string
}

/** Sends these header lines and this body over a connection of its own. `Host`, `Content-Length` and `Connection: close` are added. */
export function sendRaw(url: string, requestLine: string, headers: readonly string[], body?: string): Promise<RawAnswer> {
  const { hostname, port, host } = new URL(url)
  const bytes = body === undefined ? [] : [`Content-Length: ${Buffer.byteLength(body)}`]
  const head = [`${requestLine} HTTP/1.1`, `Host: ${host}`, ...headers, ...bytes, 'Connection: close', '', ''].join('\r\n')
  return new Promise((resolve, reject) => {
    const parts: Buffer[] = []
    const socket = connect(Number(port), hostname, () => socket.write(head + (body ?? '')))
    socket.on('data', (part) => parts.push(part))
    socket.on('error', reject)
    socket.on('end', () => resolve(parsed(Buffer.concat(parts))))
  })
}

function parsed(answer: Buffer): RawAnswer {
  const end = answer.indexOf('\r\n\r\n')
  const [first = '', ...lines] = answer.subarray(0, end).toString('latin1').split('\r\n')
  const headers = Object.fromEntries(
    lines.map((line) => [line.slice(0, line.indexOf(':')).toLowerCase(), line.slice(line.indexOf(':') + 1).trim()]),
  )
  const sent = answer.subarray(end + 4)
  const body = headers['transfer-encoding'] === 'chunked' ? joined(sent) : sent
  const text = (headers['content-encoding'] === 'gzip' ? gunzipSync(body) : body).toString()
  return { status: Number(first.split(' ')[1]), headers, text }
}

function joined(chunks: Buffer): Buffer {
  const parts: Buffer[] = []
  for (let at = 0; ; ) {
    const line = chunks.indexOf('\r\n', at)
    const size = Number.parseInt(chunks.subarray(at, line).toString(), 16)
    if (!size) return Buffer.concat(parts)
    parts.push(chunks.subarray(line + 2, line + 2 + size))
    at = line + 2 + size + 2
  }
}
