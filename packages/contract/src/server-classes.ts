/**
 * Server classes of what ZStack's replies hold besides inventories of resources. Its Java SDK declares plain lists, and makes typed
 * objects of their elements only where the reply's `schema` names a class: without one its callers' casts fail.
 * Only classes that the map of its SDK (5.2.0) holds.
 */

const FREE_IP = 'org.zstack.header.network.l3.FreeIpInventory'
const RESOURCE_CONFIG = 'org.zstack.resourceconfig.ResourceConfigInventory'
const RESOURCE_CONFIG_STRUCT = 'org.zstack.resourceconfig.ResourceConfigStruct'
const SNAPSHOT_LEAF = 'org.zstack.header.storage.snapshot.VolumeSnapshotTree$SnapshotLeafInventory'
const SPENDING = 'org.zstack.billing.Spending'
const TASK_PROGRESS = 'org.zstack.header.core.progress.TaskProgressInventory'

type Members = Readonly<Record<string, string>>

/** By API: the class of each member of its reply, of its elements where it is a list. */
const ofReplies: Readonly<Record<string, Members>> = {
  AddSchedulerJobsToSchedulerJobGroup: { inventories: 'org.zstack.header.scheduler.SchedulerJobGroupJobRefInventory' },
  AttachTagToResources: { results: 'org.zstack.tag2.AttachTagResult' },
  BatchDeleteVolumeSnapshot: { results: 'org.zstack.header.storage.snapshot.BatchDeleteVolumeSnapshotStruct' },
  CalculateAccountSpending: { spending: SPENDING },
  GetAccountQuotaUsage: { usages: 'org.zstack.header.identity.Quota$QuotaUsage' },
  GetCpuMemoryCapacity: { capacityData: 'org.zstack.header.allocator.datatypes.CpuMemoryCapacityData' },
  GetFreeIp: { inventories: FREE_IP },
  GetFreeIpOfIpRange: { inventories: FREE_IP },
  GetFreeIpOfL3Network: { inventories: FREE_IP },
  GetIpAddressCapacity: { capacityData: 'org.zstack.header.network.l3.datatypes.IpCapacityData' },
  GetL3NetworkIpStatistic: { ipStatistics: 'org.zstack.network.service.flat.IpStatisticData' },
  GetResourceBindableConfig: {
    bindableConfigs: 'org.zstack.resourceconfig.APIGetResourceBindableConfigReply$ResourceBindableConfigStruct',
  },
  GetResourceConfig: { effectiveConfigs: RESOURCE_CONFIG },
  GetResourceConfigs: { configs: RESOURCE_CONFIG_STRUCT },
  GetResourceNames: { inventories: 'org.zstack.header.vo.ResourceInventory' },
  GetTaskProgress: { inventories: TASK_PROGRESS },
  GetUploadImageJobDetails: { existingJobDetails: 'org.zstack.header.image.APIGetUploadImageJobDetailsReply$JobDetails' },
  GetVolumeFormat: { formats: 'org.zstack.header.volume.APIGetVolumeFormatReply$VolumeFormatReplyStruct' },
  UpdateResourceConfigs: { inventories: RESOURCE_CONFIG_STRUCT },
  ZQLQuery: { results: 'org.zstack.zql.ZQLQueryReturn' },
}

/** By server class: the classes of its members, as above. Lists of resources that an inventory holds are not among them. */
const ofClasses: Readonly<Record<string, Members>> = {
  [SPENDING]: { details: 'org.zstack.billing.SpendingDetails' },
  [TASK_PROGRESS]: { subTasks: TASK_PROGRESS },
  [RESOURCE_CONFIG_STRUCT]: { effectiveConfigs: RESOURCE_CONFIG },
  [SNAPSHOT_LEAF]: { children: SNAPSHOT_LEAF },
  'org.zstack.header.storage.snapshot.VolumeSnapshotTreeInventory': { tree: SNAPSHOT_LEAF },
  'org.zstack.header.image.ImageInventory': { backupStorageRefs: 'org.zstack.header.image.ImageBackupStorageRefInventory' },
  'org.zstack.header.network.l3.L3NetworkInventory': {
    networkServices: 'org.zstack.header.network.service.NetworkServiceL3NetworkRefInventory',
  },
  'org.zstack.header.identity.PolicyInventory': { statements: 'org.zstack.header.identity.PolicyStatement' },
  'org.zstack.header.identity.role.RoleInventory': {
    statements: 'org.zstack.header.identity.role.RolePolicyStatementInventory',
  },
}
const NONE: Members = {}

/** The members of an API's reply that are of classes of their own. */
export const replyMembers = (api: string): Members => ofReplies[api] ?? NONE
/** The same of an object of a server class. */
export const classMembers = (java: string): Members => ofClasses[java] ?? NONE
/** All classes that a `schema` names besides those of resources. */
export const memberClasses: ReadonlySet<string> = new Set(
  [...Object.values(ofReplies), ...Object.values(ofClasses)].flatMap(Object.values),
)
