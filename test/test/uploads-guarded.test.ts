/** What guards uploads: tokens, limits, time; and who is told where the bytes go. */
import type { Row } from '@skerry/contract'
import { UPLOAD_IDLE_MS } from '@skerry/controller/in-process'
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest'
import { OwnClient } from '../harness/own-client.ts'
import { SimTime } from '../harness/sim-time.ts'
import { type SmallSite, startSmallSite } from '../harness/small-site.ts'
import { IMAGE_FILE, makeSmallWorld, type SmallWorld } from '../harness/small-world.ts'
import { begin as beginAt, ended, gone as goneFrom, head, patch } from '../harness/uploading.ts'

const soon = { timeout: 15_000, interval: 10 }
const HALF = 90_000
let site: SmallSite
let world: SmallWorld
let own: OwnClient
let bytes: Uint8Array<ArrayBuffer>
beforeAll(async () => {
  site = await startSmallSite()
  world = await makeSmallWorld(site)
  own = new OwnClient(site.url, site.client.session)
  bytes = new Uint8Array(site.machine.host.disk.files.get(IMAGE_FILE)!.data)
})
afterAll(async () => {
  await site?.stop()
  expect(site.errors).toEqual([])
})

const begin = (more: Row = {}) => beginAt(site, { backupStorageUuids: [world.backupStorage], ...more })
const gone = (uuid: string) => goneFrom(site, uuid)

it('that nobody goes on with for an hour ends, and says so; one that is gone on with does not', async () => {
  const time = new SimTime()
  const other = await startSmallSite({ time })
  try {
    const { backupStorage } = await makeSmallWorld(other)
    const image = async (name: string) => {
      const made = await beginAt(other, { name, backupStorageUuids: [backupStorage] })
      expect((await patch(made.url, 0, bytes.subarray(0, 10))).status).toBe(204)
      return made
    }
    const began = time.nowMs()
    const [left, kept] = [await image('left'), await image('kept')]
    const { graph } = other.controller.state
    await time.sleep(UPLOAD_IDLE_MS / 2)
    expect((await patch(kept.url, 10, bytes.subarray(10, 20))).status).toBe(204)
    await time.until('its end', 2 * UPLOAD_IDLE_MS, () => graph.get('image', left.uuid)?.['status'] === 'Error')
    expect(time.nowMs() - began).toBeGreaterThanOrEqual(UPLOAD_IDLE_MS)
    expect(graph.get('image', left.uuid)!['uploadError']).toBe('nothing came for 60 minutes; 10 bytes had come')
    expect(graph.get('image', kept.uuid)!['status']).toBe('Downloading')
    const parts = [...other.machine.host.disk.files.keys()].filter((path) => path.endsWith('.part'))
    expect(parts).toEqual([expect.stringContaining(kept.uuid)])
    expect((await fetch(left.url, { method: 'HEAD' })).status).toBe(410)
    expect(other.errors).toEqual([])
  } finally {
    await other.stop()
    time.stop()
  }
})

describe('what brings bytes', () => {
  it('needs the token of this image, and is refused bytes that do not belong there', async () => {
    const { uuid, url } = await begin()
    const other = await begin({ name: 'other' })
    const mixed = `${url.slice(0, url.indexOf('/v1/uploads/') + 12)}${uuid}_${other.url.slice(-32)}`
    const length = { 'upload-length': String(bytes.length) }
    expect((await patch(mixed, 0, bytes.subarray(0, 10), length)).status).toBe(401)
    expect((await patch(`${url}x`, 0, bytes.subarray(0, 10), length)).status).toBe(401)
    expect((await patch(url, 10, bytes.subarray(0, 10), length)).status).toBe(409)
    expect((await patch(url, 'many', bytes.subarray(0, 10))).status).toBe(400)
    expect((await patch(url, 0, bytes.subarray(0, 10), { 'upload-length': '9' })).status).toBe(400)
    expect((await fetch(url, { method: 'PATCH', body: bytes.subarray(0, 10) })).status).toBe(400)
    const range = { 'content-range': 'bytes 0-99/1000' }
    expect((await fetch(url, { method: 'PUT', body: bytes.subarray(0, 10), headers: range })).status).toBe(400)
    expect((await fetch(url, { method: 'DELETE' })).status).toBe(405)
    const big = await fetch(url, {
      method: 'PATCH',
      body: new Uint8Array(64 * 1024 ** 2 + 1),
      headers: { 'upload-offset': '0' },
    }).catch(() => undefined)
    expect(big?.status ?? 413).toBe(413)
    expect(await head(url)).toEqual([200, 0])
    for (const uuid_ of [uuid, other.uuid]) {
      await own.call('CancelImageUpload', { uuid: uuid_ })
      await gone(uuid_)
    }
  })

  it('is told again to administrators, by image and by the tag of its long job', async () => {
    const { uuid, url } = await begin()
    await patch(url, 0, bytes.subarray(0, HALF))
    const told = await own.call('GetUploadImageJobDetails', { imageId: uuid })
    expect(told.body).toEqual({
      existingJobDetails: [{ imageUuid: uuid, imageUploadUrl: url, offset: HALF }],
    })
    expect((await own.call('GetUploadImageJobDetails', { imageId: 'nobody-knows' })).body).toEqual({ existingJobDetails: [] })
    await own.call('CancelImageUpload', { uuid })
    await gone(uuid)
    const jobData = JSON.stringify({
      ...{ name: 'long', url: 'upload://x.qcow2', format: 'qcow2', backupStorageUuids: [world.backupStorage] },
    })
    const long = { name: 'up', jobName: 'APIAddImageMsg', jobData, systemTags: ['uploadImage::my-file'] }
    await site.client.call('SubmitLongJob', long)
    await vi.waitFor(async () => {
      const { body } = await own.call('GetUploadImageJobDetails', { imageId: 'my-file' })
      expect(body!['existingJobDetails']).toMatchObject([{ longJobState: 'Succeeded', offset: 0 }])
    }, soon)
    const { body } = await own.call('GetUploadImageJobDetails', { imageId: 'my-file' })
    const [{ imageUuid, imageUploadUrl }] = body!['existingJobDetails'] as [Record<string, string>]
    await fetch(imageUploadUrl!, { method: 'PUT', body: bytes })
    await ended(site, imageUuid!, 'Ready')
    await gone(imageUuid!)
  })

  it('is for one storage', async () => {
    const two = [world.backupStorage, 'f'.repeat(32)]
    const params = { name: 'x', url: 'upload://x.qcow2', format: 'qcow2', backupStorageUuids: two }
    expect(await own.call('AddImage', params)).toMatchObject({ status: 400, body: { code: 'invalid-argument' } })
  })

  it('has a token that is in no log', async () => {
    const { uuid, url } = await begin()
    const secret = url.slice(-32)
    expect(secret).toMatch(/^[A-Za-z0-9_-]{32}$/)
    const { graph } = site.controller.state
    const rows = ['job', 'jobStep', 'image'].map((table) => [...graph.rows(table)])
    expect(JSON.stringify(rows)).not.toContain(secret)
    await own.call('CancelImageUpload', { uuid })
    await gone(uuid)
  })
})
