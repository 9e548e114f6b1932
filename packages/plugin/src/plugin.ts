/**
 * What a plugin is: a module whose default export is this object, or a function that makes it of the plugin's configuration. It
 * runs in a process of its own and sees copies: what it changes in them changes nothing. Secrets are not among them.
 */

type Maybe<T> = Promise<T> | T
type Row = Record<string, unknown>

export interface StepCall {
  /** The job, and an id that is the same for each repeat of this `do`: for what is made elsewhere. */
  job: string
  commandId: string
  /** the resource that the job is about; its row as clients see it, null where there is none (yet) */
  uuid: string
  resource: string
  row: Row | null
  params: Row
  accountUuid: string
  /** of earlier steps, by name */
  outputs: Readonly<Record<string, unknown>>
  remainingMs: number
  /** Throws: the step has looked, and the answer is no. Told to the caller as it is. */
  refuse(why: string): never
}

export interface PluginStep {
  /** `<noun>.<verb>`, as `skerry get workflows` shows them */
  workflow: string
  /** Its name in the workflow is `<plugin>-<name>`. */
  name: string
  /** Raised when its meaning changes: a job that began with another version is stuck, not guessed at. */
  version?: number
  before?: string
  after?: string
  /** Its output takes the place of that step's. What that step wrote is not written any more. */
  replace?: string
  /**
   * true: the job fails when the plugin does. Else the job goes on without it, and the plugin shows as degraded. What it refuses fails
   * the job in either case.
   */
  essential?: boolean
  /** At most this long; default 5 s. */
  timeoutMs?: number
  /** Gives the output, plain JSON. May run again after a crash: acts on the same ids again. */
  do(call: StepCall): Maybe<unknown>
  /** Accepts that there is nothing to undo. */
  undo?(call: StepCall): Maybe<unknown>
  /** Why there is nothing to undo. Exactly one of `undo` and `noUndo`. */
  noUndo?: string
}

/** A host that could take the VM: filters have let it through. */
export interface HostView {
  uuid: string
  name: string
  clusterUuid: string
  zoneUuid: string
  primaryStorageUuid: string
  /** VMs on it */
  vms: number
  availableCpuCapacity: number
  availableMemoryCapacity: number
  /** system and user tags */
  tags: readonly string[]
}

export interface RankCall {
  /** the VM's: `cpuNum`, `memoryBytes`, `diskBytes`, `l3NetworkUuids`, `zoneUuid` … */
  request: Row
  hosts: readonly HostView[]
}

/** A primary storage that could take the volume, as it is on the host. */
export interface StorageView {
  uuid: string
  name: string
  zoneUuid: string
  /** bytes: not promised yet, and on the disks */
  availableCapacity: number
  availablePhysicalCapacity: number
  totalCapacity: number
  /** volumes on it */
  volumes: number
  /** system and user tags */
  tags: readonly string[]
}

export interface RankStoragesCall {
  diskBytes: number
  hostUuid: string
  storages: readonly StorageView[]
}

export interface TagCall {
  tag: string
  /** what stands in the places of the pattern */
  tokens: Readonly<Record<string, string>>
  uuid: string
  resource: string
  row: Row | null
  refuse(why: string): never
}

export interface VetCall extends TagCall {
  /** such as `DestroyVmInstance` */
  api: string
  params: Row
}

export interface PluginTag {
  /** table of the resources that may have it, such as `vmInstance` */
  resource: string
  /** `<plugin>::{token}`: its first part is the plugin's name */
  pattern: string
  /** Refuses a value that means nothing. */
  check?(call: TagCall): Maybe<void>
  /** Asked before each of `apis` about a resource that has the tag, also where it would go along with something else. */
  vet?(call: VetCall): Maybe<void>
  /** Names of APIs, `*` as wildcard. */
  apis?: readonly string[]
}

/** Something that happened, as `/v1/events` shows it. */
export interface EventView {
  id: string
  /** epoch ms */
  at: number
  noun: string
  uuid: string
  event: string
  actor: string
  job?: string
  account?: string
  data?: Row
}

export interface PluginObserver {
  /** Patterns as those of web hooks, such as `vmInstance.*.created` or `host.>`. */
  events: readonly string[]
  /** Told in their order, several at once, while nobody waits for it. What can't be told any more is counted: `droppedEvents`. */
  observe(events: readonly EventView[]): Maybe<unknown>
}

export interface Plugin {
  /** letters, digits, dashes: the first part of the names of all that it brings */
  name: string
  version: string
  summary: string
  steps?: readonly PluginStep[]
  /** `<plugin>:<strategy>` is what an offering names. Gives uuids of hosts, the preferred first; those left out are not taken. */
  strategies?: Readonly<Record<string, (call: RankCall) => Maybe<readonly string[]>>>
  /** As `strategies`, named by disk offerings. Gives uuids of primary storages, the preferred first; those left out are not taken. */
  storageStrategies?: Readonly<Record<string, (call: RankStoragesCall) => Maybe<readonly string[]>>>
  tags?: readonly PluginTag[]
  observes?: PluginObserver
}

export type PluginModule = Plugin | ((config: Row) => Maybe<Plugin>)

/** Only for the types. */
export const definePlugin = (plugin: PluginModule): PluginModule => plugin
