/**
 * Secrets stay where they belong: canaries go through every part of the API that takes a secret, and are then searched for
 * in all that a site writes, sends and shows. What the search would find is tried too: a test of a search that finds nothing
 * proves nothing.
 */

import { inspect } from 'node:util'
import { gzipSync } from 'node:zlib'
import { FakeSftp } from '@skerry/agent-storage'
import type { Row } from '@skerry/contract'
import { fakeDisk } from '@skerry/controller/in-process'
import { graphInventory } from '@skerry/workflow'
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest'
import { Canaries, type Haystack } from '../harness/canary.ts'
import { accountJourneys } from '../harness/secret-accounts.ts'
import { Attack } from '../harness/secret-attack.ts'
import { accessKeyJourneys, longJobJourneys } from '../harness/secret-calls.ts'
import {
  consoleJourneys,
  covered,
  enrolmentJourneys,
  type Ground,
  given,
  resourceJourneys,
  sessionJourneys,
  uploadJourneys,
} from '../harness/secret-journeys.ts'
import { buriedReferences, buriedSecrets, givers, shownReferences, takers } from '../harness/secret-places.ts'
import { MANAGEMENT_IP, type SmallSite, startSmallSite } from '../harness/small-site.ts'
import { makeSmallWorld } from '../harness/small-world.ts'
import { newUuid } from '../harness/zstack-client.ts'

describe('the contract', () => {
  test('has no API with a secret that the journeys leave out', () => {
    const wanted = takers().map(({ api, parameters }) => [api.api, parameters])
    expect(Object.fromEntries(wanted)).toEqual(covered)
    expect(Object.fromEntries(givers().map(({ api, fields }) => [api.api, fields]))).toEqual(given)
  })

  test('buries no secret where the controller does not look for it, and shows no reference to one', () => {
    expect([...buriedSecrets(), ...shownReferences(), ...buriedReferences()]).toEqual([])
  })
})

describe('the search', () => {
  const canaries = new Canaries()
  const value = canaries.value('planted')
  const session = canaries.made('a session', newUuid())
  const utf16 = Buffer.from(`xx${value}`, 'utf16le')
  test.each<[string, Buffer | string]>([
    ['as it is', `password=${value};`],
    ['JSON', JSON.stringify({ deep: JSON.stringify({ password: value }) })],
    ['a URL', `?password=${encodeURIComponent(value)}`],
    ['base64', Buffer.from(`a${value}`).toString('base64')],
    ['base64 at another place', Buffer.from(`ab:${value}`).toString('base64')],
    ['base64url', Buffer.from(`\xff\xfe${value}`).toString('base64url')],
    ['hex', Buffer.from(value).toString('hex')],
    ['UTF-16', utf16],
    ['UTF-16 the other way', Buffer.from(utf16).swap16()],
    ['gzip', Buffer.concat([Buffer.from('head'), gzipSync(`a log line with ${value}`)])],
    ['gzip in gzip', gzipSync(gzipSync(value))],
    ['a session', `OAuth ${session}`],
    ['a session in base64', Buffer.from(`user:${session}`).toString('base64')],
  ])('finds a secret in %s', (_, text) => {
    expect(canaries.search([{ where: 'here', bytes: Buffer.from(text) }])).not.toEqual([])
  })

  test('finds nothing where there is nothing', () => {
    const bytes = Buffer.from(JSON.stringify({ password: { $secret: newUuid() }, name: 'c4n4ry', text: 'é'.repeat(5_000) }))
    expect(canaries.search([{ where: 'here', bytes }])).toEqual([])
  })
})

