/** IPsec connections on the tour. */
import { type Stop, stop } from './tour-stop.ts'

const peer = { peerAddress: '203.0.113.7', authKey: 'a shared "secret"' }

/** Beside a public network, before there is a VM: nobody has to carry anything yet. */
export const tunnels: readonly Stop[] = [
  stop('CreateVip', (m) => ({ name: 'tunnels', l3NetworkUuid: m['publicL3'] }), 'tunnelVip'),
  stop(
    'CreateIPsecConnection',
    (m) => ({ name: 'branch', vipUuid: m['tunnelVip'], ...peer, peerCidrs: ['172.20.0.0/24'], idType: 'fqdn', localId: 'here' }),
    'ipsec',
  ),
  stop('UpdateIPsecConnection', (m) => ({ uuid: m['ipsec'], description: 'seen on the tour' })),
  stop('QueryIPSecConnection'),
  stop('QueryIPSecConnection', (m) => ({ uuid: m['ipsec'] })),
  stop('ChangeIPsecConnection', (m) => ({ uuid: m['ipsec'], ...peer, ikeVersion: 'ikev2', remoteId: '203.0.113.7' })),
  stop('AddRemoteCidrsToIPsecConnection', (m) => ({ uuid: m['ipsec'], peerCidrs: ['172.21.0.0/24'] })),
  stop('RemoveRemoteCidrsFromIPsecConnection', (m) => ({ uuid: m['ipsec'], peerCidrs: ['172.21.0.0/24'] })),
  stop('GetCandidateL3NetworksForIpSecConnection', (m) => ({ uuid: m['ipsec'], limit: 3 })),
]

/** While there is a VM, so that its network has a router. */
export const carried: readonly Stop[] = [
  stop('AttachL3NetworksToIPsecConnection', (m) => ({ uuid: m['ipsec'], l3NetworkUuids: [m['l3']] })),
  stop('ReconnectIPsecConnection', (m) => ({ uuid: m['ipsec'] })),
  stop('GetIPsecConnectionCounters', (m) => ({ uuid: m['ipsec'] })),
  ...['disable', 'enable'].map((stateEvent) => stop('ChangeIPSecConnectionState', (m) => ({ uuid: m['ipsec'], stateEvent }))),
  stop('DetachL3NetworksFromIPsecConnection', (m) => ({ uuid: m['ipsec'], l3NetworkUuids: [m['l3']] })),
]

export const tunnelsBack: readonly Stop[] = [
  stop('DeleteIPsecConnection', (m) => ({ uuid: m['ipsec'] })),
  stop('DeleteVip', (m) => ({ uuid: m['tunnelVip'] })),
]
