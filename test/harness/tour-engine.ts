/** The part of the tour that is about the control plane itself: keys for guests, settings. */
import { configTemplates } from '@skerry/contract'
import { lookAfter, type Made, type Stop, stop } from './tour-stop.ts'

const KEY = `ssh-ed25519 ${'A'.repeat(68)} tour`
/** While there are a VM and its host. */
export const asks: readonly Stop[] = [
  stop('GetManagementNodeArch'),
  stop('GetSupportAPIs'),
  stop('GetPlatformTimeZone'),
  stop('GetChainTask'),
  stop('GetCandidateZonesClustersHostsForCreatingVm', (m) => ({
    ...{ instanceOfferingUuid: m['offering'], imageUuid: m['image'], l3NetworkUuids: [m['l3']] },
  })),
  stop('GetCandidatePrimaryStoragesForCreatingVm', (m) => ({
    imageUuid: m['image'],
    l3NetworkUuids: [m['l3']],
    dataDiskSizes: [1024],
  })),
  stop('GetInterdependentL3NetworksImages', (m) => ({ zoneUuid: m['zone'], imageUuid: m['image'] })),
  stop('GetVmTask', (m) => ({ vmInstanceUuids: [m['vm']] })),
  stop('GetHostTask', (m) => ({ hostUuids: [m['host']] })),
  stop('GetZone', (m) => ({ uuid: m['zone'] })),
  stop('GetBackupStorageCapacity', (m) => ({ zoneUuids: [m['zone']] })),
  stop('SyncPrimaryStorageCapacity', (m) => ({ primaryStorageUuid: m['primary'] })),
  stop('GetResourceNames', (m) => ({ uuids: [m['vm'], m['host']] })),
]

const joined = (m: Made) => ({ schedulerJobUuid: m['schedulerJob'], schedulerTriggerUuid: m['trigger'] })
const inGroup = (m: Made) => ({ schedulerJobGroupUuid: m['jobGroup'], schedulerJobUuids: [m['schedulerJob']] })
const groupJoined = (m: Made) => ({ schedulerJobGroupUuid: m['jobGroup'], schedulerTriggerUuid: m['trigger'] })
/** While there is a VM. */
export const schedule: readonly Stop[] = [
  stop('CreateSchedulerJob', (m) => ({ name: 'nightly', targetResourceUuid: m['vm'], type: 'startVm' }), 'schedulerJob'),
  stop('CreateSchedulerTrigger', { name: 'at night', schedulerType: 'cron', cron: '0 0 2 * * ?' }, 'trigger'),
  stop('UpdateSchedulerJob', (m) => ({ uuid: m['schedulerJob'], description: 'seen on the tour', parameters: {} })),
  stop('UpdateSchedulerTrigger', (m) => ({ uuid: m['trigger'], schedulerType: 'simple', schedulerInterval: 86_400 })),
  stop('GetNoTriggerSchedulerJobs'),
  stop('AddSchedulerJobToSchedulerTrigger', (m) => ({ ...joined(m), triggerNow: true })),
  stop('GetAvailableTriggers'),
  stop('QuerySchedulerJob'),
  stop('QuerySchedulerTrigger'),
  stop('RunSchedulerTrigger', (m) => ({ uuid: m['trigger'], jobUuids: [] })),
  stop('QuerySchedulerJobHistory'),
  stop('GetSchedulerExecutionReport', { startTime: 0, intervalTimeUnit: 'Day', range: 7, schedulerJobTypes: ['startVm'] }),
  stop('RemoveSchedulerJobFromSchedulerTrigger', joined),
  stop('CreateSchedulerJobGroup', { name: 'nightly', type: 'startVm' }, 'jobGroup'),
  stop('UpdateSchedulerJobGroup', (m) => ({ uuid: m['jobGroup'], description: 'seen on the tour', state: 'Enabled' })),
  stop('AddSchedulerJobsToSchedulerJobGroup', inGroup),
  stop('AddSchedulerJobGroupToSchedulerTrigger', groupJoined),
  stop('QuerySchedulerJobGroup'),
  stop('RemoveSchedulerJobGroupFromSchedulerTrigger', groupJoined),
  stop('RemoveSchedulerJobsFromSchedulerJobGroup', inGroup),
  stop('DeleteSchedulerJobGroup', (m) => ({ uuid: m['jobGroup'] })),
  stop('DeleteSchedulerTrigger', (m) => ({ uuid: m['trigger'] })),
  stop('DeleteSchedulerJob', (m) => ({ uuid: m['schedulerJob'] })),
]

/** While there is a VM. */
export const keys: readonly Stop[] = [
  stop('CreateSshKeyPair', { name: 'mine', publicKey: KEY }, 'sshKey'),
  ...lookAfter('SshKeyPair', 'sshKey', { state: false }),
  stop('AttachSshKeyPairToVmInstance', (m) => ({ sshKeyPairUuid: m['sshKey'], vmInstanceUuid: m['vm'] })),
  stop('DetachSshKeyPairFromVmInstance', (m) => ({ sshKeyPairUuid: m['sshKey'], vmInstanceUuid: m['vm'] })),
  stop('DeleteSshKeyPair', (m) => ({ uuid: m['sshKey'] })),
  stop('GenerateSshKeyPair', { name: 'made' }, 'madeKey'),
  stop('DeleteSshKeyPair', (m) => ({ uuid: m['madeKey'] })),
]

