/** POST over TLS that trusts the site's own CA; Node's `fetch` can't be given one without a package of its own. */
import { request } from 'node:https'
import type { PostJson } from './enrol.ts'

const MAX_REPLY_BYTES = 1024 * 1024

/** `ca`: PEM text. Only https URLs. */
export function fetchTrusting(ca: string): PostJson {
  return (url, { method, headers, body, signal }) =>
    new Promise((resolve, reject) => {
      const req = request(
        url,
        { method, headers: { ...headers, 'content-length': Buffer.byteLength(body) }, ca, signal },
        (res) => {
          const chunks: Buffer[] = []
          let bytes = 0
          res.on('data', (chunk: Buffer) => {
            bytes += chunk.length
            if (bytes > MAX_REPLY_BYTES) res.destroy(new Error(`the reply is larger than ${MAX_REPLY_BYTES} bytes`))
            else chunks.push(chunk)
          })
          res.on('error', reject)
          res.on('end', () => resolve({ status: res.statusCode ?? 0, text: async () => Buffer.concat(chunks).toString('utf8') }))
        },
      )
      req.on('error', reject)
      req.end(body)
    })
}
