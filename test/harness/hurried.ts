/** Calls that are given up early, and calls that are to fail. */
import { headers, type SkerryError } from '@skerry/contract'
import { createClient } from '@skerry/sdk'

/** A client of the administrator whose calls are given up after that time. */
export async function hurried(url: string, seconds: number) {
  const fetch = (request: Request) => {
    request.headers.set(headers.apiTimeout, String(seconds))
    return globalThis.fetch(request)
  }
  const client = createClient({ baseUrl: url, fetch: fetch as typeof globalThis.fetch })
  await client.login('admin', 'password')
  return client
}

/** The error of a call; rejects when it is done. */
export const failing = (call: Promise<unknown>): Promise<SkerryError> =>
  call.then(
    (done) => Promise.reject(new Error(`it was done: ${JSON.stringify(done)}`)),
    (error: SkerryError) => error,
  )
