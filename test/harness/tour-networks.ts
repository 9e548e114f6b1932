/** What networks tell their guests, and the addresses and cards in them: stops of the tour. */
import { FLAT_PROVIDER } from '@skerry/contract'
import { lookAfter, type Stop, stop } from './tour-stop.ts'

export const ranges: Stop[] = [
  stop(
    'AddIpRange',
    (m) => ({
      name: 'few',
      l3NetworkUuid: m['l3'],
      startIp: '10.0.0.10',
      endIp: '10.0.0.20',
      netmask: '255.255.255.0',
      gateway: '10.0.0.1',
    }),
    'few',
  ),
  ...lookAfter('IpRange', 'few', { state: false }),
  stop('DeleteIpRange', (m) => ({ uuid: m['few'], deleteMode: 'Permissive' })),
  stop('AddIpRangeByNetworkCidr', (m) => ({ name: 'all', l3NetworkUuid: m['l3'], networkCidr: '10.0.0.0/24' }), 'range'),
  stop('AddDnsToL3Network', (m) => ({ l3NetworkUuid: m['l3'], dns: '9.9.9.9' })),
  stop('RemoveDnsFromL3Network', (m) => ({ l3NetworkUuid: m['l3'], dns: '9.9.9.9' })),
]

export const free: Stop[] = [
  stop('GetFreeIp', (m) => ({ l3NetworkUuid: m['l3'], limit: 3 })),
  stop('GetFreeIpOfL3Network', (m) => ({ l3NetworkUuid: m['l3'], limit: 3 })),
  stop('GetFreeIpOfIpRange', (m) => ({ ipRangeUuid: m['range'], limit: 3 })),
  stop('GetIpAddressCapacity', (m) => ({ l3NetworkUuids: [m['l3']] })),
  stop('CheckIpAvailability', (m) => ({ l3NetworkUuid: m['l3'], ip: '10.0.0.50', arpCheck: false })),
]

/** Of the network that the guests are in. */
export const settings: Stop[] = [
  stop(
    'AddIpv6Range',
    (m) => ({
      ...{ name: 'some', l3NetworkUuid: m['l3'], startIp: 'fd00:10::10', endIp: 'fd00:10::20', gateway: 'fd00:10::1' },
      ...{ prefixLen: 64, addressMode: 'Stateful-DHCP' },
    }),
    'some6',
  ),
  stop('DeleteIpRange', (m) => ({ uuid: m['some6'] })),
  stop(
    'AddIpv6RangeByNetworkCidr',
    (m) => ({
      ...{ name: 'six', l3NetworkUuid: m['l3'], networkCidr: 'fd00:10::/64', addressMode: 'SLAAC' },
    }),
    'range6',
  ),
  stop('AttachNetworkServiceToL3Network', (m) => ({
    l3NetworkUuid: m['l3'],
    networkServices: { [FLAT_PROVIDER]: ['Userdata'] },
  })),
  stop('QueryNetworkServiceL3NetworkRef'),
  stop('AddReservedIpRange', (m) => ({ l3NetworkUuid: m['l3'], startIp: '10.0.0.100', endIp: '10.0.0.109' }), 'reserved'),
  stop('AddHostRouteToL3Network', (m) => ({ l3NetworkUuid: m['l3'], prefix: '172.16.0.0/16', nexthop: '10.0.0.9' })),
  stop('RemoveHostRouteFromL3Network', (m) => ({ l3NetworkUuid: m['l3'], prefix: '172.16.0.0/16' })),
  stop('SetL3NetworkMtu', (m) => ({ l3NetworkUuid: m['l3'], mtu: 1400 })),
  ...['Mtu', 'DhcpIpAddress', 'RouterInterfaceIp'].map((what) =>
    stop(`GetL3Network${what}`, (m) => ({ l3NetworkUuid: m['l3'] })),
  ),
  stop('GetL3NetworkIpStatistic', (m) => ({ l3NetworkUuid: m['l3'], resourceType: 'All', sortBy: 'Ip', replyWithCount: true })),
  stop('DetachNetworkServiceFromL3Network', (m) => ({ l3NetworkUuid: m['l3'], service: 'Userdata' })),
  stop('DeleteReservedIpRange', (m) => ({ uuid: m['reserved'] })),
]

/** `nic` is the newest card, in the network `secondL3`; `formerIp` the address that it had there before. */
export const cards: { whileOn: Stop[]; whileOff: Stop[] } = {
  whileOn: [
    stop('SetVmStaticIp', (m) => ({ vmInstanceUuid: m['vm'], l3NetworkUuid: m['secondL3'], ip: '10.1.0.77' })),
    stop('QueryIpAddress'),
    stop('DeleteIpAddress', (m) => ({ l3NetworkUuid: m['secondL3'], usedIpUuids: [m['formerIp']] })),
    stop('DeleteVmStaticIp', (m) => ({ vmInstanceUuid: m['vm'], l3NetworkUuid: m['secondL3'] })),
    stop('GetCandidateL3NetworksForChangeVmNicNetwork', (m) => ({ vmNicUuid: m['nic'] })),
  ],
  whileOff: [
    stop('CreateL3Network', (m) => ({ name: 'third', l2NetworkUuid: m['l2'] }), 'thirdL3'),
    stop('AddIpRangeByNetworkCidr', (m) => ({ name: 'third', l3NetworkUuid: m['thirdL3'], networkCidr: '10.2.0.0/24' })),
    stop('ChangeVmNicNetwork', (m) => ({ vmNicUuid: m['nic'], destL3NetworkUuid: m['thirdL3'] })),
    stop('UpdateVmNicMac', (m) => ({ vmNicUuid: m['nic'], mac: 'fa:00:00:00:00:77' })),
    stop('ChangeVmNicNetwork', (m) => ({ vmNicUuid: m['nic'], destL3NetworkUuid: m['l3'], staticIp: '10.0.0.77' })),
    stop('DeleteL3Network', (m) => ({ uuid: m['thirdL3'] })),
  ],
}
