/** VIPs and their uses: what is refused and why, what a VIP's row and its router's document say, and what goes with what. */
import { ADMIN_ACCOUNT, type Row, VROUTER_PROVIDER, type vrouterDesired } from '@skerry/contract'
import { beforeEach, describe, expect, it } from 'vitest'
import { documentOf } from '../src/agents/documents.ts'
import { vipCalls } from '../src/calls/vips.ts'
import { usageOf } from '../src/identity/usage.ts'
import { actions } from '../src/workflows/index.ts'
import { after, created, on, ran, vm } from './before.ts'
import { eip, newEip, newRule, newVip, nicOf, publicL3, publicNetwork, rule, vip } from './vip-cases.ts'
import { otherNetwork } from './vm-cases.ts'
import { id, makeWorld, type TestWorld, u } from './world.ts'

let w: TestWorld
let nic: string
const graph = () => w.state.graph
const row = (table: string, uuid: string) => graph().get(table, uuid)
const run = (name: string, table: string, uuid: string, params: Row = {}) => ran(w, name, on(table, uuid, params))

/** The code and text with which a call is refused. */
function refusal(name: string, table: string, uuid: string, params: Row = {}): string {
  try {
    actions.get(name)!.check!({ graph: graph(), params, uuid, table })
    return 'accepted'
  } catch (error) {
    const { code, message } = error as { code?: string; message: string }
    return `${code}: ${message}`
  }
}
const document = (uuid = vip) => {
  const [key] = [...graph().by('desired', 'of', `vip/${uuid}`)].filter((k) => !graph().get('desired', k)?.['tombstone'])
  const found = key && documentOf(graph(), key)
  return found && 'spec' in found ? (found.spec as unknown as vrouterDesired.VipSpec) : undefined
}
const ports = (vipPortStart: number, vipPortEnd?: number, more: Row = {}) => ({
  name: 'rule',
  vipUuid: vip,
  protocolType: 'TCP',
  vipPortStart,
  ...(vipPortEnd === undefined ? {} : { vipPortEnd }),
  ...more,
})
const asked = (params: Row) => refusal('portForwardingRule.create', 'portForwardingRule', id('r'), params)

beforeEach(async () => {
  w = await makeWorld()
  await after([created, ...publicNetwork, newVip(vip, { requiredIp: '198.51.100.15' })], vm)(w)
  nic = nicOf(w)
})

describe('a VIP', () => {
  it('has an address of its network, which nobody else gets, and gives it back', async () => {
    expect(row('vip', vip)).toMatchObject({ ip: '198.51.100.15', gateway: '198.51.100.1', prefixLen: 24, useFor: null })
    expect(row('usedIp', `${publicL3}:198.51.100.15`)).toMatchObject({ usedFor: 'Vip', vmNicUuid: null })
    const other = (params: Row) => refusal('vip.create', 'vip', id('x'), { name: 'x', l3NetworkUuid: publicL3, ...params })
    expect(other({ requiredIp: '198.51.100.15' })).toMatch(/^in-use: .*198.51.100.15/)
    expect(other({ requiredIp: '198.51.100.99' })).toMatch(/^invalid-argument: .*no such range/)
    expect(other({ ipRangeUuid: u.range })).toMatch(/^invalid-argument: .*none of network public/)
    await run('vip.delete', 'vip', vip)
    expect(row('usedIp', `${publicL3}:198.51.100.15`)).toBeUndefined()
    expect(other({ requiredIp: '198.51.100.15' })).toBe('accepted')
  })

  it('is taken in order where the call says so, and told when none is left', async () => {
    const inOrder = { l3NetworkUuid: publicL3, allocatorStrategy: 'FirstAvailableIpAllocatorStrategy' }
    await run('vip.create', 'vip', id('first'), { name: 'first', ...inOrder })
    expect(row('vip', id('first'))?.['ip']).toBe('198.51.100.10')
    for (let n = 0; n < 9; n++) await run('vip.create', 'vip', id(`more${n}`), { name: 'more', ...inOrder })
    expect(refusal('vip.create', 'vip', id('x'), { name: 'x', ...inOrder })).toMatch(/^no-address/)
  })

  it('has no document until something is attached, and none while it is disabled', async () => {
    expect(document()).toBeUndefined()
    await run('eip.create', 'eip', eip, newEip({ vmNicUuid: nic }).params)
    const guestIp = row('vmNic', nic)?.['ip']
    expect(document()).toMatchObject({ ip: '198.51.100.15', routerUuid: u.l3, l3NetworkUuid: publicL3, eip: { guestIp } })
    expect(row('vip', vip)).toMatchObject({ useFor: 'Eip', peerL3NetworkUuids: [u.l3], serviceProvider: 'vrouter' })
    for (const [name, table, uuid] of [
      ['vip.changeState', 'vip', vip],
      ['eip.changeState', 'eip', eip],
    ] as const) {
      await run(name, table, uuid, { stateEvent: 'disable' })
      expect(document()).toBeUndefined()
      await run(name, table, uuid, { stateEvent: 'enable' })
      expect(document()).toBeDefined()
    }
    await run('eip.detach', 'eip', eip)
    expect(document()).toBeUndefined()
    expect(row('vip', vip)).toMatchObject({ useFor: 'Eip', peerL3NetworkUuids: [], serviceProvider: null })
    await run('eip.delete', 'eip', eip)
    expect(row('vip', vip)).toMatchObject({ useFor: null, servicesRefs: [] })
  })

  it('takes its uses along, and a network its VIPs', async () => {
    await run('eip.create', 'eip', eip, newEip({ vmNicUuid: nic }).params)
    await run('l3Network.delete', 'l3Network', publicL3)
    expect([row('eip', eip), row('vip', vip), row('usedIp', `${publicL3}:198.51.100.15`)]).toEqual([
      undefined,
      undefined,
      undefined,
    ])
    expect(row('vmNic', nic)).toBeDefined()
  })

  it('counts for its account', async () => {
    await run('eip.create', 'eip', eip, newEip().params)
    expect(usageOf(graph(), ADMIN_ACCOUNT)).toMatchObject({ 'vip.num': 1, 'eip.num': 1, 'portForwarding.num': 0 })
  })
})

