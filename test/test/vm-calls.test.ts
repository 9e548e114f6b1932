/** What ZStack's clients do with a VM besides starting and stopping it, on a site in memory: pausing, cards, what its guest is told, its size. */
import { type Row, VROUTER_PROVIDER } from '@skerry/contract'
import { parseDomain } from '@skerry/libvirt'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { callsOn } from '../harness/few-addresses.ts'
import { hurried } from '../harness/hurried.ts'
import { type SmallSite, startSmallSite } from '../harness/small-site.ts'
import { makeSmallWorld, type SmallWorld } from '../harness/small-world.ts'

const KEY = `ssh-ed25519 ${'A'.repeat(68)} me`
let site: SmallSite
let world: SmallWorld
let second: string
beforeAll(async () => {
  site = await startSmallSite()
  world = await makeSmallWorld(site)
  second = await site.client.uuid('CreateL3Network', { name: 'second', l2NetworkUuid: world.l2 })
  await site.client.call('AddIpRangeByNetworkCidr', { name: 'r', l3NetworkUuid: second, networkCidr: '10.1.0.0/24' })
  await site.client.call('AttachNetworkServiceToL3Network', {
    l3NetworkUuid: second,
    networkServices: { [VROUTER_PROVIDER]: ['DHCP'] },
  })
})
afterAll(async () => {
  await site?.stop()
  expect(site.errors).toEqual([])
})

const call = (api: string, params: Row) => site.client.call(api, params)
const makeVm = (more: Row = {}) =>
  site.client.uuid('CreateVmInstance', {
    ...{ name: 'vm', instanceOfferingUuid: world.offering, imageUuid: world.image, l3NetworkUuids: [world.l3] },
    ...more,
  })
const inventory = async (api: string, params: Row) => (await call(api, params))['inventory'] as Row
const vmRow = (vm: string) => site.controller.state.graph.get('vmInstance', vm)!
const domain = (vm: string) => site.machine.libvirt.inventory().find((d) => d.uuid === vm)!
const nicsIn = (vm: string) => parseDomain(domain(vm).xml).nics
const uuids = async (api: string, params: Row) => ((await call(api, params))['inventories'] as Row[]).map((row) => row['uuid'])
const { refused } = callsOn(() => site)
async function clean(): Promise<void> {
  await site.settled()
  expect(site.contradictions()).toEqual([])
  expect((await (await hurried(site.url, 30)).auditHosts()).differences).toEqual([])
}
async function gone(vm: string): Promise<void> {
  await call('DestroyVmInstance', { uuid: vm })
  await call('ExpungeVmInstance', { uuid: vm })
  await clean()
}

