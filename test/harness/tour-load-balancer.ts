/** Load balancers on the tour. */
import { VROUTER_PROVIDER } from '@skerry/contract'
import { selfSigned } from '@skerry/testkit'
import { lookAfter, type Stop, stop } from './tour-stop.ts'

const bare = { state: false }

/** Before there is a VM, with a public network: one of everything. */
export const balancers: readonly Stop[] = [
  stop('AttachNetworkServiceToL3Network', (m) => ({
    l3NetworkUuid: m['l3'],
    networkServices: { [VROUTER_PROVIDER]: ['LoadBalancer'] },
  })),
  stop('CreateVip', (m) => ({ name: 'balanced', l3NetworkUuid: m['publicL3'] }), 'lbVip'),
  stop('CreateLoadBalancer', (m) => ({ name: 'lb', vipUuid: m['lbVip'] }), 'lb'),
  ...lookAfter('LoadBalancer', 'lb', bare),
  stop('CreateAccessControlList', { name: 'acl' }, 'acl'),
  stop('AddAccessControlListEntry', (m) => ({ aclUuid: m['acl'], entries: '192.0.2.0/24,10.9.0.1-10.9.0.9' }), 'aclEntry'),
  stop('QueryAccessControlList'),
  stop('QueryAccessControlList', (m) => ({ uuid: m['acl'] })),
  stop(
    'CreateCertificate',
    () => ({ name: 'certificate', certificate: `${selfSigned().certificate}${selfSigned().key}` }),
    'certificate',
  ),
  ...lookAfter('Certificate', 'certificate', bare),
  stop(
    'CreateCertificate',
    () => ({ name: 'next', certificate: selfSigned().certificate, privateKey: selfSigned().key }),
    'nextCertificate',
  ),
  stop(
    'CreateLoadBalancerListener',
    (m) => ({ name: 'web', loadBalancerUuid: m['lb'], loadBalancerPort: 80, protocol: 'http' }),
    'web',
  ),
  stop(
    'CreateLoadBalancerListener',
    (m) => ({
      ...{ name: 'secure', loadBalancerUuid: m['lb'], loadBalancerPort: 443, instancePort: 80, protocol: 'https' },
      ...{ certificateUuid: m['certificate'], systemTags: ['balancerAlgorithm::leastconn'] },
    }),
    'secure',
  ),
  ...lookAfter('LoadBalancerListener', 'web', bare),
  stop('ChangeLoadBalancerListener', (m) => ({ uuid: m['web'], balancerAlgorithm: 'source', aclStatus: 'enable' })),
  stop('AddCertificateToLoadBalancerListener', (m) => ({ listenerUuid: m['secure'], certificateUuid: m['nextCertificate'] })),
  stop('RemoveCertificateFromLoadBalancerListener', (m) => ({
    listenerUuid: m['secure'],
    certificateUuid: m['nextCertificate'],
  })),
  stop('AddAccessControlListToLoadBalancer', (m) => ({ listenerUuid: m['web'], aclUuids: [m['acl']], aclType: 'black' })),
  stop('CreateLoadBalancerServerGroup', (m) => ({ name: 'servers', loadBalancerUuid: m['lb'] }), 'servers'),
  ...lookAfter('LoadBalancerServerGroup', 'servers', bare),
  stop('AddServerGroupToLoadBalancerListener', (m) => ({ listenerUuid: m['web'], serverGroupUuid: m['servers'] })),
  stop('AddBackendServerToServerGroup', (m) => ({ serverGroupUuid: m['servers'], servers: [{ ipAddress: '10.0.0.222' }] })),
  stop('ChangeLoadBalancerBackendServer', (m) => ({
    serverGroupUuid: m['servers'],
    servers: [{ ipAddress: '10.0.0.222', weight: 7 }],
  })),
  stop('RefreshLoadBalancer', (m) => ({ uuid: m['lb'] })),
]

/** While there is a VM with its first card only. */
export const balanced: readonly Stop[] = [
  stop('GetCandidateVmNicsForLoadBalancer', (m) => ({ listenerUuid: m['web'] })),
  stop('GetCandidateVmNicsForLoadBalancerServerGroup', (m) => ({ servergroupUuid: m['servers'] })),
  stop('AddVmNicToLoadBalancer', (m) => ({ listenerUuid: m['web'], vmNicUuids: [m['nic']] })),
  stop('RemoveVmNicFromLoadBalancer', (m) => ({ listenerUuid: m['web'], vmNicUuids: [m['nic']] })),
]

export const balancersBack: readonly Stop[] = [
  stop('RemoveBackendServerFromServerGroup', (m) => ({ serverGroupUuid: m['servers'], serverIps: ['10.0.0.222'] })),
  stop('RemoveServerGroupFromLoadBalancerListener', (m) => ({ listenerUuid: m['web'], serverGroupUuid: m['servers'] })),
  stop('DeleteLoadBalancerServerGroup', (m) => ({ uuid: m['servers'] })),
  stop('RemoveAccessControlListFromLoadBalancer', (m) => ({ listenerUuid: m['web'], aclUuids: [m['acl']] })),
  stop('RemoveAccessControlListEntry', (m) => ({ aclUuid: m['acl'], uuid: m['aclEntry'] })),
  stop('DeleteAccessControlList', (m) => ({ uuid: m['acl'] })),
  stop('DeleteLoadBalancerListener', (m) => ({ uuid: m['secure'] })),
  stop('DeleteCertificate', (m) => ({ uuid: m['certificate'] })),
  stop('DeleteLoadBalancer', (m) => ({ uuid: m['lb'] })),
]
