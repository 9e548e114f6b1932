import { z } from 'zod'
import { call, query } from '../api.ts'
import { defineResource } from '../resource.ts'
import { time } from '../scalars.ts'
import { batchQuery, zqlQuery } from './zql.ts'

/** A controller (ZStack: management node). */
export const managementNode = defineResource({
  name: 'managementNode',
  noun: 'controller',
  path: '/management-nodes',
  inventory: { sdk: 'ManagementNodeInventory', java: 'org.zstack.header.managementnode.ManagementNodeInventory' },
  summary: 'A controller',
  scope: 'everyone',
  fields: { hostName: z.string(), joinDate: time, heartBeat: time },
  edges: {},
  indexes: [],
  columns: ['uuid', 'hostName'],
  apis: [
    query('QueryManagementNode', '/management-nodes', 'managementNode'),
    zqlQuery,
    batchQuery,
    call('GetVersion', 'PUT', '/management-nodes/actions', {
      anonymous: true,
      verb: 'version',
      summary: 'ZStack API level and our own version',
      result: { kind: 'fields', schema: z.object({ version: z.string(), skerry: z.string() }) },
    }),
    call('GetCurrentTime', 'PUT', '/management-nodes/actions', {
      anonymous: true,
      verb: 'time',
      summary: 'The clock of the controller',
      result: {
        kind: 'fields',
        schema: z.object({ currentTime: z.object({ MillionSeconds: z.number(), Seconds: z.number() }) }),
      },
    }),
    call('GetManagementNodeArch', 'PUT', '/management-nodes/actions', {
      anonymous: true,
      verb: 'architecture',
      summary: 'What the controller runs on',
      result: { kind: 'fields', schema: z.object({ architecture: z.string() }) },
    }),
    call('GetSupportAPIs', 'PUT', '/management-nodes/actions', {
      anonymous: true,
      verb: 'apis',
      summary: "The APIs of ZStack's that are here",
      result: { kind: 'fields', schema: z.object({ supportApis: z.array(z.string()) }) },
    }),
    call('GetPlatformTimeZone', 'GET', '/management-nodes/platform-timezone', {
      verb: 'time-zone',
      summary: 'The time zone in which the controller reads times of day',
      result: { kind: 'fields', schema: z.object({ timezone: z.string(), offset: z.string() }) },
    }),
    call('IsReadyToGo', 'GET', '/management-nodes/ready', {
      anonymous: true,
      verb: 'ready',
      summary: 'Is the controller ready?',
      result: { kind: 'fields', schema: z.object({ managementNodeId: z.string() }) },
    }),
  ],
})
