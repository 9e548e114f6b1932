/** Every API that ZStack's clients can reach, called once with sense and in an order that works: from nothing to a VM and back. */
import { FakeSftp } from '@skerry/agent-storage'
import { ADMIN_ACCOUNT, type Row, VROUTER_PROVIDER } from '@skerry/contract'
import { MANAGEMENT_IP } from './small-site.ts'
import { IMAGE_FILE, ISO_FILE } from './small-world.ts'
import { asks, engine, group, groups, keys, schedule, scheduling, schedulingGroups, webhooks } from './tour-engine.ts'
import { identity } from './tour-identity.ts'
import { vlans, vxlans } from './tour-l2.ts'
import { balanced, balancers, balancersBack } from './tour-load-balancer.ts'
import { cards, free, ranges, settings } from './tour-networks.ts'
import { guarded, securityBack, securityGroups } from './tour-security.ts'
import { lookAfter, type Made, type Stop, stop } from './tour-stop.ts'
import { reached, vips, vipsBack } from './tour-vip.ts'
import { sha512 } from './zstack-client.ts'

export type { Made, Stop } from './tour-stop.ts'

const MIB = 1024 ** 2
/** Of a storage server that is there: `tourServers`. */
const SFTP_HOST = 'store.tour.test'
export function tourServers(): FakeSftp {
  const sftp = new FakeSftp()
  sftp.server(SFTP_HOST)
  return sftp
}
const PRIVATE = { username: 'root', password: 'unused' }
const onZone = (m: Made) => ({ resourceUuid: m['zone'], resourceType: 'ZoneVO' })
const tags: Stop[] = [
  stop('CreateSystemTag', (m) => ({ ...onZone(m), tag: 'host::reservedMemory::1G' }), 'systemTag'),
  stop('CreateSystemTags', (m) => ({ ...onZone(m), tags: ['host::reservedCpu::5'] })),
  stop('UpdateSystemTag', (m) => ({ uuid: m['systemTag'], tag: 'host::reservedMemory::2G' })),
  stop('QuerySystemTag'),
  stop('QuerySystemTag', (m) => ({ uuid: m['systemTag'] })),
  stop('CreateUserTag', (m) => ({ ...onZone(m), tag: 'on tour' }), 'userTag'),
  stop('QueryUserTag'),
  stop('QueryUserTag', (m) => ({ uuid: m['userTag'] })),
  stop('DeleteTag', (m) => ({ uuid: m['userTag'] })),
  stop('CreateTag', { name: 'tour', value: 'tour', color: '#ff0000' }, 'tagPattern'),
  stop('UpdateTag', (m) => ({ uuid: m['tagPattern'], description: 'seen on the tour' })),
  stop('AttachTagToResources', (m) => ({ tagUuid: m['tagPattern'], resourceUuids: [m['zone']] })),
  stop('QueryTag'),
  stop('QueryTag', (m) => ({ uuid: m['tagPattern'] })),
  stop('DetachTagFromResources', (m) => ({ tagUuid: m['tagPattern'], resourceUuids: [m['zone']] })),
]

