/** Creations whose whole meaning is a row: what each row holds besides the common fields, with ZStack's defaults. */
import type { Row } from '@skerry/contract'
import { creation } from './resource.create.ts'
import type { Action, Ctx } from './world.ts'

const p = (ctx: Ctx): Row => ctx.input.params

export const zoneCreate = creation({
  workflow: 'zone.create',
  table: 'zone',
  row: (ctx) => ({ state: 'Enabled', type: 'zstack', isDefault: p(ctx)['isDefault'] ?? false }),
})

export const clusterCreate = creation({
  workflow: 'cluster.create',
  table: 'cluster',
  parents: { zoneUuid: 'zone' },
  row: (ctx) => ({
    zoneUuid: p(ctx)['zoneUuid'],
    hypervisorType: p(ctx)['hypervisorType'],
    type: p(ctx)['type'] ?? 'zstack',
    state: 'Enabled',
    architecture: p(ctx)['architecture'] ?? 'x86_64',
  }),
})

export const primaryStorageAdd = creation({
  workflow: 'primaryStorage.add',
  table: 'primaryStorage',
  parents: { zoneUuid: 'zone' },
  row: (ctx) => ({
    zoneUuid: p(ctx)['zoneUuid'],
    url: p(ctx)['url'],
    mountPath: p(ctx)['url'],
    type: 'LocalStorage',
    state: 'Enabled',
    status: 'Connecting',
    totalCapacity: 0,
    availableCapacity: 0,
    totalPhysicalCapacity: 0,
    availablePhysicalCapacity: 0,
    systemUsedCapacity: 0,
    attachedClusterUuids: [],
  }),
})

export const l2NetworkCreate = creation({
  workflow: 'l2Network.create',
  table: 'l2Network',
  parents: { zoneUuid: 'zone' },
  row: (ctx) => ({
    zoneUuid: p(ctx)['zoneUuid'],
    physicalInterface: p(ctx)['physicalInterface'],
    type: 'L2NoVlanNetwork',
    vSwitchType: 'LinuxBridge',
    isolated: p(ctx)['isolated'] ?? false,
    attachedClusterUuids: [],
  }),
})

export const l3NetworkCreate = creation({
  workflow: 'l3Network.create',
  table: 'l3Network',
  parents: { l2NetworkUuid: 'l2Network' },
  row: (ctx) => ({
    type: 'L3BasicNetwork',
    l2NetworkUuid: p(ctx)['l2NetworkUuid'],
    zoneUuid: ctx.world.graph.get('l2Network', p(ctx)['l2NetworkUuid'] as string)?.['zoneUuid'],
    state: 'Enabled',
    dnsDomain: p(ctx)['dnsDomain'] ?? null,
    system: p(ctx)['system'] ?? false,
    category: p(ctx)['category'] ?? 'Private',
    ipVersion: 4,
    enableIPAM: p(ctx)['enableIPAM'] ?? true,
    isolated: false,
    dns: [],
    networkServices: [],
    routerAgentUuid: null,
    routerUplink: null,
  }),
})

export const instanceOfferingCreate = creation({
  workflow: 'instanceOffering.create',
  table: 'instanceOffering',
  row: (ctx) => ({
    cpuNum: p(ctx)['cpuNum'],
    cpuSpeed: 0,
    memorySize: p(ctx)['memorySize'],
    reservedMemorySize: p(ctx)['reservedMemorySize'] ?? 0,
    type: 'UserVm',
    allocatorStrategy: p(ctx)['allocatorStrategy'] ?? 'LeastVmPreferredHostAllocatorStrategy',
    sortKey: p(ctx)['sortKey'] ?? 0,
    state: 'Enabled',
  }),
})

export const diskOfferingCreate = creation({
  workflow: 'diskOffering.create',
  table: 'diskOffering',
  row: (ctx) => ({
    diskSize: p(ctx)['diskSize'],
    sortKey: p(ctx)['sortKey'] ?? 0,
    state: 'Enabled',
    type: 'zstack',
    allocatorStrategy: p(ctx)['allocationStrategy'] ?? 'DefaultPrimaryStorageAllocationStrategy',
  }),
})

export const controlPlane: readonly Action[] = [
  zoneCreate,
  clusterCreate,
  primaryStorageAdd,
  l2NetworkCreate,
  l3NetworkCreate,
  instanceOfferingCreate,
  diskOfferingCreate,
]
