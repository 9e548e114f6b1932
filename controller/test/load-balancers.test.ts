/** Load balancers: what is refused and why, what their router's document says, what goes with what, and what checks make of their rows. */
import { ADMIN_ACCOUNT, type balancerDesired, type Row, resources } from '@skerry/contract'
import { beforeEach, describe, expect, it } from 'vitest'
import { documentOf } from '../src/agents/documents.ts'
import { reactBalancer } from '../src/agents/react-balancer.ts'
import { loadBalancerCalls } from '../src/calls/load-balancers.ts'
import { vipCalls } from '../src/calls/vips.ts'
import { checkGivenTags, checkNewTag, checkSystemTag } from '../src/engine/tags.ts'
import { usageOf } from '../src/identity/usage.ts'
import { render } from '../src/inventory/index.ts'
import { networksIn } from '../src/place/acl-networks.ts'
import { splitCertificate } from '../src/workflows/certificate.ts'
import { actions } from '../src/workflows/index.ts'
import { on, ran } from './before.ts'
import {
  acl,
  addNic,
  certificate,
  entry,
  group,
  lb,
  listener,
  newAcl,
  newCertificate,
  newEntry,
  newGroup,
  newListener,
  withGuest,
} from './load-balancer-cases.ts'
import { selfSigned } from './self-signed.ts'
import { newVip, vip } from './vip-cases.ts'
import { id, makeWorld, type TestWorld, u } from './world.ts'

let w: TestWorld
let nic: string
const graph = () => w.state.graph
const row = (table: string, uuid: string) => graph().get(table, uuid)
const run = (name: string, table: string, uuid: string, params: Row = {}) => ran(w, name, on(table, uuid, params))
const listen = (more: Row = {}) => ran(w, 'loadBalancerListener.create', newListener(more))
const change = (params: Row) => run('loadBalancerListener.change', 'loadBalancerListener', listener, params)

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
const onListener = (name: string, params: Row) =>
  refusal(`loadBalancerListener.${name}`, 'loadBalancerListener', listener, params)
const another = (more: Row = {}) =>
  refusal('loadBalancerListener.create', 'loadBalancerListener', id('x'), { ...newListener(more).params })
const document = (noun = 'balancer', uuid = lb) => {
  const [key] = [...graph().by('desired', 'of', `${noun}/${uuid}`)].filter((k) => !graph().get('desired', k)?.['tombstone'])
  const found = key && documentOf(graph(), key)
  return found && 'spec' in found ? (found.spec as unknown as balancerDesired.BalancerSpec) : undefined
}
const first = () => document()!.listeners[0]!

beforeEach(async () => {
  w = await makeWorld()
  nic = await withGuest(w)
})

