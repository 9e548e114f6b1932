/** ISO images on a site in memory: into CD drives of running and stopped VMs and out of them, and VMs that are made from one. */
import type { Row } from '@skerry/contract'
import { parseDomain } from '@skerry/libvirt'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { hurried } from '../harness/hurried.ts'
import { type SmallSite, startSmallSite } from '../harness/small-site.ts'
import { ISO_FILE, makeSmallWorld, putUserIso, type SmallWorld } from '../harness/small-world.ts'

const GIB = 1024 ** 3
let site: SmallSite
let world: SmallWorld
let iso: string
beforeAll(async () => {
  site = await startSmallSite()
  world = await makeSmallWorld(site)
  iso = await addIso()
})
afterAll(async () => {
  await site?.stop()
  expect(site.errors).toEqual([])
})

async function addIso(name = 'installer', text?: string): Promise<string> {
  putUserIso(site, ISO_FILE, text)
  return site.client.uuid('AddImage', {
    name,
    url: `file://${ISO_FILE}`,
    mediaType: 'ISO',
    backupStorageUuids: [world.backupStorage],
    format: 'iso',
  })
}
const vmParams = () => ({ name: 'vm', instanceOfferingUuid: world.offering, imageUuid: world.image, l3NetworkUuids: [world.l3] })
const makeVm = (more: Row = {}) => site.client.uuid('CreateVmInstance', { ...vmParams(), ...more })
const attach = (vm: string, isoUuid = iso) => site.client.call('AttachIsoToVmInstance', { vmInstanceUuid: vm, isoUuid })
const detach = (vm: string) => site.client.call('DetachIsoFromVmInstance', { vmInstanceUuid: vm })
const refused = async (api: string, params: Row) => (await site.client.exchange(api, params)).last.text
const domain = (vm: string) => site.machine.libvirt.inventory().find((d) => d.uuid === vm)!
/** What the running guest has in its drive, and what its next start finds there. */
const inside = async (vm: string, inactive = false) => {
  const xml = await site.machine.libvirt.call('domainXml', { uuid: vm, inactive }, { timeoutMs: 1_000 })
  return parseDomain(xml).disks.find((disk) => disk.device === 'cdrom')?.file
}
const copies = () =>
  [...site.machine.host.disk.files.keys()].filter((path) => path.startsWith('/data/primary/cache/') && path.endsWith('.iso'))
async function clean(): Promise<void> {
  await site.settled()
  expect(site.contradictions()).toEqual([])
  expect((await (await hurried(site.url, 30)).auditHosts()).differences).toEqual([])
}
async function gone(vm: string): Promise<void> {
  await site.client.call('DestroyVmInstance', { uuid: vm })
  await site.client.call('ExpungeVmInstance', { uuid: vm })
}

