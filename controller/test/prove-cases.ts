/** What stands before each workflow is proven, and its input. */
import type { Row } from '@skerry/contract'
import { FLAT_PROVIDER, VROUTER_PROVIDER } from '@skerry/contract'
import type { Input } from '../src/workflows/world.ts'
import { after, type Before, created, on, onSite, vm } from './before.ts'
import { billCases } from './bill-cases.ts'
import { callCases } from './call-cases.ts'
import { gcCases } from './gc-world.ts'
import { identityCases } from './identity-cases.ts'
import { ipsecCases } from './ipsec-cases.ts'
import { isoCases } from './iso-cases.ts'
import { loadBalancerCases } from './load-balancer-cases.ts'
import { networkCases } from './network-cases.ts'
import { forgetVm, orphanedVm, tell } from './orphan-world.ts'
import { placeCases } from './place-cases.ts'
import { securityCases } from './security-cases.ts'
import { snapshotCases } from './snapshot-cases.ts'
import { vipCases } from './vip-cases.ts'
import { vmCases } from './vm-cases.ts'
import { volumeCases } from './volume-cases.ts'
import { vpcCases } from './vpc-cases.ts'
import { vxlanCases } from './vxlan-cases.ts'
import { GIB, id, u } from './world.ts'
import { site } from './world-site.ts'

export const fresh = id('fresh')
const named = { name: 'fresh' }
const onZone = { resourceType: 'ZoneVO', resourceUuid: u.zone }
const zoneTag = { ...onZone, tag: 'gold' }

/** A host and agents that are enrolled, but no host yet. */
const enrolledOnly: Before = async (w) => {
  await site(w)
  await w.commit({
    ops: [
      ...['kvm', 'storage', 'vrouter'].map((k) => ({ o: 'set' as const, t: 'agent', k: u[k as 'kvm'], v: { hostUuid: null } })),
      { o: 'del', t: 'localStorageHost', k: `${u.ps}:${u.host}` },
      { o: 'del', t: 'host', k: u.host },
    ],
  })
  await w.agents.settle()
  return on('host', fresh, {
    ...named,
    managementIp: '127.0.0.1',
    clusterUuid: u.cluster,
    username: 'root',
    password: { $secret: id('s') },
  })
}
const unattached =
  (table: string, k: string, field: string, given: Input): Before =>
  async (w) => {
    await site(w)
    await w.commit({
      ops: [
        {
          o: 'set',
          t: table,
          k,
          v: {
            [field]: [],
            ...(table === 'primaryStorage'
              ? {
                  status: 'Connecting',
                  totalCapacity: 0,
                  availableCapacity: 0,
                  totalPhysicalCapacity: 0,
                  availablePhysicalCapacity: 0,
                }
              : {}),
          },
        },
        ...(table === 'primaryStorage' ? [{ o: 'del' as const, t: 'localStorageHost', k: `${u.ps}:${u.host}` }] : []),
      ],
    })
    await w.agents.settle()
    return given
  }

/** A VM that runs, and that the graph has forgotten. */
const orphaned: Before = async (w) => {
  await after([created], vm)(w)
  await tell(w, await forgetVm(w))
  return on('orphan', orphanedVm)
}

const vlan = { ...named, zoneUuid: u.zone, physicalInterface: 'eth0', vlan: 7 }

/** A folder on a storage server. */
export const onServer = (uuid: string) =>
  on('backupStorage', uuid, { ...named, hostname: 'a.test', username: 'u', password: { $secret: id('s') }, url: '/srv/images' })

export const uploaded = on('image', fresh, { ...named, url: 'upload://x.qcow2', backupStorageUuids: [u.bs] })

const flatData: [string, Input] = [
  'l3Network.attachServices',
  on('l3Network', u.l3, { l3NetworkUuid: u.l3, networkServices: { [FLAT_PROVIDER]: ['Userdata'] } }),
]

