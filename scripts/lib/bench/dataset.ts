/**
 * The site that both sides are measured on: VMs, each with a root volume, a network card and its address, on a number of
 * hosts. Deterministic, so that the limit program, the controller and the load generator know the same uuids and names.
 */
import type { Row } from '../../../packages/contract/src/index.ts'

/** One row of the graph. */
export type Entry = [table: string, key: string, row: Row]

const EPOCH = Date.UTC(2024, 0, 1)
const GIB = 1024 ** 3
const VMS_PER_HOST = 400

/** 32 hex digits: what it is, then its number. */
export const idOf = (kind: 'f1' | 'c1' | 'a1' | 'e1' | 'd1' | 'b1', n: number): string =>
  `${kind}${n.toString(16).padStart(30, '0')}`
export const vmName = (n: number) => `vm-${n}`
export const ipOf = (n: number) => `10.${(n >> 16) & 255}.${(n >> 8) & 255}.${n & 255}`
/** VMs among so many resources. */
export const vmCount = (rows: number) => Math.floor(rows / 4)

const ZONE = idOf('b1', 1)
const CLUSTER = idOf('b1', 2)
const OFFERING = idOf('b1', 3)
const IMAGE = idOf('b1', 4)
const L3 = idOf('b1', 5)
const POOL = idOf('b1', 6)
const RANGE = idOf('b1', 7)

const base = (uuid: string, name: string, n: number) => ({
  uuid,
  name,
  description: null,
  createDate: EPOCH + n,
  lastOpDate: EPOCH + n,
})

function vm(n: number): Row {
  const host = idOf('e1', Math.floor(n / VMS_PER_HOST))
  return {
    ...base(idOf('a1', n), vmName(n), n),
    zoneUuid: ZONE,
    clusterUuid: CLUSTER,
    imageUuid: IMAGE,
    hostUuid: null,
    lastHostUuid: host,
    instanceOfferingUuid: OFFERING,
    rootVolumeUuid: idOf('d1', n),
    defaultL3NetworkUuid: L3,
    platform: 'Linux',
    architecture: 'x86_64',
    type: 'UserVm',
    hypervisorType: 'KVM',
    memorySize: GIB,
    reservedMemorySize: GIB,
    cpuNum: 1,
    cpuSpeed: 0,
    allocatorStrategy: 'LeastVmPreferredHostAllocatorStrategy',
    state: 'Stopped',
    guestOsType: null,
    stateCause: null,
    placementEpoch: 1,
    power: 'Stopped',
    powerCause: 'user',
    destroyedAt: null,
  }
}

function volume(n: number): Row {
  return {
    ...base(idOf('d1', n), `ROOT-for-${vmName(n)}`, n),
    primaryStorageUuid: POOL,
    vmInstanceUuid: idOf('a1', n),
    diskOfferingUuid: null,
    rootImageUuid: IMAGE,
    installPath: `/var/lib/skerry/pool/volumes/${idOf('d1', n)}.qcow2`,
    type: 'Root',
    format: 'qcow2',
    size: 8 * GIB,
    actualSize: GIB,
    deviceId: 0,
    state: 'Enabled',
    status: 'Ready',
    isShareable: false,
    localHostUuid: null,
    backing: null,
  }
}

function nic(n: number): Row {
  return {
    ...base(idOf('c1', n), `nic-${n}`, n),
    vmInstanceUuid: idOf('a1', n),
    l3NetworkUuid: L3,
    ip: ipOf(n),
    mac: `fa:00:00:${ipOf(n)
      .split('.')
      .slice(1)
      .map((b) => Number(b).toString(16).padStart(2, '0'))
      .join(':')}`,
    hypervisorType: 'KVM',
    netmask: '255.0.0.0',
    gateway: '10.255.255.254',
    ipVersion: 4,
    driverType: 'virtio',
    internalName: `vnic${n}.0`,
    deviceId: 0,
    type: 'VNIC',
    state: 'enable',
  }
}

function address(n: number): Row {
  return {
    ...base(idOf('f1', n), ipOf(n), n),
    l3NetworkUuid: L3,
    ipRangeUuid: RANGE,
    ip: ipOf(n),
    ipInLong: 0x0a000000 + n,
    netmask: '255.0.0.0',
    gateway: '10.255.255.254',
    ipVersion: 4,
    usedFor: null,
    vmNicUuid: idOf('c1', n),
  }
}

/** About `rows` rows: four a VM, one a host. */
export function* dataset(rows: number): Generator<Entry> {
  const vms = vmCount(rows)
  for (let h = 0; h * VMS_PER_HOST < vms; h++) {
    const uuid = idOf('e1', h)
    yield [
      'host',
      uuid,
      {
        ...base(uuid, `host-${h}`, h),
        clusterUuid: CLUSTER,
        zoneUuid: ZONE,
        managementIp: ipOf(h),
        hypervisorType: 'KVM',
        state: 'Enabled',
        status: 'Disconnected',
        ...{ cpuNum: 0, totalCpuCapacity: 0, availableCpuCapacity: 0, totalMemoryCapacity: 0, availableMemoryCapacity: 0 },
      },
    ]
  }
  for (let n = 0; n < vms; n++) {
    yield ['vmInstance', idOf('a1', n), vm(n)]
    yield ['volume', idOf('d1', n), volume(n)]
    yield ['vmNic', idOf('c1', n), nic(n)]
    yield ['usedIp', `${L3}:${ipOf(n)}`, address(n)]
  }
}