describe('a site through whose API many secrets went', () => {
  const canaries = new Canaries()
  const disk = fakeDisk()
  const logged: string[] = []
  const captured: string[] = []
  let site: SmallSite
  let attack: Attack
  /** secret files while a host and an image store were there, and when they were deleted */
  const stored: string[][] = []
  const secretFiles = () => disk.files().filter((file) => file.endsWith('.secret'))

  beforeAll(async () => {
    const adminPassword = canaries.value('of admin')
    const sftp = new FakeSftp()
    sftp.server('store.canary.test')
    site = await startSmallSite({
      sftp,
      disk,
      adminPassword,
      said: (facts, text) => logged.push(`${text} ${inspect(facts, { depth: 12 })}`),
    })
    site.broker.connect().subscribe('>', (message) => captured.push(inspect(message, { depth: 12, maxStringLength: null })))
    const viewer = await accountWithoutRights(site, adminPassword)
    attack = await Attack.begin({ url: site.url, canaries, session: site.client.session!, viewer })
    const ground: Ground = {
      attack,
      canaries,
      adminPassword,
      managementIp: MANAGEMENT_IP,
      folder: '/data/canaries',
      refused: '/etc',
      storageServer: 'store.canary.test',
    }
    await sessionJourneys(ground)
    await accountJourneys(ground)
    await enrolmentJourneys(ground)
    let clusterUuid = ''
    await resourceJourneys(ground, async ({ cluster }) => {
      stored.push(secretFiles())
      clusterUuid = cluster
    })
    await longJobJourneys(ground, { name: 'by and by', clusterUuid, managementIp: MANAGEMENT_IP, username: 'root' })
    await accessKeyJourneys(ground, site.url)
    // Those of failed jobs go a moment after the job has ended.
    await vi.waitUntil(() => secretFiles().length === 0, { timeout: 20_000 }).catch(() => undefined)
    stored.push(secretFiles())
    const { vm, backupStorage } = await withVm(site)
    await consoleJourneys(ground, vm)
    await uploadJourneys(ground, backupStorage)
    await site.settled()
  })
  afterAll(async () => {
    await attack?.end()
    await site?.stop()
  })

  const find = (haystacks: Haystack[]) => canaries.search(haystacks)
  const text = (where: string, lines: readonly string[]) =>
    lines.map((line, i) => ({ where: `${where} ${i}`, bytes: Buffer.from(line) }))

  test('answers none of them', () => {
    expect(attack.heard.length).toBeGreaterThan(200)
    expect(find(attack.heard)).toEqual([])
  })

  test('shows none in queries, jobs, metrics, documents and events', async () => {
    const { session } = site.client
    const shown = await Promise.all(
      [
        ...[
          '/v1/jobs',
          '/v1/hosts',
          '/v1/backup-storage',
          '/v1/accounts',
          '/v1/agents',
          '/v1/accesskeys',
          '/v1/longjobs',
          '/zstack/v1/hosts',
          '/metrics',
          '/openapi.json',
          '/asyncapi.json',
          '/v1/diff?from=0',
          '/v1/events?since=0&live=false',
        ],
        '/v1/audit/hosts',
      ].map(async (path) => {
        const response = await fetch(site.url + path, { headers: { Authorization: `OAuth ${session}` } })
        expect(response.status, path).toBe(200)
        return { where: path, bytes: Buffer.from(await response.text()) }
      }),
    )
    expect(shown[0]!.bytes.length).toBeGreaterThan(10_000)
    expect(find([...shown, await eventsSoFar(site)])).toEqual([])
  })

  test('says none on the bus', () => {
    expect(captured.some((message) => message.includes('skerry.v1.evt.host'))).toBe(true)
    expect(captured.some((message) => message.includes('.do.agent.'))).toBe(true)
    expect(find(text('NATS message', captured))).toEqual([])
  })

  test('logs none', () => {
    expect(logged.length).toBeGreaterThan(200)
    expect(find(text('log line', logged))).toEqual([])
  })

  test('has none in its graph, log, snapshots and secret store, nor on the disks of its agents', async () => {
    await site.store.snapshot()
    const graph = { where: 'the graph', bytes: Buffer.from(JSON.stringify(graphInventory(site.controller.state.graph))) }
    const files = disk.files().map((file) => ({ where: file, bytes: disk.content(file)! }))
    expect(files.some(({ where }) => where.includes('snapshot-'))).toBe(true)
    const theirs = [...site.machine.host.disk.files].map(([path, { data }]) => ({ where: path, bytes: Buffer.from(data) }))
    expect(theirs.some(({ where }) => where.includes('/receipts/'))).toBe(true)
    expect(find([graph, ...files, ...theirs])).toEqual([])
  })

  test('takes nothing for a session that its log holds', async () => {
    const keys = [...site.controller.state.graph.rows('session')].map(([key]) => key)
    expect(keys.length).toBeGreaterThan(0)
    for (const key of [...keys, site.client.session!]) {
      const { status } = await fetch(`${site.url}/v1/zones`, { headers: { Authorization: `OAuth ${key}` } })
      expect(status).toBe(key === site.client.session ? 200 : 401)
    }
  })

  test('kept two while host and image store were there, each once, and shredded each with its resource', () => {
    expect(stored.map((files) => files.length)).toEqual([2, 0])
  })
})

/** A session of an account that may look but not change; it has the password of admin. */
async function accountWithoutRights(site: SmallSite, password: string): Promise<string> {
  const { graph } = site.controller.state
  const admin = [...graph.rows('account')][0]![1]
  const uuid = newUuid()
  const row = { ...admin, uuid, name: 'viewer', type: 'Normal' } as Row
  await site.controller.state.commit({ ops: [{ o: 'put', t: 'account', k: uuid, v: row }] }, { actor: 'system' })
  const { sha512 } = await import('../harness/zstack-client.ts')
  const body = JSON.stringify({ logInByAccount: { accountName: 'viewer', password: sha512(password) } })
  const response = await fetch(`${site.url}/v1/accounts/login`, { method: 'PUT', body })
  return ((await response.json()) as { inventory: { uuid: string } }).inventory.uuid
}

async function withVm(site: SmallSite): Promise<{ vm: string; backupStorage: string }> {
  const { offering, image, l3, backupStorage } = await makeSmallWorld(site)
  const vm = await site.client.uuid('CreateVmInstance', {
    name: 'vm',
    instanceOfferingUuid: offering,
    imageUuid: image,
    l3NetworkUuids: [l3],
  })
  return { vm, backupStorage }
}

/** Every event since the site began, as `/v1/events` serves them. */
async function eventsSoFar(site: SmallSite): Promise<Haystack> {
  const headers = { Authorization: `OAuth ${site.client.session}`, 'Last-Event-ID': '1.0' }
  const leave = new AbortController()
  const response = await fetch(`${site.url}/v1/events`, { headers, signal: leave.signal })
  const reader = response.body!.getReader()
  let seen = ''
  // The last thing that was made.
  while (!seen.includes('skerry.v1.evt.vmInstance')) {
    const { done, value } = await reader.read()
    if (done) break
    seen += Buffer.from(value).toString()
  }
  leave.abort()
  expect(seen).toContain('skerry.v1.evt.host')
  return { where: '/v1/events', bytes: Buffer.from(seen) }
}
