import { z } from 'zod'
import { call, query } from '../api.ts'
import { defineResource } from '../resource.ts'
import { time } from '../scalars.ts'

/** A controller (ZStack: management node). */
export const managementNode = defineResource({
  name: 'managementNode',
  noun: 'controller',
  path: '/management-nodes',
  inventory: { sdk: 'ManagementNodeInventory' },
  summary: 'A controller',
  fields: { hostName: z.string(), joinDate: time, heartBeat: time },
  edges: {},
  indexes: [],
  columns: ['uuid', 'hostName'],
  apis: [
    query('QueryManagementNode', '/management-nodes', 'managementNode'),
    call('GetVersion', 'PUT', '/management-nodes/actions', {
      anonymous: true,
      verb: 'version',
      summary: 'ZStack API level and our own version',
      result: { kind: 'fields', schema: z.object({ version: z.string(), skerry: z.string() }) },
    }),
    call('IsReadyToGo', 'GET', '/management-nodes/ready', {
      anonymous: true,
      verb: 'ready',
      summary: 'Is the controller ready?',
      result: { kind: 'fields', schema: z.object({ managementNodeId: z.string() }) },
    }),
  ],
})
