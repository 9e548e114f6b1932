/** How a host and a primary storage are chosen among those that can take what is asked for (zstack-core §3.13, §3.15). Data only. */
import { z } from 'zod'
import { call } from '../api.ts'
import { uuid } from '../scalars.ts'

export const hostAllocatorStrategies = [
  'LeastVmPreferredHostAllocatorStrategy',
  'StoppedVmAwareLeastVmPreferredHostAllocatorStrategy',
  'DefaultHostAllocatorStrategy',
  'DesignatedHostAllocatorStrategy',
  'LastHostPreferredAllocatorStrategy',
] as const
export type HostAllocatorStrategy = (typeof hostAllocatorStrategies)[number]

/** `<plugin>:<strategy>`: a plugin is asked. */
export const pluginStrategy = z.string().regex(/^[a-z][a-z0-9-]{0,31}:[a-z][a-z0-9-]{0,31}$/)

export const primaryStorageAllocatorStrategies = [
  'DefaultPrimaryStorageAllocationStrategy',
  'LeastVolumePrimaryStorageAllocationStrategy',
  'MaximumAvailableCapacityPrimaryStorageAllocationStrategy',
] as const
export type PrimaryStorageAllocatorStrategy = (typeof primaryStorageAllocatorStrategies)[number]

/** Answers by API. */
export const allocatorStrategies = {
  GetHostAllocatorStrategies: { strategies: hostAllocatorStrategies },
  GetPrimaryStorageAllocatorStrategies: { strategies: primaryStorageAllocatorStrategies },
} as const

const result = { kind: 'fields' as const, schema: z.object({ strategies: z.array(z.string()) }) }

export const hostAllocators = call('GetHostAllocatorStrategies', 'GET', '/hosts/allocators/strategies', {
  verb: 'allocator-strategies',
  result,
  summary: 'Ways to choose a host for a VM instance',
})
export const primaryStorageAllocators = call(
  'GetPrimaryStorageAllocatorStrategies',
  'GET',
  '/primary-storage/allocators/strategies',
  { verb: 'allocator-strategies', result, summary: 'Ways to choose a primary storage for a volume' },
)

const count = z.number().int()
const capacity = { totalCpu: count, availableCpu: count, totalMemory: count, availableMemory: count, managedCpuNum: count }
const uuids = z.array(uuid).max(1_000).optional()

export const hostCapacity = call('GetCpuMemoryCapacity', 'GET', '/hosts/capacities/cpu-memory', {
  verb: 'capacity',
  params: {
    zoneUuids: uuids,
    clusterUuids: uuids,
    hostUuids: uuids,
    hypervisorType: z.enum(['KVM', 'ESX']).optional(),
    all: z.boolean().optional(),
  },
  result: {
    kind: 'fields',
    schema: z.object({
      ...capacity,
      capacityData: z.array(z.object({ resourceUuid: uuid, ...capacity })),
      resourceType: z.string(),
    }),
  },
  summary: 'CPUs and memory of hosts, clusters or zones: all, and what VM instances can still get',
})