const grounds: Stop[] = [
  stop('GetVersion'),
  stop('IsReadyToGo'),
  stop('GetCurrentTime'),
  ...['Hypervisor', 'PrimaryStorage', 'BackupStorage', 'L2Network', 'L3Network'].map((kind) => stop(`Get${kind}Types`)),
  stop('GetVolumeFormat'),
  stop('GetHostAllocatorStrategies'),
  stop('GetPrimaryStorageAllocatorStrategies'),
  stop('QueryManagementNode'),
  stop('QueryAccount'),
  stop('QueryNetworkServiceProvider'),
  stop('CreateZone', { name: 'zone', description: 'où est-ce', systemTags: ['host::reservedCpu::4'], userTags: ['u'] }, 'zone'),
  ...lookAfter('Zone', 'zone'),
  ...tags,
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
  stop('GetCpuMemoryCapacity', (m) => ({ hostUuids: [m['host']] })),
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
  stop('QueryImageStoreBackupStorage', (m) => ({ uuid: m['images'] })),
  stop('ReconnectBackupStorage', (m) => ({ uuid: m['images'] })),
  stop('UpdateImageStoreBackupStorage', (m) => ({ uuid: m['images'], username: 'admin', sshPort: 2222 })),
  stop('ReconnectImageStoreBackupStorage', (m) => ({ uuid: m['images'] })),
  stop('AddSftpBackupStorage', { name: 'server', hostname: SFTP_HOST, url: '/srv/images', ...PRIVATE }, 'server'),
  stop('UpdateSftpBackupStorage', (m) => ({ uuid: m['server'], description: 'seen on the tour', sshPort: 2222 })),
  stop('ReconnectSftpBackupStorage', (m) => ({ uuid: m['server'] })),
  stop('QuerySftpBackupStorage'),
  stop('QuerySftpBackupStorage', (m) => ({ uuid: m['server'] })),
  stop('DeleteBackupStorage', (m) => ({ uuid: m['server'] })),
  stop(
    'AddImage',
    (m) => ({ name: 'tiny', url: `file://${IMAGE_FILE}`, backupStorageUuids: [m['images']], format: 'qcow2' }),
    'image',
  ),
  ...lookAfter('Image', 'image'),
  stop(
    'AddImage',
    (m) => ({ name: 'sent', url: 'upload://disk.qcow2', backupStorageUuids: [m['images']], format: 'qcow2' }),
    'uploaded',
  ),
  stop('GetUploadImageJobDetails', (m) => ({ imageId: m['uploaded'] })),
  stop(
    'AddImage',
    (m) => ({ name: 'installer', url: `file://${ISO_FILE}`, backupStorageUuids: [m['images']], mediaType: 'ISO', format: 'iso' }),
    'iso',
  ),
]

const networks: Stop[] = [
  stop('CreateL2NoVlanNetwork', (m) => ({ name: 'l2', zoneUuid: m['zone'], physicalInterface: 'none' }), 'l2'),
  stop('AttachL2NetworkToCluster', (m) => ({ l2NetworkUuid: m['l2'], clusterUuid: m['cluster'] })),
  ...lookAfter('L2Network', 'l2', { state: false }),
  ...vlans,
  ...vxlans,
  stop('CreateL3Network', (m) => ({ name: 'l3', l2NetworkUuid: m['l2'], dnsDomain: 'site.test', system: false }), 'l3'),
  ...lookAfter('L3Network', 'l3'),
  ...ranges,
  stop('AttachNetworkServiceToL3Network', (m) => ({
    l3NetworkUuid: m['l3'],
    networkServices: { [VROUTER_PROVIDER]: ['DHCP', 'DNS', 'SNAT'] },
  })),
  stop('GetNetworkServiceTypes'),
  ...settings,
  ...securityGroups,
  ...vips,
  ...balancers,
  ...free,
  stop('GetCandidateClustersForAttachingL2Network', (m) => ({ l2NetworkUuid: m['l2'], limit: 3 })),
  stop('GetCandidateL2NetworksForAttachingCluster', (m) => ({ clusterUuid: m['cluster'] })),
]

/** What a guest is told: said, read and taken back. */
const told = (what: string, said: Row): Stop[] => [
  stop(`SetVm${what}`, (m) => ({ uuid: m['vm'], ...said })),
  stop(`GetVm${what}`, (m) => ({ uuid: m['vm'] })),
  stop(`DeleteVm${what}`, (m) => ({ uuid: m['vm'] })),
]

