/** Data volumes through the API on a site in memory: their way to VMs and from them, and what they take and give back. */
import type { Row } from '@skerry/contract'
import { parseDomain } from '@skerry/libvirt'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
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

const vmParams = () => ({ name: 'vm', instanceOfferingUuid: world.offering, imageUuid: world.image, l3NetworkUuids: [world.l3] })
const makeVm = (more: Row = {}) => site.client.uuid('CreateVmInstance', { ...vmParams(), ...more })
const makeVolume = (diskSize = GIB) => site.client.uuid('CreateDataVolume', { name: 'data', diskSize })
const attach = (volumeUuid: string, vmInstanceUuid: string) =>
  site.client.call('AttachDataVolumeToVm', { volumeUuid, vmInstanceUuid })
const detach = (uuid: string) => site.client.call('DetachDataVolumeFromVm', { uuid })
const volume = (uuid: string) => site.controller.state.graph.get('volume', uuid)
const room = () => site.controller.state.graph.get('primaryStorage', world.primaryStorage)!['availableCapacity'] as number
const file = (uuid: string) => `/data/primary/volumes/${uuid}.qcow2`
const there = (uuid: string) => site.machine.host.disk.files.has(file(uuid))
const targets = (vm: string) =>
  parseDomain(site.machine.libvirt.inventory().find((d) => d.uuid === vm)!.xml)
    .disks.filter((d) => d.device === 'disk')
    .map((d) => [d.target, d.file])
const until = async (what: () => boolean) => {
  while (!what()) await new Promise((resolve) => setTimeout(resolve, 5))
}
async function clean(): Promise<void> {
  await site.settled()
  expect(site.contradictions()).toEqual([])
  expect((await (await hurried(site.url, 30)).auditHosts()).differences).toEqual([])
}
async function gone(vm: string): Promise<void> {
  await site.client.call('DestroyVmInstance', { uuid: vm })
  await site.client.call('ExpungeVmInstance', { uuid: vm })
}
async function removed(uuid: string): Promise<void> {
  await site.client.call('DeleteDataVolume', { uuid })
  await site.client.call('ExpungeDataVolume', { uuid })
}

