/** Images whose bytes a client sends: the whole way over HTTP, on a site in memory. */
import { type ClientRequest, request as httpRequest } from 'node:http'
import { FakeSftp, type FakeSftpServer } from '@skerry/agent-storage'
import type { Row } from '@skerry/contract'
import { afterAll, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest'
import { OwnClient } from '../harness/own-client.ts'
import { type SmallSite, startSmallSite } from '../harness/small-site.ts'
import { IMAGE_FILE, makeSmallWorld, type SmallWorld } from '../harness/small-world.ts'
import { begin as beginAt, ended as endedAt, gone as goneFrom, head, imageRow, patch, sha256 } from '../harness/uploading.ts'

const soon = { timeout: 15_000, interval: 10 }
const HALF = 90_000
const HOST = 'store.site.test'
let server: FakeSftpServer
let site: SmallSite
let world: SmallWorld
let own: OwnClient
let bytes: Uint8Array<ArrayBuffer>
beforeAll(async () => {
  const sftp = new FakeSftp()
  server = sftp.server(HOST)
  site = await startSmallSite({ sftp })
  world = await makeSmallWorld(site)
  own = new OwnClient(site.url, site.client.session)
  bytes = new Uint8Array(site.machine.host.disk.files.get(IMAGE_FILE)!.data)
  expect(bytes.length).toBeGreaterThan(HALF)
})
afterAll(async () => {
  await site?.stop()
  expect(site.errors).toEqual([])
})
let before: string
beforeEach(async () => {
  await site.settled()
  before = files().join()
})

const files = () => [...site.machine.host.disk.files.keys()].filter((path) => path.startsWith('/data/images/')).sort()
const row = (uuid: string) => imageRow(site, uuid)
const begin = (more: Row = {}) => beginAt(site, { backupStorageUuids: [world.backupStorage], ...more })
const ended = (uuid: string, status: string) => endedAt(site, uuid, status)
const gone = (uuid: string) => goneFrom(site, uuid)
/** A connection that breaks: some bytes of a longer body, and then nothing. */
async function breaking(url: string, offset: number, data: Uint8Array): Promise<ClientRequest> {
  const headers = {
    'upload-offset': String(offset),
    'upload-length': String(bytes.length),
    'content-length': data.length + 1_000,
  }
  const sent = httpRequest(url, { method: 'PATCH', headers })
  sent.on('error', () => undefined)
  await new Promise<void>((resolve) => sent.write(data, () => resolve()))
  return sent
}

describe('an upload', () => {
  it('in two pieces is an image like any other, and a VM starts from it', async () => {
    const { uuid, url } = await begin({ checksum: `sha256:${sha256(bytes)}` })
    expect(row(uuid)).toMatchObject({ status: 'Downloading', backupStorageRefs: [{ installPath: '', status: 'Downloading' }] })
    expect(await head(url)).toEqual([200, 0])
    const first = await patch(url, 0, bytes.subarray(0, HALF), { 'upload-length': String(bytes.length) })
    expect([first.status, first.headers.get('upload-offset'), first.headers.get('location')]).toEqual([204, String(HALF), null])
    expect(await head(url)).toEqual([200, HALF])
    const last = await patch(url, HALF, bytes.subarray(HALF), { 'upload-length': String(bytes.length) })
    expect([last.status, last.headers.get('upload-offset')]).toEqual([204, String(bytes.length)])
    const job = last.headers.get('location')!.split('/').at(-1)!
    await site.controller.engine.wait(job, 10_000)
    expect(row(uuid)).toMatchObject({ status: 'Ready', sha256: sha256(bytes), actualSize: bytes.length, size: 64 * 1024 ** 2 })
    // Whoever missed the last answer asks, and learns that it is whole.
    expect(await head(url)).toEqual([200, bytes.length])
    expect((await patch(url, bytes.length, new Uint8Array(), { 'upload-length': String(bytes.length) })).status).toBe(204)
    const vm = await site.client.uuid('CreateVmInstance', {
      ...{ name: 'vm', imageUuid: uuid, instanceOfferingUuid: world.offering, l3NetworkUuids: [world.l3] },
    })
    await site.client.call('DestroyVmInstance', { uuid: vm })
    await site.client.call('ExpungeVmInstance', { uuid: vm })
    await gone(uuid)
    await site.settled()
    expect(files().join()).toBe(before)
  })

  it('whose connection breaks goes on where it was, with what came before', async () => {
    const { uuid, url } = await begin()
    const broken = await breaking(url, 0, bytes.subarray(0, HALF))
    await vi.waitFor(async () => expect((await head(url))[1]).toBe(HALF), soon)
    broken.destroy()
    // one that hangs, without a word: the next one takes over
    const hanging = await breaking(url, HALF, bytes.subarray(HALF, HALF + 5_000))
    await vi.waitFor(async () => expect((await head(url))[1]).toBe(HALF + 5_000), soon)
    const wrong = await patch(url, HALF, bytes.subarray(HALF), { 'upload-length': String(bytes.length) })
    expect([wrong.status, wrong.headers.get('upload-offset')]).toEqual([409, String(HALF + 5_000)])
    expect(await wrong.json()).toMatchObject({ code: 'upload-offset' })
    const rest = await patch(url, HALF + 5_000, bytes.subarray(HALF + 5_000), { 'upload-length': String(bytes.length) })
    expect(rest.status).toBe(204)
    hanging.destroy()
    await ended(uuid, 'Ready')
    expect(row(uuid)!['sha256']).toBe(sha256(bytes))
    await gone(uuid)
  })

  it('goes on after its agent has begun anew', async () => {
    const { uuid, url } = await begin()
    const hanging = await breaking(url, 0, bytes.subarray(0, HALF))
    await vi.waitFor(async () => expect((await head(url))[1]).toBe(HALF), soon)
    await site.machine.end('storage')
    await site.machine.begin('storage')
    expect(await head(url)).toEqual([200, HALF])
    hanging.destroy()
    await patch(url, HALF, bytes.subarray(HALF), { 'upload-length': String(bytes.length) })
    await ended(uuid, 'Ready')
    await gone(uuid)
  })

  it('is taken in once, however often its end is asked for', async () => {
    const { uuid, url } = await begin()
    await patch(url, 0, bytes)
    const length = { 'upload-length': String(bytes.length) }
    const answers = await Promise.all([1, 2, 3].map(() => patch(url, bytes.length, new Uint8Array(), length)))
    expect(new Set(answers.map(({ status }) => status))).toEqual(new Set([204]))
    await ended(uuid, 'Ready')
    const { graph } = site.controller.state
    const jobs = [...graph.by('job', 'resourceUuid', uuid)].map((key) => graph.get('job', key)!['api'])
    expect(jobs).toEqual(['AddImage', 'FinishImageUpload'])
    await gone(uuid)
  })

  it('two at once do not disturb each other, of the same file neither', async () => {
    const both = await Promise.all([begin({ name: 'a' }), begin({ name: 'b' })])
    const length = { 'upload-length': String(bytes.length) }
    await Promise.all(both.map(({ url }) => patch(url, 0, bytes.subarray(0, HALF), length)))
    await Promise.all(both.map(({ url }) => patch(url, HALF, bytes.subarray(HALF), length)))
    for (const { uuid } of both) await ended(uuid, 'Ready')
    expect(files().filter((file) => file.endsWith('.part') || file.endsWith('.part.json'))).toEqual([])
    for (const { uuid } of both) await gone(uuid)
  })

  it('by PUT, with Content-Range and without, and by a tool that knows no more than that', async () => {
    const a = await begin({ name: 'a' })
    const range = { 'content-range': `bytes 0-${HALF - 1}/${bytes.length}` }
    expect((await fetch(a.url, { method: 'PUT', body: bytes.subarray(0, HALF), headers: range })).status).toBe(204)
    range['content-range'] = `bytes ${HALF}-${bytes.length - 1}/${bytes.length}`
    expect((await fetch(a.url, { method: 'PUT', body: bytes.subarray(HALF), headers: range })).status).toBe(204)
    const b = await begin({ name: 'b' })
    expect((await fetch(b.url, { method: 'PUT', body: bytes })).status).toBe(204)
    for (const { uuid } of [a, b]) await ended(uuid, 'Ready')
    for (const { uuid } of [a, b]) await gone(uuid)
  })

  it.each<[string, Row, Uint8Array | undefined, string]>([
    ['with other bytes than its checksum', { checksum: `sha256:${'0'.repeat(64)}` }, undefined, 'not those of the checksum'],
    ['of what is no image', {}, new Uint8Array(70_000), 'the image is refused'],
    ['of nothing', {}, new Uint8Array(), 'the image is refused'],
  ])('%s ends as an image that says why, and leaves nothing', async (_, more, data, why) => {
    const sent = new Uint8Array(data ?? bytes)
    const { uuid, url } = await begin(more)
    expect((await patch(url, 0, sent, { 'upload-length': String(sent.length) })).status).toBe(204)
    await ended(uuid, 'Error')
    expect(row(uuid)!['uploadError']).toContain(why)
    expect(files().join()).toBe(before)
    const late = await patch(url, 0, sent)
    expect([late.status, await late.json()]).toMatchObject([410, { code: 'upload-ended' }])
    const asked = await own.call('CreateVmInstance', {
      ...{ name: 'vm', imageUuid: uuid, instanceOfferingUuid: world.offering, l3NetworkUuids: [world.l3] },
    })
    expect(asked.status).toBe(409)
    // Nothing of it could be recovered: it goes at once.
    await site.client.call('DeleteImage', { uuid })
    expect(row(uuid)).toBeUndefined()
  })

  it('for which the disk is too full ends at once, and leaves nothing', async () => {
    const { uuid, url } = await begin()
    const { disk } = site.machine.host
    const total = disk.totalBytes
    disk.totalBytes = disk.usedBytes() + HALF
    const answer = await patch(url, 0, bytes, { 'upload-length': String(bytes.length) })
    expect([answer.status, await answer.json()]).toMatchObject([507, { code: 'disk-full' }])
    await ended(uuid, 'Error')
    disk.totalBytes = total
    expect(row(uuid)!['uploadError']).toContain('full')
    expect(files().join()).toBe(before)
    await gone(uuid)
  })

  it('goes to a storage server as well, over a link to it that breaks', async () => {
    const params = { name: 'server', hostname: HOST, url: '/srv/images', username: 'user', password: 'any' }
    const storage = await site.client.uuid('AddSftpBackupStorage', params)
    const there = () => [...server.disk.files.keys()].filter((path) => path.startsWith('/srv/images/'))
    const { uuid, url } = await begin({ backupStorageUuids: [storage], checksum: `sha256:${sha256(bytes)}` })
    expect((await patch(url, 0, bytes.subarray(0, HALF))).headers.get('upload-offset')).toBe(String(HALF))
    await site.machine.end('storage')
    await site.machine.begin('storage')
    expect(await head(url)).toEqual([200, HALF])
    server.hangsUpAfter = 6
    await patch(url, HALF, bytes.subarray(HALF), { 'upload-length': String(bytes.length) })
    await ended(uuid, 'Ready')
    expect(server.hangsUpAfter).toBeUndefined()
    expect(there().filter((path) => path.includes('.part'))).toEqual([])
    const path = String((row(uuid)!['backupStorageRefs'] as Row[])[0]!['installPath'])
    expect(Buffer.compare(server.disk.files.get(path)!.data, bytes)).toBe(0)
    await gone(uuid)
    expect(there()).toEqual(['/srv/images/.skerry-pool.json'])
  })

  it('that is canceled is over', async () => {
    const { uuid, url } = await begin()
    await patch(url, 0, bytes.subarray(0, HALF))
    expect((await own.call('DeleteImage', { uuid })).status).toBe(409)
    expect((await own.call('CancelImageUpload', { uuid, reason: 'not wanted' })).status).toBe(200)
    expect(row(uuid)).toMatchObject({ status: 'Error', uploadError: 'not wanted' })
    expect(files().join()).toBe(before)
    expect((await fetch(url, { method: 'HEAD' })).status).toBe(410)
    await gone(uuid)
  })
})
