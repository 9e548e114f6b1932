/** ZStack's deletions by cascade with real agents: what goes is gone on the hosts too, and what stays has its room again. */
import type { Row } from '@skerry/contract'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { type SmallSite, startSmallSite } from '../harness/small-site.ts'
import { makeSmallWorld, type SmallWorld } from '../harness/small-world.ts'

let site: SmallSite
let world: SmallWorld
let vm: string

beforeEach(async () => {
  site = await startSmallSite()
  world = await makeSmallWorld(site)
  vm = await makeVm('hello')
})
afterEach(async () => {
  await site.stop()
  expect(site.errors).toEqual([])
})

const makeVm = (name: string) =>
  site.client.uuid('CreateVmInstance', {
    ...{ name, instanceOfferingUuid: world.offering, imageUuid: world.image, l3NetworkUuids: [world.l3], userTags: ['t'] },
  })
const auth = () => ({ Authorization: `Bearer ${site.client.session}` })
const differences = async () =>
  ((await (await fetch(`${site.url}/v1/audit/hosts`, { headers: auth() })).json()) as Row)['differences']
const domains = () => site.machine.libvirt.inventory().length
/** Files of volumes, of cached images and of pools themselves. */
const primaryFiles = () => [...site.machine.host.disk.files.keys()].filter((path) => path.startsWith('/data/primary'))
const found = async (api: string, uuid: string) => (await site.client.call(api, { uuid }))['inventories'] as Row[]
const rows = (table: string) => site.controller.state.graph.count(table)

async function clean(): Promise<void> {
  await site.settled()
  expect(site.contradictions()).toEqual([])
  expect(await differences()).toEqual([])
}

describe('deleting', () => {
  test('a zone destroys its guests and leaves its hosts clean', async () => {
    const second = await makeVm('second')
    await site.client.call('StopVmInstance', { uuid: second })
    expect(domains()).toBe(2)
    await site.client.call('DeleteZone', { uuid: world.zone })
    await clean()
    expect([domains(), primaryFiles()]).toEqual([0, []])
    for (const table of ['zone', 'cluster', 'host', 'vmInstance', 'volume', 'vmNic', 'usedIp', 'l2Network', 'l3Network'])
      expect(rows(table), table).toBe(0)
    expect(rows('tag')).toBe(0)
    expect(await found('QueryImage', world.image)).toHaveLength(1)
  })

  test('a host destroys the guests whose disks it has, and the same host can be added again', async () => {
    await site.client.call('DeleteHost', { uuid: world.host })
    await clean()
    expect([domains(), primaryFiles(), rows('vmInstance')]).toEqual([0, [], 0])
    const access = { managementIp: '192.0.2.10', username: 'root', password: 'unused' }
    await site.client.uuid('AddKVMHost', { name: 'again', clusterUuid: world.cluster, ...access })
    vm = await makeVm('again')
    expect(await found('QueryVmInstance', vm)).toMatchObject([{ state: 'Running' }])
    await clean()
  })

  test('a network stops its guests and takes their cards; they start again without', async () => {
    await site.client.call('DeleteL2Network', { uuid: world.l2 })
    expect(await found('QueryVmInstance', vm)).toMatchObject([{ state: 'Stopped', vmNics: [] }])
    await clean()
    await site.client.call('StartVmInstance', { uuid: vm })
    expect(await found('QueryVmInstance', vm)).toMatchObject([{ state: 'Running', vmNics: [] }])
    await clean()
  })

  test('a primary storage destroys the guests on it, and their host has its capacity again', async () => {
    await site.client.call('DeletePrimaryStorage', { uuid: world.primaryStorage })
    await clean()
    const [host] = await found('QueryHost', world.host)
    expect(host!['availableCpuCapacity']).toBe(host!['totalCpuCapacity'])
    expect([domains(), primaryFiles(), rows('vmInstance')]).toEqual([0, [], 0])
  })
})
