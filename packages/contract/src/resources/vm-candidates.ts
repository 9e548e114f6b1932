/** Where a VM instance could be: what ZStack's clients ask before they offer a choice. Synchronous; nothing changes. */
import { z } from 'zod'
import { call } from '../api.ts'
import { bytes, time, uuid } from '../scalars.ts'
import { MAX_DATA_VOLUMES } from './volume.ts'

export const candidatesForCreating = call(
  'GetCandidateZonesClustersHostsForCreatingVm',
  'GET',
  '/vm-instances/candidate-destinations',
  {
    verb: 'destinations-for-creating',
    params: {
      instanceOfferingUuid: uuid.optional(),
      cpuNum: z.number().int().min(1).max(1024).optional(),
      memorySize: bytes.min(1).optional(),
      imageUuid: uuid,
      l3NetworkUuids: z.array(uuid).min(1).max(8),
      rootDiskOfferingUuid: uuid.optional(),
      rootDiskSize: bytes.min(1).optional(),
      dataDiskOfferingUuids: z.array(uuid).max(MAX_DATA_VOLUMES).optional(),
      zoneUuid: uuid.optional(),
      clusterUuid: uuid.optional(),
      defaultL3NetworkUuid: uuid.optional(),
    },
    result: { kind: 'lists', of: { zones: 'zone', clusters: 'cluster', hosts: 'host' } },
    summary: 'Zones, clusters and hosts that could take a new VM instance now, the preferred first',
  },
)
const { instanceOfferingUuid: _, cpuNum: _cpus, memorySize: _memory, ...disksAndPlace } = candidatesForCreating.params.shape
export const storagesForCreating = call('GetCandidatePrimaryStoragesForCreatingVm', 'GET', '/vm-instances/candidate-storages', {
  verb: 'storages-for-creating',
  params: { ...disksAndPlace, dataDiskSizes: z.array(bytes.min(1)).max(MAX_DATA_VOLUMES).optional() },
  result: {
    kind: 'lists',
    of: { rootVolumePrimaryStorages: 'primaryStorage' },
    // by the uuid of the offering of a disk, or its size
    maps: { dataVolumePrimaryStorages: 'primaryStorage' },
  },
  summary: 'Primary storages on which the disks of a new VM instance could be now',
})
const dated = { uuid, name: z.string(), createDate: time, lastOpDate: time }
/** An image, or a network with its ranges. */
const either = z.looseObject({ ...dated, ipRanges: z.array(z.looseObject(dated)).optional() })
export const usableTogether = call('GetInterdependentL3NetworksImages', 'GET', '/images-l3networks/dependencies', {
  verb: 'usable-together',
  params: {
    zoneUuid: uuid,
    l3NetworkUuids: z.array(uuid).max(8).optional(),
    imageUuid: uuid.optional(),
    raiseException: z.boolean().optional(),
  },
  // images where networks are named, networks where an image is
  result: { kind: 'fields', schema: z.object({ inventories: z.array(either) }) },
  summary: 'Images that a VM instance on these networks of a zone can be made of, or networks for an image',
})
export const candidatesForStarting = call(
  'GetVmStartingCandidateClustersHosts',
  'GET',
  '/vm-instances/{uuid}/starting-target-hosts',
  {
    verb: 'destinations-for-starting',
    result: { kind: 'lists', of: { clusters: 'cluster', hosts: 'host' } },
    summary: 'Clusters and hosts on which a VM instance that is off could be started now, the preferred first',
  },
)
