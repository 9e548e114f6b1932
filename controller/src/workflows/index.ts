/** Every workflow that an API names. A name in the contract without an entry here fails at start-up. */
import { apis } from '@skerry/contract'
import { stepsOf, type Workflow } from '@skerry/workflow'
import { accessControlListActions } from './access-control-list.ts'
import { accessControlRules } from './access-control-rule.ts'
import { accessKeyCreate } from './access-key.create.ts'
import { accounts } from './account.ts'
import { affinityGroupAddVm, affinityGroupCreate, affinityGroupRemoveVm } from './affinity-group.ts'
import {
  backupStorageAdd,
  backupStorageAttach,
  backupStorageDetach,
  backupStorageReconnect,
  backupStorageUpdateImageStore,
} from './backup-storage.add.ts'
import { backupStorageAddSftp, backupStorageUpdateSftp } from './backup-storage.sftp.ts'
import { certificateActions } from './certificate.ts'
import { configChanges } from './config.change.ts'
import { configTemplateActions } from './config-template.ts'
import { controlPlane } from './control-plane.ts'
import { gcJobs } from './gc-job.ts'
import { hostAdd, hostReconnect } from './host.add.ts'
import { hostLose } from './host.lose.ts'
import { hostChangeState } from './host.state.ts'
import { identityLists } from './identity.lists.ts'
import { identities } from './identity.ts'
import { imageAdd } from './image.add.ts'
import { imageDelete, imageExpunge, imageRecover } from './image.delete.ts'
import { imageCancelUpload, imageReceive } from './image.upload.ts'
import { ipRangeAdd } from './ip-range.add.ts'
import { ipRangeAdd6 } from './ip-range.add6.ts'
import { ipRangeReserve } from './ip-range.reserve.ts'
import { ipsecActions } from './ipsec.ts'
import { l2NetworkAttach, l2NetworkDetach } from './l2-network.attach.ts'
import { l2NetworkCreations } from './l2-network.create.ts'
import { l2NetworkChangeVlan } from './l2-network.vlan.ts'
import { l3AddDns, l3AttachServices, l3DetachServices, l3RemoveDns } from './l3-network.services.ts'
import { l3AddHostRoute, l3RemoveHostRoute, l3SetMtu } from './l3-network.settings.ts'
import { backendActions } from './load-balancer.backends.ts'
import { loadBalancerActions } from './load-balancer.ts'
import { longJobs } from './long-job.ts'
import { orphanAdopt } from './orphan.adopt.ts'
import { orphanRemove } from './orphan.remove.ts'
import { prices } from './price.ts'
import { primaryStorageAttach, primaryStorageDetach, primaryStorageReconnect } from './primary-storage.attach.ts'
import {
  backupStorageDelete,
  hostDelete,
  ipRangeDelete,
  l3NetworkDelete,
  primaryStorageDelete,
  resourceDelete,
} from './resource.delete.ts'
import { sharing } from './resource.share.ts'
import { resourceChangeState, resourceUpdate } from './resource.update.ts'
import { schedulerActions } from './scheduler.ts'
import { securityCardActions } from './security-group.cards.ts'
import { securityGroupActions } from './security-group.ts'
import { siteRun } from './site.run.ts'
import { sshKeyPairs } from './ssh-key-pair.ts'
import { tagDelete, tagUpdate } from './tag.change.ts'
import { tagCreate, tagCreateMany } from './tag.create.ts'
import { tagPatterns } from './tag-pattern.ts'
import { vipActions } from './vip.ts'
import { vipUseActions } from './vip.use.ts'
import { vmConsole } from './vm.console.ts'
import { vmCreate } from './vm.create.ts'
import { vmDestroy, vmExpunge, vmRecover } from './vm.destroy.ts'
import { vmAttachIso, vmDetachIso } from './vm.iso.ts'
import { vmNetwork } from './vm.network.ts'
import { vmAttachNic, vmDetachNic } from './vm.nic.ts'
import { vmPause, vmResume } from './vm.pause.ts'
import { vmReboot } from './vm.reboot.ts'
import { vmStart } from './vm.start.ts'
import { usedIpDelete, vmDeleteStaticIp, vmSetStaticIp } from './vm.static-ip.ts'
import { vmStop } from './vm.stop.ts'
import { vmGuestTags } from './vm.tags.ts'
import { vmTunnel } from './vm.tunnel.ts'
import { vmChangeOffering, vmSetBootOrder, vmUpdate } from './vm.update.ts'
import { vmNicChangeMac, vmNicChangeNetwork } from './vm-nic.network.ts'
import { vmSchedulingGroups } from './vm-scheduling-group.ts'
import { vmSchedulingRules } from './vm-scheduling-rule.ts'
import { vniRanges } from './vni-range.ts'
import { volumeAttach } from './volume.attach.ts'
import { volumeFromSnapshot } from './volume.copy.ts'
import { volumeCreate } from './volume.create.ts'
import { volumeDelete, volumeExpunge, volumeRecover } from './volume.delete.ts'
import { volumeDetach } from './volume.detach.ts'
import { volumeLimits } from './volume.qos.ts'
import { volumeResizes } from './volume.resize.ts'
import { volumeSnapshotBatch } from './volume-snapshot.batch.ts'
import { volumeSnapshotCreate } from './volume-snapshot.create.ts'
import { volumeSnapshotDelete } from './volume-snapshot.delete.ts'
import { volumeSnapshotRevert } from './volume-snapshot.revert.ts'
import { volumeSnapshotSize } from './volume-snapshot.size.ts'
import { vpcNetworkActions } from './vpc-router.network.ts'
import { vpcRouterActions } from './vpc-router.ts'
import { routeActions } from './vrouter-route.ts'
import { vxlans } from './vxlan.ts'
import { webhooks } from './webhook.ts'
import type { Action, Input, World } from './world.ts'

