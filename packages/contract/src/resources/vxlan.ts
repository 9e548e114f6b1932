/** VXLAN (zstack-core §2.6): pools of VNIs, the networks that have one each, and where hosts send and receive. */
import { z } from 'zod'
import { attach, create, createParams, query, remove, update } from '../api.ts'
import { defineResource } from '../resource.ts'
import { ipv4, line, name, uuid } from '../scalars.ts'
import { hiddenBut, VXLAN, VXLAN_POOL, view, vni } from './l2-fields.ts'

const POOL = '/l2-networks/vxlan-pool'
const RANGE = `${POOL}/vni-ranges` as const

/** The L2 networks that have a VNI. They reach where their pool reaches. */
export const l2VxlanNetwork = defineResource({
  ...view,
  name: 'l2VxlanNetwork',
  noun: 'l2-vxlan-network',
  path: '/l2-networks/vxlan',
  rows: { table: 'l2Network', where: { field: 'type', is: VXLAN } },
  hidden: hiddenBut('vni', 'poolUuid'),
  inventory: { sdk: 'L2VxlanNetworkInventory', java: 'org.zstack.network.l2.vxlan.vxlanNetwork.L2VxlanNetworkInventory' },
  summary: 'A layer 2 segment over VXLAN',
  columns: ['name', 'uuid', 'vni', 'poolUuid'],
  apis: [query('QueryL2VxlanNetwork', '/l2-networks/vxlan', 'l2VxlanNetwork')],
})

/** The pools of VNIs. One that is attached to a cluster says in which network the hosts' VTEPs are: `attachedCidrs`, by cluster. */
export const l2VxlanNetworkPool = defineResource({
  ...view,
  name: 'l2VxlanNetworkPool',
  noun: 'l2-vxlan-network-pool',
  path: POOL,
  rows: { table: 'l2Network', where: { field: 'type', is: VXLAN_POOL } },
  hidden: hiddenBut('attachedCidrs'),
  inventory: {
    sdk: 'L2VxlanNetworkPoolInventory',
    java: 'org.zstack.network.l2.vxlan.vxlanNetworkPool.L2VxlanNetworkPoolInventory',
  },
  summary: 'VNIs for layer 2 networks over VXLAN',
  columns: ['name', 'uuid', 'attachedClusterUuids'],
  apis: [query('QueryL2VxlanNetworkPool', POOL, 'l2VxlanNetworkPool')],
})

/** VNIs that a pool may give out, both ends included. */
export const vniRange = defineResource({
  name: 'vniRange',
  noun: 'vni-range',
  path: RANGE,
  inventory: { sdk: 'VniRangeInventory', java: 'org.zstack.network.l2.vxlan.vxlanNetworkPool.VniRangeInventory' },
  summary: 'VNIs that a pool may give out',
  scope: { follows: 'l2NetworkUuid', of: 'l2Network' },
  fields: { l2NetworkUuid: uuid, startVni: vni, endVni: vni },
  edges: {
    l2Network: { to: 'l2Network', via: 'l2NetworkUuid', kind: 'parent', onDelete: 'cascade', inverse: 'vniRanges' },
    pool: {
      to: 'l2VxlanNetworkPool',
      via: 'l2NetworkUuid',
      kind: 'friend',
      inverse: 'attachedVniRanges',
      inline: true,
      as: 'pool',
    },
  },
  indexes: ['name', 'l2NetworkUuid'],
  columns: ['name', 'uuid', 'startVni', 'endVni', 'l2NetworkUuid'],
  apis: [
    attach('CreateVniRange', 'POST', `${POOL}/{l2NetworkUuid}/vni-ranges`, {
      rights: 'admin',
      of: 'vniRange',
      workflow: 'vniRange.create',
      verb: 'create',
      summary: 'Give a pool VNIs',
      params: { ...createParams, startVni: vni, endVni: vni },
    }),
    query('QueryVniRange', `${POOL}/vni-range`, 'vniRange'),
    { ...update('UpdateVniRange', `${RANGE}/{uuid}`, 'vniRange'), params: z.object({ name }), rights: 'admin' as const },
    remove('DeleteVniRange', `${RANGE}/{uuid}`, 'vniRange', { rights: 'admin', workflow: 'vniRange.delete' }),
  ],
})

