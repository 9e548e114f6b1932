/** What ZStack's Java and Go SDKs ask beside the resources, as they send it. */
import type { Row } from '@skerry/contract'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { type SmallSite, startSmallSite } from '../harness/small-site.ts'
import { makeSmallWorld, type SmallWorld } from '../harness/small-world.ts'
import { newUuid, ZStackClient } from '../harness/zstack-client.ts'

let site: SmallSite
let world: SmallWorld

beforeAll(async () => {
  site = await startSmallSite()
  world = await makeSmallWorld(site)
})
afterAll(async () => {
  await site.stop()
  expect(site.errors).toEqual([])
})

async function get(path: string): Promise<Row> {
  const { status, body, text } = await site.client.send({ method: 'GET', path })
  expect(status, text).toBe(200)
  return body!
}

test.each<[string, Row]>([
  ['/volumes/formats', { formats: [{ format: 'qcow2', masterHypervisorType: 'KVM' }, { format: 'raw' }] }],
  ['/hosts/hypervisor-types', { hypervisorTypes: ['KVM'] }],
  ['/primary-storage/types', { types: ['LocalStorage'] }],
  ['/backup-storage/types', { types: ['ImageStoreBackupStorage', 'SftpBackupStorage'] }],
  ['/l2-networks/types', { types: ['L2NoVlanNetwork', 'L2VlanNetwork', 'VxlanNetwork', 'VxlanNetworkPool'] }],
  ['/l3-networks/types', { types: ['L3BasicNetwork'] }],
])('%s is a question, and no resource of that uuid', async (path, expected) => {
  const body = await get(path)
  expect(body).toMatchObject(expected)
  expect(body).not.toHaveProperty('inventories')
})

test('addresses are counted for ranges, networks and zones, and all of them', async () => {
  const counts = (body: Row) => [
    body['totalCapacity'],
    body['availableCapacity'],
    body['usedIpAddressNumber'],
    body['resourceType'],
  ]
  const { l3, range, zone } = world
  const before = await get(`/ip-capacity?ipRangeUuids=${range}`)
  const [total, free, used] = counts(before) as number[]
  expect(total).toBe(free! + used!)
  expect(before['capacityData']).toMatchObject([{ resourceUuid: range, totalCapacity: total }])
  const params = { name: 'n', imageUuid: world.image, instanceOfferingUuid: world.offering, l3NetworkUuids: [l3] }
  const vm = await site.client.uuid('CreateVmInstance', params)
  expect(counts(await get(`/ip-capacity?l3NetworkUuids=${l3}`))).toEqual([total, free! - 1, used! + 1, 'L3NetworkVO'])
  expect(counts(await get(`/ip-capacity?zoneUuids=${zone}`))).toEqual([total, free! - 1, used! + 1, 'ZoneVO'])
  expect(counts(await get('/ip-capacity?all=true'))).toEqual([total, free! - 1, used! + 1, 'L3NetworkVO'])
  await site.client.call('DestroyVmInstance', { uuid: vm })
  const unknown = await site.client.send({ method: 'GET', path: `/ip-capacity?ipRangeUuids=${newUuid()}` })
  expect([unknown.status, unknown.body]).toMatchObject([503, { error: { code: 'SYS.1003' } }])
})

test('free addresses are told at the path of the network too', async () => {
  const { inventories } = await get(`/l3-networks/${world.l3}/ip/free?limit=2`)
  expect(inventories).toMatchObject([{ ipRangeUuid: world.range }, {}])
  expect(inventories).toEqual((await get(`/l3-networks/ip/free?l3NetworkUuid=${world.l3}&limit=2`))['inventories'])
})

test('lists that the Java SDK does not declare the elements of have their classes beside them', async () => {
  const asked = async (path: string) => {
    const headers = { ...site.client.headers(newUuid()), 'X-JSON-Schema': 'true' }
    return (await site.client.send({ method: 'GET', path }, headers)).body!['schema'] as Row
  }
  expect(await asked(`/l3-networks/${world.l3}/ip/free?limit=2`)).toEqual({
    'inventories[0]': 'org.zstack.header.network.l3.FreeIpInventory',
    'inventories[1]': 'org.zstack.header.network.l3.FreeIpInventory',
  })
  expect(await asked(`/images/${world.image}`)).toMatchObject({
    'inventories[0].backupStorageRefs[0]': 'org.zstack.header.image.ImageBackupStorageRefInventory',
  })
})

test('a range by CIDR is answered in a list too', async () => {
  const network = await site.client.uuid('CreateL3Network', { name: 'by-cidr', l2NetworkUuid: world.l2 })
  const params = { name: 'r', l3NetworkUuid: network, networkCidr: '10.3.0.0/24' }
  const { inventory, inventories } = await site.client.call('AddIpRangeByNetworkCidr', params)
  expect(inventory).toMatchObject({ startIp: '10.3.0.2', endIp: '10.3.0.254' })
  expect(inventories).toEqual([inventory])
})

