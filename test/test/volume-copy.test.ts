/** Data volumes of snapshots through the API, on a site in memory: copies that stand alone, and what is left of those that fail. */
import type { Row } from '@skerry/contract'
import { fakeBlocks } from '@skerry/host'
import { parseDomain } from '@skerry/libvirt'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { hurried } from '../harness/hurried.ts'
import { type SmallSite, startSmallSite } from '../harness/small-site.ts'
import { makeSmallWorld, type SmallWorld } from '../harness/small-world.ts'

const GIB = 1024 ** 3
let site: SmallSite
let world: SmallWorld
beforeAll(async () => {
  site = await startSmallSite()
  world = await makeSmallWorld(site)
})
afterAll(async () => {
  await site?.stop()
  expect(site.errors).toEqual([])
})

const graph = () => site.controller.state.graph
const makeVm = () =>
  site.client.uuid('CreateVmInstance', {
    ...{ name: 'vm', instanceOfferingUuid: world.offering, imageUuid: world.image, l3NetworkUuids: [world.l3] },
  })
const make = () => site.client.uuid('CreateDataVolume', { name: 'data', diskSize: GIB, primaryStorageUuid: world.primaryStorage })
const rootOf = (vm: string) => graph().get('vmInstance', vm)!['rootVolumeUuid'] as string
const volume = (uuid: string) => graph().get('volume', uuid)!
const room = () => graph().get('primaryStorage', world.primaryStorage)!['availableCapacity'] as number
const take = (volumeUuid: string, name: string) => site.client.uuid('CreateVolumeSnapshot', { volumeUuid, name })
const remove = (uuid: string) => site.client.call('DeleteVolumeSnapshot', { uuid })
const present = (uuid: string) => volume(uuid)['installPath'] as string
const below = (file: string) => fakeBlocks(site.machine.host.disk).below(file)
const files = (uuid: string) => [...site.machine.host.disk.files.keys()].filter((file) => file.includes(`/volumes/${uuid}`))
function disks(vm: string): string[] {
  const domain = site.machine.libvirt.inventory().find((d) => d.uuid === vm)!
  return parseDomain(domain.xml).disks.flatMap(({ readonly, file }) => (readonly || file === null ? [] : [file]))
}
async function clean(): Promise<void> {
  await site.settled()
  await expect.poll(() => site.contradictions(), { timeout: 10_000 }).toEqual([])
  const audit = await hurried(site.url, 30)
  await expect.poll(async () => (await audit.auditHosts()).differences, { timeout: 10_000 }).toEqual([])
}
async function refused(api: string, params: Row) {
  const before = site.state()
  const { last } = await site.client.exchange(api, params)
  expect(site.state()).toBe(before)
  return (JSON.parse(last.text) as { error: { code: string; details: string } }).error
}

it('is made of a snapshot of a running VM, stands alone, and outlives it', async () => {
  const vm = await makeVm()
  const root = rootOf(vm)
  const a = await take(root, 'a')
  const free = room()
  const params = { name: 'copy', volumeSnapshotUuid: a }
  const copy = await site.client.uuid('CreateDataVolumeFromVolumeSnapshot', {
    ...params,
    primaryStorageUuid: world.primaryStorage,
  })
  const size = volume(root)['size'] as number
  expect(volume(copy)).toMatchObject({ type: 'Data', status: 'Ready', size, actualSize: expect.any(Number), copyOf: null })
  expect([below(present(copy)), volume(root)['filesJob'], room()]).toEqual([null, null, free - size])
  await clean()
  await remove(a)
  await site.client.call('AttachDataVolumeToVm', { volumeUuid: copy, vmInstanceUuid: vm })
  expect(disks(vm)).toEqual([present(root), present(copy)])
  await clean()
  const gone = await refused('CreateDataVolumeFromVolumeSnapshot', params)
  expect([gone.code, gone.details]).toEqual(['SYS.1003', expect.stringContaining(a)])
})

it('is not made of a snapshot elsewhere, nor half', async () => {
  const data = await make()
  const a = await take(data, 'a')
  const before = [room(), volume(data)]
  const params = { name: 'copy', volumeSnapshotUuid: a }
  const elsewhere = await refused('CreateDataVolumeFromVolumeSnapshot', { ...params, primaryStorageUuid: 'f'.repeat(32) })
  expect([elsewhere.code, elsewhere.details]).toEqual(['SYS.1007', expect.stringContaining('storage of the snapshot')])
  site.machine.host.faults.failNext('qemuImg.convert')
  const { last } = await site.client.exchange('CreateDataVolumeFromVolumeSnapshot', { ...params, resourceUuid: 'c'.repeat(32) })
  expect(last.body?.['error']).toBeTruthy()
  await clean()
  expect([[room(), volume(data)], files('c'.repeat(32)), graph().get('volume', 'c'.repeat(32))]).toEqual([before, [], undefined])
})
