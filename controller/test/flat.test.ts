/** Provider Flat: each host serves its own guests. What is refused, whose documents there are, and which addresses are taken. */
import { FLAT_PROVIDER, flatRouter, type Row, tapName, VROUTER_PROVIDER, type vrouterDesired } from '@skerry/contract'
import { beforeEach, describe, expect, it } from 'vitest'
import { documentOf } from '../src/agents/documents.ts'
import { documentFindings } from '../src/conditions/documents.ts'
import { actions } from '../src/workflows/index.ts'
import { after, created, on, ran, vm } from './before.ts'
import { eip, newEip, newRule, newVip, nicOf, publicNetwork, vip } from './vip-cases.ts'
import { base, id, makeWorld, type TestWorld, u } from './world.ts'

let w: TestWorld
const graph = () => w.state.graph
const run = (name: string, table: string, uuid: string, params: Row = {}) => ran(w, name, on(table, uuid, params))
const FLAT = flatRouter(u.l3)
const [host2, vrouter2] = [id('host2'), id('vrouter2')]

function refusal(name: string, params: Row): string {
  try {
    actions.get(name)!.check!({ graph: graph(), params: { l3NetworkUuid: u.l3, ...params }, uuid: u.l3, table: 'l3Network' })
    return 'accepted'
  } catch (error) {
    const { code, message } = error as { code?: string; message: string }
    return `${code}: ${message}`
  }
}
/** Agents that hold this document, with what it says. */
function documents<Spec>(noun: string, uuid: string): Record<string, Spec> {
  const keys = [...graph().by('desired', 'of', `${noun}/${uuid}`)].filter((k) => !graph().get('desired', k)?.['tombstone'])
  return Object.fromEntries(keys.map((key) => [key.split('/')[0], (documentOf(graph(), key) as unknown as { spec: Spec }).spec]))
}
const routersOf = () => documents<vrouterDesired.RouterSpec>('router', FLAT)
const attach = (...services: string[]) =>
  run('l3Network.attachServices', 'l3Network', u.l3, { l3NetworkUuid: u.l3, networkServices: { [FLAT_PROVIDER]: services } })
const detach = (service: string) => run('l3Network.detachServices', 'l3Network', u.l3, { l3NetworkUuid: u.l3, service })
const taken = () =>
  [...graph().by('usedIp', 'l3NetworkUuid', u.l3)]
    .map((k) => graph().get('usedIp', k)!)
    .filter((used) => used['usedFor'] === 'DHCP')
/** The guest goes to the other host, as a start there does. */
const moveTo = (hostUuid: string | null) => w.commit({ ops: [{ o: 'set', t: 'vmInstance', k: u.vm, v: { hostUuid } }] })

beforeEach(async () => {
  w = await makeWorld()
  await after([], vm)(w)
  for (const service of graph().get('l3Network', u.l3)!['networkServices'] as Row[])
    await detach(service['networkServiceType'] as string)
  const copy = (t: string, from: string, to: string, v: Row = {}) => ({
    ...{ o: 'put' as const, t, k: to },
    v: { ...(graph().get(t, from) as Row), ...base(to, to), ...v },
  })
  await w.commit({ ops: [copy('host', u.host, host2), copy('agent', u.vrouter, vrouter2, { hostUuid: host2 })] })
})

