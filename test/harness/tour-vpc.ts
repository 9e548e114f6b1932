/** A VPC on the tour: its router, in a public network and a network of its own, and its routes. */
import { VROUTER_PROVIDER } from '@skerry/contract'
import { type Made, type Stop, stop } from './tour-stop.ts'

const router = (m: Made) => ({ vmInstanceUuid: m['vpc'] })
const snat = (m: Made) => ({ uuid: m['vpc'], networkService: 'SNAT' })
const table = (m: Made) => ({ routeTableUuid: m['routes'] })

/** When there is an image and a public network. */
export const vpcs: readonly Stop[] = [
  stop('CreateL3Network', (m) => ({ name: 'vpc', l2NetworkUuid: m['l2'], type: 'L3VpcNetwork' }), 'vpcL3'),
  stop('AddIpRangeByNetworkCidr', (m) => ({ name: 'vpc', l3NetworkUuid: m['vpcL3'], networkCidr: '10.77.0.0/24' })),
  stop('AttachNetworkServiceToL3Network', (m) => ({
    l3NetworkUuid: m['vpcL3'],
    networkServices: { [VROUTER_PROVIDER]: ['DHCP', 'DNS', 'SNAT'] },
  })),
  stop('CreateL3Network', (m) => ({ name: 'second', l2NetworkUuid: m['l2'], category: 'Public' }), 'secondPublicL3'),
  stop('AddIpRangeByNetworkCidr', (m) => ({ name: 's', l3NetworkUuid: m['secondPublicL3'], networkCidr: '203.0.113.0/24' })),
  stop(
    'CreateVirtualRouterOffering',
    (m) => ({
      ...{ name: 'router', zoneUuid: m['zone'], managementNetworkUuid: m['publicL3'], publicNetworkUuid: m['publicL3'] },
      ...{ imageUuid: m['image'], cpuNum: 1, memorySize: 2 ** 28 },
    }),
    'routerOffering',
  ),
  stop('UpdateVirtualRouterOffering', (m) => ({ uuid: m['routerOffering'], isDefault: true })),
  stop('QueryVirtualRouterOffering'),
  stop('QueryVirtualRouterOffering', (m) => ({ uuid: m['routerOffering'] })),
  stop('CreateVpcVRouter', (m) => ({ name: 'vpc', virtualRouterOfferingUuid: m['routerOffering'] }), 'vpc'),
  stop('QueryVpcRouter'),
  stop('GetAttachableVpcL3Network', (m) => ({ uuid: m['vpc'] })),
  stop('GetAttachablePublicL3ForVRouter', router),
  stop('AttachL3NetworkToVm', (m) => ({ ...router(m), l3NetworkUuid: m['vpcL3'] })),
  stop('AttachL3NetworkToVm', (m) => ({ ...router(m), l3NetworkUuid: m['secondPublicL3'], staticIp: '203.0.113.9' })),
  stop('UpdateVirtualRouter', (m) => ({ ...router(m), defaultRouteL3NetworkUuid: m['secondPublicL3'] })),
  stop('ReconnectVirtualRouter', router),
  stop('AddDnsToVpcRouter', (m) => ({ uuid: m['vpc'], dns: '192.0.2.53' })),
  stop('RemoveDnsFromVpcRouter', (m) => ({ uuid: m['vpc'], dns: '192.0.2.53' })),
  stop('SetVpcVRouterNetworkServiceState', (m) => ({ ...snat(m), state: 'disable', l3NetworkUuid: m['vpcL3'] })),
  stop('GetVpcVRouterNetworkServiceState', snat),
  stop('CreateVRouterRouteTable', { name: 'routes' }, 'routes'),
  stop('UpdateVRouterRouteTable', (m) => ({ uuid: m['routes'], description: 'seen on the tour' })),
  stop('AttachVRouterRouteTableToVRouter', (m) => ({ ...table(m), virtualRouterVmUuid: m['vpc'] })),
  stop('AddVRouterRouteEntry', (m) => ({ ...table(m), destination: '10.78.0.0/16', target: '10.77.0.9' }), 'route'),
  stop('AddVRouterRouteEntry', (m) => ({ ...table(m), destination: '10.79.0.0/16', type: 'UserBlackHole' })),
  stop('QueryVRouterRouteTable'),
  stop('QueryVRouterRouteEntry'),
  stop('QueryVirtualRouterVRouterRouteTableRef'),
  stop('GetVRouterRouteTable', (m) => ({ virtualRouterVmUuid: m['vpc'] })),
]

export const vpcsBack: readonly Stop[] = [
  stop('DeleteVRouterRouteEntry', (m) => ({ ...table(m), uuid: m['route'] })),
  stop('DetachVRouterRouteTableFromVRouter', (m) => ({ ...table(m), virtualRouterVmUuid: m['vpc'] })),
  stop('DeleteVRouterRouteTable', (m) => ({ uuid: m['routes'] })),
  stop('StopVmInstance', (m) => ({ uuid: m['vpc'] })),
  stop('StartVmInstance', (m) => ({ uuid: m['vpc'] })),
  stop('RebootVmInstance', (m) => ({ uuid: m['vpc'] })),
  stop('DestroyVmInstance', (m) => ({ uuid: m['vpc'] })),
  stop('DeleteInstanceOffering', (m) => ({ uuid: m['routerOffering'] })),
  stop('DeleteL3Network', (m) => ({ uuid: m['secondPublicL3'] })),
  stop('DeleteL3Network', (m) => ({ uuid: m['vpcL3'] })),
]
