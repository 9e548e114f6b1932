/** Security groups over the API: what hosts are told, what is refused, and what goes with what. */
import type { Row } from '@skerry/contract'
import { beforeEach, describe, expect, it } from 'vitest'
import { nicSecurities } from '../src/desired/nic-security.ts'
import { inOrder, rulesOf, securityGroups } from '../src/desired/security-group.ts'
import { securityMembers } from '../src/desired/security-members.ts'
import { vms } from '../src/desired/vm.ts'
import type { ControllerEngine } from '../src/engine/engine.ts'
import { addressSpans, portSpans } from '../src/workflows/security.ranges.ts'
import { call, done, ready } from './engine-calls.ts'
import { id, type TestWorld, u, vmParams } from './world.ts'

describe('lists of addresses and ports', () => {
  it.each([
    ['10.0.0.0/24', 4, [['10.0.0.0', '10.0.0.255']]],
    ['10.0.0.7/24,10.0.1.0-10.0.1.9', 4, [['10.0.0.0', '10.0.1.9']]],
    [
      '192.0.2.1,10.0.0.1',
      4,
      [
        ['10.0.0.1', '10.0.0.1'],
        ['192.0.2.1', '192.0.2.1'],
      ],
    ],
    ['fd00:0:0::1-fd00::9', 6, [['fd00::1', 'fd00::9']]],
    ['::/0', 6, [['::', 'ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff']]],
  ] as const)('%s is understood', (text, version, spans) => expect(addressSpans(text, version)).toEqual(spans))

  it.each([
    '10.0.0.256',
    '10.0.0.9-10.0.0.1',
    '10.0.0.0/33',
    'fd00::1',
    '10.0.0.1,',
    '1-2-3',
    ',,',
    Array(11).fill('10.0.0.1').join(),
  ])('%s is refused', (text) =>
    expect(() => addressSpans(text, 4)).toThrow(expect.objectContaining({ code: 'invalid-argument' })),
  )

  it('ports come together, and what is none is refused', () => {
    expect(portSpans('90,22,80-89,85-88')).toEqual([
      [22, 22],
      [80, 90],
    ])
    for (const text of ['0', '65536', '9-1', '1-2-3', '', '1,,2', '-1', '01'])
      expect(() => portSpans(text)).toThrow(expect.objectContaining({ code: 'invalid-argument' }))
  })
})

const group = id('sgroup')
const other = id('sother')
const from = (type: string, over: Row = {}) => ({ type, protocol: 'TCP', dstPortRange: '80', ...over })

