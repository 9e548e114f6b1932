/**
 * System tags that exist, by resource: what stands in their place of `{token}` is free, up to the next `::` (zstack-core §3.7,
 * Appendix A). Others are refused, because a tag that nobody knows changes nothing and its caller thinks that it does. Data only.
 */
import { qosTagPatterns } from './volume-qos.ts'

/** Of an offering: where its volumes lie. */
const storageOfOffering = [
  'primaryStorage::allocator::uuid::{uuid}',
  'primaryStorage::allocator::userTag::{tag}',
  'primaryStorage::allocator::userTag::{tag}::required',
]

/** Missing on purpose: `rootPassword::{…}` and `consolePassword::{…}`, for what is recorded must hold no secret. */
export const systemTagPatterns: Readonly<Record<string, readonly string[]>> = {
  zone: ['host::reservedCpu::{capacity}', 'host::reservedMemory::{capacity}'],
  cluster: ['host::reservedCpu::{capacity}', 'host::reservedMemory::{capacity}', 'check::cluster::cpu::model::{enable}'],
  host: [
    'reservedCpu::{capacity}',
    'reservedMemory::{capacity}',
    'capability::liveSnapshot',
    'os::distribution::{distribution}',
    'os::release::{release}',
    'os::version::{version}',
    'extraips::{extraips}',
    'hostCpuModelName::{hostCpuModelName}',
    'systemProductName::{systemProductName}',
    'systemSerialNumber::{systemSerialNumber}',
    'cpuGHz::{cpuGHz}',
    'cpuProcessorNum::{cpuProcessorNum}',
    'cpuCache::{cpuCache}',
    'powerSupplyModelName::{powerSupplyModelName}',
    'powerSupplyMaxPowerCapacity::{powerSupplyMaxPowerCapacity}',
    'powerSupplyManufacturer::{powerSupplyManufacturer}',
    'ipmiAddress::{ipmiAddress}',
    'iscsiInitiatorName::{iscsiInitiatorName}',
    'pageTableExtensionDisabled',
    'GuestTools::{guestToolsVersion}',
    'GuestToolsLinux::{guestToolsLinuxVersion}',
    'ConnectedTime::{hostConnectedTime}',
    'systemManufacturer::{systemManufacturer}',
    'systemUUID::{systemUUID}',
    'biosVendor::{biosVendor}',
    'biosVersion::{biosVersion}',
    'biosReleaseDate::{biosReleaseDate}',
    'bmcVersion::{bmcVersion}',
    'uptime::{uptime}',
    'memorySlotsMaximum::{memorySlotsMaximum}',
    'qemu-img::version::{version}',
    'libvirt::version::{version}',
    'hvm::{flag}',
    'ept::{ept}',
    'cpuModelName::{name}',
    'capability:virtio-scsi',
    'libvirtCapabilities::{libvirtCapabilities}',
    'localStorage::{primaryStorageUuid}::initialized',
  ],
  primaryStorage: [
    'capability:snapshot',
    'primaryStorage::allocator::uuid::{uuid}',
    'primaryStorage::allocator::userTag::{tag}',
    'primaryStorage::allocator::userTag::{tag}::required',
    'capability::snapshot::hypervisor::{hypervisorType}',
    'primaryStorage::gateway::cidr::{storageGateway}',
    'primaryStorage::vendor::{vendor}',
    'primaryStorage::migrate::network::cidr::{migrateCidr}',
    'primaryStorageVolumeProvisioningStrategy::{primaryStorageVolumeProvisioningStrategy}',
    'ceph::predefinedImageCachePool',
    'ceph::predefinedRootVolumePool',
    'ceph::predefinedDataVolumePool',
    'ceph::default::dataVolumePoolName::{dataVolumePoolName}',
    'ceph::default::rootVolumePoolName::{rootVolumePoolName}',
    'ceph::default::imageCachePoolName::{imageCachePoolName}',
    'ceph::kvm::secret::{uuid}',
    'ceph::nocephx',
    'ceph::manufacturer::{name}',
    'ceph::thirdPartyPlatform::{thirdPartyPlatformToken}',
    'ceph::customInitializationPoolName::{customInitializationPoolNameToken}',
    'nfs::mount::options::{options}',
  ],
  backupStorage: [
    'backupStorage::data::network::cidr::{backupStorageDataNetwork}',
    'extraips::{extraips}',
    'iscsiInitiatorName::{iscsiInitiatorName}',
    'ceph::predefinedPool',
  ],
  l2Network: ['kvm::bridge::{name}', 'l2NetworkUuid::{poolUuid}::clusterUuid::{clusterUuid}::cidr::{vtepCidr}'],
  l3Network: [
    'routerInterfaceIp::{routerInterfaceIp}',
    'networkservices::{networkservices}',
    'dhcpServerUuid::{dhcpServerUuid}',
    'ascDelayNormalNextIp::{ascDelayNormalNextIpRangeUuid}::{ascDelayNormalNextIp}',
    'ascDelayAddressPoolNextIp::{ascDelayAddressPoolNextIpRangeUuid}::{ascDelayAddressPoolNextIp}',
    'enableDHCP::{enableDHCP}',
    'l3NetworkUuid::{l3Uuid}::mtu::{mtu}',
    'virtualRouterOffering::{routerOffering}',
    'flatNetwork::DhcpServer::{ip}::ipUuid::{ipUuid}',
  ],
  instanceOffering: [
    'instanceOfferingUserConfig::{instanceOfferingUserConfig}',
    'commandsParallelismDegree::{parallelismDegree}',
    'guestL3Network::{guestL3NetworkUuid}',
    'vrouter',
    ...storageOfOffering,
    ...qosTagPatterns,
  ],
  diskOffering: ['diskOfferingUserConfig::{diskOfferingUserConfig}', ...storageOfOffering, ...qosTagPatterns],
  image: [
    'qemuga',
    'imageName::{imageName}::primaryStorageUuid::{primaryStorageUuid}',
    'remote',
    'image::cert::{imageCert}',
    'sourceType::{sourceType}',
    'bootMode::{bootMode}',
    'CreatedBySystem',
    'temporary',
    'GuestTools::{guestToolsVersion}',
    'buildapp::{buildapp}',
    'packer',
    'applianceType::{applianceType}',
    'marketplace::true',
  ],
  vmInstance: [
    'cpuSockets::{cpuSockets}',
    'cpuCores::{cpuCores}',
    'cpuThreads::{cpuThreads}',
    'hostname::{hostname}',
    'syncPorts::{syncPorts}',
    'syncHostname::{syncHostname}',
    'staticIp::{l3NetworkUuid}::{staticIp}',
    'ipv4Gateway::{l3NetworkUuid}::{ipv4Gateway}',
    'ipv6Gateway::{l3NetworkUuid}::{ipv6Gateway}',
    'ipv4Netmask::{l3NetworkUuid}::{ipv4Netmask}',
    'ipv6Prefix::{l3NetworkUuid}::{ipv6Prefix}',
    'customMac::{l3NetworkUuid}::{customMac}',
    'customNicUuid::{l3NetworkUuid}::{customNicUuid}',
    'windows::virtioVolume',
    'userdata::{userdata}',
    'sshkey::{sshkey}',
    'iso::{iso}::{deviceId}',
    'bootOrder::{bootOrder}',
    'cdromBootOnce::{cdromBootOnce}',
    'bootOrderOnce::{bootOrderOnce}',
    'usbRedirect::{usbRedirect}',
    'securityElementEnable::{securityElementEnable}',
    'RDPEnable::{RDPEnable}',
    'VDIMonitorNumber::{VDIMonitorNumber}',
    'instanceOfferingOnlinechange::{instanceOfferingOnliechange}',
    'pendingCapacityChange::cpuNum::{cpuNum}::cpuSpeed::{cpuSpeed}::memory::{memory}',
    'qemuga',
    'primaryStorageUuidForDataVolume::{primaryStorageUuidForDataVolume}',
    'vmSystemSerialNumber::{vmSystemSerialNumber}',
    'releaseVmNicAfterDetachVmNic::{releaseVmNicAfterDetachVmNic}',
    'bootMode::{bootMode}',
    'bootVolume::{bootVolume}',
    'maxInstancePerHost::{maxInstancePerHost}',
    'additionalQmp',
    'cleanTraffic::{cleanTraffic}',
    'autoScalingGroupUuid::{autoScalingGroupUuid}',
    'cdroms::{cdrom0}::{cdrom1}::{cdrom2}',
    'createWithoutCdRom::{createWithoutCdRom}',
    'cdromUuid::{cdromUuid}',
    'nicMultiQueueNum::{l3Uuid}::{nicMultiQueueNum}',
    'v2vVmCdroms::{v2vVmCdroms}',
    'vmMachineType::{vmMachineType}',
    'packer',
    'vmPriority::{vmPriority}',
    'soundType::{soundType}',
    'qxlMemory::{ram}::{vram}::{vgamem}',
    'vmMultipleGateway::{vmMultipleGateway}',
    'GuestTools::{guestToolsVersion}',
    'resourceBindings::{resourceUUids}',
    'vRingBufferSize::{rxBufferSize}::{txBufferSize}',
    'driver::virtio',
    'numa',
    'ipChanged::{ipChanged}',
    'l3::{l3Uuid}::SecurityGroupUuids::{securityGroupUuids}',
    'l3::{l3Uuid}::securityGroupIngressPolicy::{securityGroupIngressPolicy}::securityGroupEgressPolicy::{securityGroupEgressPolicy}',
    'directoryUuid::{directoryUuid}',
    'usbDeviceUuid::{usbDeviceUuid}::attachType::{attachType}',
    'xmlHook::{xmlHook}',
    'marketplace::true',
    'vmPausedAfterMigrate',
    'virtio::diskOffering::{diskOfferingUuid}::num::{number}',
    'vm::pci::bridge::num::{number}',
    'commandsParallelismDegree::{parallelismDegree}',
    'role::DHCP',
    'role::DNS',
    'role::SNAT',
    'role::EIP',
    'role::PortForwarding',
    'role::LoadBalancer',
    'dedicatedRole',
  ],
  vmNic: ['internalIp::{internalIp}', 'internalIpv6::{internalIpv6}', 'vmnic::{pci}'],
  volume: [
    'volumeMaxIncrementalSnapshotNum::{volumeSnapshotMaxNum}',
    'volumeProvisioningStrategy::{volumeProvisioningStrategy}',
    'autoScalingGroupUuid::{autoScalingGroupUuid}',
    'overwriteBy::volume::{overwritedVolumeUuid}',
    'notSupportActualSize::{notSupportActualSize}',
    'packer',
    'qos::{qos}',
    'capability::virtio-scsi',
    'kvm::volume::{wwn}',
    'ceph::pool::{poolName}',
    'ceph::rootPoolName::{rootPoolName}',
    'localStorage::hostUuid::{hostUuid}',
  ],
  volumeSnapshot: ['CreatedBySystem', 'backingTo::{VolumeUuid}::volume', 'backingTo::{imageUuid}::image'],
  volumeSnapshotGroup: ['CreatedBySystem'],
  longJob: ['uploadImage::{imageId}'],
  loadBalancerListener: [
    'healthyThreshold::{healthyThreshold}',
    'healthCheckInterval::{healthCheckInterval}',
    'healthCheckTarget::{healthCheckTarget}',
    'healthCheckTimeout::{healthCheckTimeout}',
    'healthCheckParameter::{healthCheckParameter}',
    'unhealthyThreshold::{unhealthyThreshold}',
    'connectionIdleTimeout::{connectionIdleTimeout}',
    'maxConnection::{maxConnection}',
    'balancerAlgorithm::{balancerAlgorithm}',
    'sessionPersistence::{sessionPersistence}',
    'sessionIdleTimeout::{sessionIdleTimeout}',
    'cookieName::{cookieName}',
    'accessControlStatus::{accessControlStatus}',
    'httpMode::{httpMode}',
  ],
}

