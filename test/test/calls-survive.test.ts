/** What a client was promised holds over a restart of the controller: webhooks, long jobs, the secret of a new access key. */
import { once } from 'node:events'
import { createServer, type RequestListener, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { ADMIN_ACCOUNT, type Row } from '@skerry/contract'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { type MovableSite, startMovableSite } from '../harness/movable-site.ts'
import { type Key, sendSigned } from '../harness/signed.ts'
import { apiNamed, newUuid, sentFor, ZStackClient } from '../harness/zstack-client.ts'

let site: MovableSite
const servers: Server[] = []
const clientNow = () => new ZStackClient(site.now().url)

beforeAll(async () => {
  site = await startMovableSite()
})
afterAll(async () => {
  for (const server of servers) {
    server.closeAllConnections()
    server.close()
  }
  await site.stop()
})

async function serve(answer: RequestListener): Promise<string> {
  const server = createServer(answer)
  servers.push(server)
  await once(server.listen(0, '127.0.0.1'), 'listening')
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}/x`
}

async function restart(between: () => void = () => undefined): Promise<void> {
  const stopped = site.now().stop()
  between()
  await stopped
  await site.start('first')
}

test('a webhook that nobody has taken yet is delivered by the next process, and what the call made is told', async () => {
  const heard: { job: unknown; body: Row; status: number }[] = []
  const url = await serve(async (request, response) => {
    const parts: Buffer[] = []
    for await (const part of request) parts.push(part as Buffer)
    const status = heard.length === 0 ? 500 : 200
    heard.push({ job: request.headers['x-job-uuid'], body: JSON.parse(Buffer.concat(parts).toString()) as Row, status })
    response.writeHead(status).end()
  })
  const client = clientNow()
  await client.login()
  const job = newUuid()
  const headers = { ...client.headers(job), 'X-Web-Hook': url }
  expect((await client.send(sentFor(apiNamed('CreateZone'), { name: 'hooked' }), headers)).status).toBe(202)
  await site.until('the first attempt', () => heard.length === 1)
  await restart()
  await site.until('the next process to deliver it', () => heard.length === 2 && site.rows('hook').length === 0)
  expect(heard.map(({ job: of, status }) => [of, status])).toEqual([
    [job, 500],
    [job, 200],
  ])
  expect(heard[1]!.body).toMatchObject({ inventory: { name: 'hooked' } })
  await restart()
  expect(heard).toHaveLength(2)
})

test('a client whose controller was restarted before its poll still learns the secret of its key, for a while', async () => {
  const client = clientNow()
  await client.login()
  const job = newUuid()
  const sent = sentFor(apiNamed('CreateAccessKey'), { accountUuid: ADMIN_ACCOUNT, userUuid: ADMIN_ACCOUNT })
  expect((await client.send(sent, client.headers(job))).status).toBe(202)
  const before = (await client.poll(job)).body!['inventory'] as Row
  await restart()
  const after = (await clientNow().poll(job)).body!['inventory'] as Row & Key
  expect(after).toEqual(before)
  expect((await sendSigned(site.now().url, after, { path: '/zstack/v1/zones' })).status).toBe(200)
})

test('a long job goes on in the next process, and its row follows', async () => {
  await site.addMachine('127.0.0.1')
  const images = await site.call('AddImageStoreBackupStorage', {
    ...{ name: 'images', hostname: '127.0.0.1', url: '/data/images', username: 'root', password: 'unused' },
  })
  let asked = false
  let release: () => void = () => undefined
  const held = new Promise<void>((resolve) => (release = resolve))
  const url = await serve(async (_request, response) => {
    asked = true
    await held
    response.end(Buffer.alloc(4096))
  })
  const data = { name: 'slow', url, backupStorageUuids: [images['uuid']], format: 'raw' }
  const submitted = await site.call('SubmitLongJob', { jobName: 'APIAddImageMsg', jobData: JSON.stringify(data) })
  const row = () => site.rows('longJob').find(({ uuid }) => uuid === submitted['uuid'])!
  await site.until('the download to begin', () => asked)
  expect(row()['state']).toBe('Running')
  await restart(release)
  await site.until('the long job to end', () => /Succeeded|Failed/.test(row()['state'] as string))
  expect(row()).toMatchObject({ state: 'Succeeded', jobUuid: submitted['jobUuid'] })
  expect(site.rows('image')).toMatchObject([{ name: 'slow', status: 'Ready' }])
})

test('a long job whose row was left behind by a power cut is put right at start', async () => {
  const [row] = site.rows('longJob') as [Row]
  const v = { state: 'Running', jobResult: null }
  await site.now().store.commit({ ops: [{ o: 'set', t: 'longJob', k: row['uuid'] as string, v }] }, { actor: 'system' })
  await restart()
  expect(site.rows('longJob')).toMatchObject([{ state: 'Succeeded', jobResult: expect.stringContaining('"slow"') }])
})