export const cases: Record<string, Before> = {
  ...billCases,
  ...callCases,
  ...gcCases,
  ...identityCases,
  ...volumeCases,
  ...snapshotCases,
  ...isoCases,
  ...vmCases,
  ...networkCases,
  ...vipCases,
  ...loadBalancerCases,
  ...ipsecCases,
  ...vpcCases,
  ...placeCases,
  ...vxlanCases,
  ...securityCases,
  'zone.create': onSite(on('zone', fresh, named)),
  'cluster.create': onSite(on('cluster', fresh, { ...named, zoneUuid: u.zone, hypervisorType: 'KVM' })),
  'primaryStorage.add': onSite(on('primaryStorage', fresh, { ...named, zoneUuid: u.zone, url: '/other' })),
  'l2Network.create': onSite(on('l2Network', fresh, { ...named, zoneUuid: u.zone, physicalInterface: 'none' })),
  'l2Network.createVlan': onSite(on('l2Network', fresh, vlan)),
  'l2Network.changeVlan': after(
    [
      ['l2Network.createVlan', on('l2Network', fresh, vlan)],
      ['l2Network.attach', on('l2Network', fresh, { l2NetworkUuid: fresh, clusterUuid: u.cluster })],
    ],
    on('l2Network', fresh, { vlan: 8 }),
  ),
  'l3Network.create': onSite(on('l3Network', fresh, { ...named, l2NetworkUuid: u.l2 })),
  'instanceOffering.create': onSite(on('instanceOffering', fresh, { ...named, cpuNum: 1, memorySize: GIB })),
  'diskOffering.create': onSite(on('diskOffering', fresh, { ...named, diskSize: GIB })),
  'resource.update': onSite(on('zone', u.zone, { name: 'renamed' })),
  'resource.changeState': onSite(on('zone', u.zone, { stateEvent: 'disable' })),
  'resource.delete': onSite(on('zone', u.zone)),
  'host.add': enrolledOnly,
  'host.reconnect': onSite(on('host', u.host)),
  'host.lose': async (w) => {
    await after([created], vm)(w)
    await w.commit({
      ops: [
        { o: 'set', t: 'host', k: u.host, v: { status: 'Disconnected' } },
        { o: 'del', t: 'backupStorage', k: u.bs },
      ],
    })
    await w.agents.settle()
    return on('host', u.host)
  },
  'host.delete': onSite(on('host', u.host)),
  'primaryStorage.attach': unattached(
    'primaryStorage',
    u.ps,
    'attachedClusterUuids',
    on('primaryStorage', u.ps, { primaryStorageUuid: u.ps, clusterUuid: u.cluster }),
  ),
  'primaryStorage.detach': onSite(on('primaryStorage', u.ps, { primaryStorageUuid: u.ps, clusterUuid: u.cluster })),
  'primaryStorage.reconnect': onSite(on('primaryStorage', u.ps)),
  'primaryStorage.delete': onSite(on('primaryStorage', u.ps)),
  'backupStorage.add': onSite(
    on('backupStorage', fresh, {
      ...named,
      hostname: '127.0.0.1',
      username: 'root',
      password: { $secret: id('s') },
      url: '/store2',
    }),
  ),
  'backupStorage.addSftp': onSite(onServer(fresh)),
  'backupStorage.updateSftp': after(
    [['backupStorage.addSftp', onServer(fresh)]],
    on('backupStorage', fresh, { hostname: 'b.test' }),
  ),
  'backupStorage.updateImageStore': onSite(on('backupStorage', u.bs, { name: 'other' })),
  'backupStorage.attach': unattached(
    'backupStorage',
    u.bs,
    'attachedZoneUuids',
    on('backupStorage', u.bs, { backupStorageUuid: u.bs, zoneUuid: u.zone }),
  ),
  'backupStorage.detach': onSite(on('backupStorage', u.bs, { backupStorageUuid: u.bs, zoneUuid: u.zone })),
  'backupStorage.reconnect': onSite(on('backupStorage', u.bs)),
  'backupStorage.delete': onSite(on('backupStorage', u.bs)),
  'l2Network.attach': unattached(
    'l2Network',
    u.l2,
    'attachedClusterUuids',
    on('l2Network', u.l2, { l2NetworkUuid: u.l2, clusterUuid: u.cluster }),
  ),
  'l2Network.detach': onSite(on('l2Network', u.l2, { l2NetworkUuid: u.l2, clusterUuid: u.cluster })),
  'l3Network.addDns': onSite(on('l3Network', u.l3, { l3NetworkUuid: u.l3, dns: '9.9.9.9' })),
  'l3Network.removeDns': after(
    [['l3Network.addDns', on('l3Network', u.l3, { l3NetworkUuid: u.l3, dns: '9.9.9.9' })]],
    on('l3Network', u.l3, { l3NetworkUuid: u.l3, dns: '9.9.9.9' }),
  ),
  'l3Network.attachServices': after(
    [['l3Network.detachServices', on('l3Network', u.l3, { l3NetworkUuid: u.l3, service: 'SNAT' })]],
    on('l3Network', u.l3, {
      l3NetworkUuid: u.l3,
      networkServices: { [VROUTER_PROVIDER]: ['SNAT'], [FLAT_PROVIDER]: ['Userdata'] },
    }),
  ),
  'l3Network.detachServices': after([flatData], on('l3Network', u.l3, { l3NetworkUuid: u.l3, service: 'Userdata' })),
  'l3Network.delete': onSite(on('l3Network', u.l3)),
  'ipRange.add': after(
    [['ipRange.delete', on('ipRange', u.range)], flatData],
    on('ipRange', fresh, { ...named, l3NetworkUuid: u.l3, startIp: '10.0.0.220', endIp: '10.0.0.230', netmask: '255.255.255.0' }),
  ),
  'ipRange.delete': after([flatData], on('ipRange', u.range)),
  'image.add': onSite(on('image', fresh, { ...named, url: 'http://127.0.0.1/x.qcow2', backupStorageUuids: [u.bs] })),
  'image.receive': after([['image.add', uploaded]], on('image', fresh, { sizeBytes: 1000 })),
  'image.cancelUpload': after([['image.add', uploaded]], on('image', fresh, { reason: 'not wanted' })),
  'image.delete': onSite(on('image', u.image)),
  'image.recover': after([['image.delete', on('image', u.image)]], on('image', u.image)),
  'image.expunge': after(
    [
      ['image.add', on('image', fresh, { ...named, url: 'http://127.0.0.1/x.qcow2', backupStorageUuids: [u.bs] })],
      ['image.delete', on('image', fresh)],
    ],
    on('image', fresh),
  ),
  'vm.create': onSite(created[1]),
  'vm.start': after([created, ['vm.stop', vm]], vm),
  'vm.stop': after([created], vm),
  'vm.reboot': after([created], vm),
  'vm.destroy': after([created], vm),
  'vm.recover': after([created, ['vm.destroy', vm]], vm),
  'vm.expunge': after([created, ['vm.destroy', vm]], vm),
  'orphan.adopt': orphaned,
  'orphan.remove': orphaned,
  'tag.create': onSite(on('userTag', fresh, zoneTag)),
  'tag.createMany': onSite(on('systemTag', fresh, { ...onZone, tags: ['host::reservedCpu::1', 'host::reservedMemory::1G'] })),
  'tag.update': after(
    [['tag.create', on('systemTag', fresh, { ...onZone, tag: 'host::reservedCpu::1' })]],
    on('systemTag', fresh, { tag: 'host::reservedCpu::2' }),
  ),
  'tag.delete': after([['tag.create', on('userTag', fresh, zoneTag)]], on('tag', fresh)),
  'vm.console': after([created], on('console', id('c'), { vmInstanceUuid: u.vm })),
  'vm.tunnel': after([created], on('tunnel', id('d'), { vmInstanceUuid: u.vm, port: 22 })),
}

