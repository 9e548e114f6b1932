/** What the proofs of access keys, long jobs, patterns of tags and settings start from. */
import { ADMIN_ACCOUNT, configTemplates, type Row } from '@skerry/contract'
import { idOf } from '../src/configs/ids.ts'
import { templateConfigId } from '../src/configs/templates.ts'
import type { Input } from '../src/workflows/world.ts'
import { after, type Before, created, on, onSite } from './before.ts'
import { base, id, type TestWorld, u } from './world.ts'
import { site } from './world-site.ts'

const fresh = id('fresh')
const long = id('long')
const env = { name: 'env', value: 'env' }
const worn = { tagUuid: fresh, resourceUuids: [u.zone, u.cluster] }

/** A long job that makes a zone, and its job, in these states. */
const submitted =
  (state: string, job: string): Before =>
  async (w: TestWorld) => {
    await site(w)
    const row: Row = {
      ...base(long, 'long'),
      ...{ apiId: id('api'), jobUuid: id('job'), jobName: 'APICreateZoneMsg', jobData: '{"name":"z"}', jobResult: null, state },
      ...{ executeTime: null, startDate: 0, targetResourceUuid: null, managementNodeUuid: null },
    }
    const v = { ...base(id('job'), 'job'), api: 'CreateZone', state: job }
    await w.commit({
      ops: [
        { o: 'put', t: 'longJob', k: long, v: row },
        { o: 'put', t: 'job', k: id('job'), v },
      ],
    })
    return on('longJob', long)
  }

const trigger = id('trigger')
const timed = { name: 'nightly', targetResourceUuid: u.vm, type: 'stopVm', parameters: { type: 'cold' } }
const hourly = { name: 'hourly', schedulerType: 'simple', schedulerInterval: 3600 }
const both: [string, Input][] = [
  created,
  ['schedulerJob.create', on('schedulerJob', fresh, timed)],
  ['schedulerTrigger.create', on('schedulerTrigger', trigger, hourly)],
]
const jobGroup = id('job-group')
const inGroup = { schedulerJobGroupUuid: jobGroup, schedulerJobUuids: [fresh] }
const groupByTrigger = { schedulerJobGroupUuid: jobGroup, schedulerTriggerUuid: trigger }
const grouped: [string, Input][] = [
  ...both,
  ['schedulerJobGroup.create', on('schedulerJobGroup', jobGroup, { name: 'all', type: 'stopVm' })],
  ['schedulerJobGroup.addJobs', on('schedulerJobGroup', jobGroup, inGroup)],
]
const joined = { schedulerJobUuid: fresh, schedulerTriggerUuid: trigger }
const sshKey = { name: 'key', publicKey: `ssh-ed25519 ${'A'.repeat(68)} me@here` }
const keyOfVm = { sshKeyPairUuid: fresh, vmInstanceUuid: u.vm }
const ratio = { category: 'host', name: 'cpu.overProvisioning.ratio', value: '3' }
const ofHost = { ...ratio, resourceUuid: u.host }
const siteRow = idOf('host.cpu.overProvisioning.ratio')
const hostRow = idOf('host.cpu.overProvisioning.ratio', u.host)
const hook = { name: 'hook', url: 'http://192.0.2.1/', type: 'CanonicalEvent' }
const several = [ratio, { category: 'kvm', name: 'reservedMemory', value: '2G' }]

const lab = configTemplates[1]!.uuid
const inTemplate = { category: 'host', name: 'cpu.overProvisioning.ratio', value: '30', templateUuid: lab }
const template = on('globalConfigTemplate', lab, { templateUuid: lab })
const templateValue = on('templateConfig', templateConfigId(inTemplate, lab), inTemplate)
const accessRule = { name: 'office', rule: '10.0.0.0/24', controlStrategy: 'Allow' }

