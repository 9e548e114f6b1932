import { z } from 'zod'
import { attach, call, create, createParams, query, remove, update } from '../api.ts'
import { defineResource } from '../resource.ts'
import { cidr4, ipv4, uuid } from '../scalars.ts'

const { name: _name, ...made } = createParams

/** Routes that VPC routers have beside those to their own networks (zstack-core §2.22). */
export const vRouterRouteTable = defineResource({
  name: 'vRouterRouteTable',
  noun: 'vrouter-route-table',
  path: '/vrouter-route-tables',
  inventory: { sdk: 'VRouterRouteTableInventory', java: 'org.zstack.vrouterRoute.VRouterRouteTableInventory' },
  summary: 'Static routes of VPC routers',
  scope: { owner: 'ownerUuid' },
  fields: {},
  edges: {},
  indexes: ['name'],
  columns: ['name', 'uuid'],
  apis: [
    create('CreateVRouterRouteTable', '/vrouter-route-tables', {
      of: 'vRouterRouteTable',
      workflow: 'vRouterRouteTable.create',
      summary: 'Make a table of routes for VPC routers',
      params: {},
    }),
    query('QueryVRouterRouteTable', '/vrouter-route-tables', 'vRouterRouteTable', { byUuid: false }),
    update('UpdateVRouterRouteTable', '/vrouter-route-tables/{uuid}/actions', 'vRouterRouteTable'),
    attach('AttachVRouterRouteTableToVRouter', 'POST', '/vrouter-route-tables/{routeTableUuid}/attach', {
      of: 'vRouterRouteTable',
      workflow: 'vRouterRouteTable.attach',
      target: 'routeTableUuid',
      names: { routeTableUuid: 'vRouterRouteTable', virtualRouterVmUuid: 'vpcRouter' },
      verb: 'attach',
      params: { virtualRouterVmUuid: uuid },
      summary: 'Give a VPC router the routes of a table, in place of those that it has',
    }),
    attach(
      'DetachVRouterRouteTableFromVRouter',
      'DELETE',
      '/vrouter-route-tables/{routeTableUuid}/detach/{virtualRouterVmUuid}',
      {
        of: 'vRouterRouteTable',
        workflow: 'vRouterRouteTable.detach',
        target: 'routeTableUuid',
        names: { routeTableUuid: 'vRouterRouteTable', virtualRouterVmUuid: 'vpcRouter' },
        verb: 'detach',
        summary: 'Take the routes of a table from a VPC router',
      },
    ),
    call('GetVRouterRouteTable', 'GET', '/vrouter-route-tables/vrouter/{virtualRouterVmUuid}', {
      target: 'virtualRouterVmUuid',
      names: { virtualRouterVmUuid: 'vpcRouter' },
      verb: 'of-router',
      summary: 'Routes that a VPC router has: those to its own networks, and those of its table',
      result: { kind: 'inventories', of: 'vRouterRouteEntry' },
    }),
    remove('DeleteVRouterRouteTable', '/vrouter-route-tables/{uuid}', 'vRouterRouteTable', {
      workflow: 'vRouterRouteTable.delete',
    }),
  ],
})

/** One route of a table. */
export const vRouterRouteEntry = defineResource({
  name: 'vRouterRouteEntry',
  noun: 'vrouter-route-entry',
  path: '/vrouter-route-tables/route-entries',
  inventory: { sdk: 'VRouterRouteEntryInventory', java: 'org.zstack.vrouterRoute.VRouterRouteEntryInventory' },
  summary: 'A static route of VPC routers',
  scope: { follows: 'routeTableUuid', of: 'vRouterRouteTable' },
  fields: {
    routeTableUuid: uuid,
    type: z.enum(['UserStatic', 'UserBlackHole', 'DirectConnect', 'ZStack']),
    destination: cidr4,
    target: ipv4.nullable(),
    distance: z.number().int(),
  },
  hidden: ['name'],
  edges: {
    routeTable: {
      to: 'vRouterRouteTable',
      via: 'routeTableUuid',
      kind: 'parent',
      onDelete: 'cascade',
      inverse: 'routeEntries',
      inline: true,
    },
  },
  indexes: ['routeTableUuid', 'destination', 'type'],
  columns: ['uuid', 'destination', 'target', 'distance'],
  apis: [
    attach('AddVRouterRouteEntry', 'POST', '/vrouter-route-tables/{routeTableUuid}/route-entries', {
      of: 'vRouterRouteEntry',
      workflow: 'vRouterRouteEntry.create',
      verb: 'create',
      owns: ['routeTableUuid'],
      names: { routeTableUuid: 'vRouterRouteTable' },
      params: {
        ...made,
        type: z.enum(['UserStatic', 'UserBlackHole']).optional(),
        destination: cidr4,
        target: ipv4.optional(),
        distance: z.number().int().min(1).max(254).optional(),
      },
      summary: 'Add a route to a table',
    }),
    query('QueryVRouterRouteEntry', '/vrouter-route-tables/route-entries', 'vRouterRouteEntry', { byUuid: false }),
    remove('DeleteVRouterRouteEntry', '/vrouter-route-tables/{routeTableUuid}/route-entries/{uuid}', 'vRouterRouteEntry', {
      workflow: 'vRouterRouteEntry.delete',
      names: { routeTableUuid: 'vRouterRouteTable' },
      target: 'uuid',
      result: { kind: 'inventory', of: 'vRouterRouteTable' },
    }),
  ],
})

/** Which table a VPC router has: one at most. Key: uuid of the router. */
export const vRouterRouteTableRef = defineResource({
  name: 'vRouterRouteTableRef',
  noun: 'vrouter-route-table-ref',
  path: '/vrouter-route-tables/virtual-router-refs',
  inventory: { sdk: 'VirtualRouterVRouterRouteTableRefInventory' },
  summary: 'Which route table a VPC router has',
  scope: { follows: 'routeTableUuid', of: 'vRouterRouteTable' },
  fields: { virtualRouterVmUuid: uuid, routeTableUuid: uuid },
  hidden: ['uuid', 'name', 'createDate', 'lastOpDate'],
  edges: {
    virtualRouterVm: {
      to: 'vpcRouter',
      via: 'virtualRouterVmUuid',
      kind: 'parent',
      onDelete: 'cascade',
      inverse: 'routeTableRefs',
    },
    routeTable: {
      to: 'vRouterRouteTable',
      via: 'routeTableUuid',
      kind: 'parent',
      onDelete: 'cascade',
      inverse: 'attachedRouterRefs',
      inline: true,
    },
  },
  indexes: ['virtualRouterVmUuid', 'routeTableUuid'],
  columns: ['virtualRouterVmUuid', 'routeTableUuid'],
  apis: [
    query('QueryVirtualRouterVRouterRouteTableRef', '/vrouter-route-tables/virtual-router-refs', 'vRouterRouteTableRef', {
      byUuid: false,
    }),
  ],
})
