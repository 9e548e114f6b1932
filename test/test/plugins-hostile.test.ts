/** Five plugins that throw, hang, flood, leak and lie, each in a process of its own, beside what a site does every day. */
import { fileURLToPath } from 'node:url'
import type { Row } from '@skerry/contract'
import { findPlugins } from '@skerry/plugin'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { hurried } from '../harness/hurried.ts'
import { type SmallSite, startSmallSite } from '../harness/small-site.ts'
import { makeSmallWorld, type SmallWorld } from '../harness/small-world.ts'

const hostile = fileURLToPath(new URL('../plugins/hostile', import.meta.url))
const NAMES = ['floods', 'hangs', 'leaks', 'lies', 'throws']
let site: SmallSite
let world: SmallWorld
beforeAll(async () => {
  site = await startSmallSite({ plugins: await findPlugins(hostile) })
  world = await makeSmallWorld(site)
})
afterAll(() => site?.stop())

const plugins = (): Record<string, Row> =>
  Object.fromEntries([...site.controller.state.graph.rows('plugin')].map(([, row]) => [row['name'] as string, row]))
const makeVm = (name: string) =>
  site.client.uuid('CreateVmInstance', {
    ...{ name, instanceOfferingUuid: world.offering, imageUuid: world.image, l3NetworkUuids: [world.l3] },
  })

it('are all loaded', () => {
  expect(Object.keys(plugins()).sort()).toEqual(NAMES)
  expect(Object.values(plugins()).map(({ status }) => status)).toEqual(NAMES.map(() => 'Ready'))
})

it('stop no VM, no volume, no tag and no query, and show as degraded with the cause', async () => {
  const first = makeVm('first')
  // While four of them are at it, everybody else is served.
  const query = await site.client.call('QueryZone', {})
  expect((query['inventories'] as Row[]).map(({ name }) => name)).toEqual(['zone'])
  await site.client.uuid('CreateDataVolume', { name: 'data', diskOfferingUuid: world.diskOffering })
  const vm = await first
  for (const api of ['StopVmInstance', 'StartVmInstance', 'RebootVmInstance']) await site.client.call(api, { uuid: vm })
  // The strategies of the plugins fail nobody who doesn't name them.
  await makeVm('second')
  await site.client.call('UpdateZone', { uuid: world.zone, description: 'goes on' })
  const shown = plugins()
  for (const name of NAMES) expect(shown[name], name).toMatchObject({ status: 'Degraded', cause: expect.any(String) })
  expect(shown['hangs']!['cause']).toBe('it gave no answer within 500 ms')
  expect(shown['floods']!['cause']).toBe('it said more than 50 lines unasked')
  expect(shown['leaks']!['cause']).toMatch(/^it held \d+ MiB of memory/)
  expect(shown['lies']!['cause']).toContain('gave more than 65536 characters')
  await site.settled()
  const client = await hurried(site.url, 30)
  expect((await client.auditHosts()).differences).toEqual([])
  expect((await client.conditions({})).conditions.filter(({ code }) => code === 'plugin-degraded')).toHaveLength(NAMES.length)
  expect(site.contradictions()).toEqual([])
  // What was reported is theirs, and nothing else's.
  expect(site.errors.filter(({ facts }) => !NAMES.includes(facts['plugin'] as string))).toEqual([])
})

it('fail what names them, and are switched off while the site runs', async () => {
  const tag = { resourceType: 'ZoneVO', resourceUuid: world.zone, tag: 'throws::x' }
  const { last } = await site.client.exchange('CreateSystemTag', tag)
  expect(last.text).toContain('plugin throws failed')
  const client = await hurried(site.url, 30)
  for (const { uuid } of Object.values(plugins()))
    await client.call('ChangePluginState', { uuid: uuid as string, stateEvent: 'disable' }, { wait: true })
  const began = site.errors.length
  const vm = await makeVm('third')
  await site.client.call('DestroyVmInstance', { uuid: vm })
  expect(site.errors.slice(began)).toEqual([])
  expect((await client.conditions({})).conditions.filter(({ code }) => code === 'plugin-degraded')).toEqual([])
})
