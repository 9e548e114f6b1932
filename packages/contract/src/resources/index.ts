/** Every resource, in the order in which documents and menus show them. */
import type { Api, Resource } from '../resource.ts'
import { accessKey } from './access-key.ts'
import { account, session } from './account.ts'
import { accountResourceRef } from './account-resource-ref.ts'
import { affinityGroup, affinityGroupUsage } from './affinity-group.ts'
import { agent } from './agent.ts'
import { backupStorage, imageStoreBackupStorage, sftpBackupStorage } from './backup-storage.ts'
import { cluster } from './cluster.ts'
import { globalConfig, resourceConfig } from './config.ts'
import { console } from './console.ts'
import { diskOffering } from './disk-offering.ts'
import { gcJob } from './gc-job.ts'
import { host } from './host.ts'
import { image, imageCache } from './image.ts'
import { instanceOffering } from './instance-offering.ts'
import { ipRange } from './ip-range.ts'
import { job, jobStep } from './job.ts'
import { keyRotation } from './key-rotation.ts'
import { l2Network } from './l2-network.ts'
import { l3Network, routerUplink } from './l3-network.ts'
import { localStorageHost } from './local-storage-host.ts'
import { longJob } from './long-job.ts'
import { managementNode } from './management-node.ts'
import { networkServiceProvider } from './network-service-provider.ts'
import { orphan } from './orphan.ts'
import { plugin } from './plugin.ts'
import { policy } from './policy.ts'
import { accountPriceTableRef, bill, priceResource, priceTable } from './price.ts'
import { primaryStorage } from './primary-storage.ts'
import { quota } from './quota.ts'
import { role } from './role.ts'
import { schedulerJob, schedulerJobHistory, schedulerTrigger } from './scheduler.ts'
import { schedulerJobGroup } from './scheduler-group.ts'
import { sharedResource } from './shared-resource.ts'
import { sshKeyPair, sshPrivateKeyPair } from './ssh-key-pair.ts'
import { systemTag, tag, tagPattern, userTag } from './tag.ts'
import { tunnel } from './tunnel.ts'
import { usedIp } from './used-ip.ts'
import { user } from './user.ts'
import { userGroup } from './user-group.ts'
import { vmCdRom } from './vm-cd-rom.ts'
import { vmInstance } from './vm-instance.ts'
import { usedMac, vmNic } from './vm-nic.ts'
import { volume } from './volume.ts'
import { volumeSnapshot, volumeSnapshotTree } from './volume-snapshot.ts'
import { webhook } from './webhook.ts'
import { zone } from './zone.ts'

export const resources = {
  zone,
  cluster,
  host,
  agent,
  primaryStorage,
  localStorageHost,
  backupStorage,
  sftpBackupStorage,
  imageStoreBackupStorage,
  l2Network,
  l3Network,
  routerUplink,
  ipRange,
  usedIp,
  networkServiceProvider,
  instanceOffering,
  diskOffering,
  image,
  imageCache,
  vmInstance,
  vmCdRom,
  vmNic,
  usedMac,
  volume,
  volumeSnapshot,
  volumeSnapshotTree,
  affinityGroup,
  affinityGroupUsage,
  orphan,
  tag,
  systemTag,
  userTag,
  tagPattern,
  account,
  session,
  accessKey,
  user,
  userGroup,
  policy,
  role,
  quota,
  sharedResource,
  accountResourceRef,
  job,
  jobStep,
  longJob,
  gcJob,
  keyRotation,
  managementNode,
  plugin,
  sshKeyPair,
  sshPrivateKeyPair,
  schedulerJob,
  schedulerJobGroup,
  schedulerTrigger,
  schedulerJobHistory,
  globalConfig,
  resourceConfig,
  webhook,
  console,
  tunnel,
  priceTable,
  accountPriceTableRef,
  price: priceResource,
  bill,
} as const satisfies Record<string, Resource>

export type ResourceName = keyof typeof resources

/** Lookup by table name for data that comes from the graph. */
export const resourceOf = (name: string): Resource | undefined => (resources as Record<string, Resource>)[name]

/** Every API with the resource that declares it. */
export const apis: readonly { resource: Resource; api: Api }[] = Object.values(resources as Record<string, Resource>).flatMap(
  (resource) => resource.apis.map((api) => ({ resource, api })),
)

export * from './account.ts'
export * from './agent.ts'
export * from './allocators.ts'
export { IMAGE_STORE, SFTP } from './backup-storage.ts'
export { isUpload } from './image.ts'
export { kinds } from './kinds.ts'
export { networkServiceType } from './l3-network.ts'
export type { LongJobState } from './long-job.ts'
export type { OrphanHolds } from './orphan.ts'
export { policyStatement, policyStatements } from './policy.ts'
export { byteUnitOf, byteUnits, type PricedItem, pricedItems, priceTimeUnits } from './price.ts'
export { defaultQuotas, type QuotaName, quotaNames } from './quota.ts'
export { schedulerJobTypes } from './scheduler.ts'
export { ephemeralRefusal, fitsPattern, isEphemeral, patternOf, systemTagPatterns } from './tag-patterns.ts'
export { vmStates } from './vm-states.ts'
export { MAX_DATA_VOLUMES } from './volume.ts'
export { qosOfParam, qosOfTag } from './volume-qos.ts'
export { MAX_SNAPSHOT_DEPTH, MAX_SNAPSHOTS } from './volume-snapshot.ts'
export { type ZqlReturn, zqlReturn } from './zql.ts'
