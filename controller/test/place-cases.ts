/** Affinity groups and hosts before what changes them is proven, and VMs that join a group. */
import { ADMIN_ACCOUNT } from '@skerry/contract'
import { after, type Before, created, on, onSite } from './before.ts'
import { id, input, u, vmParams } from './world.ts'

const group = id('group')
const made: [string, ReturnType<typeof on>] = [
  'affinityGroup.create',
  on('affinityGroup', group, { name: 'apart', policy: 'antiHard' }),
]
const member = on('affinityGroup', group, { affinityGroupUuid: group, uuid: u.vm })
const joins = {
  ...input(u.vm, 'vmInstance', { ...vmParams, systemTags: [`affinityGroupUuid::${group}`] }),
  accountUuid: ADMIN_ACCOUNT,
}

const vms = id('vms')
const hosts = id('hosts')
const rule = id('rule')
const vmGroup: [string, ReturnType<typeof on>] = [
  'vmSchedulingRuleGroup.create',
  on('vmSchedulingRuleGroup', vms, { name: 'vms', zoneUuid: u.zone }),
]
const hostGroup: [string, ReturnType<typeof on>] = [
  'hostSchedulingRuleGroup.create',
  on('hostSchedulingRuleGroup', hosts, { name: 'hosts', zoneUuid: u.zone }),
]
const vmIn = on('vmSchedulingRuleGroup', vms, { vmGroupUuid: vms, vmUuid: u.vm })
const hostIn = on('hostSchedulingRuleGroup', hosts, { hostGroupUuid: hosts, hostUuid: u.host })
/** Off the hosts of a group that has none yet. */
const off: [string, ReturnType<typeof on>] = [
  'vmSchedulingRule.create',
  on('vmSchedulingRule', rule, { name: 'off', rule: 'ANTIAFFINITY', mode: 'HARD', vmGroupUuid: vms, hostGroupUuid: hosts }),
]
const scheduled = {
  ...input(u.vm, 'vmInstance', { ...vmParams, systemTags: [`vmSchedulingRuleGroupUuid::${vms}`] }),
  accountUuid: ADMIN_ACCOUNT,
}

export const placeCases: Record<string, Before> = {
  'host.changeState': after([created], on('host', u.host, { stateEvent: 'maintain' })),
  'affinityGroup.create': onSite(made[1]),
  'affinityGroup.addVm': after([created, made], member),
  'affinityGroup.removeVm': after([created, made, ['affinityGroup.addVm', member]], member),
  'vmSchedulingRuleGroup.create': onSite(vmGroup[1]),
  'vmSchedulingRuleGroup.addVm': after([created, vmGroup], vmIn),
  'vmSchedulingRuleGroup.detachVm': after([created, vmGroup, ['vmSchedulingRuleGroup.addVm', vmIn]], vmIn),
  'hostSchedulingRuleGroup.create': onSite(hostGroup[1]),
  'hostSchedulingRuleGroup.addHost': after([created, vmGroup, hostGroup, off], hostIn),
  'hostSchedulingRuleGroup.detachHost': after([vmGroup, hostGroup, off, ['hostSchedulingRuleGroup.addHost', hostIn]], hostIn),
  'vmSchedulingRule.create': after([created, vmGroup, ['vmSchedulingRuleGroup.addVm', vmIn], hostGroup], off[1]),
  'vmSchedulingRule.update': after([vmGroup, hostGroup, off], on('vmSchedulingRule', rule, { name: 'other', mode: 'SOFT' })),
  'vmSchedulingRule.changeState': after([vmGroup, hostGroup, off], on('vmSchedulingRule', rule, { state: 'disable' })),
}

/** Further ways through other workflows. */
export const otherPlaceCases: [sentence: string, workflow: string, before: Before][] = [
  [
    'a host whose maintenance ends',
    'host.changeState',
    after(
      [created, ['host.changeState', on('host', u.host, { stateEvent: 'maintain' })]],
      on('host', u.host, { stateEvent: 'enable' }),
    ),
  ],
  ['a VM that joins an affinity group', 'vm.create', after([made], joins)],
  ['a VM that joins a scheduling group', 'vm.create', after([vmGroup, hostGroup, off], scheduled)],
]
