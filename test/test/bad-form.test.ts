/** Requests that are bad as such, and a site that is short of something: a clear error, nothing changed, nothing leaked. */
import { once } from 'node:events'
import { type IncomingMessage, request } from 'node:http'
import type { Row } from '@skerry/contract'
import { fakeDisk } from '@skerry/controller/in-process'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { OwnClient } from '../harness/own-client.ts'
import { type SmallSite, startSmallSite } from '../harness/small-site.ts'
import { IMAGE_FILE, makeSmallWorld, type SmallWorld } from '../harness/small-world.ts'
import { type Answer, apiNamed, sentFor } from '../harness/zstack-client.ts'

const MIB = 1024 ** 2
let site: SmallSite
let own: OwnClient
let w: SmallWorld
let before: string

beforeAll(async () => {
  site = await startSmallSite()
  w = await makeSmallWorld(site)
  own = new OwnClient(site.url, site.client.session)
})
afterAll(() => site.stop())
beforeEach(async () => {
  await site.settled()
  before = site.state()
})
const unchanged = async () => {
  await site.settled()
  expect(site.state()).toBe(before)
  expect(site.contradictions()).toEqual([])
}
afterEach(() => expect(site.errors).toEqual([]))

/** Sends `total` bytes in pieces, as fast as the server takes them; gives the status, or what became of the connection. */
async function stream(path: string, total: number, headers: Record<string, string>): Promise<number | string> {
  const piece = Buffer.alloc(MIB, 'x')
  const sending = request(site.url + path, { method: 'POST', headers: { 'Content-Type': 'application/json', ...headers } })
  let answer: number | string | undefined
  sending.on('response', (response: IncomingMessage) => {
    answer = response.statusCode
    response.resume()
  })
  sending.on('error', (error: NodeJS.ErrnoException) => (answer ??= error.code ?? error.message))
  for (let sent = 0; sent < total && answer === undefined; sent += piece.length)
    if (!sending.write(piece))
      await Promise.race([once(sending, 'drain'), once(sending, 'close'), once(sending, 'response')]).catch(() => undefined)
  sending.end()
  await expect.poll(() => answer, { timeout: 10_000 }).toBeDefined()
  sending.destroy()
  return answer!
}

describe.each(['/zstack/v1', '/v1'])('%s', (prefix) => {
  const headers = () => ({ Authorization: `OAuth ${site.client.session}` })
  const post = (body: string): Promise<Answer> =>
    prefix === '/v1'
      ? own.send({ method: 'POST', path: '/zones', body })
      : site.client.send({ method: 'POST', path: '/zones', body })

  test('a body of 100 MB is refused as soon as it is too long, and never held', async () => {
    const startRss = process.memoryUsage().rss
    let peak = 0
    const watch = setInterval(() => (peak = Math.max(peak, process.memoryUsage().rss - startRss)), 5)
    expect(await stream(`${prefix}/zones`, 100 * MIB, headers())).toBe(413)
    expect(await stream(`${prefix}/zones`, 100 * MIB, { ...headers(), 'Content-Length': String(100 * MIB) })).toBe(413)
    clearInterval(watch)
    expect(peak).toBeLessThan(64 * MIB)
    await unchanged()
  })

  test.each([
    ['', '{"params":{"name":"x"'],
    ['text', 'name=x'],
    ['a list', '[{"params":{}}]'],
    ['a number', '1'],
    ['parameters that are a list', '{"params":[]}'],
    ['parameters that are text', '{"params":"x"}'],
    ['NULs', '{"params":{"name":"x"}}\0\0'],
    ['40 levels', `{"params":${'{"a":'.repeat(40)}1${'}'.repeat(40)}}`],
    ['100,000 levels', `{"params":${'['.repeat(100_000)}${']'.repeat(100_000)}}`],
    ['invalid UTF-8', Buffer.from([0x7b, 0x22, 0xff, 0xfe, 0x22, 0x7d]).toString('latin1')],
  ])('a body that is malformed (%s) is refused at once', async (_, body) => {
    const answer = await post(body)
    expect(answer.status).toBe(400)
    expect(answer.type).toMatch(prefix === '/v1' ? 'application/problem+json' : 'text/plain')
    expect(answer.text).not.toMatch(/\n\s+at |\.ts:\d|node_modules/)
    expect(answer.text.length).toBeLessThan(1_000)
    await unchanged()
  })
})

describe('a name', () => {
  test('may repeat, and stands for a uuid under /v1 only while one resource has it: else 409 with the candidates', async () => {
    const uuids = [await site.client.uuid('CreateZone', { name: 'twin' }), await site.client.uuid('CreateZone', { name: 'twin' })]
    await site.settled()
    before = site.state()
    for (const [api, params] of [
      ['UpdateZone', { uuid: 'twin', description: 'x' }],
      ['DeleteZone', { uuid: 'twin' }],
      ['CreateCluster', { name: 'c', zoneUuid: 'twin', hypervisorType: 'KVM' }],
      ['QueryZone', { uuid: 'twin' }],
    ] as [string, Row][]) {
      const { status, body } = await own.call(api, params)
      expect([api, status, body?.['code']]).toEqual([api, 409, 'ambiguous-name'])
      const { candidates } = body!['details'] as { candidates: Row[] }
      expect(candidates.map((c) => c['uuid']).sort()).toEqual([...uuids].sort())
    }
    await unchanged()
    await site.client.call('DeleteZone', { uuid: uuids[0] })
    expect((await own.call('UpdateZone', { uuid: 'twin', description: 'the only one' })).body?.['inventory']).toMatchObject({
      uuid: uuids[1],
    })
  })
})