describe('a load balancer', () => {
  it('has its VIP for itself, and its router has it with the first server', async () => {
    expect(row('vip', vip)).toMatchObject({ useFor: 'LoadBalancer', servedL3Uuid: null })
    expect(refusal('eip.create', 'eip', id('x'), { name: 'x', vipUuid: vip })).toMatch(/^in-use: .*LoadBalancer/)
    const rule = { name: 'x', vipUuid: vip, protocolType: 'TCP', vipPortStart: 80 }
    expect(refusal('portForwardingRule.create', 'portForwardingRule', id('x'), rule)).toMatch(/^in-use/)
    expect(refusal('loadBalancer.create', 'loadBalancer', id('x'), { name: 'x', vipUuid: vip })).toMatch(/^in-use/)
    await listen()
    expect([document(), document('vip', vip)]).toEqual([undefined, undefined])
    await ran(w, ...addNic(nic))
    expect(document()).toMatchObject({ routerUuid: u.l3, listeners: [{ uuid: listener, port: 80, protocol: 'tcp' }] })
    expect(document('vip', vip)).toMatchObject({ eip: null, portForwarding: [] })
    expect(row('vip', vip)).toMatchObject({ servedL3Uuid: u.l3, peerL3NetworkUuids: [u.l3] })
    expect(first().servers).toEqual([{ uuid: nic, ip: row('vmNic', nic)?.['ip'], port: 8080, weight: 100 }])
    await run('loadBalancerListener.removeNics', 'loadBalancerListener', listener, { vmNicUuids: [nic] })
    expect([document(), document('vip', vip)]).toEqual([undefined, undefined])
  })

  it('has each port once, told by the calls about ports too, and counts for its account', async () => {
    await listen()
    expect(another()).toMatch(/^in-use: port 80 of load balancer lb is that of listener web/)
    expect(another({ loadBalancerPort: 81 })).toBe('accepted')
    expect(
      vipCalls(graph())['GetVipUsedPorts']!({ params: { uuid: vip, protocol: 'TCP' } } as never)['inventories'],
    ).toMatchObject([{ usedPorts: ['80'] }])
    expect(usageOf(graph(), ADMIN_ACCOUNT)).toMatchObject({ 'loadBalancer.num': 1, 'listener.num': 1 })
  })

  it('goes with its VIP, and its rows with it', async () => {
    await listen()
    await ran(w, ...addNic(nic))
    await run('vip.delete', 'vip', vip)
    for (const table of ['loadBalancer', 'loadBalancerListener', 'loadBalancerServerGroup', 'loadBalancerServerGroupVmNicRef'])
      expect([...graph().rows(table)]).toEqual([])
    expect(row('vmNic', nic)).toBeDefined()
  })

  it('gives its VIP back', async () => {
    await listen()
    await ran(w, ...addNic(nic))
    await run('loadBalancer.delete', 'loadBalancer', lb)
    expect(row('vip', vip)).toMatchObject({ useFor: null, servedL3Uuid: null, servicesRefs: [] })
  })

  it('loses a server whose card or guest goes', async () => {
    await listen()
    await ran(w, ...addNic(nic))
    await run('vm.detachNic', 'vmNic', nic)
    expect([...graph().rows('loadBalancerServerGroupVmNicRef')]).toEqual([])
    expect([...graph().rows('loadBalancerListenerVmNicRef')]).toEqual([])
    expect(row('vip', vip)).toMatchObject({ servedL3Uuid: null })
    expect(row('loadBalancer', lb)).toMatchObject({ l3NetworkUuids: [] })
  })

  it('refuses cards that it could not reach', async () => {
    await listen()
    expect(onListener('addNics', { vmNicUuids: [nic] })).toBe('accepted')
    expect(onListener('addNics', { vmNicUuids: [nic, nic] })).toMatch(/^invalid-argument: .*given twice/)
    expect(onListener('addNics', { vmNicUuids: [id('nobody')] })).toMatch(/^not-found/)
    expect(onListener('removeNics', { vmNicUuids: [nic] })).toMatch(/^not-found/)
    const offered = () =>
      (
        loadBalancerCalls(graph())['GetCandidateVmNicsForLoadBalancer']!({ params: { listenerUuid: listener } } as never)[
          'inventories'
        ] as Row[]
      ).map(({ uuid }) => uuid)
    expect(offered()).toEqual([nic])
    await ran(w, ...addNic(nic))
    expect(offered()).toEqual([])
    expect(onListener('addNics', { vmNicUuids: [nic] })).toMatch(/^in-use/)
    await run('l3Network.detachServices', 'l3Network', u.l3, { l3NetworkUuid: u.l3, service: 'LoadBalancer' })
    await run('loadBalancerListener.removeNics', 'loadBalancerListener', listener, { vmNicUuids: [nic] })
    expect(onListener('addNics', { vmNicUuids: [nic] })).toMatch(/^illegal-state: .*no service LoadBalancer/)
  })
})