describe('security groups', () => {
  let w: TestWorld
  let engine: ControllerEngine
  let nic: string
  const run = async (api: string, params: Row) => {
    const job = await done(engine, call(api, params))
    expect(job.error ?? null).toBeNull()
    await w.agents.settle()
    return job.result as Row
  }
  const refused = (api: string, params: Row, code = 'invalid-argument') =>
    expect(engine.accept(call(api, params))).rejects.toMatchObject({ code })
  const documents = (noun: string) =>
    [...w.state.graph.rows('desired')].flatMap(([, row]) =>
      row['noun'] === noun && !row['tombstone'] ? [row['uuid'] as string] : [],
    )
  const rules = (type = 'Ingress') =>
    rulesOf(w.state.graph, group)
      .filter((rule) => rule['type'] === type && rule['priority'] !== 0)
      .sort(inOrder)
  const addRule = (more: Row = {}, params: Row = {}) =>
    run('AddSecurityGroupRule', { securityGroupUuid: group, rules: [from('Ingress', more)], ...params })

  beforeEach(async () => {
    ;({ w, engine } = await ready())
    await run('CreateVmInstance', { ...vmParams, resourceUuid: u.vm })
    nic = [...w.state.graph.by('vmNic', 'vmInstanceUuid', u.vm)][0]!
    for (const [name, uuid] of [
      ['web', group],
      ['admin', other],
    ] as const)
      await run('CreateSecurityGroup', { name, resourceUuid: uuid })
    await run('AttachSecurityGroupToL3Network', { securityGroupUuid: group, l3NetworkUuid: u.l3 })
  })

  it('are made with rules by which their members reach each other, and are on no host before a card is in one', async () => {
    const made = rulesOf(w.state.graph, group)
    expect(
      made
        .map((rule) => `${rule['type']} ${rule['ipVersion']} ${rule['priority']} ${rule['remoteSecurityGroupUuid'] === group}`)
        .sort(),
    ).toEqual(['Egress 4 0 true', 'Egress 6 0 true', 'Ingress 4 0 true', 'Ingress 6 0 true'])
    expect([documents('securityGroup'), documents('nicSecurity'), documents('securityMembers')]).toEqual([[], [], []])
  })

  it('are told to the host of a card, with the groups that their rules name, and go when the card leaves', async () => {
    await addRule({ remoteSecurityGroupUuid: other })
    await run('AddVmNicToSecurityGroup', { securityGroupUuid: group, vmNicUuids: [nic] })
    expect([documents('securityGroup'), documents('nicSecurity')]).toEqual([[group], [nic]])
    const [page] = documents('securityMembers')
    const { graph } = w.state
    const ip = graph.get('vmNic', nic)!['ip']
    expect(securityMembers.spec(graph, page!)).toEqual({ securityGroupUuid: group, ips: [ip] })
    expect(nicSecurities.spec(graph, nic)).toMatchObject({
      groups: { uuids: [group], ingressPolicy: 'DENY', egressPolicy: 'ALLOW' },
      cleanTraffic: false,
    })
    const [card] = vms.spec(graph, u.vm)['nics'] as Row[]
    expect(card).toMatchObject({ guarded: true })
    await run('DeleteVmNicFromSecurityGroup', { securityGroupUuid: group, vmNicUuids: [nic] })
    expect([documents('securityGroup'), documents('nicSecurity'), documents('securityMembers')]).toEqual([[], [], []])
    expect(graph.get('vmNicSecurityPolicy', nic)).toBeUndefined()
    expect((vms.spec(w.state.graph, u.vm)['nics'] as Row[])[0]).not.toHaveProperty('guarded')
  })

  it('say their rules in order; what is switched off is not said', async () => {
    await addRule()
    await addRule({ dstPortRange: '22' }, { priority: 1 })
    await addRule({ dstPortRange: '443', srcIpRange: '10.0.0.0/24', action: 'DROP' })
    const ports = () => rules().map((rule) => rule['dstPortRange'])
    expect([ports(), rules().map((rule) => rule['priority'])]).toEqual([
      ['22', '80', '443'],
      [1, 2, 3],
    ])
    const [first, second, third] = rules().map((rule) => rule['uuid'] as string)
    await run('ChangeSecurityGroupRule', { uuid: first, priority: -1 })
    expect(ports()).toEqual(['80', '443', '22'])
    const order = [
      { ruleUuid: first, priority: 1 },
      { ruleUuid: second, priority: 2 },
      { ruleUuid: third, priority: 3 },
    ]
    await run('UpdateSecurityGroupRulePriority', { securityGroupUuid: group, type: 'Ingress', rules: order })
    expect(ports()).toEqual(['22', '80', '443'])
    await run('ChangeSecurityGroupRuleState', { securityGroupUuid: group, ruleUuids: [first], state: 'Disabled' })
    const said = () => (securityGroups.spec(w.state.graph, group)['rules'] as Row[]).filter((rule) => rule['ports'])
    expect(said()).toEqual([
      { type: 'Ingress', ipVersion: 4, protocol: 'TCP', action: 'ACCEPT', ports: [[80, 80]] },
      { type: 'Ingress', ipVersion: 4, protocol: 'TCP', action: 'DROP', ports: [[443, 443]], ips: [['10.0.0.0', '10.0.0.255']] },
    ])
    await run('DeleteSecurityGroupRule', { ruleUuids: [second] })
    expect([ports(), rules().map((rule) => rule['priority'])]).toEqual([
      ['22', '443'],
      [1, 2],
    ])
    await run('ChangeSecurityGroupState', { uuid: group, stateEvent: 'disable' })
    expect(securityGroups.spec(w.state.graph, group)).toEqual({ rules: [] })
  })

  it('are asked in the order of a card, whose policies can be changed', async () => {
    await run('AttachSecurityGroupToL3Network', { securityGroupUuid: other, l3NetworkUuid: u.l3 })
    await run('SetVmNicSecurityGroup', {
      vmNicUuid: nic,
      refs: [{ securityGroupUuid: group }, { securityGroupUuid: other, priority: 1 }],
    })
    await run('ChangeVmNicSecurityPolicy', { vmNicUuid: nic, egressPolicy: 'DENY' })
    const said = () => nicSecurities.spec(w.state.graph, nic)['groups']
    expect(said()).toEqual({ uuids: [other, group], ingressPolicy: 'DENY', egressPolicy: 'DENY' })
    await run('DeleteSecurityGroup', { uuid: other })
    expect(said()).toMatchObject({ uuids: [group] })
    await run('DetachSecurityGroupFromL3Network', { securityGroupUuid: group, l3NetworkUuid: u.l3 })
    expect([documents('nicSecurity'), w.state.graph.count('vmNicSecurityPolicy')]).toEqual([[], 0])
  })

  it('go with a network, and leave nothing with a VM that is gone', async () => {
    await run('AddVmNicToSecurityGroup', { securityGroupUuid: group, vmNicUuids: [nic] })
    await run('DeleteL3Network', { uuid: u.l3 })
    expect(w.state.graph.get('securityGroup', group)).toMatchObject({ attachedL3NetworkUuids: [] })
    for (const table of ['vmNicSecurityGroupRef', 'vmNicSecurityPolicy']) expect(w.state.graph.count(table)).toBe(0)
    expect([documents('securityGroup'), documents('nicSecurity'), documents('securityMembers')]).toEqual([[], [], []])
  })

  it('a VM may be told to speak only as itself, with no group at all', async () => {
    await run('SetVmCleanTraffic', { uuid: u.vm, enable: true })
    expect(nicSecurities.spec(w.state.graph, nic)).toMatchObject({ groups: null, cleanTraffic: true })
    expect(documents('nicSecurity')).toEqual([nic])
    await run('SetVmCleanTraffic', { uuid: u.vm, enable: false })
    expect(documents('nicSecurity')).toEqual([])
  })

  it('what makes no sense is refused, and changes nothing', async () => {
    await addRule()
    const { seq } = w.state.graph
    const bad = (rule: Row, code?: string) => refused('AddSecurityGroupRule', { securityGroupUuid: group, rules: [rule] }, code)
    await bad(from('Ingress', { dstPortRange: '70000' }))
    await bad(from('Ingress', { dstPortRange: '90-80' }))
    await bad(from('Ingress', { protocol: 'ICMP' }))
    await bad(from('Ingress', { srcIpRange: 'fd00::/64' }))
    await bad(from('Ingress', { ipVersion: 6, srcIpRange: '10.0.0.0/8' }))
    await bad(from('Ingress', { dstIpRange: '10.0.0.0/8' }))
    await bad(from('Ingress', { srcIpRange: '10.0.0.0/8', remoteSecurityGroupUuid: other }))
    await bad(from('Ingress', { remoteSecurityGroupUuid: id('nobody') }), 'not-found')
    await bad({ type: 'Ingress', protocol: 'TCP', startPort: 80 })
    await bad(from('Ingress'), 'illegal-state')
    const [fixed] = rulesOf(w.state.graph, group).filter((rule) => rule['priority'] === 0)
    const [own] = rules()
    await refused('DeleteSecurityGroupRule', { ruleUuids: [fixed!['uuid']] }, 'illegal-state')
    await refused('ChangeSecurityGroupRule', { uuid: fixed!['uuid'], action: 'DROP' }, 'illegal-state')
    await refused('ChangeSecurityGroupRule', { uuid: own!['uuid'], priority: 7 })
    await refused('ChangeSecurityGroupRuleState', { securityGroupUuid: other, ruleUuids: [own!['uuid']], state: 'Disabled' })
    await refused('AddVmNicToSecurityGroup', { securityGroupUuid: other, vmNicUuids: [nic] }, 'illegal-state')
    await refused('SetVmNicSecurityGroup', { vmNicUuid: nic, refs: [{ securityGroupUuid: group }, { securityGroupUuid: group }] })
    await refused('DeleteVmNicFromSecurityGroup', { securityGroupUuid: group, vmNicUuids: [nic] }, 'illegal-state')
    await refused('ChangeVmNicSecurityPolicy', { vmNicUuid: nic, egressPolicy: 'DENY' }, 'not-found')
    expect(w.state.graph.seq).toBe(seq)
  })

  it('another account’s group is as if it were not there, also inside of a list', async () => {
    const stranger = { accountUuid: id('stranger'), sessionUuid: id('s2'), admin: false }
    const asStranger = async (api: string, params: Row) => done(engine, { ...call(api, params), caller: stranger })
    const own = id('strangers')
    expect(await asStranger('CreateSecurityGroup', { name: 'theirs', resourceUuid: own })).toMatchObject({ state: 'done' })
    await w.commit({ ops: [{ o: 'set', t: 'securityGroup', k: own, v: { ownerUuid: stranger.accountUuid } }] })
    const rule = from('Ingress', { remoteSecurityGroupUuid: other })
    await expect(asStranger('AddSecurityGroupRule', { securityGroupUuid: own, rules: [rule] })).rejects.toMatchObject({
      code: 'not-found',
    })
    expect(rulesOf(w.state.graph, own)).toHaveLength(4)
    await expect(asStranger('SetVmNicSecurityGroup', { vmNicUuid: nic, refs: [] })).rejects.toMatchObject({ code: 'not-found' })
    await expect(
      asStranger('AttachSecurityGroupToL3Network', { securityGroupUuid: group, l3NetworkUuid: u.l3 }),
    ).rejects.toMatchObject({
      code: 'not-found',
    })
  })

  it('an old client may say addresses and ports its own way', async () => {
    await run('AddSecurityGroupRule', {
      securityGroupUuid: group,
      rules: [{ type: 'Egress', protocol: 'UDP', startPort: 53, endPort: 54, allowedCidr: '0.0.0.0/0' }],
    })
    expect(rules('Egress')).toMatchObject([{ dstPortRange: '53-54', dstIpRange: null, priority: 1, action: 'ACCEPT' }])
  })
})