/**
 * They act during the creation of such a resource, and are not kept (zstack-core §3.7). With a reason: nothing here can do what they
 * ask for, and a creation that asks for it is refused.
 */
const ephemeralTags: Readonly<Record<string, Readonly<Record<string, string | null>>>> = {
  vmInstance: {
    'affinityGroupUuid::{affinityGroupUuid}': null,
    // Ours: the host of a VM with local disks is chosen when it is made, so it must be in its groups by then.
    'vmSchedulingRuleGroupUuid::{vmSchedulingRuleGroupUuid}': null,
    // As every root volume is made: on top of its image, which is there already.
    'volume::fastCreate': null,
    'volume::flatten': 'a root volume stays on top of its image',
  },
  volume: {
    // An empty volume has nothing to copy, and nothing below it.
    'volume::fastCreate': null,
    'volume::flatten': null,
    shareable: 'primary storage lies on the disks of a host, and one VM instance at a time can use a volume there',
  },
}

const SEPARATOR = '::'
const isToken = (part: string) => part.startsWith('{') && part.endsWith('}')

/** Whether the tag has the form of the pattern: as many parts, fixed ones alike, none empty. */
export function fitsPattern(tag: string, pattern: string): boolean {
  const parts = tag.split(SEPARATOR)
  const wanted = pattern.split(SEPARATOR)
  return parts.length === wanted.length && wanted.every((want, i) => (isToken(want) ? parts[i] !== '' : parts[i] === want))
}

const ephemeralOf = (resource: string, tag: string) =>
  Object.entries(ephemeralTags[resource] ?? {}).find(([pattern]) => fitsPattern(tag, pattern))

/** Whether the tag acts during the creation of such a resource, and is not kept. */
export const isEphemeral = (resource: string, tag: string): boolean => ephemeralOf(resource, tag) !== undefined

/** Why nothing here can do what an ephemeral tag asks for. */
export const ephemeralRefusal = (resource: string, tag: string): string | undefined =>
  ephemeralOf(resource, tag)?.[1] ?? undefined

/** The registered pattern that a system tag of this resource has; undefined: there is none. */
export const patternOf = (resource: string, tag: string): string | undefined =>
  systemTagPatterns[resource]?.find((pattern) => fitsPattern(tag, pattern))
