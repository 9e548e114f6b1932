import { z } from 'zod'
import { action, attach, call, create, query, remove, update } from '../api.ts'
import { defineResource } from '../resource.ts'
import { ifname, line, uuid } from '../scalars.ts'
import { l2NetworkTypes, vSwitchTypes } from './kinds.ts'
import { creating, fields, hiddenBut, hiddenFields, NO_VLAN, VLAN, view, vlan, vSwitchType } from './l2-fields.ts'
import { vxlanApis } from './vxlan-apis.ts'

/** ZStack's; here there are only those of the first. */
const clusterType = z.enum(['zstack', 'baremetal', 'baremetal2', 'vmware'])
const page = { limit: z.number().int().min(0).optional(), start: z.number().int().min(0).optional() }

/**
 * A layer 2 segment, a bridge on each host of the attached clusters (zstack-core §2.6).
 * `physicalInterface: none` is ours: a bridge without an uplink, whose guests see only what is on the same host.
 */
export const l2Network = defineResource({
  name: 'l2Network',
  noun: 'l2-network',
  path: '/l2-networks',
  inventory: { sdk: 'L2NetworkInventory', java: 'org.zstack.header.network.l2.L2NetworkInventory' },
  summary: 'A layer 2 segment: a bridge on each host of the attached clusters',
  scope: { owner: 'ownerUuid', used: true },
  fields,
  hidden: hiddenFields,
  edges: {
    zone: { to: 'zone', via: 'zoneUuid', kind: 'parent', onDelete: 'cascade', inverse: 'l2Networks' },
    clusters: {
      to: 'cluster',
      via: 'attachedClusterUuids',
      kind: 'parent',
      onDelete: 'detach',
      list: true,
      inverse: 'l2Networks',
      as: 'clusters',
    },
    pool: { to: 'l2Network', via: 'poolUuid', kind: 'parent', onDelete: 'cascade', inverse: 'vxlanNetworks', as: 'pool' },
  },
  indexes: ['name', 'zoneUuid', 'type', 'attachedClusterUuids', 'poolUuid'],
  columns: ['name', 'uuid', 'type', 'physicalInterface', 'virtualNetworkId'],
  apis: [
    l2NetworkTypes,
    vSwitchTypes,
    create('CreateL2NoVlanNetwork', '/l2-networks/no-vlan', {
      rights: 'admin',
      of: 'l2Network',
      workflow: 'l2Network.create',
      summary: 'Create an untagged layer 2 network',
      params: { ...creating, physicalInterface: ifname },
    }),
    create('CreateL2VlanNetwork', '/l2-networks/vlan', {
      rights: 'admin',
      of: 'l2Network',
      workflow: 'l2Network.createVlan',
      verb: 'create-vlan',
      summary: 'Create a layer 2 network that is a VLAN on an interface of the hosts',
      params: { ...creating, physicalInterface: ifname, vlan },
    }),
    action('ChangeL2NetworkVlanId', '/l2-networks/{uuid}/actions', {
      rights: 'admin',
      of: 'l2Network',
      workflow: 'l2Network.changeVlan',
      verb: 'change-vlan',
      params: { vlan: vlan.optional(), type: z.enum([NO_VLAN, VLAN]).optional() },
      summary: 'Give a layer 2 network another VLAN, or none; guests stay on it',
    }),
    ...vxlanApis,
    query('QueryL2Network', '/l2-networks', 'l2Network'),
    update('UpdateL2Network', '/l2-networks/{uuid}/actions', 'l2Network'),
    attach('AttachL2NetworkToCluster', 'POST', '/l2-networks/{l2NetworkUuid}/clusters/{clusterUuid}', {
      rights: 'admin',
      of: 'l2Network',
      workflow: 'l2Network.attach',
      verb: 'attach',
      params: {
        l2ProviderType: vSwitchType,
        /** of a VXLAN pool: `l2NetworkUuid::<pool>::clusterUuid::<cluster>::cidr::{<network of the hosts' VTEPs>}` */
        systemTags: z.array(line(255)).max(10).optional(),
      },
      summary: 'Make a layer 2 network on the hosts of a cluster',
    }),
    call('GetCandidateClustersForAttachingL2Network', 'GET', '/l2-networks/{l2NetworkUuid}/cluster-candidates', {
      verb: 'clusters-for-attaching',
      params: { clusterTypes: z.array(clusterType).max(100).optional(), ...page },
      result: { kind: 'inventories', of: 'cluster' },
      summary: 'Clusters that a layer 2 network could be attached to',
    }),
    call('GetCandidateL2NetworksForAttachingCluster', 'GET', '/cluster/{clusterUuid}/l2-candidates', {
      verb: 'for-attaching',
      params: page,
      result: { kind: 'inventories', of: 'l2Network' },
      summary: 'Layer 2 networks that could be attached to a cluster',
    }),
    attach('DetachL2NetworkFromCluster', 'DELETE', '/l2-networks/{l2NetworkUuid}/clusters/{clusterUuid}', {
      rights: 'admin',
      of: 'l2Network',
      workflow: 'l2Network.detach',
      verb: 'detach',
      summary: 'Take a layer 2 network from the hosts of a cluster',
    }),
    remove('DeleteL2Network', '/l2-networks/{uuid}', 'l2Network'),
  ],
})

/** The L2 networks that are VLANs. */
export const l2VlanNetwork = defineResource({
  ...view,
  name: 'l2VlanNetwork',
  noun: 'l2-vlan-network',
  path: '/l2-networks/vlan',
  rows: { table: 'l2Network', where: { field: 'type', is: VLAN } },
  hidden: hiddenBut('vlan'),
  inventory: { sdk: 'L2VlanNetworkInventory', java: 'org.zstack.header.network.l2.L2VlanNetworkInventory' },
  summary: 'A layer 2 segment that is a VLAN',
  columns: ['name', 'uuid', 'physicalInterface', 'vlan'],
  apis: [query('QueryL2VlanNetwork', '/l2-networks/vlan', 'l2VlanNetwork')],
})

/** A VLAN of an interface in a cluster, taken by an L2 network; key `<clusterUuid>:<interface>:<vlan>`, so that no two networks have the same. */
export const usedVlan = defineResource({
  name: 'usedVlan',
  noun: 'used-vlan',
  path: '/l2-networks/used-vlans',
  summary: 'A VLAN that a layer 2 network has in a cluster',
  scope: 'admin',
  fields: { clusterUuid: uuid, l2NetworkUuid: uuid, physicalInterface: ifname, vlan },
  edges: {
    l2Network: { to: 'l2Network', via: 'l2NetworkUuid', kind: 'parent', onDelete: 'cascade', inverse: 'usedVlans' },
    cluster: { to: 'cluster', via: 'clusterUuid', kind: 'parent', onDelete: 'cascade', inverse: 'usedVlans' },
  },
  indexes: ['l2NetworkUuid', 'clusterUuid'],
  columns: ['uuid', 'clusterUuid', 'physicalInterface', 'vlan'],
  apis: [],
})