describe('a listener', () => {
  it('has the defaults of ZStack, and what is changed is a tag', async () => {
    await listen()
    await ran(w, ...addNic(nic))
    const health = { kind: 'tcp', port: null, intervalSeconds: 5, timeoutSeconds: 2, healthyThreshold: 2, unhealthyThreshold: 6 }
    expect(first()).toMatchObject({
      algorithm: 'roundrobin',
      idleSeconds: 60,
      maxConnections: 200_000,
      persistence: null,
      health,
    })
    await change({ balancerAlgorithm: 'source', maxConnection: 10, healthCheckTarget: 'none', sessionPersistence: 'iphash' })
    expect(first()).toMatchObject({ algorithm: 'source', maxConnections: 10, health: null, persistence: { by: 'source' } })
    await change({
      healthCheckTarget: 'tcp:99',
      healthCheckProtocol: 'http',
      healthCheckURI: '/up',
      healthCheckHttpCode: 'http_2xx',
    })
    expect(first().health).toMatchObject({ kind: 'http', port: 99, method: 'HEAD', path: '/up', statuses: ['200-299'] })
    const tags = [...graph().by('tag', 'resourceUuid', listener)].map((k) => row('tag', k)?.['tag'])
    expect(tags).toHaveLength(5)
    expect(tags).toContain('healthCheckTarget::http:99')
    await run('loadBalancerListener.delete', 'loadBalancerListener', listener)
    expect([...graph().by('tag', 'resourceUuid', listener)]).toEqual([])
  })

  it('takes no tag that it could not be, and none twice', async () => {
    await listen()
    const tag = (text: string) => () => checkSystemTag('loadBalancerListener', text, 'tag')
    expect(tag('maxConnection::7')).not.toThrow()
    for (const text of [
      'maxConnection::0',
      'maxConnection::x',
      'balancerAlgorithm::best',
      'healthCheckTarget::tcp:0',
      'cookieName::a b',
    ])
      expect(tag(text)).toThrow(/can't be/)
    const given = () => checkGivenTags(graph(), 'loadBalancerListener', { systemTags: ['maxConnection::7', 'maxConnection::8'] })
    expect(given).toThrow(/said twice/)
    await change({ maxConnection: 9 })
    expect(() => checkNewTag(graph(), { resourceUuid: listener, kind: 'System', tag: 'maxConnection::8' })).toThrow()
    expect(onListener('change', { sessionPersistence: 'insert' })).toMatch(/^invalid-argument: .*no cookies/)
  })

  it('asks lists of addresses while that is switched on', async () => {
    await listen()
    await ran(w, ...addNic(nic))
    await ran(w, 'accessControlList.create', newAcl())
    await ran(w, 'accessControlListEntry.create', newEntry())
    await run('loadBalancerListener.addAcls', 'loadBalancerListener', listener, { aclUuids: [acl], aclType: 'white' })
    expect(first()).toMatchObject({ allow: ['0.0.0.0/0'], deny: [] })
    await change({ aclStatus: 'enable' })
    expect(first().allow).toEqual(['192.0.2.0/24', '10.0.0.1/32', '10.0.0.2/31', '10.0.0.4/31', '10.0.0.6/32'])
    expect(onListener('addAcls', { aclUuids: [acl], aclType: 'white' })).toMatch(/^in-use/)
    await run('accessControlListEntry.remove', 'accessControlListEntry', entry, { aclUuid: acl })
    expect(first().allow).toEqual([])
    expect(refusal('resource.delete', 'accessControlList', acl)).toMatch(/^in-use/)
    expect(() => networksIn('10.0.0.9-10.0.0.1')).toThrow(/no address/)
    expect(() => networksIn('10.0.0.999')).toThrow(/no address/)
    expect(networksIn('0.0.0.0-255.255.255.255')).toEqual(['0.0.0.0/0'])
  })

  it('speaks https with a certificate, and answers nobody without one', async () => {
    expect(another({ protocol: 'https' })).toMatch(/^invalid-argument: .*needs a certificate/)
    await ran(w, 'certificate.create', newCertificate())
    expect(another({ protocol: 'http', certificateUuid: certificate })).toMatch(/^invalid-argument/)
    await listen({ protocol: 'https', certificateUuid: certificate })
    await ran(w, ...addNic(nic))
    const { fingerprint } = row('certificate', certificate)!
    expect(first()).toMatchObject({ certificate: { uuid: certificate, fingerprint }, tls: { min: 'TLSv1.2', max: 'TLSv1.3' } })
    expect(JSON.stringify(document())).not.toContain('PRIVATE')
    expect(refusal('resource.delete', 'certificate', certificate)).toMatch(/^in-use/)
    expect(render(graph(), resources.loadBalancerListener, row('loadBalancerListener', listener)!)).toMatchObject({
      certificateRefs: [{ certificateUuid: certificate }],
      vmNicRefs: [{ vmNicUuid: nic, status: 'Pending' }],
    })
    await run('loadBalancerListener.removeCertificate', 'loadBalancerListener', listener, { certificateUuid: certificate })
    expect(document()).toBeUndefined()
  })
})

describe('a server group', () => {
  it('has cards and addresses with weights, behind each listener that leads to it', async () => {
    await listen()
    await ran(w, 'loadBalancerServerGroup.create', newGroup())
    const backends = { vmNics: [{ uuid: nic, weight: 7 }], servers: [{ ipAddress: '10.0.0.200' }] }
    const ofGroup = (name: string, params: Row) =>
      run(`loadBalancerServerGroup.${name}`, 'loadBalancerServerGroup', group, params)
    await ofGroup('addBackends', backends)
    await run('loadBalancerListener.addGroup', 'loadBalancerListener', listener, { serverGroupUuid: group })
    expect(first().servers.map(({ ip, weight }) => [ip, weight])).toEqual([
      [row('vmNic', nic)?.['ip'], 100],
      ['10.0.0.200', 100],
    ])
    await change({ balancerAlgorithm: 'weightroundrobin' })
    await ofGroup('changeBackends', { servers: [{ ipAddress: '10.0.0.200', weight: 30 }] })
    expect(first().servers.map(({ weight }) => weight)).toEqual([7, 30])
    await ofGroup('removeBackends', { serverIps: ['10.0.0.200'] })
    expect(first().servers).toHaveLength(1)
    await ran(w, ...newVip(id('two')))
    await run('loadBalancer.create', 'loadBalancer', id('lb2'), { name: 'lb2', vipUuid: id('two') })
    await run('loadBalancerServerGroup.create', 'loadBalancerServerGroup', id('g2'), { name: 'g2', loadBalancerUuid: id('lb2') })
    expect(onListener('addGroup', { serverGroupUuid: id('g2') })).toMatch(/^invalid-argument: .*another load balancer/)
    expect(onListener('addGroup', { serverGroupUuid: group })).toMatch(/^in-use/)
  })

  it('tells what the checks of its listeners say', async () => {
    await listen()
    await ran(w, ...addNic(nic))
    const [ref] = [...graph().by('loadBalancerServerGroupVmNicRef', 'vmNicUuid', nic)]
    const told = async (health: string) => {
      const status = { noun: 'balancer', uuid: lb, observed: { servers: { [listener]: { [nic]: health } } } }
      const made = reactBalancer(graph(), status as never)
      if (made) await w.commit(made)
      return [made !== undefined, row('loadBalancerServerGroupVmNicRef', ref!)?.['status']]
    }
    expect(await told('Up')).toEqual([true, 'Active'])
    expect(await told('Unchecked')).toEqual([false, 'Active'])
    expect(await told('Down')).toEqual([true, 'Inactive'])
    const [shown] = [...graph().by('loadBalancerListenerVmNicRef', 'vmNicUuid', nic)]
    expect(row('loadBalancerListenerVmNicRef', shown!)?.['status']).toBe('Inactive')
  })
})

describe('a certificate', () => {
  const refused = (params: Row) => {
    try {
      splitCertificate(params)
      return 'accepted'
    } catch (error) {
      return (error as Error).message
    }
  }
  it('is kept apart from its key, which must be its own', () => {
    const { certificate: text, key } = selfSigned()
    const whole = splitCertificate({ certificate: `${key}${text}` })
    expect(whole['certificate']).not.toContain('PRIVATE')
    expect(whole['privateKey']).toContain('BEGIN PRIVATE KEY')
    expect(refused({ certificate: text, privateKey: key })).toBe('accepted')
    expect(refused({ certificate: text })).toMatch(/private key of the certificate is missing/)
    expect(refused({ certificate: key })).toMatch(/no certificate in it/)
    expect(refused({ certificate: 'nonsense' })).toMatch(/no certificate in it/)
    expect(refused({ certificate: `${text}${key}${key}` })).toMatch(/several private keys/)
    const broken = text.replace(/[A-Z]{3}/g, 'AAA')
    expect(refused({ certificate: `${broken}${key}` })).not.toBe('accepted')
    for (const params of [{ certificate: text, privateKey: 'nonsense' }]) expect(refused(params)).toMatch(/no private key in it/)
  })
})
