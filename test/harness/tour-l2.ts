/** L2 networks on the tour: VLANs and VXLANs. */
import { MANAGEMENT_IP } from './small-site.ts'
import { type Made, type Stop, stop } from './tour-stop.ts'

/** The interface is one that fake machines have to give away. */
export const vlans: Stop[] = [
  stop('GetVSwitchTypes'),
  stop('CreateL2VlanNetwork', (m) => ({ name: 'vlan', zoneUuid: m['zone'], physicalInterface: 'eth1', vlan: 100 }), 'vlanL2'),
  stop('AttachL2NetworkToCluster', (m) => ({ l2NetworkUuid: m['vlanL2'], clusterUuid: m['cluster'] })),
  stop('QueryL2VlanNetwork', { q: ['vlan=100'] }),
  stop('ChangeL2NetworkVlanId', (m) => ({ uuid: m['vlanL2'], vlan: 101 })),
  stop('DetachL2NetworkFromCluster', (m) => ({ l2NetworkUuid: m['vlanL2'], clusterUuid: m['cluster'] })),
  stop('DeleteL2Network', (m) => ({ uuid: m['vlanL2'] })),
]

const onPool = (m: Made) => ({ l2NetworkUuid: m['pool'], clusterUuid: m['cluster'] })
const vtepNetwork = (m: Made) => `l2NetworkUuid::${m['pool']}::clusterUuid::${m['cluster']}::cidr::{${MANAGEMENT_IP}/24}`

/** The host's only address is that by which it is managed. */
export const vxlans: Stop[] = [
  stop('CreateL2VxlanNetworkPool', (m) => ({ name: 'pool', zoneUuid: m['zone'] }), 'pool'),
  stop('CreateVniRange', (m) => ({ name: 'some', l2NetworkUuid: m['pool'], startVni: 100, endVni: 101 }), 'vnis'),
  stop('UpdateVniRange', (m) => ({ uuid: m['vnis'], name: 'few' })),
  stop('QueryVniRange', (m) => ({ uuid: m['vnis'] })),
  stop('CreateVxlanVtep', (m) => ({ hostUuid: m['host'], poolUuid: m['pool'], vtepIp: MANAGEMENT_IP }), 'vtep'),
  stop('AttachL2NetworkToCluster', (m) => ({ ...onPool(m), systemTags: [vtepNetwork(m)] })),
  stop('QueryL2VxlanNetworkPool', (m) => ({ uuid: m['pool'] })),
  stop('QueryVtep'),
  stop('CreateL2VxlanNetwork', (m) => ({ name: 'vxlan', poolUuid: m['pool'], vni: 101 }), 'vxlan'),
  stop('QueryL2VxlanNetwork', (m) => ({ uuid: m['vxlan'] })),
  stop('CreateVxlanPoolRemoteVtep', (m) => ({ ...onPool(m), remoteVtepIp: '192.0.2.99' })),
  stop('DeleteVxlanPoolRemoteVtep', (m) => ({ ...onPool(m), remoteVtepIp: '192.0.2.99' })),
  stop('DeleteVxlanL2Network', (m) => ({ uuid: m['vxlan'] })),
  stop('DetachL2NetworkFromCluster', onPool),
  stop('DeleteVniRange', (m) => ({ uuid: m['vnis'] })),
  stop('DeleteL2Network', (m) => ({ uuid: m['pool'] })),
]
