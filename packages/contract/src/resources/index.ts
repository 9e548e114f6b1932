/** Every resource, in the order in which documents and menus show them. */
import type { Api, Resource } from '../resource.ts'
import { accessControlList, accessControlListEntry } from './access-control-list.ts'
import { accessControlRule } from './access-control-rule.ts'
import { accessKey } from './access-key.ts'
import { account, session } from './account.ts'
import { accountResourceRef } from './account-resource-ref.ts'
import { affinityGroup, affinityGroupUsage } from './affinity-group.ts'
import { agent } from './agent.ts'
import { backupStorage, imageStoreBackupStorage, sftpBackupStorage } from './backup-storage.ts'
import { certificate, loadBalancerListenerCertificateRef } from './certificate.ts'
import { cluster } from './cluster.ts'
import { globalConfig, resourceConfig } from './config.ts'
import { globalConfigTemplate, templateConfig } from './config-template.ts'
import { console } from './console.ts'
import { diskOffering } from './disk-offering.ts'
import { eip } from './eip.ts'
import { gcJob } from './gc-job.ts'
import { host } from './host.ts'
import { image, imageCache } from './image.ts'
import { instanceOffering } from './instance-offering.ts'
import { ipRange } from './ip-range.ts'
import { ipsecConnection } from './ipsec-connection.ts'
import { job, jobStep } from './job.ts'
import { keyRotation } from './key-rotation.ts'
import { l2Network, l2VlanNetwork, usedVlan } from './l2-network.ts'
import { l3Network, routerUplink } from './l3-network.ts'
import { networkServiceL3NetworkRef } from './l3-network-service-ref.ts'
import { loadBalancer, loadBalancerListener, loadBalancerListenerACLRef, loadBalancerListenerVmNicRef } from './load-balancer.ts'
import {
  loadBalancerListenerServerGroupRef,
  loadBalancerServerGroup,
  loadBalancerServerGroupServerIp,
  loadBalancerServerGroupVmNicRef,
} from './load-balancer-server-group.ts'
import { localStorageHost } from './local-storage-host.ts'
import { longJob } from './long-job.ts'
import { managementNode } from './management-node.ts'
import { networkServiceProvider } from './network-service-provider.ts'
import { orphan } from './orphan.ts'
import { plugin } from './plugin.ts'
import { policy } from './policy.ts'
import { portForwardingRule } from './port-forwarding.ts'
import { accountPriceTableRef, bill, priceResource, priceTable } from './price.ts'
import { primaryStorage } from './primary-storage.ts'
import { quota } from './quota.ts'
import { reservedIpRange } from './reserved-ip-range.ts'
import { role } from './role.ts'
import { schedulerJob, schedulerJobHistory, schedulerTrigger } from './scheduler.ts'
import { schedulerJobGroup } from './scheduler-group.ts'
import { securityGroup, securityGroupRule, vmNicSecurityGroupRef, vmNicSecurityPolicy } from './security-group.ts'
import { sharedResource } from './shared-resource.ts'
import { siteWorkflow } from './site-workflow.ts'
import { sshKeyPair, sshPrivateKeyPair } from './ssh-key-pair.ts'
import { systemTag, tag, tagPattern, userTag } from './tag.ts'
import { tunnel } from './tunnel.ts'
import { usedIp } from './used-ip.ts'
import { user } from './user.ts'
import { userGroup } from './user-group.ts'
import { vip } from './vip.ts'
import { virtualRouterOffering } from './virtual-router-offering.ts'
import { vmCdRom } from './vm-cd-rom.ts'
import { vmInstance } from './vm-instance.ts'
import { usedMac, vmNic } from './vm-nic.ts'
import {
  hostSchedulingRuleGroup,
  hostSchedulingRuleGroupRef,
  vmSchedulingRuleGroup,
  vmSchedulingRuleGroupRef,
} from './vm-scheduling-group.ts'
import { vmSchedulingRule } from './vm-scheduling-rule.ts'
import { volume } from './volume.ts'
import { volumeSnapshot, volumeSnapshotTree } from './volume-snapshot.ts'
import { vpcRouter, vpcRouterNic } from './vpc-router.ts'
import { vRouterRouteEntry, vRouterRouteTable, vRouterRouteTableRef } from './vrouter-route-table.ts'
import { l2VxlanNetwork, l2VxlanNetworkPool, remoteVtep, usedVni, vniRange, vtep } from './vxlan.ts'
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
  l2VlanNetwork,
  usedVlan,
  l2VxlanNetwork,
  l2VxlanNetworkPool,
  vniRange,
  usedVni,
  vtep,
  remoteVtep,
  l3Network,
  routerUplink,
  ipRange,
  reservedIpRange,
  usedIp,
  networkServiceProvider,
  networkServiceL3NetworkRef,
  instanceOffering,
  diskOffering,
  image,
  imageCache,
  vmInstance,
  vmCdRom,
  vmNic,
  usedMac,
  virtualRouterOffering,
  vpcRouter,
  vpcRouterNic,
  vRouterRouteTable,
  vRouterRouteEntry,
  vRouterRouteTableRef,
  vip,
  eip,
  portForwardingRule,
  loadBalancer,
  loadBalancerListener,
  loadBalancerListenerVmNicRef,
  loadBalancerListenerACLRef,
  loadBalancerListenerCertificateRef,
  loadBalancerListenerServerGroupRef,
  loadBalancerServerGroup,
  loadBalancerServerGroupVmNicRef,
  loadBalancerServerGroupServerIp,
  certificate,
  accessControlList,
  accessControlListEntry,
  ipsecConnection,
  volume,
  volumeSnapshot,
  volumeSnapshotTree,
  affinityGroup,
  affinityGroupUsage,
  vmSchedulingRule,
  vmSchedulingRuleGroup,
  vmSchedulingRuleGroupRef,
  hostSchedulingRuleGroup,
  hostSchedulingRuleGroupRef,
  securityGroup,
  securityGroupRule,
  vmNicSecurityGroupRef,
  vmNicSecurityPolicy,
  orphan,
  tag,
  systemTag,
  userTag,
  tagPattern,
  account,
  session,
  accessKey,
  accessControlRule,
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
  siteWorkflow,
  sshKeyPair,
  sshPrivateKeyPair,
  schedulerJob,
  schedulerJobGroup,
  schedulerTrigger,
  schedulerJobHistory,
  globalConfig,
  resourceConfig,
  globalConfigTemplate,
  templateConfig,
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
export { ipsecDefaults } from './ipsec-connection.ts'
export { kinds } from './kinds.ts'
export { NO_VLAN, VLAN, VXLAN, VXLAN_POOL, VXLAN_PORT } from './l2-fields.ts'
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