const guests: Stop[] = [
  stop('CreateInstanceOffering', { name: 'small', cpuNum: 1, memorySize: 128 * MIB }, 'offering'),
  ...lookAfter('InstanceOffering', 'offering'),
  stop('CreateDiskOffering', { name: 'disk', diskSize: 128 * MIB }, 'disk'),
  ...lookAfter('DiskOffering', 'disk'),
  group,
  ...schedulingGroups,
  stop('CreateDataVolume', (m) => ({ name: 'data', diskOfferingUuid: m['disk'] }), 'data'),
  ...['disable', 'enable'].map((stateEvent) => stop('ChangeVolumeState', (m) => ({ uuid: m['data'], stateEvent }))),
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
  ...['first', 'second'].map((name) => stop('CreateVolumeSnapshot', (m) => ({ volumeUuid: m['volume'], name }), name)),
  stop('QueryVmNic'),
  ...guarded,
  ...reached,
  ...balanced,
  ...lookAfter('VolumeSnapshot', 'first', { state: false }),
  stop('QueryVolumeSnapshotTree'),
  stop('GetVolumeSnapshotSize', (m) => ({ uuid: m['first'] })),
  stop('CreateDataVolumeFromVolumeSnapshot', (m) => ({ name: 'copy', volumeSnapshotUuid: m['first'] }), 'copy'),
  ...['DeleteDataVolume', 'ExpungeDataVolume'].map((api) => stop(api, (m) => ({ uuid: m['copy'] }))),
  stop('DeleteVolumeSnapshot', (m) => ({ uuid: m['first'] })),
  stop('CreateVolumeSnapshot', (m) => ({ volumeUuid: m['volume'], name: 'third' }), 'third'),
  stop('BatchDeleteVolumeSnapshot', (m) => ({ uuids: [m['third']] })),
  stop('QueryIpAddress'),
  stop('QueryVolume'),
  stop('GetDataVolumeAttachableVm', (m) => ({ volumeUuid: m['data'] })),
  stop('AttachDataVolumeToVm', (m) => ({ vmInstanceUuid: m['vm'], volumeUuid: m['data'] })),
  stop('ResizeDataVolume', (m) => ({ uuid: m['data'], size: 256 * MIB })),
  stop('DetachDataVolumeFromVm', (m) => ({ uuid: m['data'] })),
  stop('DeleteDataVolume', (m) => ({ uuid: m['data'] })),
  stop('RecoverDataVolume', (m) => ({ uuid: m['data'] })),
  stop('DeleteDataVolume', (m) => ({ uuid: m['data'] })),
  stop('ExpungeDataVolume', (m) => ({ uuid: m['data'] })),
  stop('GetCandidateIsoForAttachingVm', (m) => ({ vmInstanceUuid: m['vm'] })),
  stop('GetCandidateVmForAttachingIso', (m) => ({ isoUuid: m['iso'] })),
  stop('AttachIsoToVmInstance', (m) => ({ vmInstanceUuid: m['vm'], isoUuid: m['iso'] })),
  stop('QueryVmCdRom'),
  stop('DetachIsoFromVmInstance', (m) => ({ vmInstanceUuid: m['vm'], isoUuid: m['iso'] })),
  stop('ResizeRootVolume', (m) => ({ uuid: m['volume'], vmInstanceUuid: m['vm'], size: 256 * MIB })),
  ...keys,
  ...schedule,
  ...asks,
  ...groups,
  ...scheduling,
  stop('RequestConsoleAccess', (m) => ({ vmInstanceUuid: m['vm'] })),
  stop('RebootVmInstance', (m) => ({ uuid: m['vm'] })),
  ...['Pause', 'Resume'].map((verb) => stop(`${verb}VmInstance`, (m) => ({ uuid: m['vm'] }))),
  ...['ConsoleAddress', 'BootOrder', 'Capabilities'].map((what) => stop(`GetVm${what}`, (m) => ({ uuid: m['vm'] }))),
  stop('GetVmsCapabilities', (m) => ({ vmUuids: [m['vm']] })),
  ...told('Hostname', { hostname: 'web' }),
  ...told('SshKey', { SshKey: `ssh-ed25519 ${'A'.repeat(68)} me` }),
  stop('SetVmBootOrder', (m) => ({ uuid: m['vm'], bootOrder: ['CdRom', 'HardDisk'] })),
  stop('GetVmAttachableDataVolume', (m) => ({ vmInstanceUuid: m['vm'] })),
  stop('CreateL3Network', (m) => ({ name: 'second', l2NetworkUuid: m['l2'] }), 'secondL3'),
  stop('AddIpRangeByNetworkCidr', (m) => ({ name: 'second', l3NetworkUuid: m['secondL3'], networkCidr: '10.1.0.0/24' })),
  stop('AttachL3NetworkToVm', (m) => ({ vmInstanceUuid: m['vm'], l3NetworkUuid: m['secondL3'] })),
  ...cards.whileOn,
  stop('DetachL3NetworkFromVm', (m) => ({ vmNicUuid: m['nic'] })),
  stop('DeleteL3Network', (m) => ({ uuid: m['secondL3'] })),
  stop('GetVmAttachableL3Network', (m) => ({ vmInstanceUuid: m['vm'] })),
  stop('GetVolumeCapabilities', (m) => ({ uuid: m['volume'] })),
  stop('SetVolumeQos', (m) => ({ uuid: m['volume'], totalIOPS: 500 })),
  stop('GetVolumeQos', (m) => ({ uuid: m['volume'] })),
  stop('DeleteVolumeQos', (m) => ({ uuid: m['volume'], mode: 'all' })),
  stop('StopVmInstance', (m) => ({ uuid: m['vm'], type: 'cold' })),
  ...cards.whileOff,
  stop('GetVmStartingCandidateClustersHosts', (m) => ({ uuid: m['vm'] })),
  stop('ChangeInstanceOffering', (m) => ({ vmInstanceUuid: m['vm'], instanceOfferingUuid: m['offering'] })),
  stop('RevertVolumeFromSnapshot', (m) => ({ uuid: m['second'] })),
  stop('StartVmInstance', (m) => ({ uuid: m['vm'] })),
  stop('DestroyVmInstance', (m) => ({ uuid: m['vm'], deleteMode: '' })),
  stop('RecoverVmInstance', (m) => ({ uuid: m['vm'] })),
  stop('DestroyVmInstance', (m) => ({ uuid: m['vm'] })),
  stop('ExpungeVmInstance', (m) => ({ uuid: m['vm'] })),
]

