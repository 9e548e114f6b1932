/** Settings over HTTP on a whole site, and what they do to what is deleted. */
import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { json } from 'node:stream/consumers'
import type { Row } from '@skerry/contract'
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest'
import { type SmallSite, startSmallSite } from '../harness/small-site.ts'
import { makeSmallWorld, type SmallWorld } from '../harness/small-world.ts'

let s: SmallSite
let w: SmallWorld
beforeAll(async () => {
  s = await startSmallSite()
  w = await makeSmallWorld(s)
})
afterAll(() => s.stop())

const ratio = { category: 'host', name: 'cpu.overProvisioning.ratio' }
const call = (api: string, params: Row = {}) => s.client.call(api, params)
const set = (category: string, name: string, value?: string) =>
  call('UpdateGlobalConfig', { category, name, ...(value === undefined ? {} : { value }) })
const give = (resourceUuid: string, value: string) => call('UpdateResourceConfig', { ...ratio, resourceUuid, value })
const ratioOf = (resourceUuid: string) => call('GetResourceConfig', { ...ratio, resourceUuid })
const graph = () => s.controller.state.graph

describe('settings of the site', () => {
  it('are listed with their defaults, found by category, and say which values they take', async () => {
    const { body } = await s.client.send({ method: 'GET', path: '/global-configurations?q=category=vm&q=name=expungePeriod' })
    const [only, ...others] = (body?.['inventories'] ?? []) as Row[]
    expect(only).toMatchObject({ value: '604800', defaultValue: '604800', id: expect.any(Number) })
    expect(others).toEqual([])
    const options = await call('GetGlobalConfigOptions', { category: 'vm', name: 'deletionPolicy' })
    expect(options).toMatchObject({ options: { validValue: ['Direct', 'Delay', 'Never'] } })
    expect(await call('GetGlobalConfigOptions', ratio)).toMatchObject({
      options: { numberGreaterThanOrEqual: 1, numberLessThanOrEqual: 1000 },
    })
  })

  it('change, get their default again alone or all at once, and refuse what makes no sense', async () => {
    expect(await set('vm', 'expungeInterval', '60')).toMatchObject({ inventory: { value: '60', name: 'expungeInterval' } })
    await set('image', 'expungeInterval', '61')
    const before = s.state()
    await expect(set('vm', 'expungeInterval', '0')).rejects.toThrow(/must be from 1/)
    await expect(set('vm', 'noSuch', '1')).rejects.toThrow(/no configuration/)
    expect(s.state()).toBe(before)
    expect(await set('vm', 'expungeInterval')).toMatchObject({ inventory: { value: '3600' } })
    await call('ResetGlobalConfig')
    expect([...graph().rows('globalConfig')].filter(([, row]) => row['value'] !== row['defaultValue'])).toEqual([])
  })

  it('decide how long a session lasts', async () => {
    await set('identity', 'session.timeout', '600')
    const { createDate, expiredDate } = await s.client.login()
    expect(Date.parse(String(expiredDate)) - Date.parse(String(createDate))).toBe(600_000)
    await set('identity', 'session.timeout')
  })
})

describe('settings of a resource', () => {
  it('win over those of what it is in, say where they come from, and can be taken away', async () => {
    await give(w.zone, '3')
    expect(await ratioOf(w.host)).toMatchObject({ value: '3' })
    expect(await give(w.host, '2')).toMatchObject({ inventory: { resourceType: 'HostVO', resourceUuid: w.host, value: '2' } })
    const both = (await ratioOf(w.host)) as { value: string; effectiveConfigs: Row[] }
    expect(both.value).toBe('2')
    expect(both.effectiveConfigs.map((c) => [c['resourceType'], c['value']])).toEqual([
      ['HostVO', '2'],
      ['ZoneVO', '3'],
      [undefined, '10'],
    ])
    await call('DeleteResourceConfig', { ...ratio, resourceUuid: w.host })
    expect(await ratioOf(w.host)).toMatchObject({ value: '3' })
  })

  it('change together or not at all', async () => {
    const many = (second: string) =>
      call('UpdateResourceConfigs', {
        resourceUuid: w.cluster,
        resourceConfigs: [
          { ...ratio, value: '7' },
          { category: 'kvm', name: 'reservedMemory', value: second },
        ],
      })
    const before = s.state()
    await expect(many('lots')).rejects.toThrow(/resourceConfigs.1.value/)
    expect(s.state()).toBe(before)
    expect(((await many('2G'))['inventories'] as Row[]).map((c) => c['value'])).toEqual(['7', '2G'])
  })

  it('are only for resources of the right kind', async () => {
    const before = s.state()
    await expect(give(w.image, '2')).rejects.toThrow(/only such a resource/)
    const ofSite = { category: 'vm', name: 'expungePeriod', resourceUuid: w.host, value: '5' }
    await expect(call('UpdateResourceConfig', ofSite)).rejects.toThrow(/whole site/)
    expect(s.state()).toBe(before)
  })
})

