import { z } from 'zod'
import { attach, call, create, query, remove, update } from '../api.ts'
import { defineResource } from '../resource.ts'
import { ifname, line, uuid } from '../scalars.ts'
import { l2NetworkTypes } from './kinds.ts'

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
  fields: {
    zoneUuid: uuid,
    physicalInterface: ifname,
    type: z.string(),
    vSwitchType: z.string(),
    virtualNetworkId: z.number().int().nullable().optional(),
    isolated: z.boolean().optional(),
    attachedClusterUuids: z.array(uuid),
  },
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
  },
  indexes: ['name', 'zoneUuid', 'type', 'attachedClusterUuids'],
  columns: ['name', 'uuid', 'type', 'physicalInterface'],
  apis: [
    l2NetworkTypes,
    create('CreateL2NoVlanNetwork', '/l2-networks/no-vlan', {
      rights: 'admin',
      of: 'l2Network',
      workflow: 'l2Network.create',
      summary: 'Create an untagged layer 2 network',
      params: {
        zoneUuid: uuid,
        physicalInterface: ifname,
        type: line(64).optional(),
        vSwitchType: z.enum(['LinuxBridge']).optional(),
        isolated: z.boolean().optional(),
      },
    }),
    query('QueryL2Network', '/l2-networks', 'l2Network'),
    update('UpdateL2Network', '/l2-networks/{uuid}/actions', 'l2Network'),
    attach('AttachL2NetworkToCluster', 'POST', '/l2-networks/{l2NetworkUuid}/clusters/{clusterUuid}', {
      rights: 'admin',
      of: 'l2Network',
      workflow: 'l2Network.attach',
      verb: 'attach',
      params: { l2ProviderType: z.enum(['LinuxBridge']).optional() },
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