/** The inventory without a VM's placement epoch and numbers of orders, and without the hashes of documents that hold them. */
function withoutEpoch(inventory: unknown): unknown {
  const copy = structuredClone(inventory) as { graph: Record<string, Record<string, Row>>; hosts: Row }
  for (const vm of Object.values(copy.graph['vmInstance'] ?? {})) {
    delete vm['placementEpoch']
    delete vm['pauseOrder']
    vm['paused'] ??= false
  }
  for (const document of Object.values(copy.graph['desired'] ?? {})) if (document['noun'] === 'vm') delete document['hash']
  for (const key of Object.keys(copy.hosts)) if (key.includes('/vm/')) copy.hosts[key] = 'there'
  return copy
}

function withoutStores(inventory: unknown): unknown {
  const { hosts, ...rest } = inventory as { graph: unknown; hosts: Record<string, unknown> }
  return { ...rest, hosts: Object.fromEntries(Object.entries(hosts).filter(([k]) => !k.startsWith('/store/'))) }
}

/** What is removed by the way was deleted before: nobody puts it back. */
function withoutTombstones(inventory: unknown): unknown {
  const { graph, ...rest } = inventory as { graph: Record<string, Record<string, Row>> }
  const desired = Object.entries(graph['desired'] ?? {}).filter(([, row]) => row['tombstone'] !== true)
  return { ...rest, graph: { ...graph, desired: Object.fromEntries(desired) } }
}

/** No owner and none that is named are the same: the first administrator. */
function withoutNoOwner(inventory: unknown): unknown {
  return JSON.parse(JSON.stringify(inventory), (_, value) => {
    if (value === null || typeof value !== 'object' || value.ownerUuid !== null) return value
    const { ownerUuid: _none, ...rest } = value
    return rest
  })
}

/** No list of roles and an empty one are the same. */
function withoutNoRoles(inventory: unknown): unknown {
  const copy = structuredClone(inventory) as { graph: Record<string, Record<string, Row>> }
  for (const account of Object.values(copy.graph['account'] ?? {}))
    if ((account['roleUuids'] as string[] | undefined)?.length === 0) delete account['roleUuids']
  return copy
}

/** What a workflow is allowed to leave: said here, with the reason. */
export const ignore: Record<string, (inventory: unknown) => unknown> = {
  // A fence is never lowered: a start that failed leaves the epoch raised.
  'vm.start': withoutEpoch,
  // Taking an order back is another order, with a number of its own.
  'vm.pause': withoutEpoch,
  'vm.resume': withoutEpoch,
  // Bytes that were asked to go are gone even when the job fails afterwards, and those that were taken in are there; a repeat finishes it.
  'image.expunge': withoutStores,
  'image.cancelUpload': withoutStores,
  'account.delete': withoutStores,
  'account.attachRole': withoutNoRoles,
  'gcJob.trigger': withoutTombstones,
  'resource.changeOwner': withoutNoOwner,
  'image.receive': withoutStores,
}