export const callCases: Record<string, Before> = {
  'siteWorkflow.run': async (w) => {
    await site(w)
    const row = { ...base(fresh, 'night.stop'), parameters: [{ name: 'zone', type: 'zone' }], steps: [] }
    await w.commit({ ops: [{ o: 'put', t: 'siteWorkflow', k: fresh, v: row }] })
    return on('siteWorkflow', fresh, { parameters: { zone: u.zone } })
  },
  'globalConfigTemplate.apply': onSite(template),
  'globalConfigTemplate.revert': after([['globalConfigTemplate.apply', template]], template),
  'globalConfigTemplate.reset': after([['templateConfig.update', templateValue]], template),
  'templateConfig.update': onSite(templateValue),
  'accessControlRule.create': onSite(on('accessControlRule', fresh, accessRule)),
  'accessControlRule.update': after(
    [['accessControlRule.create', on('accessControlRule', fresh, accessRule)]],
    on('accessControlRule', fresh, { rule: '10.0.0.5' }),
  ),
  'schedulerJob.create': onSite(on('schedulerJob', fresh, timed)),
  'schedulerTrigger.create': onSite(on('schedulerTrigger', trigger, hourly)),
  'schedulerJob.update': after(both, on('schedulerJob', fresh, { parameters: { type: 'grace' } })),
  'schedulerTrigger.update': after(both, on('schedulerTrigger', trigger, { schedulerInterval: 60, startTime: 0 })),
  'schedulerJob.attach': after(both, on('schedulerJob', fresh, { ...joined, triggerNow: true })),
  'schedulerJob.detach': after(
    [...both, ['schedulerJob.attach', on('schedulerJob', fresh, joined)]],
    on('schedulerJob', fresh, joined),
  ),
  'schedulerTrigger.run': after(
    [...both, ['schedulerJob.attach', on('schedulerJob', fresh, joined)]],
    on('schedulerTrigger', trigger),
  ),
  'schedulerJobGroup.create': onSite(on('schedulerJobGroup', jobGroup, { name: 'all', type: 'stopVm' })),
  'schedulerJobGroup.update': after(
    grouped,
    on('schedulerJobGroup', jobGroup, { state: 'Disabled', parameters: { type: 'cold' } }),
  ),
  'schedulerJobGroup.addJobs': after(grouped.slice(0, -1), on('schedulerJobGroup', jobGroup, inGroup)),
  'schedulerJobGroup.removeJobs': after(grouped, on('schedulerJobGroup', jobGroup, inGroup)),
  'schedulerJobGroup.attach': after(grouped, on('schedulerJobGroup', jobGroup, { ...groupByTrigger, triggerNow: true })),
  'schedulerJobGroup.detach': after(
    [...grouped, ['schedulerJobGroup.attach', on('schedulerJobGroup', jobGroup, groupByTrigger)]],
    on('schedulerJobGroup', jobGroup, groupByTrigger),
  ),
  'sshKeyPair.create': onSite(on('sshKeyPair', fresh, sshKey)),
  'sshKeyPair.attach': after([created, ['sshKeyPair.create', on('sshKeyPair', fresh, sshKey)]], on('sshKeyPair', fresh, keyOfVm)),
  'sshKeyPair.detach': after(
    [created, ['sshKeyPair.create', on('sshKeyPair', fresh, sshKey)], ['sshKeyPair.attach', on('sshKeyPair', fresh, keyOfVm)]],
    on('sshKeyPair', fresh, keyOfVm),
  ),
  'webhook.create': onSite(on('webhook', fresh, hook)),
  'webhook.update': after([['webhook.create', on('webhook', fresh, hook)]], on('webhook', fresh, { opaque: 'host.>' })),
  'globalConfig.update': onSite(on('globalConfig', siteRow, ratio)),
  'globalConfig.reset': after([['globalConfig.update', on('globalConfig', siteRow, ratio)]], on('globalConfig', id('call'))),
  'resourceConfig.update': onSite(on('resourceConfig', hostRow, ofHost)),
  'resourceConfig.updateMany': onSite(on('resourceConfig', id('call'), { resourceUuid: u.host, resourceConfigs: several })),
  'resourceConfig.delete': after(
    [['resourceConfig.update', on('resourceConfig', hostRow, ofHost)]],
    on('resourceConfig', hostRow, ofHost),
  ),
  'accessKey.create': onSite(on('accessKey', fresh, { accountUuid: ADMIN_ACCOUNT, userUuid: ADMIN_ACCOUNT })),
  'longJob.submit': onSite(on('longJob', fresh, { jobName: 'APICreateZoneMsg', jobData: '{"name":"z"}', call: { name: 'z' } })),
  'longJob.rerun': submitted('Failed', 'failed'),
  'longJob.cancel': submitted('Running', 'processing'),
  'longJob.resume': submitted('Suspended', 'stuck'),
  'longJob.clean': submitted('Suspended', 'stuck'),
  'tagPattern.create': onSite(on('tagPattern', fresh, env)),
  'tagPattern.update': after([['tagPattern.create', on('tagPattern', fresh, env)]], on('tagPattern', fresh, { name: 'other' })),
  'tagPattern.attach': after([['tagPattern.create', on('tagPattern', fresh, env)]], on('userTag', id('call'), worn)),
  'tagPattern.detach': after(
    [
      ['tagPattern.create', on('tagPattern', fresh, env)],
      ['tagPattern.attach', on('userTag', id('before'), worn)],
    ],
    on('userTag', id('call'), worn),
  ),
}