/** A VNI that a network has; key `<poolUuid>:<vni>`, so that no two have the same. */
export const usedVni = defineResource({
  name: 'usedVni',
  noun: 'used-vni',
  path: '/l2-networks/used-vnis',
  summary: 'A VNI that a layer 2 network has',
  scope: 'admin',
  fields: { poolUuid: uuid, l2NetworkUuid: uuid, vni },
  edges: { l2Network: { to: 'l2Network', via: 'l2NetworkUuid', kind: 'parent', onDelete: 'cascade', inverse: 'usedVnis' } },
  indexes: ['poolUuid', 'l2NetworkUuid'],
  columns: ['uuid', 'poolUuid', 'vni'],
  apis: [],
})

/** Where a host sends VXLAN from and gets it: an address of its own inside the pool's network. */
export const vtep = defineResource({
  name: 'vtep',
  noun: 'vtep',
  path: '/l2-networks/vteps',
  inventory: { sdk: 'VtepInventory', java: 'org.zstack.network.l2.vxlan.vtep.VtepInventory' },
  summary: 'The address of a host in a VXLAN pool',
  scope: 'admin',
  fields: {
    hostUuid: uuid,
    poolUuid: uuid,
    vtepIp: ipv4,
    port: z.number().int(),
    type: z.string(),
    physicalInterface: line(64).nullable().optional(),
  },
  edges: {
    host: { to: 'host', via: 'hostUuid', kind: 'parent', onDelete: 'cascade', inverse: 'vteps' },
    l2Network: { to: 'l2Network', via: 'poolUuid', kind: 'parent', onDelete: 'cascade', inverse: 'vteps', as: 'l2Network' },
    pool: { to: 'l2VxlanNetworkPool', via: 'poolUuid', kind: 'friend', inverse: 'attachedVtepRefs', inline: true },
  },
  indexes: ['hostUuid', 'poolUuid', 'vtepIp'],
  columns: ['uuid', 'hostUuid', 'poolUuid', 'vtepIp', 'port'],
  apis: [
    create('CreateVxlanVtep', '/l2-networks/vxlan/vteps', {
      rights: 'admin',
      of: 'vtep',
      workflow: 'vtep.create',
      verb: 'create',
      summary: 'Say which address of a host is its VTEP in a pool',
      params: { name: name.optional(), hostUuid: uuid, poolUuid: uuid, vtepIp: ipv4.optional() },
      names: { poolUuid: 'l2VxlanNetworkPool' },
    }),
    query('QueryVtep', '/l2-networks/vteps', 'vtep'),
  ],
})

/** A VTEP that is none of our hosts: everything that is flooded in a pool's networks of a cluster is sent there too. */
export const remoteVtep = defineResource({
  name: 'remoteVtep',
  noun: 'remote-vtep',
  path: '/l2-networks/remote-vteps',
  inventory: { sdk: 'RemoteVtepInventory', java: 'org.zstack.network.l2.vxlan.vtep.RemoteVtepInventory' },
  summary: 'A VTEP besides those of our hosts',
  scope: 'admin',
  fields: { clusterUuid: uuid, poolUuid: uuid, vtepIp: ipv4, port: z.number().int(), type: z.string() },
  edges: {
    cluster: { to: 'cluster', via: 'clusterUuid', kind: 'parent', onDelete: 'cascade', inverse: 'remoteVteps' },
    l2Network: { to: 'l2Network', via: 'poolUuid', kind: 'parent', onDelete: 'cascade', inverse: 'remoteVteps', as: 'l2Network' },
    pool: { to: 'l2VxlanNetworkPool', via: 'poolUuid', kind: 'friend', inverse: 'remoteVteps', inline: true },
  },
  indexes: ['clusterUuid', 'poolUuid'],
  columns: ['uuid', 'clusterUuid', 'poolUuid', 'vtepIp'],
  apis: [
    attach('CreateVxlanPoolRemoteVtep', 'POST', '/l2-networks/{l2NetworkUuid}/clusters/{clusterUuid}/remote-vtep-ip', {
      rights: 'admin',
      of: 'remoteVtep',
      workflow: 'remoteVtep.create',
      verb: 'create',
      summary: 'Have the hosts of a cluster flood to another VTEP too',
      params: { ...createParams, name: name.optional(), remoteVtepIp: ipv4 },
    }),
  ],
})