describe('an EIP', () => {
  const attach = (vmNicUuid = nic) => refusal('eip.attach', 'eip', eip, { vmNicUuid })

  it('has its VIP for itself', async () => {
    await run('eip.create', 'eip', eip, newEip().params)
    expect(refusal('eip.create', 'eip', id('x'), { name: 'x', vipUuid: vip })).toMatch(/^in-use: VIP vip .*is in use for Eip/)
    expect(asked(ports(80))).toMatch(/^in-use: .*Eip/)
  })

  it('goes to one guest at a time, in another network that has the service, once a public network', async () => {
    await run('eip.create', 'eip', eip, newEip().params)
    await run('vip.create', 'vip', id('own'), { name: 'own', l3NetworkUuid: u.l3 })
    expect(refusal('eip.create', 'eip', id('x'), { name: 'x', vipUuid: id('own'), vmNicUuid: nic })).toMatch(
      /^illegal-state: .*guest's own network/,
    )
    await run('l3Network.detachServices', 'l3Network', u.l3, { l3NetworkUuid: u.l3, service: 'Eip' })
    expect(attach()).toMatch(/^illegal-state: .*has no service Eip/)
    await ran(w, ...(publicNetwork.at(-1) as (typeof publicNetwork)[number]))
    expect(attach()).toBe('accepted')
    await run('eip.attach', 'eip', eip, { vmNicUuid: nic })
    expect(attach()).toMatch(/^illegal-state: .*detach it first/)
    await ran(w, ...newVip(id('two')))
    expect(refusal('eip.create', 'eip', id('x'), { name: 'x', vipUuid: id('two'), vmNicUuid: nic })).toMatch(
      /^in-use: the network card has EIP eip .198.51.100.15. of the same network already/,
    )
    expect(attach(id('nobody'))).toMatch(/^not-found/)
  })

  it('needs its network on the host of the router', async () => {
    await run('eip.create', 'eip', eip, newEip().params)
    await run('l2Network.detach', 'l2Network', id('publicL2'), { l2NetworkUuid: id('publicL2'), clusterUuid: u.cluster })
    expect(attach()).toMatch(/^illegal-state: network public .*does not reach the cluster/)
  })

  it('goes from a guest whose card goes', async () => {
    await run('eip.create', 'eip', eip, newEip({ vmNicUuid: nic }).params)
    await run('vm.detachNic', 'vmNic', nic)
    expect(row('eip', eip)).toMatchObject({ vmNicUuid: null, guestIp: null })
    expect(row('vip', vip)).toMatchObject({ useFor: 'Eip', peerL3NetworkUuids: [], servedL3Uuid: null })
    expect(document()).toBeUndefined()
  })

  it('stays through a destroyed guest, and goes with an expunged one', async () => {
    await run('eip.create', 'eip', eip, newEip({ vmNicUuid: nic }).params)
    await run('vm.destroy', 'vmInstance', u.vm)
    expect(row('eip', eip)?.['vmNicUuid']).toBe(nic)
    await run('vm.expunge', 'vmInstance', u.vm)
    expect(row('eip', eip)).toMatchObject({ vmNicUuid: null, guestIp: null })
  })

  it('follows the address of its card, and keeps the card in its network', async () => {
    await run('eip.create', 'eip', eip, newEip({ vmNicUuid: nic }).params)
    await run('vm.stop', 'vmInstance', u.vm)
    for (const call of otherNetwork) await ran(w, ...call)
    expect(refusal('vmNic.changeNetwork', 'vmNic', nic, { destL3NetworkUuid: id('other') })).toMatch(
      /^in-use: eip .*detach it first/,
    )
    await run('vm.setStaticIp', 'vmInstance', u.vm, { l3NetworkUuid: u.l3, ip: '10.0.0.77' })
    expect(row('eip', eip)?.['guestIp']).toBe('10.0.0.77')
    expect(document()?.eip).toEqual({ guestIp: '10.0.0.77' })
  })

  it('moves with its router', async () => {
    await run('eip.create', 'eip', eip, newEip({ vmNicUuid: nic }).params)
    await w.commit({ ops: [{ o: 'set', t: 'l3Network', k: u.l3, v: { routerAgentUuid: null, routerUplink: null } }] })
    expect(document()).toBeUndefined()
    await w.commit({ ops: [{ o: 'set', t: 'l3Network', k: u.l3, v: { routerAgentUuid: u.vrouter, routerUplink: 3 } }] })
    expect(document()).toBeDefined()
  })

  it('is offered to the cards that it can be given to, and the cards to it', async () => {
    await run('eip.create', 'eip', eip, newEip().params)
    const uuids = (answer: Row) => (answer['inventories'] as Row[]).map((one) => one['uuid'])
    const call = (name: string, params: Row) => uuids(vipCalls(graph())[name]!({ params } as never))
    expect(call('GetEipAttachableVmNics', { eipUuid: eip })).toEqual([nic])
    expect(call('GetEipAttachableVmNics', { eipUuid: eip, vmName: 'nobody' })).toEqual([])
    expect(call('GetVmNicAttachableEips', { vmNicUuid: nic })).toEqual([eip])
    await run('eip.attach', 'eip', eip, { vmNicUuid: nic })
    expect(call('GetVmNicAttachableEips', { vmNicUuid: nic })).toEqual([])
  })
})

