/** Creations whose whole meaning is a row: what each row holds besides the common fields, with ZStack's defaults. */
import { hostAllocatorStrategies, primaryStorageAllocatorStrategies, type Row, SkerryError, VXLAN_POOL } from '@skerry/contract'
import type { Graph } from '@skerry/graph'
import { creation } from './resource.create.ts'
import { VPC_NETWORK } from './vpc.rows.ts'
import { type Action, type Ctx, need } from './world.ts'

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

export const l3NetworkCreate = creation({
  workflow: 'l3Network.create',
  table: 'l3Network',
  parents: { l2NetworkUuid: 'l2Network' },
  check({ graph, params }) {
    const l2 = need(graph, 'l2Network', params['l2NetworkUuid'])
    if (l2['type'] === VXLAN_POOL)
      throw new SkerryError('invalid-argument', `L2 network ${l2['name']} is a VXLAN pool: create a VXLAN network of it first`, {
        l2NetworkUuid: l2['uuid'],
      })
  },
  row: (ctx) => ({
    type: p(ctx)['type'] ?? 'L3BasicNetwork',
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
    hostRoute: [],
    mtu: null,
    networkServices: [],
    routerAgentUuid: null,
    routerUplink: null,
    ...(p(ctx)['type'] === VPC_NETWORK ? { vpcRouterUuid: null } : {}),
  }),
})

const ofHosts = { field: 'allocatorStrategy', own: hostAllocatorStrategies, of: 'strategies' }
const ofStorages = { field: 'allocationStrategy', own: primaryStorageAllocatorStrategies, of: 'storageStrategies' }

/** Throws where a plugin is to choose the host or the primary storage that is not there. */
function checkStrategy(
  graph: Graph,
  params: Row,
  { field, own, of }: { field: string; own: readonly string[]; of: string },
): void {
  const strategy = params[field] as string | undefined
  if (strategy === undefined || own.includes(strategy)) return
  const known = [...graph.rows('plugin')].flatMap(([, row]) => (row[of] as string[] | undefined) ?? [])
  if (known.includes(strategy)) return
  const message = `invalid field[${field}]: no plugin has a strategy ${strategy}`
  throw new SkerryError('invalid-argument', message, { field, allowed: [...own, ...known] })
}

export const instanceOfferingCreate = creation({
  workflow: 'instanceOffering.create',
  table: 'instanceOffering',
  check: ({ graph, params }) => checkStrategy(graph, params, ofHosts),
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
  check: ({ graph, params }) => checkStrategy(graph, params, ofStorages),
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
  l3NetworkCreate,
  instanceOfferingCreate,
  diskOfferingCreate,
]
