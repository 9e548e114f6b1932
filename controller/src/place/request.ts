/** What placement is asked for, and what it answers. */
import type { Row } from '@skerry/contract'
import type { Graph } from '@skerry/graph'
import type { SchedulingRules } from './scheduling-rules.ts'
import type { PlaceSettings } from './settings.ts'
import type { StorageWish } from './storage-tags.ts'

export interface PlaceRequest {
  /** a `hostAllocatorStrategies`; default: the host with the fewest VMs */
  strategy?: string
  /** a `primaryStorageAllocatorStrategies` */
  storageStrategy?: string
  /** primary storages that tags of its offerings name */
  storageWish?: StorageWish
  zoneUuid?: string
  clusterUuid?: string
  hostUuid?: string
  primaryStorageUuid?: string
  cpuNum: number
  memoryBytes: number
  /** 0 when the VM has its volumes already */
  diskBytes: number
  l3NetworkUuids: readonly string[]
  /** zones whose backup storage holds the image; undefined: no image is needed */
  imageZones?: readonly string[]
  /** the only host that its volumes can be used on; absent: it has none yet */
  volumeHostUuid?: string
  /** where it ran last */
  lastHostUuid?: string
  avoidHostUuids?: readonly string[]
  /** hosts and clusters that it is bound to by its tag; absent: to none */
  boundTo?: readonly string[]
  /** the VM itself, when it exists: its own place doesn't count against it */
  vmUuid?: string
  affinityGroupUuids?: readonly string[]
  /** VM scheduling groups that it joins as it is created */
  vmSchedulingGroupUuids?: readonly string[]
  /** in [0, 1): decides between hosts that are equally good */
  random?: () => number
}

export interface Placement {
  hostUuid: string
  clusterUuid: string
  zoneUuid: string
  primaryStorageUuid: string
}

export interface Candidate {
  host: Readonly<Row>
  storage?: string
}

/** Why a host can't take it: which filter says so, and what is in the way. */
export interface Refused {
  host: string
  uuid: string
  filter: string
  because: string
}

/** A request while hosts are looked at. */
export interface Ask {
  graph: Graph
  request: PlaceRequest
  settings: PlaceSettings
  /** Of its affinity groups: hosts that run other members, with the group's name. */
  apart: { hard: ReadonlyMap<string, string>; soft: ReadonlySet<string> }
  rules: SchedulingRules
  /** What all hosts of a cluster have in common is looked at once. */
  clusters: Map<string, { filter: string; because: string } | undefined>
}
