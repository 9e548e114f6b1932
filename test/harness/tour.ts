/** Every API that ZStack's clients can reach, called once with sense and in an order that works: from nothing to a VM and back. */
import { type Row, VROUTER_PROVIDER } from '@skerry/contract'
import { MANAGEMENT_IP } from './small-site.ts'
import { IMAGE_FILE } from './small-world.ts'
import { sha512 } from './zstack-client.ts'

/** uuids of what was made so far, by name. */
export type Made = Record<string, string>

export interface Stop {
  api: string
  params(made: Made): Row
  /** name under which the uuid of the answer's inventory is kept */
  keep?: string
}

const MIB = 1024 ** 2
const PRIVATE = { username: 'root', password: 'unused' }
const stop = (api: string, params: Row | ((made: Made) => Row) = {}, keep?: string): Stop => ({
  api,
  params: typeof params === 'function' ? params : () => params,
  ...(keep ? { keep } : {}),
})
/** Update, disable, enable, and both forms of the query. */
const lookAfter = (noun: string, key: string, o: { state?: boolean; byUuid?: boolean } = {}): Stop[] => [
  stop(`Update${noun}`, (m) => ({ uuid: m[key], description: 'seen on the tour' })),
  ...(o.state === false
    ? []
    : ['disable', 'enable'].map((stateEvent) => stop(`Change${noun}State`, (m) => ({ uuid: m[key], stateEvent })))),
  stop(`Query${noun}`),
  ...(o.byUuid === false ? [] : [stop(`Query${noun}`, (m) => ({ uuid: m[key] }))]),
]

const grounds: Stop[] = [
  stop('GetVersion'),
  stop('IsReadyToGo'),
  stop('QueryManagementNode'),
  stop('QueryAccount'),
  stop('QueryNetworkServiceProvider'),
  stop('CreateZone', { name: 'zone', description: 'où est-ce', systemTags: ['a::b'], userTags: ['u'] }, 'zone'),
  ...lookAfter('Zone', 'zone'),
  stop('CreateCluster', (m) => ({ name: 'cluster', zoneUuid: m['zone'], hypervisorType: 'KVM' }), 'cluster'),
  ...lookAfter('Cluster', 'cluster'),
  stop(
    'AddKVMHost',
    (m) => ({ name: 'host', clusterUuid: m['cluster'], managementIp: MANAGEMENT_IP, sshPort: 22, ...PRIVATE }),
    'host',
  ),
  ...lookAfter('Host', 'host'),
  stop('UpdateKVMHost', (m) => ({ uuid: m['host'], username: 'admin', password: 'other' })),
  stop('ReconnectHost', (m) => ({ uuid: m['host'] })),
]

const storage: Stop[] = [
  stop('AddLocalPrimaryStorage', (m) => ({ name: 'primary', zoneUuid: m['zone'], url: '/data/primary' }), 'primary'),
  stop('AttachPrimaryStorageToCluster', (m) => ({ clusterUuid: m['cluster'], primaryStorageUuid: m['primary'] })),
  ...lookAfter('PrimaryStorage', 'primary'),
  stop('ReconnectPrimaryStorage', (m) => ({ uuid: m['primary'] })),
  stop('GetPrimaryStorageCapacity', (m) => ({ primaryStorageUuids: [m['primary']] })),
  stop('AddImageStoreBackupStorage', { name: 'images', hostname: MANAGEMENT_IP, url: '/data/images', ...PRIVATE }, 'images'),
  stop('AttachBackupStorageToZone', (m) => ({ zoneUuid: m['zone'], backupStorageUuid: m['images'] })),
  ...lookAfter('BackupStorage', 'images'),
  stop('QueryImageStoreBackupStorage'),
  stop('ReconnectBackupStorage', (m) => ({ uuid: m['images'] })),
  stop(
    'AddImage',
    (m) => ({ name: 'tiny', url: `file://${IMAGE_FILE}`, backupStorageUuids: [m['images']], format: 'qcow2' }),
    'image',
  ),
  ...lookAfter('Image', 'image'),
]

const networks: Stop[] = [
  stop('CreateL2NoVlanNetwork', (m) => ({ name: 'l2', zoneUuid: m['zone'], physicalInterface: 'none' }), 'l2'),
  stop('AttachL2NetworkToCluster', (m) => ({ l2NetworkUuid: m['l2'], clusterUuid: m['cluster'] })),
  ...lookAfter('L2Network', 'l2', { state: false }),
  stop('CreateL3Network', (m) => ({ name: 'l3', l2NetworkUuid: m['l2'], dnsDomain: 'site.test', system: false }), 'l3'),
  ...lookAfter('L3Network', 'l3'),
  stop(
    'AddIpRange',
    (m) => ({
      name: 'few',
      l3NetworkUuid: m['l3'],
      startIp: '10.0.0.10',
      endIp: '10.0.0.20',
      netmask: '255.255.255.0',
      gateway: '10.0.0.1',
    }),
    'few',
  ),
  ...lookAfter('IpRange', 'few', { state: false }),
  stop('DeleteIpRange', (m) => ({ uuid: m['few'], deleteMode: 'Permissive' })),
  stop('AddIpRangeByNetworkCidr', (m) => ({ name: 'all', l3NetworkUuid: m['l3'], networkCidr: '10.0.0.0/24' }), 'range'),
  stop('AddDnsToL3Network', (m) => ({ l3NetworkUuid: m['l3'], dns: '9.9.9.9' })),
  stop('RemoveDnsFromL3Network', (m) => ({ l3NetworkUuid: m['l3'], dns: '9.9.9.9' })),
  stop('AttachNetworkServiceToL3Network', (m) => ({
    l3NetworkUuid: m['l3'],
    networkServices: { [VROUTER_PROVIDER]: ['DHCP', 'DNS', 'SNAT'] },
  })),
  stop('GetFreeIp', (m) => ({ l3NetworkUuid: m['l3'], limit: 3 })),
  stop('CheckIpAvailability', (m) => ({ l3NetworkUuid: m['l3'], ip: '10.0.0.50', arpCheck: false })),
]

