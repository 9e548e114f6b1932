/** Opens an image's URL, following redirects only to http(s), so that a source can't send the agent to a local file. */
import { SkerryError } from '@skerry/contract'

const MAX_REDIRECTS = 5
const REDIRECTS = [301, 302, 303, 307, 308]

export interface OpenSpec {
  url: string
  headers: Record<string, string>
  signal: AbortSignal
}

/** A response with status 200 or 206. Throws `image-unreachable` with the status; connection errors pass through. */
export async function openFollowing(fetcher: typeof fetch, { url, headers, signal }: OpenSpec): Promise<Response> {
  let at = url
  for (let hop = 0; hop <= MAX_REDIRECTS; hop++) {
    const response = await fetcher(at, { headers, signal, redirect: 'manual' })
    if (response.status === 200 || response.status === 206) return response
    await response.body?.cancel()
    const location = response.headers.get('location')
    if (!REDIRECTS.includes(response.status) || !location) {
      // 5xx and 429 may pass; for the caller it is one and the same: not there now
      throw new SkerryError('image-unreachable', `the source of the image answered ${response.status}`, {
        url,
        at,
        status: response.status,
      })
    }
    const next = URL.canParse(location, at) ? new URL(location, at) : undefined
    if (next?.protocol !== 'http:' && next?.protocol !== 'https:') {
      throw new SkerryError('image-unreachable', 'the source of the image redirects to something that is not http', {
        url,
        at,
        location: location.slice(0, 512),
      })
    }
    at = next.href
  }
  throw new SkerryError('image-unreachable', `the source of the image redirects more than ${MAX_REDIRECTS} times`, { url, at })
}
