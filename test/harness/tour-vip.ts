/** VIPs, EIPs and port forwarding on the tour. */
import { VROUTER_PROVIDER } from '@skerry/contract'
import { carried, tunnels, tunnelsBack } from './tour-ipsec.ts'
import { lookAfter, type Stop, stop } from './tour-stop.ts'
import { vpcs, vpcsBack } from './tour-vpc.ts'

const ports = { vipPortStart: 80, vipPortEnd: 81, privatePortStart: 8080, privatePortEnd: 8081, protocolType: 'TCP' }

/** Before there is a VM: a public network, and one of everything in it. */
export const vips: readonly Stop[] = [
  stop('AttachNetworkServiceToL3Network', (m) => ({
    l3NetworkUuid: m['l3'],
    networkServices: { [VROUTER_PROVIDER]: ['Eip', 'PortForwarding'] },
  })),
  stop('CreateL3Network', (m) => ({ name: 'public', l2NetworkUuid: m['l2'], category: 'Public' }), 'publicL3'),
  stop('AddIpRangeByNetworkCidr', (m) => ({ name: 'public', l3NetworkUuid: m['publicL3'], networkCidr: '198.51.100.0/24' })),
  stop('CreateVip', (m) => ({ name: 'vip', l3NetworkUuid: m['publicL3'], requiredIp: '198.51.100.20' }), 'vip'),
  ...lookAfter('Vip', 'vip'),
  stop('CreateVip', (m) => ({ name: 'ports', l3NetworkUuid: m['publicL3'] }), 'portVip'),
  stop('CreateEip', (m) => ({ name: 'eip', vipUuid: m['vip'] }), 'eip'),
  ...lookAfter('Eip', 'eip'),
  stop(
    'CreatePortForwardingRule',
    (m) => ({ name: 'web', vipUuid: m['portVip'], ...ports, allowedCidr: '203.0.113.0/24' }),
    'portRule',
  ),
  ...lookAfter('PortForwardingRule', 'portRule'),
  stop('CheckVipPortAvailability', (m) => ({ vipUuid: m['portVip'], port: 80, protocolType: 'TCP' })),
  stop('GetVipAvailablePort', (m) => ({ vipUuid: m['portVip'], protocolType: 'TCP', limit: 3 })),
  stop('GetVipUsedPorts', (m) => ({ uuid: m['portVip'], protocol: 'TCP' })),
  ...tunnels,
  ...vpcs,
]

/** While there is a VM with its first card only. */
export const reached: readonly Stop[] = [
  stop('GetEipAttachableVmNics', (m) => ({ eipUuid: m['eip'] })),
  stop('GetVmNicAttachableEips', (m) => ({ vmNicUuid: m['nic'] })),
  stop('AttachEip', (m) => ({ eipUuid: m['eip'], vmNicUuid: m['nic'] })),
  stop('GetPortForwardingAttachableVmNics', (m) => ({ ruleUuid: m['portRule'] })),
  stop('AttachPortForwardingRule', (m) => ({ ruleUuid: m['portRule'], vmNicUuid: m['nic'] })),
  stop('DetachPortForwardingRule', (m) => ({ uuid: m['portRule'] })),
  stop('DetachEip', (m) => ({ uuid: m['eip'] })),
  ...carried,
]

export const vipsBack: readonly Stop[] = [
  ...vpcsBack,
  ...tunnelsBack,
  stop('DeletePortForwardingRule', (m) => ({ uuid: m['portRule'] })),
  stop('DeleteEip', (m) => ({ uuid: m['eip'] })),
  stop('DeleteVip', (m) => ({ uuid: m['vip'] })),
  stop('DeleteL3Network', (m) => ({ uuid: m['publicL3'] })),
]