describe('a rule of port forwarding', () => {
  it('has as many ports of the guest as of the VIP', async () => {
    expect(asked(ports(80))).toBe('accepted')
    expect(asked(ports(80, 90, { privatePortStart: 8080 }))).toBe('accepted')
    expect(asked(ports(80, 90, { privatePortStart: 8080, privatePortEnd: 8089 }))).toMatch(/^invalid-argument: .*11 ports .*10/)
    expect(asked(ports(80, 79))).toMatch(/^invalid-argument/)
    expect(asked(ports(80, 90, { privatePortStart: 65_530 }))).toMatch(/^invalid-argument: .*after 65535/)
    expect(asked(ports(1, 65_535))).toBe('accepted')
    expect(asked(ports(1, 2_000, { privatePortStart: 2 }))).toMatch(/^invalid-argument: .*at most 1000/)
  })

  it('has its ports for itself, of its protocol', async () => {
    await run('portForwardingRule.create', 'portForwardingRule', rule, newRule().params)
    expect(asked(ports(82))).toMatch(/^in-use: TCP ports 80 to 82 .* by rule already/)
    expect(asked(ports(70, 80))).toMatch(/^in-use/)
    expect(asked(ports(83))).toBe('accepted')
    expect(asked(ports(80, 82, { protocolType: 'UDP' }))).toBe('accepted')
    expect(refusal('eip.create', 'eip', eip, newEip().params)).toMatch(/^in-use: .*PortForwarding/)
    const call = (name: string, params: Row) => vipCalls(graph())[name]!({ params } as never)
    expect(call('CheckVipPortAvailability', { vipUuid: vip, port: 81, protocolType: 'TCP' })).toEqual({ available: false })
    expect(call('CheckVipPortAvailability', { vipUuid: vip, port: 81, protocolType: 'UDP' })).toEqual({ available: true })
    expect(call('GetVipUsedPorts', { uuid: vip, protocol: 'TCP' })['inventories']).toMatchObject([{ usedPorts: ['80-82'] }])
    const free = (params: Row) => call('GetVipAvailablePort', { vipUuid: vip, protocolType: 'TCP', ...params })['availablePort']
    expect(free({ start: 78, limit: 3 })).toEqual([79, 83, 84])
  })

  it('says in the document whom it leads where, with the network of who may come', async () => {
    await run('portForwardingRule.create', 'portForwardingRule', rule, newRule({ vmNicUuid: nic }).params)
    const guestIp = row('vmNic', nic)?.['ip']
    expect(document()?.portForwarding).toEqual([
      { protocol: 'TCP', vipPortStart: 80, vipPortEnd: 82, privatePortStart: 8080, guestIp, allowedCidr: '192.0.2.0/24' },
    ])
    expect(row('portForwardingRule', rule)).toMatchObject({ privatePortEnd: 8082, guestIp, vipIp: '198.51.100.15' })
  })

  it('shares its VIP only with rules for guests of the same network', async () => {
    await run('portForwardingRule.create', 'portForwardingRule', rule, newRule({ vmNicUuid: nic }).params)
    for (const call of otherNetwork) await ran(w, ...call)
    await run('l3Network.attachServices', 'l3Network', id('other'), {
      l3NetworkUuid: id('other'),
      networkServices: { [VROUTER_PROVIDER]: ['PortForwarding'] },
    })
    await run('vm.attachNic', 'vmInstance', u.vm, { vmInstanceUuid: u.vm, l3NetworkUuid: id('other') })
    const second = [...graph().by('vmNic', 'l3NetworkUuid', id('other'))][0]!
    expect(asked(ports(90, undefined, { vmNicUuid: second }))).toMatch(/^illegal-state: .*serves another network/)
    expect(asked(ports(90, undefined, { vmNicUuid: nic }))).toBe('accepted')
  })
})