describe('deletion', () => {
  const vm = (name: string) =>
    s.client.uuid('CreateVmInstance', { name, instanceOfferingUuid: w.offering, imageUuid: w.image, l3NetworkUuids: [w.l3] })

  it('can be taken back where the policy is Delay, and is for good where it is Direct', async () => {
    const later = await vm('later')
    await call('DestroyVmInstance', { uuid: later })
    await set('vm', 'deletionPolicy', 'Direct')
    const atOnce = await vm('at-once')
    await call('DestroyVmInstance', { uuid: atOnce })
    await s.settled()
    expect(graph().get('vmInstance', atOnce)).toBeUndefined()
    expect(graph().get('vmInstance', later)).toMatchObject({ state: 'Destroyed', deletionPolicy: 'Delay' })
    expect(s.errors).toEqual([])
  })
})

describe('deletion of an image', () => {
  it('keeps the policy of its moment', async () => {
    await set('image', 'deletionPolicy', 'Never')
    await call('DeleteImage', { uuid: w.image })
    await set('image', 'deletionPolicy')
    expect(graph().get('image', w.image)).toMatchObject({ status: 'Deleted', deletionPolicy: 'Never' })
    await call('RecoverImage', { imageUuid: w.image })
    expect(graph().get('image', w.image)).toMatchObject({ status: 'Ready' })
  })
})

describe('a web hook', () => {
  it('is called with the events that it asks for, until it is deleted', async () => {
    const heard: Row[] = []
    const server = createServer(async (request, response) => {
      heard.push({ id: request.headers['x-event-id'], ...((await json(request)) as Row) })
      response.end()
    })
    await once(server.listen(0, '127.0.0.1'), 'listening')
    const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/events`
    const uuid = await s.client.uuid('CreateWebhook', { name: 'us', url, type: 'CanonicalEvent', opaque: 'zone.*.created' })
    const zone = await s.client.uuid('CreateZone', { name: 'heard of' })
    await call('UpdateZone', { uuid: zone, description: 'not heard of' })
    await vi.waitFor(() => expect(heard).toHaveLength(1), { timeout: 20_000, interval: 20 })
    expect(heard[0]).toMatchObject({ id: expect.stringMatching(/^\d+\.\d+$/), noun: 'zone', uuid: zone, event: 'created' })
    await call('DeleteZone', { uuid: zone })
    await call('DeleteWebhook', { uuid })
    server.close()
    await expect(call('CreateWebhook', { name: 'no', url: 'http://169.254.169.254/', type: 'CanonicalEvent' })).rejects.toThrow(
      /link-local/,
    )
  })
})

describe('what ZStack asks of a management node', () => {
  it('is told: APIs, architecture, time zone, names of resources', async () => {
    const { supportApis } = (await call('GetSupportAPIs')) as { supportApis: string[] }
    expect(supportApis).toContain('APIUpdateGlobalConfigMsg')
    expect(supportApis).not.toContain('APIMigrateVmMsg')
    expect(await call('GetManagementNodeArch')).toMatchObject({ architecture: expect.stringMatching(/^(x86_64|aarch64)$/) })
    expect(await call('GetPlatformTimeZone')).toMatchObject({
      timezone: expect.any(String),
      offset: expect.stringMatching(/^[+-]\d\d:\d\d$/),
    })
    const uuids = [w.zone, w.image, 'f'.repeat(32)]
    expect((await call('GetResourceNames', { uuids }))['inventories']).toEqual([
      { uuid: w.zone, resourceName: 'zone', resourceType: 'ZoneVO' },
      { uuid: w.image, resourceName: 'tiny', resourceType: 'ImageVO' },
    ])
  })

  it('is told: one zone, and what backup storage holds, in all or in a zone', async () => {
    expect(await call('GetZone', { uuid: w.zone })).toMatchObject({ inventories: [{ uuid: w.zone, name: 'zone' }] })
    await expect(call('GetZone', { uuid: w.image })).rejects.toThrow(/SYS.1003/)
    const all = (await call('GetBackupStorageCapacity', { all: true })) as { totalCapacity: number; availableCapacity: number }
    expect(all.totalCapacity).toBeGreaterThan(all.availableCapacity)
    expect(await call('GetBackupStorageCapacity', { zoneUuids: [w.zone] })).toEqual(all)
    const elsewhere = await call('GetBackupStorageCapacity', { zoneUuids: ['f'.repeat(32)] }).catch((e: Error) => e.message)
    expect(elsewhere).not.toEqual(all)
  })

  it('shows what runs and what waits behind it', async () => {
    const uuid = await s.client.uuid('CreateVmInstance', {
      ...{ name: 'busy', instanceOfferingUuid: w.offering, imageUuid: w.image, l3NetworkUuids: [w.l3] },
    })
    const reboots = Array.from({ length: 8 }, () => s.client.exchange('RebootVmInstance', { uuid }))
    const names = (tasks: Row[]) => new Set(tasks.map((task) => task['name']))
    const seen = async () => {
      const { results } = await call('GetVmTask', { vmInstanceUuids: [uuid] })
      const { runningTask, pendingTask } = (results as Record<string, Record<string, Row[]>>)[uuid]!
      expect([names(runningTask!), names(pendingTask!)]).toEqual([new Set(['RebootVmInstance']), new Set(['RebootVmInstance'])])
      expect((await call('GetChainTask'))['results']).toHaveProperty(uuid)
    }
    await vi.waitFor(seen, { interval: 1 })
    await Promise.all(reboots)
    expect((await call('GetVmTask', { vmInstanceUuids: [uuid] }))['results']).toEqual({
      [uuid]: { runningTask: [], pendingTask: [] },
    })
  })
})