describe('a data volume', () => {
  it('takes room with its first VM, is plugged in live, goes to another VM, and gives everything back at its end', async () => {
    const [first, second] = [await makeVm(), await makeVm({ strategy: 'CreateStopped' })]
    const free = room()
    const data = await makeVolume()
    expect(volume(data)).toMatchObject({ status: 'NotInstantiated', type: 'Data', localHostUuid: null, deviceId: null })
    expect([room(), there(data)]).toEqual([free, false])

    const { inventory } = (await attach(data, first)) as { inventory: Row }
    expect(inventory).toMatchObject({ status: 'Ready', vmInstanceUuid: first, deviceId: 1, installPath: file(data), size: GIB })
    expect(inventory['lastAttachDate']).toBeTruthy()
    expect([room(), there(data)]).toEqual([free - GIB, true])
    expect(targets(first)).toEqual([
      ['vda', expect.any(String)],
      ['vdb', file(data)],
    ])
    await clean()

    expect(
      (await site.client.exchange('AttachDataVolumeToVm', { volumeUuid: data, vmInstanceUuid: second })).last.text,
    ).toContain('is attached to VM instance')
    const let_go = ((await detach(data)) as { inventory: Row }).inventory
    expect(let_go).toMatchObject({ lastVmInstanceUuid: first, status: 'Ready' })
    expect(let_go['vmInstanceUuid']).toBeUndefined()
    expect(targets(first)).toHaveLength(1)
    await attach(data, second)
    await site.client.call('StartVmInstance', { uuid: second })
    expect(targets(second)[1]).toEqual(['vdb', file(data)])
    await clean()

    await site.client.call('DeleteDataVolume', { uuid: data })
    expect(volume(data)).toMatchObject({ status: 'Deleted', vmInstanceUuid: null })
    expect([targets(second).length, there(data), room()]).toEqual([1, true, free - GIB])
    await clean()
    await site.client.call('RecoverDataVolume', { uuid: data })
    expect(volume(data)).toMatchObject({ status: 'Ready', deletedAt: null })
    await removed(data)
    await site.settled()
    expect([volume(data), there(data), room()]).toEqual([undefined, false, free])
    await gone(first)
    await gone(second)
    await clean()
  })

  it('keeps its name in a VM when others come and go, and is detached, not lost, when its VM is destroyed', async () => {
    const vm = await makeVm({ dataDiskSizes: [GIB, GIB], dataDiskOfferingUuids: [world.diskOffering] })
    const [offered, one, two] = [...site.controller.state.graph.rows('volume')]
      .filter(([, v]) => v['type'] === 'Data')
      .sort(([, a], [, b]) => (a['deviceId'] as number) - (b['deviceId'] as number))
      .map(([k]) => k) as [string, string, string]
    expect(volume(offered)).toMatchObject({ status: 'Ready', diskOfferingUuid: world.diskOffering, deviceId: 1 })
    expect(targets(vm).slice(1)).toEqual([
      ['vdb', file(offered)],
      ['vdc', file(one)],
      ['vdd', file(two)],
    ])
    await detach(one)
    expect(targets(vm).slice(1)).toEqual([
      ['vdb', file(offered)],
      ['vdd', file(two)],
    ])
    await attach(one, vm)
    expect(volume(one)).toMatchObject({ deviceId: 2 })
    await clean()

    await site.client.call('DestroyVmInstance', { uuid: vm })
    for (const uuid of [offered, one, two])
      expect(volume(uuid)).toMatchObject({ vmInstanceUuid: null, deviceId: null, lastVmInstanceUuid: vm, status: 'Ready' })
    await site.client.call('RecoverVmInstance', { uuid: vm })
    await clean()
    await gone(vm)
    for (const uuid of [offered, one, two]) {
      expect(there(uuid)).toBe(true)
      await removed(uuid)
    }
    await clean()
  })

  it('made on a named storage is there at once; a VM or volume for which there is no room is refused, and nothing is oversold', async () => {
    const free = room()
    const data = await site.client.uuid('CreateDataVolume', {
      name: 'placed',
      diskSize: GIB,
      primaryStorageUuid: world.primaryStorage,
    })
    expect(volume(data)).toMatchObject({ status: 'Ready', localHostUuid: world.host })
    expect([there(data), room()]).toEqual([true, free - GIB])
    const vms = await Promise.all([makeVm(), makeVm(), makeVm()])
    const half = Math.floor(room() / 2)
    const big = await Promise.all([makeVolume(half), makeVolume(half), makeVolume(half)])
    const answers = await Promise.all(
      big.map(async (volumeUuid, n) => {
        const pair = { volumeUuid, vmInstanceUuid: vms[n] }
        return (await site.client.exchange('AttachDataVolumeToVm', pair)).last
      }),
    )
    expect(answers.map((a) => a.status).sort()).toEqual([200, 503, 503])
    expect(answers.find((a) => a.status === 503)?.text).toContain('are free')
    expect(room()).toBeGreaterThanOrEqual(0)
    await clean()
    for (const vm of vms) await gone(vm)
    for (const uuid of big) {
      await site.client.call('DeleteDataVolume', { uuid })
      if (volume(uuid)) await site.client.call('ExpungeDataVolume', { uuid })
    }
    await removed(data)
    await clean()
    expect(room()).toBe(free)
  })

  it('that two VMs want at once comes to one of them, whole, and the other is told who has it', async () => {
    const free = room()
    const vms = await Promise.all([makeVm(), makeVm()])
    const withThem = room()
    const data = await makeVolume()
    const answers = await Promise.all(
      vms.map(
        async (vmInstanceUuid) => (await site.client.exchange('AttachDataVolumeToVm', { volumeUuid: data, vmInstanceUuid })).last,
      ),
    )
    expect(answers.map((a) => a.status).sort()).toEqual([200, 503])
    const [holder, other] = answers[0]!.status === 200 ? vms : [...vms].reverse()
    await site.settled()
    expect(volume(data)).toMatchObject({ status: 'Ready', vmInstanceUuid: holder, placingJob: null })
    expect([there(data), room(), targets(holder!).length, targets(other!).length]).toEqual([true, withThem - GIB, 2, 1])
    await clean()
    for (const vm of vms) await gone(vm)
    await removed(data)
    await clean()
    expect(room()).toBe(free)
  })
})

