/** Security groups before what changes them is proven. */
import type { Row } from '@skerry/contract'
import type { Input } from '../src/workflows/world.ts'
import { after, type Before, created, on, onSite, ran, vm } from './before.ts'
import { id, type TestWorld, u } from './world.ts'

const group = id('sgroup')
const ofGroup = (params: Row) => on('securityGroup', group, { securityGroupUuid: group, ...params })
const made: [string, Input] = ['securityGroup.create', on('securityGroup', group, { name: 'web' })]
const attachment = ofGroup({ l3NetworkUuid: u.l3 })
const attached: [string, Input] = ['securityGroup.attach', attachment]
const rules: [string, Input] = [
  'securityGroup.addRules',
  ofGroup({
    rules: [
      { type: 'Ingress', protocol: 'TCP', dstPortRange: '22' },
      { type: 'Ingress', protocol: 'TCP', dstPortRange: '80' },
      { type: 'Egress', protocol: 'ALL', dstIpRange: '192.0.2.0/24', action: 'DROP' },
    ],
  }),
]

interface Known {
  nic: string
  /** rules of type Ingress that can be moved, in their order */
  rules: string[]
}
const nicOf = (w: TestWorld) => [...w.state.graph.by('vmNic', 'vmInstanceUuid', u.vm)][0]!
const rulesOf = (w: TestWorld) =>
  [...w.state.graph.rows('securityGroupRule')]
    .map(([, row]) => row)
    .filter((row) => row['type'] === 'Ingress' && row['priority'] !== 0)
    .sort((a, b) => (a['priority'] as number) - (b['priority'] as number))
    .map((row) => row['uuid'] as string)

/** A VM that runs and whose card is in a group with rules. */
const guarded =
  (given: (known: Known) => Input): Before =>
  async (w) => {
    await after([created, made, attached, rules], vm)(w)
    const nic = nicOf(w)
    await ran(w, 'securityGroup.addNics', ofGroup({ vmNicUuids: [nic] }))
    return given({ nic, rules: rulesOf(w) })
  }

export const securityCases: Record<string, Before> = {
  'securityGroup.create': onSite(made[1]),
  'securityGroup.changeState': guarded(() => ofGroup({ stateEvent: 'disable' })),
  'securityGroup.addRules': guarded(() =>
    ofGroup({
      priority: 1,
      rules: [
        { type: 'Ingress', protocol: 'UDP', dstPortRange: '53' },
        { type: 'Egress', protocol: 'ICMP' },
      ],
    }),
  ),
  'securityGroup.changeRuleState': guarded((known) => ofGroup({ ruleUuids: known.rules, state: 'Disabled' })),
  'securityGroup.updateRulePriority': guarded(({ rules: [first, second] }) =>
    ofGroup({
      type: 'Ingress',
      rules: [
        { ruleUuid: first, priority: 2 },
        { ruleUuid: second, priority: 1 },
      ],
    }),
  ),
  'securityGroupRule.change': guarded(({ rules: [first] }) =>
    on('securityGroupRule', first!, { uuid: first, dstPortRange: '443', priority: -1 }),
  ),
  'securityGroup.removeRules': guarded(({ rules: [first] }) => on('securityGroupRule', first!, { ruleUuids: [first] })),
  'securityGroup.addNics': async (w) => {
    await after([created, made, attached, rules], vm)(w)
    return ofGroup({ vmNicUuids: [nicOf(w)] })
  },
  'securityGroup.removeNics': guarded(({ nic }) => ofGroup({ vmNicUuids: [nic] })),
  'vmNic.setSecurityGroups': guarded(({ nic }) => on('vmNicSecurityPolicy', nic, { vmNicUuid: nic, refs: [] })),
  'vmNic.changeSecurityPolicy': guarded(({ nic }) => on('vmNicSecurityPolicy', nic, { vmNicUuid: nic, egressPolicy: 'DENY' })),
  'securityGroup.attach': after([made], attachment),
  'securityGroup.detach': guarded(() => attachment),
  'vm.setCleanTraffic': after([created], on('vmInstance', u.vm, { uuid: u.vm, enable: true })),
}

/** Further ways through other workflows. */
export const otherSecurityCases: [sentence: string, workflow: string, before: Before][] = [
  ['a security group with cards in it', 'resource.delete', guarded(() => on('securityGroup', group))],
  ['a VM whose card is in a security group', 'vm.stop', guarded(() => vm)],
  ['a VM whose card is in a security group', 'vm.destroy', guarded(() => vm)],
]