describe('a flat network', () => {
  it('has an address for its DHCP server, which nobody else gets, as long as provider Flat serves it', async () => {
    expect(taken()).toEqual([])
    await attach('DHCP', 'Userdata')
    const range = graph().get('ipRange', u.range)!
    expect(taken()).toMatchObject([{ ip: range['endIp'], ipRangeUuid: u.range, vmNicUuid: null }])
    expect(refusal('ipRange.reserve', { startIp: range['endIp'], endIp: range['endIp'] })).toMatch(/^in-use/)
    await detach('DHCP')
    expect(taken()).toHaveLength(1)
    await detach('Userdata')
    expect(taken()).toEqual([])
  })

  it('gets it with its first range where it has none, and another one when that range goes', async () => {
    const other = { l3NetworkUuid: u.l3, startIp: '10.0.0.220', endIp: '10.0.0.230', netmask: '255.255.255.0' }
    const { endIp } = graph().get('ipRange', u.range)!
    await run('ipRange.delete', 'ipRange', u.range)
    await attach('DHCP')
    expect(taken()).toEqual([])
    await run('ipRange.add', 'ipRange', id('second'), { name: 'second', ...other })
    expect(taken()).toMatchObject([{ ip: '10.0.0.230' }])
    await run('ipRange.add', 'ipRange', id('third'), { name: 'third', ...other, startIp: '10.0.0.240', endIp: '10.0.0.241' })
    expect(taken()).toHaveLength(1)
    await run('ipRange.delete', 'ipRange', id('second'))
    expect(taken()).toMatchObject([{ ip: '10.0.0.241', ipRangeUuid: id('third') }])
    expect(endIp).toBeDefined()
  })

  it('is served on the host of its guest, by no router, and moves with it', async () => {
    await attach('DHCP', 'Userdata')
    await run('l3Network.addDns', 'l3Network', u.l3, { l3NetworkUuid: u.l3, dns: '192.0.2.53' })
    expect(routersOf()).toEqual({})
    await ran(w, ...created)
    expect(graph().get('l3Network', u.l3)).toMatchObject({ routerAgentUuid: null, routerUplink: null })
    const dhcpIp = taken()[0]!['ip'] as string
    const spec = routersOf()[u.vrouter]!
    expect(spec).toMatchObject({ uplink: null, flat: { dhcpIp, metadata: true, eip: false }, dns: ['192.0.2.53'] })
    expect(spec.services).toEqual({ dhcp: true, dns: false, snat: false })
    expect(spec.hostRoutes).toEqual([{ destination: '169.254.169.254/32', gateway: dhcpIp }])
    const nic = nicOf(w)
    const { mac, ip } = graph().get('vmNic', nic)!
    expect(documents('lease', nic)).toMatchObject({ [u.vrouter]: { routerUuid: FLAT, mac, ip } })
    expect(documents('metadata', nic)).toMatchObject({ [u.vrouter]: { routerUuid: FLAT, mac, ip, instanceId: u.vm } })
    await moveTo(host2)
    for (const [noun, uuid] of [
      ['router', FLAT],
      ['lease', nic],
      ['metadata', nic],
    ] as const)
      expect(Object.keys(documents(noun, uuid))).toEqual([vrouter2])
    await moveTo(null)
    for (const [noun, uuid] of [
      ['router', FLAT],
      ['lease', nic],
      ['metadata', nic],
    ] as const)
      expect(documents(noun, uuid)).toEqual({})
  })

  it('tells its guests what their tags say', async () => {
    await attach('Userdata')
    await ran(w, ...created)
    const tag = {
      uuid: id('tag'),
      name: 'tag',
      resourceUuid: u.vm,
      resourceType: 'VmInstanceVO',
      type: 'System',
      inherent: false,
    }
    const v = { ...tag, tag: `userdata::${Buffer.from('#!/bin/sh\n').toString('base64')}`, createDate: 1, lastOpDate: 1 }
    await w.commit({ ops: [{ o: 'put', t: 'tag', k: tag.uuid, v }] })
    expect(documents('metadata', nicOf(w))).toMatchObject({ [u.vrouter]: { userData: '#!/bin/sh\n', sshKeys: [] } })
  })

  it('may have a router besides, for what that gives', async () => {
    await attach('DHCP')
    await run('l3Network.attachServices', 'l3Network', u.l3, {
      ...{ l3NetworkUuid: u.l3, networkServices: { [VROUTER_PROVIDER]: ['SNAT'] } },
    })
    await ran(w, ...created)
    const router = documents<vrouterDesired.RouterSpec>('router', u.l3)
    expect(router[u.vrouter]!.services).toEqual({ dhcp: false, dns: false, snat: true })
    expect(routersOf()[u.vrouter]!.services).toEqual({ dhcp: true, dns: false, snat: false })
    expect(documents('lease', nicOf(w))).toMatchObject({ [u.vrouter]: { routerUuid: FLAT } })
  })

  it('has EIPs on the hosts of their guests', async () => {
    await attach('Eip')
    await ran(w, ...created)
    for (const call of publicNetwork.slice(0, -1)) await ran(w, ...call)
    await ran(w, ...newVip(vip))
    await ran(w, 'eip.create', newEip({ vmNicUuid: nicOf(w) }))
    const flat = { tap: tapName(nicOf(w)), gateway: graph().get('vmNic', nicOf(w))!['gateway'] }
    expect(documents('vip', vip)).toMatchObject({ [u.vrouter]: { routerUuid: FLAT, flat: { ...flat, agentUuid: u.vrouter } } })
    expect(graph().get('vip', vip)).toMatchObject({ serviceProvider: 'Flat', useFor: 'Eip' })
    expect(routersOf()[u.vrouter]?.flat?.eip).toBe(true)
    await moveTo(host2)
    expect(documents('vip', vip)).toMatchObject({ [vrouter2]: { flat: { ...flat, agentUuid: vrouter2 } } })
    expect(Object.keys(documents('vip', vip))).toEqual([vrouter2])
    await run('eip.delete', 'eip', eip)
    expect(documents('vip', vip)).toEqual({})
    // what else a VIP of its guests is used for is the router's
    await moveTo(u.host)
    await run('l3Network.attachServices', 'l3Network', u.l3, {
      ...{ l3NetworkUuid: u.l3, networkServices: { [VROUTER_PROVIDER]: ['PortForwarding'] } },
    })
    await w.commit({ ops: [{ o: 'set', t: 'l3Network', k: u.l3, v: { routerAgentUuid: u.vrouter } }] })
    await ran(w, 'portForwardingRule.create', newRule({ vmNicUuid: nicOf(w) }))
    expect(documents('vip', vip)).toMatchObject({ [u.vrouter]: { routerUuid: u.l3 } })
    expect(graph().get('vip', vip)).toMatchObject({ serviceProvider: 'vrouter' })
  })

  it('takes a service from one provider, and only what that has', async () => {
    await attach('DHCP')
    const asked = (provider: string, service: string) =>
      refusal('l3Network.attachServices', { networkServices: { [provider]: [service] } })
    expect(asked(VROUTER_PROVIDER, 'DHCP')).toMatch(/^illegal-state: .*has service DHCP of provider Flat/)
    expect(asked(FLAT_PROVIDER, 'SNAT')).toMatch(/^invalid-argument: .*has no service SNAT/)
    expect(asked(FLAT_PROVIDER, 'Userdata')).toBe('accepted')
    const both = { [FLAT_PROVIDER]: ['Eip'], [VROUTER_PROVIDER]: ['Eip'] }
    expect(refusal('l3Network.attachServices', { networkServices: both })).toMatch(/^invalid-argument: .*Eip/)
    expect(refusal('l3Network.detachServices', { service: 'Eip' })).toMatch(/^not-found/)
  })

  it('is named by conditions when its router fails somewhere', async () => {
    await attach('DHCP')
    await ran(w, ...created)
    const error = { code: 'host-command-failed', message: 'no', retry: 'later', details: {} }
    const status = { noun: 'router', uuid: FLAT, condition: 'Failed', observed: {}, error, at: 0 }
    const book = { statusOf: () => status } as unknown as Parameters<typeof documentFindings>[1]
    const [finding] = documentFindings(graph(), book, `${u.vrouter}/router/${FLAT}`, undefined)
    expect(finding).toMatchObject({ noun: 'l3-network', uuid: u.l3 })
  })
})