describe('a running guest', () => {
  it('that keeps a volume holds its detaching up; when it lets go, the volume is free', async () => {
    const vm = await makeVm()
    const data = await makeVolume()
    await attach(data, vm)
    const letGo = site.machine.libvirt.guestsKeepDevices()
    let ended = false
    const detached = detach(data).finally(() => (ended = true))
    await until(() => site.machine.libvirt.calls.some((c) => c.op === 'domainDetachDevice' && (c.args as Row)['uuid'] === vm))
    await new Promise((resolve) => setTimeout(resolve, 200))
    expect([ended, volume(data)!['vmInstanceUuid']]).toEqual([false, vm])
    letGo()
    await detached
    expect(volume(data)).toMatchObject({ vmInstanceUuid: null, detaching: false })
    await gone(vm)
    await removed(data)
    await clean()
  })

  it('gets a volume back that was taken out of it by hand, also while its agent was away', async () => {
    const vm = await makeVm()
    const data = await makeVolume()
    await attach(data, vm)
    const { libvirt } = site.machine
    const xml = `<disk><target dev='vdb'/></disk>`
    const takeOut = () => libvirt.call('domainDetachDevice', { uuid: vm, xml, affect: 'live' }, { timeoutMs: 1_000 })
    await takeOut()
    await until(() => targets(vm).length === 2)
    await site.machine.end('kvm')
    await takeOut()
    await site.machine.begin('kvm')
    await until(() => targets(vm).length === 2)
    await gone(vm)
    await removed(data)
    await clean()
  })

  it('that can take no volume leaves none behind: no file, no room taken, and the volume as it was', async () => {
    const vm = await makeVm()
    const free = room()
    const data = await makeVolume()
    const off = site.machine.libvirt.failOn('domainAttachDevice')
    const { last } = await site.client.exchange('AttachDataVolumeToVm', { volumeUuid: data, vmInstanceUuid: vm })
    off()
    expect([last.status, last.text]).toEqual([503, expect.stringContaining('domainAttachDevice fails on demand')])
    await site.settled()
    expect(volume(data)).toMatchObject({
      status: 'NotInstantiated',
      vmInstanceUuid: null,
      localHostUuid: null,
      installPath: null,
    })
    expect([there(data), room(), targets(vm).length]).toEqual([false, free, 1])
    await clean()
    await attach(data, vm)
    await gone(vm)
    await removed(data)
    await clean()
  })

  it('has its volumes after its agent was ended while plugging one in, and after a boot of its host without a controller', async () => {
    const vm = await makeVm()
    const data = await makeVolume()
    const release = site.machine.libvirt.hang('domainAttachDevice')
    const attached = attach(data, vm)
    await until(() => site.machine.libvirt.calls.some((c) => c.op === 'domainAttachDevice' && (c.args as Row)['uuid'] === vm))
    const ended = site.machine.end('kvm')
    release()
    await ended
    await site.machine.begin('kvm')
    await attached
    expect(targets(vm)).toHaveLength(2)
    await clean()
    await site.machine.reboot()
    for (const kind of ['storage', 'vrouter', 'kvm'] as const) await site.machine.begin(kind)
    await until(() => site.machine.libvirt.inventory().find((d) => d.uuid === vm)?.state === 'running')
    expect(targets(vm)).toHaveLength(2)
    await gone(vm)
    await removed(data)
  })
})