/** Before there is a VM: it is there for what is called with bad text. */
export const group = stop('CreateAffinityGroup', (m) => ({ name: 'apart', policy: 'antiHard', zoneUuid: m['zone'] }), 'apart')
/** While there is a VM. */
export const groups: readonly Stop[] = [
  ...lookAfter('AffinityGroup', 'apart', { byUuid: false }),
  stop('GetCandidateAffinityGroupForAttachingVm', (m) => ({ vmUuid: m['vm'] })),
  stop('GetCandidateAffinityGroupForCreatingVm', (m) => ({ zoneUuid: m['zone'] })),
  stop('AddVmToAffinityGroup', (m) => ({ affinityGroupUuid: m['apart'], uuid: m['vm'] })),
  stop('RemoveVmFromAffinityGroup', (m) => ({ affinityGroupUuid: m['apart'], uuid: m['vm'] })),
  stop('DeleteAffinityGroup', (m) => ({ uuid: m['apart'] })),
]

const ruled = { rule: 'AFFINITY', mode: 'SOFT' }
/** Before there is a VM. */
export const schedulingGroups: readonly Stop[] = [
  stop('CreateVmSchedulingRuleGroup', (m) => ({ name: 'vms', zoneUuid: m['zone'] }), 'vmGroup'),
  stop('CreateHostSchedulingRuleGroup', (m) => ({ name: 'hosts', zoneUuid: m['zone'] }), 'hostGroup'),
  stop(
    'CreateVmSchedulingRule',
    (m) => ({ ...ruled, name: 'there', vmGroupUuid: m['vmGroup'], hostGroupUuid: m['hostGroup'] }),
    'vmRule',
  ),
]
const vmIn = (m: Made) => ({ vmGroupUuid: m['vmGroup'], vmUuid: m['vm'] })
const hostIn = (m: Made) => ({ hostGroupUuid: m['hostGroup'], hostUuid: m['host'] })
/** While there are a VM and its host. */
export const scheduling: readonly Stop[] = [
  ...lookAfter('VmSchedulingRuleGroup', 'vmGroup', { state: false, byUuid: false }),
  ...lookAfter('HostSchedulingRuleGroup', 'hostGroup', { state: false, byUuid: false }),
  stop('AddVmToVmSchedulingRuleGroup', vmIn),
  stop('AddHostToHostSchedulingRuleGroup', hostIn),
  stop('UpdateVmSchedulingRule', (m) => ({ uuid: m['vmRule'], description: 'seen on the tour', mode: 'HARD' })),
  ...['disable', 'enable'].map((state) => stop('ChangeVmSchedulingRuleState', (m) => ({ uuid: m['vmRule'], state }))),
  stop('QueryVmSchedulingRule'),
  stop('DetachVmFromVmSchedulingRuleGroup', vmIn),
  stop('DetachHostFromHostSchedulingRuleGroup', hostIn),
  stop('RemoveVmSchedulingRule', (m) => ({ uuid: m['vmRule'] })),
  stop('DeleteVmSchedulingRuleGroup', (m) => ({ uuid: m['vmGroup'] })),
  stop('DeleteHostSchedulingRuleGroup', (m) => ({ uuid: m['hostGroup'] })),
]

const ratio = { category: 'host', name: 'cpu.overProvisioning.ratio' }
const ofZone = (m: Made) => ({ ...ratio, resourceUuid: m['zone'] })
/** of a template that every site has */
const lab = { templateUuid: configTemplates[1]!.uuid }
const settings: Stop[] = [
  stop('QueryGlobalConfig'),
  stop('GetGlobalConfigOptions', ratio),
  stop('UpdateGlobalConfig', { ...ratio, value: '12' }),
  stop('GetResourceBindableConfig'),
  stop('UpdateResourceConfig', (m) => ({ ...ofZone(m), value: '4' })),
  stop('UpdateResourceConfigs', (m) => ({ resourceUuid: m['zone'], resourceConfigs: [{ ...ratio, value: '5' }] })),
  stop('GetResourceConfig', ofZone),
  stop('GetResourceConfigs', (m) => ({ category: 'host', resourceUuid: m['zone'], names: [ratio.name] })),
  stop('QueryResourceConfig'),
  stop('DeleteResourceConfig', ofZone),
  stop('QueryGlobalConfigTemplate'),
  stop('QueryTemplateConfig'),
  stop('UpdateTemplateConfig', { ...ratio, ...lab, value: '12' }),
  stop('ApplyTemplateConfig', lab),
  stop('RevertTemplateConfig', lab),
  stop('ResetTemplateConfig', lab),
  stop('ResetGlobalConfig'),
]

export const webhooks: readonly Stop[] = [
  stop('CreateWebhook', { name: 'to us', url: 'http://127.0.0.1:9/', type: 'CanonicalEvent', opaque: 'nothing.>' }, 'webhook'),
  stop('UpdateWebhook', (m) => ({ uuid: m['webhook'], opaque: 'nothing.*.created' })),
  stop('QueryWebhook'),
  stop('DeleteWebhook', (m) => ({ uuid: m['webhook'] })),
]

const asked: Stop[] = [
  stop('ZQLQuery', { zql: "query zone where name != 'nothing'" }),
  stop('BatchQuery', { script: 'put("zones", query("QueryZone").total)' }),
]

export const engine: readonly Stop[] = [...settings, ...webhooks, ...asked]