const guests: Stop[] = [
  stop('CreateInstanceOffering', { name: 'small', cpuNum: 1, memorySize: 128 * MIB }, 'offering'),
  ...lookAfter('InstanceOffering', 'offering'),
  stop('CreateDiskOffering', { name: 'disk', diskSize: 128 * MIB }, 'disk'),
  ...lookAfter('DiskOffering', 'disk'),
  stop(
    'CreateVmInstance',
    (m) => ({
      name: 'vm',
      instanceOfferingUuid: m['offering'],
      imageUuid: m['image'],
      l3NetworkUuids: [m['l3']],
      rootDiskOfferingUuid: m['disk'],
      cpuNum: 0,
      memorySize: 0,
    }),
    'vm',
  ),
  ...lookAfter('VmInstance', 'vm', { state: false }),
  stop('QueryVmNic'),
  stop('QueryIpAddress'),
  stop('QueryVolume'),
  stop('RequestConsoleAccess', (m) => ({ vmInstanceUuid: m['vm'] })),
  stop('RebootVmInstance', (m) => ({ uuid: m['vm'] })),
  stop('StopVmInstance', (m) => ({ uuid: m['vm'], type: 'cold' })),
  stop('StartVmInstance', (m) => ({ uuid: m['vm'] })),
  stop('DestroyVmInstance', (m) => ({ uuid: m['vm'], deleteMode: '' })),
  stop('RecoverVmInstance', (m) => ({ uuid: m['vm'] })),
  stop('DestroyVmInstance', (m) => ({ uuid: m['vm'] })),
  stop('ExpungeVmInstance', (m) => ({ uuid: m['vm'] })),
]

const wayBack: Stop[] = [
  stop('DeleteImage', (m) => ({ uuid: m['image'] })),
  stop('RecoverImage', (m) => ({ imageUuid: m['image'] })),
  stop('DeleteImage', (m) => ({ uuid: m['image'] })),
  stop('ExpungeImage', (m) => ({ imageUuid: m['image'] })),
  stop('DetachNetworkServiceFromL3Network', (m) => ({
    l3NetworkUuid: m['l3'],
    networkServices: { [VROUTER_PROVIDER]: ['DHCP', 'DNS', 'SNAT'] },
  })),
  stop('DeleteL3Network', (m) => ({ uuid: m['l3'] })),
  stop('DetachL2NetworkFromCluster', (m) => ({ l2NetworkUuid: m['l2'], clusterUuid: m['cluster'] })),
  stop('DeleteL2Network', (m) => ({ uuid: m['l2'] })),
  stop('DetachBackupStorageFromZone', (m) => ({ zoneUuid: m['zone'], backupStorageUuid: m['images'] })),
  stop('DeleteBackupStorage', (m) => ({ uuid: m['images'] })),
  stop('DetachPrimaryStorageFromCluster', (m) => ({ clusterUuid: m['cluster'], primaryStorageUuid: m['primary'] })),
  stop('DeletePrimaryStorage', (m) => ({ uuid: m['primary'] })),
  stop('DeleteInstanceOffering', (m) => ({ uuid: m['offering'] })),
  stop('DeleteDiskOffering', (m) => ({ uuid: m['disk'] })),
  stop('DeleteHost', (m) => ({ uuid: m['host'] })),
  stop('DeleteCluster', (m) => ({ uuid: m['cluster'] })),
  stop('DeleteZone', (m) => ({ uuid: m['zone'] })),
  stop('LogInByAccount', { accountName: 'admin', password: sha512('password') }, 'session'),
  stop('ValidateSession', (m) => ({ sessionUuid: m['session'] })),
  stop('LogOut', (m) => ({ sessionUuid: m['session'] })),
]

/** The part of the tour after which one of everything is there. */
export const outward: readonly Stop[] = [
  ...grounds,
  ...storage,
  ...networks,
  ...guests.slice(
    0,
    guests.findIndex((s) => s.api === 'QueryVmNic'),
  ),
]

/** Nothing is left of it at its end but jobs. `UpdateVolume` and `GetTaskProgress` need ids that only answers tell. */
export const tour: readonly Stop[] = [...grounds, ...storage, ...networks, ...guests, ...wayBack]
