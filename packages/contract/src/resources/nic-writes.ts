/** What ZStack's clients change of the cards of a VM: address, network, MAC. */
import { action, attach, call, remove } from '../api.ts'
import { ip, ipv4, ipv6, mac, uuid } from '../scalars.ts'

const empty = { kind: 'empty' } as const

export const setVmStaticIp = action('SetVmStaticIp', '/vm-instances/{vmInstanceUuid}/actions', {
  of: 'vmInstance',
  workflow: 'vm.setStaticIp',
  verb: 'set-static-ip',
  params: { l3NetworkUuid: uuid, ip: ipv4.optional(), ip6: ipv6.optional() },
  result: empty,
  summary: 'Give the card of a VM instance in a network another address; a guest that runs has it with its next lease',
})
export const deleteVmStaticIp = remove('DeleteVmStaticIp', '/vm-instances/{vmInstanceUuid}/static-ips', 'vmInstance', {
  workflow: 'vm.deleteStaticIp',
  verb: 'delete-static-ip',
  params: { l3NetworkUuid: uuid, staticIp: ip.optional() },
  summary: 'Note no more that a VM instance was given an address of its own in a network; it keeps the address',
})
export const changeVmNicNetwork = attach(
  'ChangeVmNicNetwork',
  'POST',
  '/vm-instances/nics/{vmNicUuid}/l3-networks/{destL3NetworkUuid}',
  {
    of: 'vmNic',
    workflow: 'vmNic.changeNetwork',
    verb: 'change-network',
    params: { staticIp: ipv4.optional() },
    summary: 'Put a network card of a VM instance that is off into another network',
  },
)
export const updateVmNicMac = action('UpdateVmNicMac', '/vm-instances/nics/{vmNicUuid}/actions', {
  of: 'vmNic',
  workflow: 'vmNic.changeMac',
  verb: 'change-mac',
  params: { mac },
  summary: 'Give a network card of a VM instance that is off another MAC address',
})
export const nicNetworkCandidates = call(
  'GetCandidateL3NetworksForChangeVmNicNetwork',
  'GET',
  '/vm-instances/nics/{vmNicUuid}/l3-networks-candidates',
  {
    verb: 'network-candidates',
    result: { kind: 'inventories', of: 'l3Network' },
    summary: 'Networks that a network card of a VM instance can be put into',
  },
)
