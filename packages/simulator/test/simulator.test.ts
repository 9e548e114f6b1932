/** A site of three simulated hosts: the real controller and agents over a real nats-server, on machines in memory. */
import type { Row } from '@skerry/contract'
import { requireOrSkip } from '@skerry/testkit'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { ANY, makeGround, type SimulatedSite, startSimulatedSite } from './site.ts'

const able = requireOrSkip('simulator', { programs: ['nats-server'] })
const HOSTS = ['127.0.0.9', '127.3.2.1', '127.255.255.254']

describe.skipIf(!able)('a simulated site', () => {
  let site: SimulatedSite
  let ground: Awaited<ReturnType<typeof makeGround>>
  const only = async (resource: string, q: string) => (await site.client.query(resource, { q: [q] })).inventories[0] as Row
  const createVm = (name: string, more: Record<string, unknown> = {}) =>
    ground.make('CreateVmInstance', {
      ...{ name, instanceOfferingUuid: ground.instanceOfferingUuid, l3NetworkUuids: [ground.l3NetworkUuid] },
      ...more,
    })
  const image = (name: string, url: string, format = 'qcow2') =>
    ground.make('AddImage', { name, url, format, backupStorageUuids: [ground.backupStorageUuid] })

  beforeAll(async () => {
    site = await startSimulatedSite()
    ground = await makeGround(site.client, HOSTS)
  })
  afterAll(() => site?.stop())

  test('hosts and stores at any address 127.x.y.z become Connected, whatever the credentials', async () => {
    const hosts = (await site.client.query('host')).inventories
    expect(hosts.map(({ managementIp, status }) => ({ managementIp, status }))).toEqual(
      HOSTS.map((managementIp) => ({ managementIp, status: 'Connected' })),
    )
    expect(await only('backupStorage', 'name=images')).toMatchObject({ hostname: '127.44.55.66', status: 'Connected' })
    expect(await only('primaryStorage', 'name=primary')).toMatchObject({ status: 'Connected' })
    expect(site.simulator.list().map(({ address }) => address)).toEqual([...HOSTS, '127.44.55.66'])
  })

  test('an address elsewhere is not simulated: it says what to do', async () => {
    const added = ground.make('AddKVMHost', { name: 'far', clusterUuid: ground.clusterUuid, managementIp: '192.0.2.7', ...ANY })
    await expect(added).rejects.toMatchObject({ code: 'agent-absent' })
    expect(site.simulator.size).toBe(4)
  })

  test('a dry run brings no machine', async () => {
    const params = { name: 'dry', clusterUuid: ground.clusterUuid, managementIp: '127.9.9.9', ...ANY }
    await site.client.call('AddKVMHost', params, { dryRun: true })
    expect(site.simulator.size).toBe(4)
  })

  test.each([
    ['qcow2', 'http://images.invalid/debian-12.qcow2?token=x'],
    ['iso', 'https://cd.invalid/netinst'],
    ['raw', 'http://images.invalid:8080/disk.qcow2'],
    ['qcow2', 'file:///home/somebody/web.qcow2'],
  ])('an image of format %s at %s becomes Ready with a plausible size', async (format, url) => {
    const uuid = await image(`i-${format}`, url, format)
    const row = await only('image', `uuid=${uuid}`)
    expect(row).toMatchObject({ status: 'Ready', format })
    expect(row['size']).toBeGreaterThan(format === 'qcow2' ? 1024 ** 3 : 1024 ** 2)
  })

  test('a VM runs on each host, with a lease that dnsmasq gave it', async () => {
    const imageUuid = await image('web', 'https://images.invalid/web.qcow2')
    for (const [i, hostUuid] of ground.hosts.entries()) {
      const uuid = await createVm(`vm${i}`, { imageUuid, hostUuid })
      const vm = await only('vmInstance', `uuid=${uuid}`)
      expect(vm).toMatchObject({ state: 'Running', hostUuid })
      const [nic] = vm['vmNics'] as Row[]
      await expect.poll(() => leased(site, String(nic!['ip']))).toBe(true)
    }
    expect(site.simulator.list().map(({ guests }) => guests)).toEqual([1, 1, 1, 0])
  })

  test('a storage server at any address is Connected, and gives its images to VMs', async () => {
    const server = { name: 'server', hostname: '127.7.7.7', url: '/srv/images', ...ANY }
    const backupStorageUuid = await ground.make('AddSftpBackupStorage', server)
    expect(await only('backupStorage', 'name=server')).toMatchObject({ type: 'SftpBackupStorage', status: 'Connected' })
    await site.client.call('AttachBackupStorageToZone', { backupStorageUuid, zoneUuid: ground.zoneUuid }, { wait: true })
    const urls = ['https://images.invalid/there.qcow2', 'file:///home/somebody/there.qcow2']
    for (const [i, url] of urls.entries()) {
      const imageUuid = await ground.make('AddImage', {
        ...{ name: `there${i}`, url, format: 'qcow2', backupStorageUuids: [backupStorageUuid] },
      })
      const uuid = await createVm(`of-server${i}`, { imageUuid, hostUuid: ground.hosts[2] })
      expect(await only('vmInstance', `uuid=${uuid}`)).toMatchObject({ state: 'Running' })
    }
    expect(site.simulator.at('127.7.7.7')?.host.disk.folders.has('/srv/images/refs')).toBe(true)
  })

  test('a failure that was set fails the job with the words of the port, and nothing when it is taken back', async () => {
    const imageUuid = await image('again', 'https://images.invalid/again.qcow2')
    await site.simulator.set('127.0.0.9', { fail: { 'libvirt.domainCreate': 1 } })
    const params = { imageUuid, hostUuid: ground.hosts[0] }
    await expect(createVm('unlucky', params)).rejects.toMatchObject({ code: 'hypervisor-failed', message: /domainCreate/ })
    expect(await only('vmInstance', 'name=unlucky')).toBeUndefined()
    await createVm('elsewhere', { imageUuid, hostUuid: ground.hosts[1] })
    await site.simulator.set('127.0.0.9', { fail: { 'libvirt.domainCreate': 0 } })
    await createVm('lucky', params)
    expect(await only('vmInstance', 'name=lucky')).toMatchObject({ state: 'Running' })
  })

  test('capacity that was set is what the controller then sees', async () => {
    await site.simulator.set('127.3.2.1', { memoryBytes: 8 * 1024 ** 3, cpuCount: 2, diskBytes: 50 * 1024 ** 3 })
    await site.client.call('ReconnectHost', { uuid: ground.hosts[1]! }, { wait: true })
    const host = await only('host', `uuid=${ground.hosts[1]}`)
    expect(host).toMatchObject({ totalMemoryCapacity: 8 * 1024 ** 3, cpuNum: 2 })
  })

  test('machines that were switched off and on again are the same ones, and their guests run', async () => {
    const before = (await site.client.query('vmInstance')).inventories.map(({ uuid }) => uuid)
    await site.restart()
    expect(site.simulator.list().find(({ address }) => address === '127.3.2.1')).toMatchObject({ cpuCount: 2 })
    await expect
      .poll(() => site.simulator.list().reduce((sum, { guests }) => sum + guests, 0), { timeout: 30_000 })
      .toBe(before.length)
    await expect
      .poll(async () => (await site.client.query('vmInstance', { q: ['state=Running'] })).inventories.length, { timeout: 60_000 })
      .toBe(before.length)
    expect((await site.client.query('volume')).inventories.map(({ status }) => status)).toEqual(before.map(() => 'Ready'))
  })
})

/** Whether a dnsmasq of any machine has leased that address. */
function leased({ simulator }: SimulatedSite, ip: string): boolean {
  const disks = simulator.list().flatMap(({ address }) => simulator.at(address)?.host.disk ?? [])
  const leases = disks.flatMap(({ files }) =>
    [...files].filter(([path]) => path.endsWith('/leases')).map(([, file]) => file.data),
  )
  return leases.some((data) => new TextDecoder().decode(data).includes(` ${ip} `))
}