describe('an ISO', () => {
  it('comes into the drive of a running guest and leaves it without a start, and its copy goes with the last drive', async () => {
    const [first, second] = [await makeVm(), await makeVm({ strategy: 'CreateStopped' })]
    expect([await inside(first), copies()]).toEqual([null, []])
    const starts = () => site.machine.libvirt.calls.filter((c) => c.op === 'domainCreate' || c.op === 'domainDestroy').length
    const before = starts()
    const { inventory } = (await attach(first)) as { inventory: Row }
    const [drive] = inventory['vmCdRoms'] as Row[]
    expect(drive).toMatchObject({ isoUuid: iso, deviceId: 0, vmInstanceUuid: first, isoInstallPath: copies()[0] })
    expect([await inside(first), await inside(first, true), starts()]).toEqual([copies()[0], copies()[0], before])
    await attach(second)
    expect([await inside(second), copies().length]).toEqual([copies()[0], 1])
    await clean()

    expect(await refused('AttachIsoToVmInstance', { vmInstanceUuid: first, isoUuid: iso })).toContain('already')
    await detach(first)
    expect([await inside(first), copies().length, starts()]).toEqual([null, 1, before])
    await detach(first)
    const { inventories } = (await site.client.call('QueryVmCdRom', { q: [`vmInstanceUuid=${first}`] })) as { inventories: Row[] }
    expect(inventories).toHaveLength(1)
    expect(inventories[0]!['isoUuid']).toBeUndefined()
    await clean()
    await gone(second)
    await clean()
    expect(copies()).toEqual([])
    await gone(first)
    await clean()
  })

  it('stays in the drive when its image is deleted and expunged, over a start, until it is taken out', async () => {
    const other = await addIso('other')
    const vm = await makeVm()
    await attach(vm, other)
    await site.client.call('DeleteImage', { uuid: other })
    await site.client.call('ExpungeImage', { imageUuid: other })
    await site.client.call('StopVmInstance', { uuid: vm, type: 'cold' })
    await site.client.call('StartVmInstance', { uuid: vm })
    expect(await inside(vm)).toBe(copies()[0])
    await clean()
    await detach(vm)
    await clean()
    expect([await inside(vm), copies()]).toEqual([null, []])
    await gone(vm)
  })

  it('is what a VM is made from: an empty root disk, and the drive behind it in the boot order', async () => {
    const params = { imageUuid: iso, rootDiskSize: GIB }
    expect(await refused('CreateVmInstance', { ...vmParams(), imageUuid: iso })).toContain('rootDiskOfferingUuid')
    const vm = await makeVm(params)
    const { disks } = parseDomain(domain(vm).xml)
    expect(disks.map((d) => [d.device, d.target, d.bootOrder])).toEqual([
      ['disk', 'vda', 1],
      ['cdrom', 'sda', 2],
    ])
    expect(await inside(vm)).toBe(copies()[0])
    const root = [...site.controller.state.graph.rows('volume')].find(([, v]) => v['vmInstanceUuid'] === vm)![1]
    expect(root).toMatchObject({ type: 'Root', size: GIB, status: 'Ready', backing: null, rootImageUuid: iso })
    await clean()
    await gone(vm)
    await clean()
    expect(copies()).toEqual([])
  })

  it('is offered where it fits, and only there', async () => {
    const [vm, held] = [await makeVm(), await makeVm()]
    await attach(held)
    const uuids = async (api: string, params: Row) =>
      ((await site.client.call(api, params)) as { inventories: Row[] }).inventories.map((row) => row['uuid'])
    expect(await uuids('GetCandidateIsoForAttachingVm', { vmInstanceUuid: vm })).toEqual([iso])
    expect(await uuids('GetCandidateIsoForAttachingVm', { vmInstanceUuid: held })).toEqual([])
    expect(await uuids('GetCandidateVmForAttachingIso', { isoUuid: iso })).toEqual([vm])
    expect(await refused('AttachIsoToVmInstance', { vmInstanceUuid: vm, isoUuid: world.image })).toContain('not an ISO')
    await site.client.call('ChangeImageState', { uuid: iso, stateEvent: 'disable' })
    expect(await uuids('GetCandidateIsoForAttachingVm', { vmInstanceUuid: vm })).toEqual([])
    await site.client.call('ChangeImageState', { uuid: iso, stateEvent: 'enable' })
    for (const uuid of [vm, held]) await gone(uuid)
  })

  it('that is none is refused and nothing changes; neither does a VM whose drive refuses', async () => {
    const before = site.state()
    expect(await addIso('broken', 'XX001').catch((error: Error) => error.message)).toContain('no ISO 9660 descriptor')
    await site.settled()
    expect(site.state() === before).toBe(true)
    const vm = await makeVm()
    const rows = site.state()
    site.machine.libvirt.failOn('domainChangeMedia', undefined, { failure: { libvirtCode: 1, message: 'no such medium' } })
    expect(await refused('AttachIsoToVmInstance', { vmInstanceUuid: vm, isoUuid: iso })).toContain('no such medium')
    await site.settled()
    // Documents name the job that touched them last.
    const withoutJobs = (text: string) => text.replace(/"job":"[0-9a-f]+"/g, '')
    expect(withoutJobs(site.state()) === withoutJobs(rows)).toBe(true)
    expect([await inside(vm), copies()]).toEqual([null, []])
    await clean()
    await gone(vm)
  })
})