describe('a full disk', () => {
  test('of an image store fails the image with the folder named, and leaves no bytes', async () => {
    const { disk } = site.machine.host
    const files = [...disk.files.keys()].sort()
    disk.totalBytes = disk.usedBytes() + 100 * 1024
    const params = { name: 'i', url: `file://${IMAGE_FILE}`, backupStorageUuids: [w.backupStorage], format: 'qcow2' }
    const { status, body } = await own.call('AddImage', params)
    disk.totalBytes = 100 * 1024 ** 3
    expect([status, rootCode(body!)]).toEqual([507, 'disk-full'])
    expect([...disk.files.keys()].filter((path) => !path.includes('/ledger/')).sort()).toEqual(
      files.filter((path) => !path.includes('/ledger/')),
    )
    await unchanged()
  })

  test('that has no byte left on the host ends the job all the same, once there is room again', async () => {
    const { disk } = site.machine.host
    disk.totalBytes = disk.usedBytes()
    const params = { name: 'i', url: `file://${IMAGE_FILE}`, backupStorageUuids: [w.backupStorage], format: 'qcow2' }
    const accepted = await own.send(sentFor(apiNamed('AddImage'), params))
    const { uuid } = accepted.body!['job'] as { uuid: string }
    await expect.poll(() => site.controller.engine.job(uuid)?.state).toBe('undoing')
    disk.totalBytes = 100 * 1024 ** 3
    const job = await own.sendWaiting({ method: 'GET', path: (accepted.body!['location'] as string).slice('/v1'.length) })
    expect(job.body?.['job']).toMatchObject({ state: 'failed', error: { code: 'disk-full' } })
    await unchanged()
  })

  test('of a primary storage fails the VM, and takes back all that was made for it', async () => {
    site.machine.host.faults.failNext('qemuImg.create', Object.assign(new Error('No space left on device'), { code: 'ENOSPC' }))
    const params = { name: 'v', imageUuid: w.image, l3NetworkUuids: [w.l3], instanceOfferingUuid: w.offering }
    const { status, body } = await own.call('CreateVmInstance', params)
    expect(status).toBeGreaterThanOrEqual(400)
    expect(JSON.stringify(body)).toMatch(/No space left/)
    await unchanged()
    expect(site.machine.libvirt.inventory()).toEqual([])
    site.errors.length = 0
  })

  test('of the controller refuses what would be recorded, answers what is asked, and recovers by itself', async () => {
    const disk = fakeDisk()
    const small = await startSmallSite({ disk })
    const client = new OwnClient(small.url, small.client.session)
    const zone = await small.client.uuid('CreateZone', { name: 'kept' })
    disk.capacity = disk.files().reduce((sum, file) => sum + disk.content(file)!.length, 0)
    const answers: Answer[] = []
    for (let i = 0; i < 200 && answers.at(-1)?.status !== 507; i++)
      answers.push(await client.call('CreateZone', { name: `z${i}`, description: 'x'.repeat(2_000) }))
    expect([answers.at(-1)!.status, answers.at(-1)!.body?.['code']]).toEqual([507, 'disk-full'])
    const { first, last } = await small.client.exchange('CreateZone', { name: 'refused' })
    expect([first.status, last.status, (last.body!['error'] as Row)['code']]).toEqual([202, 503, 'SYS.1016'])
    expect((await client.call('QueryZone', { uuid: zone })).body).toMatchObject({ inventories: [{ name: 'kept' }] })
    disk.capacity = Number.POSITIVE_INFINITY
    await expect.poll(async () => (await client.call('CreateZone', { name: 'again' })).status, { timeout: 10_000 }).toBe(201)
    await small.stop()
  })
})

/** The code at the bottom of a problem's causes that is one of ours. */
const rootCode = (problem: Row): unknown => {
  const cause = problem['cause'] as Row | undefined
  return cause && cause['code'] !== 'internal' ? rootCode(cause) : problem['code']
}

describe('a secret', () => {
  const secret = 'canary-7f3a9c'

  test('is in no answer, no job, no list and no error', async () => {
    const host = { name: 'h', clusterUuid: w.cluster, managementIp: '192.0.2.98', username: 'root', password: secret }
    const { jobUuid, last } = await site.client.exchange('UpdateKVMHost', { uuid: w.host, password: secret })
    const texts = [
      last.text,
      (await own.call('AddKVMHost', host)).text,
      (await own.call('AddKVMHost', { ...host, sshPort: 'x' })).text,
    ]
    for (const path of [`/jobs/${jobUuid}`, '/jobs', '/hosts', '/backup-storage', `/hosts/${w.host}`])
      texts.push((await own.send({ method: 'GET', path })).text)
    const dry = sentFor(apiNamed('UpdateKVMHost'), { uuid: w.host, password: secret })
    texts.push((await own.send({ ...dry, path: `${dry.path}?dryRun=true` })).text)
    for (const text of texts) expect(text).not.toContain(secret)
    expect(site.state()).not.toContain(secret)
  })
})
