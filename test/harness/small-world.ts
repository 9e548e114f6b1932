/** One of everything on a small site, made as ZStack's clients make it: the ground that tests stand on. */
import { VROUTER_PROVIDER } from '@skerry/contract'
import { MANAGEMENT_IP, type SmallSite } from './small-site.ts'

export const IMAGE_FILE = '/data/home/tiny.qcow2'
export const ISO_FILE = '/data/home/installer.iso'
const MIB = 1024 ** 2

export interface SmallWorld {
  zone: string
  cluster: string
  host: string
  primaryStorage: string
  backupStorage: string
  l2: string
  l3: string
  range: string
  offering: string
  diskOffering: string
  image: string
}

/** A stand-alone qcow2 of 64 MiB as a user's own file; the fake qemu-img makes sparse files, this one has all its bytes. */
export async function putUserImage({ machine }: Pick<SmallSite, 'machine'>, path = IMAGE_FILE): Promise<void> {
  const { host } = machine
  host.disk.makeDir(path.slice(0, path.lastIndexOf('/')), 0o755)
  await host.qemuImg.create({ path, format: 'qcow2', sizeBytes: 64 * MIB })
  const file = host.disk.files.get(path)!
  const bytes = new Uint8Array(file.sizeBytes)
  bytes.set(file.data)
  host.disk.put(path, bytes)
}

/** A user's own file with an ISO 9660 volume descriptor and nothing else. */
export function putUserIso({ machine }: Pick<SmallSite, 'machine'>, path = ISO_FILE, text = 'CD001'): void {
  const { host } = machine
  host.disk.makeDir(path.slice(0, path.lastIndexOf('/')), 0o755)
  const bytes = new Uint8Array(64 * 1024)
  bytes.set([1, ...Buffer.from(text), 1], 32_768)
  host.disk.put(path, bytes)
}

/** @param o.cidr of the network; `l3` gets all of its addresses */
export async function makeSmallWorld(
  site: Pick<SmallSite, 'client' | 'machine'>,
  o: { cidr?: string } = {},
): Promise<SmallWorld> {
  const { client } = site
  await putUserImage(site)
  const access = { username: 'root', password: 'unused' }
  const zone = await client.uuid('CreateZone', { name: 'zone' })
  const cluster = await client.uuid('CreateCluster', { name: 'cluster', zoneUuid: zone, hypervisorType: 'KVM' })
  const host = await client.uuid('AddKVMHost', { name: 'host', clusterUuid: cluster, managementIp: MANAGEMENT_IP, ...access })
  const primaryStorage = await client.uuid('AddLocalPrimaryStorage', { name: 'primary', zoneUuid: zone, url: '/data/primary' })
  await client.call('AttachPrimaryStorageToCluster', { primaryStorageUuid: primaryStorage, clusterUuid: cluster })
  const backupStorage = await client.uuid('AddImageStoreBackupStorage', {
    name: 'images',
    hostname: MANAGEMENT_IP,
    url: '/data/images',
    ...access,
  })
  await client.call('AttachBackupStorageToZone', { backupStorageUuid: backupStorage, zoneUuid: zone })
  const l2 = await client.uuid('CreateL2NoVlanNetwork', { name: 'l2', zoneUuid: zone, physicalInterface: 'none' })
  await client.call('AttachL2NetworkToCluster', { l2NetworkUuid: l2, clusterUuid: cluster })
  const l3 = await client.uuid('CreateL3Network', { name: 'l3', l2NetworkUuid: l2, dnsDomain: 'site.test' })
  const range = await client.uuid('AddIpRangeByNetworkCidr', {
    name: 'range',
    l3NetworkUuid: l3,
    networkCidr: o.cidr ?? '10.0.0.0/24',
  })
  await client.call('AttachNetworkServiceToL3Network', {
    l3NetworkUuid: l3,
    networkServices: { [VROUTER_PROVIDER]: ['DHCP', 'DNS', 'SNAT'] },
  })
  const offering = await client.uuid('CreateInstanceOffering', { name: 'small', cpuNum: 1, memorySize: 128 * MIB })
  const diskOffering = await client.uuid('CreateDiskOffering', { name: 'disk', diskSize: 128 * MIB })
  const image = await client.uuid('AddImage', {
    name: 'tiny',
    url: `file://${IMAGE_FILE}`,
    backupStorageUuids: [backupStorage],
    format: 'qcow2',
  })
  return { zone, cluster, host, primaryStorage, backupStorage, l2, l3, range, offering, diskOffering, image }
}
