/** Sending an image's bytes to a small site, as clients do it. */
import { createHash } from 'node:crypto'
import type { Row } from '@skerry/contract'
import { expect, vi } from 'vitest'
import type { SmallSite } from './small-site.ts'

const soon = { timeout: 15_000, interval: 10 }

export const sha256 = (data: Uint8Array) => createHash('sha256').update(data).digest('hex')

/** Bytes from `offset` on; `more`: further headers. */
export const patch = (url: string, offset: number | string, data: Uint8Array<ArrayBuffer>, more: Record<string, string> = {}) =>
  fetch(url, { method: 'PATCH', body: data, headers: { 'upload-offset': String(offset), ...more } })

/** Status, and how many bytes are there. */
export const head = async (url: string) => {
  const answer = await fetch(url, { method: 'HEAD' })
  return [answer.status, Number(answer.headers.get('upload-offset'))]
}

/** `params`: of AddImage, beside name, URL and format. */
export async function begin(site: SmallSite, params: Row): Promise<{ uuid: string; url: string }> {
  const { inventory } = (await site.client.call('AddImage', {
    ...{ name: 'sent', url: 'upload://disk.qcow2', format: 'qcow2', ...params },
  })) as { inventory: Row }
  // ZStack's clients find it there.
  const [ref] = inventory['backupStorageRefs'] as Row[]
  return { uuid: String(inventory['uuid']), url: String(ref!['installPath']) }
}

export const imageRow = (site: SmallSite, uuid: string) => site.controller.state.graph.get('image', uuid)

export const ended = (site: SmallSite, uuid: string, status: string) =>
  vi.waitFor(() => expect(imageRow(site, uuid)?.['status']).toBe(status), soon)

export async function gone(site: SmallSite, uuid: string): Promise<void> {
  await site.client.call('DeleteImage', { uuid })
  if (imageRow(site, uuid)) await site.client.call('ExpungeImage', { imageUuid: uuid })
  expect(imageRow(site, uuid)).toBeUndefined()
}
