/** Requests signed with an access key, as ZStack's Java SDK signs them. By node:http, because `fetch` takes no Date of ours. */
import { createHmac } from 'node:crypto'
import { request } from 'node:http'

export interface Key {
  AccessKeyID: string
  AccessKeySecret: string
}

export interface SignedRequest {
  method?: string
  /** as sent, with prefix and query */
  path: string
  body?: string
  /** of the Date header */
  at?: Date
  /** how its zone is spelt */
  zone?: string
  /** what is signed instead of the path that is sent */
  signedPath?: string
  headers?: Record<string, string>
}

/** `Mon, 23 Nov 2026 03:39:05` and the zone. */
export const javaDate = (at: Date, zone: string) => at.toUTCString().replace('GMT', zone)

export function sendSigned(url: string, key: Key, r: SignedRequest): Promise<{ status: number; text: string; type: string }> {
  const { method = 'GET', path, body, at = new Date(), zone = 'GMT', headers } = r
  const date = javaDate(at, zone)
  const signedPath = r.signedPath ?? path.replace(/^\/zstack/, '').replace(/\?.*$/, '')
  const signature = createHmac('sha1', key.AccessKeySecret).update(`${method}\n${date}\n${signedPath}`).digest('base64')
  const all = { Date: date, Authorization: `ZStack ${key.AccessKeyID}:${signature}`, ...headers }
  return new Promise((resolve, reject) => {
    const sent = request(url + path, { method, headers: all }, async (response) => {
      const parts: Buffer[] = []
      for await (const part of response) parts.push(part as Buffer)
      const type = response.headers['content-type'] ?? ''
      resolve({ status: response.statusCode!, text: Buffer.concat(parts).toString(), type })
    })
    sent.on('error', reject)
    sent.end(body)
  })
}
