/** The resources that a test needs to make VMs: the same steps as a user's, through the public API. */
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type Row, VROUTER_PROVIDER } from '@skerry/contract'
import { buildGuest } from '@skerry/deploy/guest'
import { realHost } from '@skerry/host'
import type { TestSite } from './site.ts'

export interface Demo {
  zone: string
  cluster: string
  host: string
  primaryStorage: string
  backupStorage: string
  l2: string
  l3: string
  range: string
  offering: string
  image: string
  vmParams: Row
}

/** The tiny guest, built once and cached for all suites. */
export async function guestImage(): Promise<string> {
  const { exec, files, qemuImg } = realHost()
  const { path } = await buildGuest({ exec, files, qemuImg, cacheDir: join(tmpdir(), 'skerry-guest') })
  return path
}

export async function makeDemo(site: TestSite, o: { services?: string[]; cidr?: string } = {}): Promise<Demo> {
  const uuid = async (api: string, params: Row) => (await site.call(api, params))['uuid'] as string
  const zone = await uuid('CreateZone', { name: 'site' })
  const cluster = await uuid('CreateCluster', { name: 'cluster1', zoneUuid: zone, hypervisorType: 'KVM' })
  const host = await uuid('AddKVMHost', {
    name: 'host1',
    clusterUuid: cluster,
    managementIp: '127.0.0.1',
    username: 'root',
    password: 'unused',
  })
  const primaryStorage = await uuid('AddLocalPrimaryStorage', { name: 'local', zoneUuid: zone, url: join(site.dir, 'primary') })
  await site.call('AttachPrimaryStorageToCluster', { primaryStorageUuid: primaryStorage, clusterUuid: cluster })
  const backupStorage = await uuid('AddImageStoreBackupStorage', {
    name: 'images',
    hostname: '127.0.0.1',
    username: 'root',
    password: 'unused',
    url: join(site.dir, 'images'),
  })
  await site.call('AttachBackupStorageToZone', { backupStorageUuid: backupStorage, zoneUuid: zone })
  const l2 = await uuid('CreateL2NoVlanNetwork', { name: 'net1', zoneUuid: zone, physicalInterface: 'none' })
  await site.call('AttachL2NetworkToCluster', { l2NetworkUuid: l2, clusterUuid: cluster })
  const l3 = await uuid('CreateL3Network', { name: 'net1', l2NetworkUuid: l2, dnsDomain: 'site.test' })
  const range = await uuid('AddIpRangeByNetworkCidr', {
    name: 'range1',
    l3NetworkUuid: l3,
    networkCidr: o.cidr ?? '10.0.137.0/24',
  })
  const services = o.services ?? ['DHCP', 'DNS', 'SNAT']
  if (services.length > 0)
    await site.call('AttachNetworkServiceToL3Network', { l3NetworkUuid: l3, networkServices: { [VROUTER_PROVIDER]: services } })
  const offering = await uuid('CreateInstanceOffering', { name: 'small', cpuNum: 1, memorySize: 128 * 1024 ** 2 })
  const image = await uuid('AddImage', {
    name: 'tiny',
    url: `file://${await guestImage()}`,
    backupStorageUuids: [backupStorage],
    format: 'qcow2',
  })
  return {
    zone,
    cluster,
    host,
    primaryStorage,
    backupStorage,
    l2,
    l3,
    range,
    offering,
    image,
    vmParams: { instanceOfferingUuid: offering, imageUuid: image, l3NetworkUuids: [l3] },
  }
}

/** Removes all that `makeDemo` made and every VM instance that is left, so that agents take their daemons and devices down. */
export async function removeDemo(site: TestSite, demo: Demo): Promise<void> {
  const { inventories } = await site.client.query('vm')
  for (const { uuid, state } of inventories) {
    if (state !== 'Destroyed') await site.call('DestroyVmInstance', { uuid })
    await site.call('ExpungeVmInstance', { uuid })
  }
  await site.call('DeleteImage', { uuid: demo.image })
  await site.call('ExpungeImage', { imageUuid: demo.image })
  await site.call('DeleteZone', { uuid: demo.zone })
  await site.call('DeleteBackupStorage', { uuid: demo.backupStorage })
}
