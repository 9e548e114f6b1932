/** Security groups: stops of the tour. */
import type { Row } from '@skerry/contract'
import { lookAfter, type Made, type Stop, stop } from './tour-stop.ts'

/** An answer that shows a group with rules tells one that can be changed: the first of those behind all others. */
export function noteRule(made: Made, answer: Row): void {
  const rules = ((answer['inventory'] as Row | undefined)?.['rules'] ?? []) as Row[]
  const last = rules.filter((rule) => rule['type'] === 'Ingress').sort((a, b) => Number(b['priority']) - Number(a['priority']))[0]
  if (last && last['priority'] !== 0) made['rule'] = last['uuid'] as string
}

const from = (type: string) => ({ type, protocol: 'TCP', dstPortRange: '22,80-90' })

/** A group that the card `nic` can be put into, with a rule and another group. */
export const securityGroups: Stop[] = [
  stop('CreateSecurityGroup', { name: 'web' }, 'securityGroup'),
  ...lookAfter('SecurityGroup', 'securityGroup'),
  stop('CreateSecurityGroup', { name: 'admin', ipVersion: 6 }, 'adminGroup'),
  stop('AttachSecurityGroupToL3Network', (m) => ({ securityGroupUuid: m['securityGroup'], l3NetworkUuid: m['l3'] })),
  stop('AddSecurityGroupRule', (m) => ({
    securityGroupUuid: m['securityGroup'],
    rules: [{ ...from('Ingress'), srcIpRange: '10.0.0.0/8,192.0.2.1-192.0.2.9' }],
  })),
  stop('QuerySecurityGroupRule'),
]

/** While a VM has the card. `rule`: the last of the group's (`noteRule`). */
export const guarded: Stop[] = [
  stop('AddSecurityGroupRule', (m) => ({
    ...{ securityGroupUuid: m['securityGroup'], remoteSecurityGroupUuids: [m['adminGroup']], priority: 1 },
    rules: [{ type: 'Ingress', protocol: 'ICMP', action: 'DROP', state: 'Disabled', description: 'no pings' }],
  })),
  stop('ValidateSecurityGroupRule', (m) => ({
    ...{ securityGroupUuid: m['securityGroup'], type: 'Egress', protocol: 'UDP', startPort: 53, endPort: 53 },
  })),
  stop('GetCandidateVmNicForSecurityGroup', (m) => ({ securityGroupUuid: m['securityGroup'] })),
  stop('AddVmNicToSecurityGroup', (m) => ({ securityGroupUuid: m['securityGroup'], vmNicUuids: [m['nic']] })),
  stop('QueryVmNicInSecurityGroup'),
  stop('QueryVmNicSecurityPolicy'),
  stop('QueryVmNicSecurityPolicy', (m) => ({ uuid: m['nic'] })),
  stop('ChangeVmNicSecurityPolicy', (m) => ({ vmNicUuid: m['nic'], egressPolicy: 'DENY' })),
  stop('SetVmNicSecurityGroup', (m) => ({ vmNicUuid: m['nic'], refs: [{ securityGroupUuid: m['securityGroup'], priority: 3 }] })),
  stop('SetVmCleanTraffic', (m) => ({ uuid: m['vm'], enable: true })),
  stop('ChangeSecurityGroupRule', (m) => ({ uuid: m['rule'], dstPortRange: '443', priority: -1 })),
  stop('ChangeSecurityGroupRuleState', (m) => ({
    ...{ securityGroupUuid: m['securityGroup'], ruleUuids: [m['rule']], state: 'Disabled' },
  })),
  stop('UpdateSecurityGroupRulePriority', (m) => ({
    ...{ securityGroupUuid: m['securityGroup'], type: 'Ingress', rules: [{ ruleUuid: m['rule'], priority: 2 }] },
  })),
  stop('QuerySecurityGroupRule', (m) => ({ uuid: m['rule'] })),
  stop('DeleteSecurityGroupRule', (m) => ({ ruleUuids: [m['rule']] })),
  stop('DeleteVmNicFromSecurityGroup', (m) => ({ securityGroupUuid: m['securityGroup'], vmNicUuids: [m['nic']] })),
]

export const securityBack: Stop[] = [
  stop('DetachSecurityGroupFromL3Network', (m) => ({ securityGroupUuid: m['securityGroup'], l3NetworkUuid: m['l3'] })),
  stop('DeleteSecurityGroup', (m) => ({ uuid: m['adminGroup'] })),
  stop('DeleteSecurityGroup', (m) => ({ uuid: m['securityGroup'] })),
]
