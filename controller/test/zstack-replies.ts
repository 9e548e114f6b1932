/** What tests of `/zstack/v1` send, and how they read what comes back. */
import type { Row } from '@skerry/contract'
import { expect } from 'vitest'
import type { fakeHttp } from '../src/testing/index.ts'

export const Z = '/zstack/v1'
export const zone = { params: { name: 'z1' } }
export const job = 'e'.repeat(32)
export const PLAIN_400 = [400, 'text/plain', true]

/** Status, media type, and whether there is a body. */
export const text = async (response: Response) => [
  response.status,
  response.headers.get('content-type')?.split(';')[0],
  (await response.text()).length > 0,
]

/** What a poll says of the job that was accepted. */
export async function pollOf(send: ReturnType<typeof fakeHttp>['send'], accepted: Response) {
  expect(accepted.status).toBe(202)
  const { location } = (await accepted.json()) as { location: string }
  const polled = await send('GET', new URL(location).pathname)
  return { status: polled.status, body: (await polled.json()) as { error: Row; inventory: Row } }
}
