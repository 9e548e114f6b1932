/** Load balancers before each call about them is proven: a VIP, a guest, and a certificate that was made for this. */
import { type Row, VROUTER_PROVIDER } from '@skerry/contract'
import { splitCertificate } from '../src/workflows/certificate.ts'
import type { Input } from '../src/workflows/world.ts'
import { after, type Before, created, on, ran, vm } from './before.ts'
import { selfSigned } from './self-signed.ts'
import { newVip, nicOf, publicNetwork, vip } from './vip-cases.ts'
import { id, type TestWorld, u } from './world.ts'

export const [lb, listener, group, certificate, acl, entry] = ['lb', 'listener', 'group', 'certificate', 'acl', 'entry'].map(
  id,
) as [string, string, string, string, string, string]

export const services: [string, Input] = [
  'l3Network.attachServices',
  on('l3Network', u.l3, { l3NetworkUuid: u.l3, networkServices: { [VROUTER_PROVIDER]: ['LoadBalancer'] } }),
]
export const newLb = (more: Row = {}) => on('loadBalancer', lb, { name: 'lb', vipUuid: vip, ...more })
export const newListener = (more: Row = {}) =>
  on('loadBalancerListener', listener, { name: 'web', loadBalancerUuid: lb, loadBalancerPort: 80, instancePort: 8080, ...more })
export const newGroup = () => on('loadBalancerServerGroup', group, { name: 'group', loadBalancerUuid: lb })
export const newAcl = () => on('accessControlList', acl, { name: 'acl' })
export const newEntry = (more: Row = {}) =>
  on('accessControlListEntry', entry, { aclUuid: acl, entries: '192.0.2.0/24,10.0.0.1-10.0.0.6', ...more })
/** As the engine has it: the key is a reference already. */
export const newCertificate = () => {
  const { certificate: text, key } = selfSigned()
  const whole = splitCertificate({ name: 'certificate', certificate: `${text}${key}` })
  return on('certificate', certificate, { ...whole, privateKey: { $secret: id('secret') } })
}

type Call = [string, Input]
export const addNic = (nic: string): Call => [
  'loadBalancerListener.addNics',
  on('loadBalancerListener', listener, { vmNicUuids: [nic] }),
]
const secure: Call[] = [
  ['certificate.create', newCertificate()],
  ['loadBalancerListener.create', newListener({ protocol: 'https', certificateUuid: certificate })],
]

/** With a guest whose network has the service. */
export async function withGuest(w: TestWorld): Promise<string> {
  await after([created, ...publicNetwork, services, newVip()], vm)(w)
  await ran(w, 'loadBalancer.create', newLb())
  return nicOf(w)
}

const before =
  (calls: (nic: string) => readonly Call[], given: (nic: string) => Input): Before =>
  async (w) => {
    const nic = await withGuest(w)
    for (const [name, input] of calls(nic)) await ran(w, name, input)
    return given(nic)
  }
const open: Call = ['loadBalancerListener.create', newListener()]
const grouped: Call = ['loadBalancerServerGroup.create', newGroup()]
const listed: Call[] = [
  ['accessControlList.create', newAcl()],
  ['accessControlListEntry.create', newEntry()],
]
const ofListener = (params: Row = {}) => on('loadBalancerListener', listener, params)
const ofGroup = (params: Row = {}) => on('loadBalancerServerGroup', group, params)
const backends = (nic: string): Call => [
  'loadBalancerServerGroup.addBackends',
  ofGroup({ vmNics: [{ uuid: nic, weight: 20 }], servers: [{ ipAddress: '10.0.0.200' }] }),
]
const join2: Call = ['loadBalancerListener.addGroup', ofListener({ serverGroupUuid: group })]

export const loadBalancerCases: Record<string, Before> = {
  'loadBalancer.create': async (w) => {
    await after([...publicNetwork, services, newVip()], newLb())(w)
    return newLb()
  },
  'loadBalancer.refresh': before(
    (nic) => [open, addNic(nic)],
    () => on('loadBalancer', lb),
  ),
  'loadBalancer.delete': before(
    (nic) => [open, addNic(nic)],
    () => on('loadBalancer', lb),
  ),
  'loadBalancerListener.create': before(
    () => listed,
    () => newListener({ aclUuids: [acl], aclStatus: 'enable', healthCheckProtocol: 'http' }),
  ),
  'loadBalancerListener.change': before(
    (nic) => [open, addNic(nic)],
    () => ofListener({ balancerAlgorithm: 'leastconn', maxConnection: 7 }),
  ),
  'loadBalancerListener.delete': before(
    (nic) => [open, addNic(nic)],
    () => ofListener(),
  ),
  'loadBalancerListener.addNics': before(
    () => [open],
    (nic) => ofListener({ vmNicUuids: [nic] }),
  ),
  'loadBalancerListener.removeNics': before(
    (nic) => [open, addNic(nic)],
    (nic) => ofListener({ vmNicUuids: [nic] }),
  ),
  'loadBalancerListener.addCertificate': before(
    () => [...secure, ['certificate.create', { ...newCertificate(), uuid: id('other') }]],
    () => ofListener({ certificateUuid: id('other') }),
  ),
  'loadBalancerListener.removeCertificate': before(
    () => secure,
    () => ofListener({ certificateUuid: certificate }),
  ),
  'loadBalancerListener.addGroup': before(
    (nic) => [open, grouped, backends(nic)],
    () => ofListener({ serverGroupUuid: group }),
  ),
  'loadBalancerListener.removeGroup': before(
    (nic) => [open, grouped, backends(nic), join2],
    () => ofListener({ serverGroupUuid: group }),
  ),
  'loadBalancerListener.addAcls': before(
    () => [open, ...listed],
    () => ofListener({ aclUuids: [acl], aclType: 'white' }),
  ),
  'loadBalancerListener.removeAcls': before(
    () => [open, ...listed, ['loadBalancerListener.addAcls', ofListener({ aclUuids: [acl], aclType: 'white' })]],
    () => ofListener({ aclUuids: [acl] }),
  ),
  'loadBalancerServerGroup.create': before(() => [], newGroup),
  'loadBalancerServerGroup.delete': before(
    (nic) => [open, grouped, backends(nic), join2],
    () => ofGroup(),
  ),
  'loadBalancerServerGroup.addBackends': before(
    () => [open, grouped, join2],
    (nic) => backends(nic)[1],
  ),
  'loadBalancerServerGroup.changeBackends': before(
    (nic) => [open, grouped, backends(nic), join2],
    (nic) => ofGroup({ vmNics: [{ uuid: nic, weight: 3 }], servers: [{ ipAddress: '10.0.0.200', weight: 0 }] }),
  ),
  'loadBalancerServerGroup.removeBackends': before(
    (nic) => [open, grouped, backends(nic), join2],
    (nic) => ofGroup({ vmNicUuids: [nic], serverIps: ['10.0.0.200'] }),
  ),
  'certificate.create': async () => newCertificate(),
  'accessControlList.create': async () => newAcl(),
  'accessControlListEntry.create': before(
    () => [listed[0]!, open, ['loadBalancerListener.addAcls', ofListener({ aclUuids: [acl], aclType: 'black' })]],
    () => newEntry(),
  ),
  'accessControlListEntry.remove': before(
    () => [...listed, open],
    () => newEntry(),
  ),
}