describe('a VM', () => {
  it('is paused and goes on, and what can not be done with it then is refused', async () => {
    const vm = await makeVm()
    await refused('ResumeVmInstance', { uuid: vm }, 'Paused')
    expect((await inventory('PauseVmInstance', { uuid: vm }))['state']).toBe('Paused')
    expect(domain(vm).state).toBe('paused')
    await clean()
    await refused('PauseVmInstance', { uuid: vm }, 'Running')
    await refused('RebootVmInstance', { uuid: vm }, 'Running')
    await refused('GetVmConsoleAddress', { uuid: vm }, 'only a running one')
    expect((await inventory('ResumeVmInstance', { uuid: vm }))['state']).toBe('Running')
    expect(domain(vm).state).toBe('running')
    await site.machine.libvirt.call('domainSuspend', { uuid: vm }, { timeoutMs: 1_000 })
    await expect.poll(() => vmRow(vm)['state'], { timeout: 5_000 }).toBe('Paused')
    expect((await inventory('ResumeVmInstance', { uuid: vm }))['state']).toBe('Running')
    await call('PauseVmInstance', { uuid: vm })
    expect((await inventory('StopVmInstance', { uuid: vm, type: 'cold' }))['state']).toBe('Stopped')
    expect((await inventory('StartVmInstance', { uuid: vm }))['state']).toBe('Running')
    expect(domain(vm).state).toBe('running')
    await gone(vm)
  })

  it('whose pause the hypervisor refuses is as it was, and runs', async () => {
    const vm = await makeVm()
    const release = site.machine.libvirt.failOn('domainSuspend')
    const { last } = await site.client.exchange('PauseVmInstance', { uuid: vm })
    expect(last.body?.['error']).toBeDefined()
    release()
    await site.settled()
    expect([vmRow(vm)['state'], domain(vm).state]).toEqual(['Running', 'running'])
    await clean()
    await gone(vm)
  })

  it('gets a card with its address, MAC and lease while it runs and while it is off, and gives all of it back', async () => {
    const vm = await makeVm()
    expect(await uuids('GetVmAttachableL3Network', { vmInstanceUuid: vm })).toEqual([second])
    const at = { vmInstanceUuid: vm, l3NetworkUuid: second, staticIp: '10.1.0.77', customMac: 'fa:00:00:00:00:77' }
    const attached = await inventory('AttachL3NetworkToVm', at)
    const [, nic] = attached['vmNics'] as Row[]
    expect(nic).toMatchObject({ l3NetworkUuid: second, ip: '10.1.0.77', mac: 'fa:00:00:00:00:77', deviceId: 1 })
    expect(nic).not.toHaveProperty('unplugged')
    expect(nicsIn(vm).map(({ mac }) => mac)).toContain('fa:00:00:00:00:77')
    expect([...site.controller.state.graph.by('desired', 'of', `lease/${nic!['uuid']}`)]).toHaveLength(1)
    await clean()

    await refused('AttachL3NetworkToVm', at, 'already')
    const other = await makeVm()
    await refused('AttachL3NetworkToVm', { ...at, vmInstanceUuid: other }, '10.1.0.77')
    await refused('AttachL3NetworkToVm', { ...at, vmInstanceUuid: other, staticIp: '192.0.2.1' }, 'in no range')
    await refused('AttachL3NetworkToVm', { ...at, vmInstanceUuid: other, staticIp: '10.1.0.78' }, 'fa:00:00:00:00:77')

    const detached = await inventory('DetachL3NetworkFromVm', { vmNicUuid: nic!['uuid'] })
    expect(detached).toMatchObject({ uuid: vm, defaultL3NetworkUuid: world.l3 })
    expect([(detached['vmNics'] as Row[]).length, nicsIn(vm).length]).toEqual([1, 1])
    await clean()
    await call('StopVmInstance', { uuid: other, type: 'cold' })
    const [first] = (await inventory('AttachL3NetworkToVm', { ...at, vmInstanceUuid: other }))['vmNics'] as Row[]
    await call('DetachL3NetworkFromVm', { vmNicUuid: first!['uuid'] })
    expect(vmRow(other)['defaultL3NetworkUuid']).toBe(second)
    await call('StartVmInstance', { uuid: other })
    expect(nicsIn(other).map(({ mac }) => mac)).toEqual(['fa:00:00:00:00:77'])
    await clean()
    for (const uuid of [vm, other]) await gone(uuid)
  })

  it('whose host can not plug the card in keeps nothing of it', async () => {
    const vm = await makeVm()
    await site.settled()
    const release = site.machine.libvirt.failOn('domainAttachDevice')
    const { last } = await site.client.exchange('AttachL3NetworkToVm', { vmInstanceUuid: vm, l3NetworkUuid: second })
    expect(last.body?.['error']).toBeDefined()
    release()
    await site.settled()
    expect([...site.controller.state.graph.by('vmNic', 'vmInstanceUuid', vm)]).toHaveLength(1)
    expect(nicsIn(vm)).toHaveLength(1)
    await clean()
    await gone(vm)
  })

  it('tells its guest the host name and the key that it was given, and forgets them', async () => {
    const vm = await makeVm()
    expect(await call('GetVmHostname', { uuid: vm })).not.toHaveProperty('hostname')
    expect(await call('SetVmHostname', { uuid: vm, hostname: 'web' })).toEqual({})
    await call('SetVmHostname', { uuid: vm, hostname: 'db' })
    expect(await call('GetVmHostname', { uuid: vm })).toMatchObject({ hostname: 'db' })
    const tags = async () =>
      ((await call('QuerySystemTag', { q: [`resourceUuid=${vm}`] }))['inventories'] as Row[]).map((t) => t['tag'])
    expect(await tags()).toEqual(['hostname::db'])
    const other = await makeVm()
    await refused('SetVmHostname', { uuid: other, hostname: 'DB' }, 'already')
    await refused('SetVmHostname', { uuid: vm, hostname: 'no name' }, 'hostname')
    await call('SetVmSshKey', { uuid: vm, SshKey: KEY })
    expect(await call('GetVmSshKey', { uuid: vm })).toMatchObject({ sshKey: KEY })
    await refused('SetVmSshKey', { uuid: vm, SshKey: 'a key' }, 'public SSH key')
    await call('DeleteVmHostname', { uuid: vm })
    await call('DeleteVmSshKey', { uuid: vm })
    expect(await call('GetVmSshKey', { uuid: vm })).not.toHaveProperty('sshKey')
    expect(await tags()).toEqual([])
    for (const uuid of [vm, other]) await gone(uuid)
  })

  it('gets another size and boot order while it is off, which its next start has', async () => {
    const vm = await makeVm()
    const MIB = 1024 ** 2
    const larger = await site.client.uuid('CreateInstanceOffering', { name: 'larger', cpuNum: 2, memorySize: 256 * MIB })
    const change = { vmInstanceUuid: vm, instanceOfferingUuid: larger }
    await refused('ChangeInstanceOffering', change, 'when it is Stopped')
    await refused('UpdateVmInstance', { uuid: vm, cpuNum: 2 }, 'when it is Stopped')
    await refused('SetVmBootOrder', { uuid: vm, bootOrder: ['CdRom', 'CdRom'] }, 'twice')
    await call('StopVmInstance', { uuid: vm, type: 'cold' })
    expect(await inventory('ChangeInstanceOffering', change)).toMatchObject({
      cpuNum: 2,
      memorySize: 256 * MIB,
      instanceOfferingUuid: larger,
    })
    await call('SetVmBootOrder', { uuid: vm, bootOrder: ['CdRom'] })
    expect(await call('GetVmBootOrder', { uuid: vm })).toMatchObject({ orders: ['CdRom'] })
    await call('UpdateVmInstance', { uuid: vm, memorySize: 192 * MIB, name: 'renamed' })
    await call('StartVmInstance', { uuid: vm })
    const { cpuCount, memoryBytes, disks } = parseDomain(domain(vm).xml)
    expect([cpuCount, memoryBytes, disks.map((d) => [d.device, d.bootOrder])]).toEqual([
      2,
      192 * MIB,
      [
        ['disk', 2],
        ['cdrom', 1],
      ],
    ])
    await clean()
    await call('SetVmBootOrder', { uuid: vm })
    expect(await call('GetVmBootOrder', { uuid: vm })).toMatchObject({ orders: ['HardDisk', 'CdRom'] })
    await gone(vm)
  })

  it('is offered what fits it, and tells where its console is', async () => {
    const [vm, off] = [await makeVm(), await makeVm({ strategy: 'CreateStopped' })]
    const volume = await site.client.uuid('CreateDataVolume', { name: 'data', diskOfferingUuid: world.diskOffering })
    expect(await uuids('GetVmAttachableDataVolume', { vmInstanceUuid: vm })).toEqual([volume])
    expect((await uuids('GetDataVolumeAttachableVm', { volumeUuid: volume })).sort()).toEqual([vm, off].sort())
    await call('AttachDataVolumeToVm', { vmInstanceUuid: vm, volumeUuid: volume })
    expect(await uuids('GetVmAttachableDataVolume', { vmInstanceUuid: off })).toEqual([])
    expect(await uuids('GetDataVolumeAttachableVm', { volumeUuid: volume })).toEqual([])
    const { hostname, port } = new URL(site.url)
    expect(await call('GetVmConsoleAddress', { uuid: vm })).toMatchObject({
      hostIp: hostname,
      port: Number(port),
      protocol: 'vnc',
    })
    await refused('GetVmConsoleAddress', { uuid: off }, 'only a running one')
    await refused('GetVmCapabilities', { uuid: 'f'.repeat(32) }, 'there is no vm')
    const { capabilities } = await call('GetVmCapabilities', { uuid: vm })
    const vmsCaps = { [vm]: capabilities, [off]: capabilities }
    expect(await call('GetVmsCapabilities', { vmUuids: [vm, off] })).toMatchObject({ vmsCaps })
    await refused('GetVmsCapabilities', { vmUuids: [vm, 'f'.repeat(32)] }, 'there is no vm')
    for (const uuid of [vm, off]) await gone(uuid)
    await call('DeleteDataVolume', { uuid: volume })
    await call('ExpungeDataVolume', { uuid: volume })
  })

  it('has volumes as fast as their offerings say, and as is said while it runs', async () => {
    const tagged = async (api: string, params: Row, systemTags: string[]) => site.client.uuid(api, { ...params, systemTags })
    const slow = await tagged('CreateDiskOffering', { name: 'slow', diskSize: 1024 ** 2 }, ['volumeTotalIops::50'])
    const MIB = 1024 ** 2
    const calm = await tagged('CreateInstanceOffering', { name: 'calm', cpuNum: 1, memorySize: 128 * MIB }, [
      'volumeReadBandwidth::1000000',
      'volumeWriteBandwidth::2000000',
    ])
    for (const tag of ['volumeReadIops::many', 'volumeReadIops::0', 'volumeTotalBandwidth::9007199254740992'])
      await refused('CreateSystemTag', { resourceType: 'DiskOfferingVO', resourceUuid: slow, tag }, 'whole number')
    const vm = await makeVm({ instanceOfferingUuid: calm, dataDiskOfferingUuids: [slow] })
    const limits = () =>
      parseDomain(domain(vm).xml)
        .disks.filter((d) => d.device === 'disk')
        .map((d) => d.iotune)
    const ofOfferings = [{ readBytesPerSec: 1_000_000, writeBytesPerSec: 2_000_000 }, { totalIops: 50 }]
    expect(limits()).toEqual(ofOfferings)
    const uuid = vmRow(vm)['rootVolumeUuid'] as string
    const none = { volumeBandwidth: -1, iopsTotal: -1, iopsRead: -1, iopsWrite: -1 }
    const had = { ...none, volumeUuid: uuid, volumeBandwidthRead: 1_000_000, volumeBandwidthWrite: 2_000_000 }
    expect(await call('GetVolumeQos', { uuid })).toMatchObject(had)

    await refused('SetVolumeQos', { uuid }, 'at least one of')
    await refused('SetVolumeQos', { uuid, totalBandwidth: 4096 }, 'take one of the two away first')
    await refused('SetVolumeQos', { uuid, readBandwidth: 10 }, 'readBandwidth')
    const release = site.machine.libvirt.failOn('domainSetBlockIoTune')
    const { last } = await site.client.exchange('SetVolumeQos', { uuid, totalIOPS: 9 })
    expect(last.body?.['error']).toBeDefined()
    release()
    await clean()
    expect([limits(), await call('GetVolumeQos', { uuid })]).toEqual([ofOfferings, expect.objectContaining(had)])

    await call('SetVolumeQos', { uuid, mode: 'read', volumeBandwidth: 5000, writeIOPS: 8 })
    const said = { readBytesPerSec: 5000, writeBytesPerSec: 2_000_000, writeIops: 8 }
    expect(limits()).toEqual([said, { totalIops: 50 }])
    await call('DeleteVolumeQos', { uuid, mode: 'write' })
    expect(limits()).toEqual([{ readBytesPerSec: 5000 }, { totalIops: 50 }])
    await call('DeleteVolumeQos', { uuid, mode: 'all' })
    expect(limits()).toEqual([undefined, { totalIops: 50 }])
    await clean()
    const data = await uuids('QueryVolume', { q: ['type=Data', `vmInstanceUuid=${vm}`] })
    await gone(vm)
    await call('SetVolumeQos', { uuid: data[0], totalBandwidth: 4096 })
    expect(await call('GetVolumeQos', { uuid: data[0] })).toMatchObject({ volumeBandwidth: 4096, iopsTotal: 50 })
    await call('DeleteDataVolume', { uuid: data[0] })
    await refused('SetVolumeQos', { uuid: data[0], totalIOPS: 1 }, 'recover it first')
    await call('ExpungeDataVolume', { uuid: data[0] })
  })
})