const calls: Stop[] = [
  stop('CreateAccessKey', { accountUuid: ADMIN_ACCOUNT, userUuid: ADMIN_ACCOUNT, description: 'of a program' }, 'key'),
  stop('QueryAccessKey'),
  ...['disable', 'enable'].map((stateEvent) => stop('ChangeAccessKeyState', (m) => ({ uuid: m['key'], stateEvent }))),
  stop('DeleteAccessKey', (m) => ({ uuid: m['key'] })),
  stop(
    'SubmitLongJob',
    (m) => ({ jobName: 'APIUpdateZoneMsg', jobData: JSON.stringify({ uuid: m['zone'], name: 'by and by' }) }),
    'longJob',
  ),
  stop('QueryLongJob', (m) => ({ uuid: m['longJob'] })),
  stop('UpdateLongJob', (m) => ({ uuid: m['longJob'], name: 'renamed' })),
  stop('RerunLongJob', (m) => ({ uuid: m['longJob'] })),
  stop('DeleteLongJob', (m) => ({ uuid: m['longJob'] })),
]

const wayBack: Stop[] = [
  ...securityBack,
  ...balancersBack,
  ...vipsBack,
  stop('DeleteImage', (m) => ({ uuid: m['image'] })),
  stop('RecoverImage', (m) => ({ imageUuid: m['image'] })),
  stop('DeleteImage', (m) => ({ uuid: m['image'] })),
  stop('ExpungeImage', (m) => ({ imageUuid: m['image'] })),
  stop('DeleteImage', (m) => ({ uuid: m['iso'] })),
  stop('ExpungeImage', (m) => ({ imageUuid: m['iso'] })),
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
  stop('RenewSession', (m) => ({ sessionUuid: m['session'], duration: 3600 })),
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
  ...[...keys, ...schedule, ...webhooks].filter(({ keep }) => keep !== undefined && keep !== 'madeKey'),
]

/** Nothing is left of it at its end but jobs. `UpdateVolume` and `GetTaskProgress` need ids that only answers tell; `nic` is the newest card. */
export const tour: readonly Stop[] = [
  ...grounds,
  ...storage,
  ...networks,
  ...guests,
  ...calls,
  ...engine,
  ...identity,
  ...wayBack,
]