test('an image store is renamed and looked at again at its own path, and stays on its host', async () => {
  const uuid = world.backupStorage
  const change = async (params: Row) =>
    (await site.client.call('UpdateImageStoreBackupStorage', { uuid, ...params }))['inventory'] as Row
  const { hostname, name } = await change({ username: 'other', sshPort: 2222 })
  expect(await change({ hostname: hostname as string, description: 'seen' })).toMatchObject({
    ...{ name, hostname, description: 'seen', username: 'other', sshPort: 2222 },
  })
  const { last } = await site.client.exchange('UpdateImageStoreBackupStorage', { uuid, hostname: '127.9.9.9' })
  expect(last.text).toContain(`lie on ${hostname}`)
  const { inventory } = await site.client.call('ReconnectImageStoreBackupStorage', { uuid })
  expect(inventory).toMatchObject({ uuid, hostname, status: 'Connected' })
  expect((await get(`/backup-storage/image-store/${uuid}`))['inventories']).toEqual([inventory])
})

test('what an image lists can be asked for', async () => {
  const found = async (q: string) => (await get(`/images?q=${encodeURIComponent(q)}`))['inventories'] as Row[]
  expect(await found(`backupStorageRefs.backupStorageUuid=${world.backupStorage}`)).toMatchObject([{ uuid: world.image }])
  expect(await found('backupStorageRefs.status?=Ready,Deleted')).toHaveLength(1)
  expect(await found(`backupStorageRefs.backupStorageUuid=${newUuid()}`)).toEqual([])
  const wrong = await site.client.send({ method: 'GET', path: '/images?q=backupStorageRefs.colour=red' })
  expect([wrong.status, wrong.body]).toMatchObject([503, { error: { code: 'SYS.1007' } }])
})

test('null is an empty body: what the Go SDK sends where an attachment has no parameters', async () => {
  const { l2, cluster } = world
  const path = `/volumes/${newUuid()}/vm-instances/${newUuid()}`
  expect((await site.client.send({ method: 'POST', path, body: 'null' })).status).toBe(202)
  await site.client.call('DetachL2NetworkFromCluster', { l2NetworkUuid: l2, clusterUuid: cluster }).catch(() => undefined)
  const job = newUuid()
  const sent = { method: 'POST', path: `/l2-networks/${l2}/clusters/${cluster}`, body: 'null' }
  expect((await site.client.send(sent, site.client.headers(job))).status).toBe(202)
  await site.client.poll(job)
  expect((await site.client.send({ ...sent, body: '[]' })).status).toBe(400)
})

test('the clock is told without a session', async () => {
  const anonymous = new ZStackClient(site.client.base.replace('/zstack/v1', ''))
  const sent = { method: 'PUT', path: '/management-nodes/actions', body: '{"getCurrentTime":{}}' }
  const { status, body } = await anonymous.send(sent)
  expect(status).toBe(200)
  const { MillionSeconds, Seconds } = (body as { currentTime: Record<string, number> }).currentTime
  expect(Math.floor(MillionSeconds! / 1_000)).toBe(Seconds)
})

test('a session is renewed by who logged in to it, from now on, and no other', async () => {
  const own = new ZStackClient(site.client.base.replace('/zstack/v1', ''))
  const { uuid, expiredDate } = await own.login()
  const renew = (session: unknown, duration?: number) =>
    own.send({
      method: 'PUT',
      path: `/accounts/sessions/${session}/renew`,
      body: JSON.stringify({ renewSession: duration === undefined ? {} : { duration } }),
    })
  const longer = await renew(uuid, 86_400)
  const renewed = { inventory: { uuid }, schema: { inventory: expect.stringMatching(/SessionInventory$/) } }
  expect([longer.status, longer.body]).toMatchObject([200, renewed])
  const until = (answer: Row) => Date.parse(`${(answer['inventory'] as Row)['expiredDate']} UTC`)
  expect(until(longer.body!) - Date.parse(`${expiredDate} UTC`)).toBeGreaterThan(20 * 3_600_000)
  const shorter = await renew(uuid, 60)
  expect(until(shorter.body!)).toBeLessThan(Date.parse(`${expiredDate} UTC`))
  expect((await own.send({ method: 'GET', path: '/zones' })).status).toBe(200)
  for (const [session, duration, code] of [
    [newUuid(), undefined, 'ID.1001'],
    ['never', undefined, 'ID.1001'],
    [uuid, 59, 'SYS.1007'],
  ] as const) {
    const refused = await renew(session, duration)
    expect([refused.status, (refused.body as { error: Row }).error['code']]).toEqual([503, code])
  }
  await own.send({ method: 'DELETE', path: `/accounts/sessions/${uuid}` })
  expect((await renew(uuid)).status).toBe(503)
})
