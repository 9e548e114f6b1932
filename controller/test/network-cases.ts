/** What the proofs of what networks tell their guests, and of the addresses in them, start from. */
import type { Row } from '@skerry/contract'
import { after, type Before, created, on, onSite, ran, vm } from './before.ts'
import { otherNetwork } from './vm-cases.ts'
import { id, u } from './world.ts'

const inL3 = (params: Row) => on('l3Network', u.l3, { l3NetworkUuid: u.l3, ...params })
const route = inL3({ prefix: '172.16.0.0/16', nexthop: '10.0.0.9' })
const kept = id('kept')
const reserved = (startIp: string, endIp: string) => on('reservedIpRange', kept, { l3NetworkUuid: u.l3, startIp, endIp })
const staticIp = on('vmInstance', u.vm, { vmInstanceUuid: u.vm, l3NetworkUuid: u.l3, ip: '10.0.0.77' })
const stopped: [string, ReturnType<typeof on>] = ['vm.stop', vm]

/** The card that the VM was created with, after `earlier`. */
const itsNic =
  (earlier: [string, ReturnType<typeof on>][], params: Row): Before =>
  async (w) => {
    await after(earlier, vm)(w)
    const [nic] = [...w.state.graph.by('vmNic', 'vmInstanceUuid', u.vm)]
    return on('vmNic', nic!, { vmNicUuid: nic, ...params })
  }

const range6 = id('six')
const six = on('ipRange', range6, {
  name: 'six',
  l3NetworkUuid: u.l3,
  networkCidr: 'fd00:10::/64',
  addressMode: 'Stateful-DHCP',
})
const selfMade = on('ipRange', range6, { ...six.params, addressMode: 'SLAAC' })

export const networkCases: Record<string, Before> = {
  'l3Network.addHostRoute': onSite(route),
  'l3Network.removeHostRoute': after([['l3Network.addHostRoute', route]], route),
  'l3Network.setMtu': onSite(inL3({ mtu: 1400 })),
  'ipRange.add6': onSite(six),
  'ipRange.reserve': onSite(reserved('10.0.0.50', '10.0.0.60')),
  'vm.setStaticIp': after([created], staticIp),
  'vm.deleteStaticIp': after([created, ['vm.setStaticIp', staticIp]], staticIp),
  'usedIp.delete': async (w) => {
    await after([created], vm)(w)
    await ran(w, 'vm.setStaticIp', staticIp)
    const { graph } = w.state
    const former = [...graph.rows('usedIp')].find(([, row]) => row['usedFor'] === 'Former')!
    return inL3({ usedIpUuids: [former[1]['uuid']] })
  },
  'vmNic.changeNetwork': itsNic([created, stopped, ...otherNetwork], {
    destL3NetworkUuid: id('other'),
    staticIp: '10.9.0.15',
  }),
  'vmNic.changeMac': itsNic([created, stopped], { mac: 'fa:00:00:00:00:77' }),
}

/** Further ways through the same workflows. */
export const otherNetworkCases: [sentence: string, workflow: string, before: Before][] = [
  ['a network with IPv6', 'vm.create', after([['ipRange.add6', six]], created[1])],
  ['a network with IPv6', 'ipRange.delete', after([['ipRange.add6', six], created], on('ipRange', range6))],
  [
    'a network with IPv6',
    'vm.setStaticIp',
    after([['ipRange.add6', six], created], on('vmInstance', u.vm, { ...staticIp.params, ip6: 'fd00:10::77' })),
  ],
  [
    'a network whose guests make their own addresses',
    'vmNic.changeMac',
    itsNic([['ipRange.add6', selfMade], created, stopped], { mac: 'fa:00:00:00:00:77' }),
  ],
  ['a VM that is off', 'vm.setStaticIp', after([created, stopped], staticIp)],
  ['a VM that had another address', 'vm.stop', after([created, ['vm.setStaticIp', staticIp]], vm)],
]