const all: readonly Action[] = [
  ...controlPlane,
  ...configChanges,
  ...configTemplateActions,
  ...prices,
  ...sshKeyPairs,
  siteRun,
  ...schedulerActions,
  ...gcJobs,
  ...webhooks,
  affinityGroupCreate,
  affinityGroupAddVm,
  affinityGroupRemoveVm,
  ...vmSchedulingGroups,
  ...vmSchedulingRules,
  resourceUpdate,
  resourceChangeState,
  resourceDelete,
  hostAdd,
  hostReconnect,
  hostChangeState,
  hostDelete,
  hostLose,
  primaryStorageAttach,
  primaryStorageDetach,
  primaryStorageReconnect,
  primaryStorageDelete,
  backupStorageAdd,
  backupStorageAddSftp,
  backupStorageUpdateSftp,
  backupStorageUpdateImageStore,
  backupStorageAttach,
  backupStorageDetach,
  backupStorageReconnect,
  backupStorageDelete,
  ...l2NetworkCreations,
  l2NetworkAttach,
  l2NetworkDetach,
  l2NetworkChangeVlan,
  ...vniRanges,
  ...vxlans,
  l3AddDns,
  l3RemoveDns,
  l3AttachServices,
  l3DetachServices,
  l3AddHostRoute,
  l3RemoveHostRoute,
  l3SetMtu,
  l3NetworkDelete,
  ipRangeAdd,
  ipRangeAdd6,
  ipRangeReserve,
  ipRangeDelete,
  usedIpDelete,
  ...securityGroupActions,
  ...securityCardActions,
  ...vipActions,
  ...vipUseActions,
  ...loadBalancerActions,
  ...backendActions,
  ...certificateActions,
  ...accessControlListActions,
  ...ipsecActions,
  ...vpcRouterActions,
  ...vpcNetworkActions,
  ...routeActions,
  imageAdd,
  imageReceive,
  imageCancelUpload,
  imageDelete,
  imageRecover,
  imageExpunge,
  vmCreate,
  vmStart,
  vmStop,
  vmReboot,
  vmPause,
  vmResume,
  vmUpdate,
  vmChangeOffering,
  vmSetBootOrder,
  ...vmGuestTags,
  vmAttachNic,
  vmDetachNic,
  vmSetStaticIp,
  vmDeleteStaticIp,
  vmNicChangeNetwork,
  vmNicChangeMac,
  vmDestroy,
  vmRecover,
  vmExpunge,
  vmConsole,
  vmTunnel,
  vmAttachIso,
  vmDetachIso,
  volumeCreate,
  volumeFromSnapshot,
  volumeAttach,
  volumeDetach,
  volumeDelete,
  volumeRecover,
  volumeExpunge,
  ...volumeLimits,
  ...volumeResizes,
  volumeSnapshotBatch,
  volumeSnapshotCreate,
  volumeSnapshotRevert,
  volumeSnapshotDelete,
  volumeSnapshotSize,
  orphanAdopt,
  orphanRemove,
  accessKeyCreate,
  ...accessControlRules,
  ...accounts,
  ...identities,
  ...identityLists,
  ...sharing,
  ...longJobs,
  tagCreate,
  tagCreateMany,
  tagUpdate,
  tagDelete,
  ...tagPatterns,
]

/** Workflows that are only parts of others. */
export const subWorkflows: readonly Workflow<Input, World>[] = [vmNetwork]

export const actions: ReadonlyMap<string, Action> = new Map(all.map((action) => [action.workflow.name, action]))

for (const { atOnce, workflow } of all) {
  if (atOnce && (stepsOf(workflow).length !== 1 || workflow.finish || workflow.fail))
    throw new Error(`workflow ${workflow.name} can't end at once: it has more than one step`)
}

for (const { api } of apis) {
  if (api.workflow && !api.sync && !actions.has(api.workflow))
    throw new Error(`API ${api.api} names workflow ${api.workflow}, which does not exist`)
}
