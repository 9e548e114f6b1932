import { z } from 'zod'
import { action, query, remove } from '../api.ts'
import { defineResource } from '../resource.ts'
import { uuid } from '../scalars.ts'

/**
 * What an agent that was away still has to remove: it is a tombstone (DESIGN §6) that somebody can see. It is made when the agent of
 * a tombstone is away, follows that tombstone, and does nothing by itself: the agent gets what it missed when it is back.
 */
export const gcJob = defineResource({
  name: 'gcJob',
  noun: 'gc-job',
  path: '/gc-jobs',
  inventory: { sdk: 'GarbageCollectorInventory', java: 'org.zstack.core.gc.GarbageCollectorInventory' },
  summary: 'What is still to be removed from a host that was out of reach when it was deleted',
  scope: 'admin',
  fields: {
    /** ZStack names a Java class here; ours names the noun: `remove-volume` */
    runnerClass: z.string(),
    /** JSON text of what is to be removed, and by which job it was deleted */
    context: z.string(),
    /** Idle: its agent is away. Processing: it was told, and is at it. Done: it is removed, or somebody has given it up. */
    status: z.enum(['Idle', 'Processing', 'Done']),
    managementNodeUuid: uuid.nullable(),
    /** it runs when its agent is heard */
    type: z.literal('EventBased'),
    agentUuid: uuid,
    hostUuid: uuid.nullable(),
  },
  edges: {
    agent: { to: 'agent', via: 'agentUuid', kind: 'friend', inverse: 'gcJobs' },
    host: { to: 'host', via: 'hostUuid', kind: 'friend', inverse: 'gcJobs' },
  },
  indexes: ['name', 'status', 'agentUuid', 'hostUuid'],
  columns: ['name', 'uuid', 'runnerClass', 'status', 'hostUuid', 'createDate'],
  apis: [
    query('QueryGCJob', '/gc-jobs', 'gcJob'),
    action('TriggerGCJob', '/gc-jobs/{uuid}/actions', {
      of: 'gcJob',
      workflow: 'gcJob.trigger',
      verb: 'trigger',
      result: { kind: 'empty' },
      summary: 'Tell the agent once more what it has to remove, and wait for it',
    }),
    remove('DeleteGCJob', '/gc-jobs/{uuid}', 'gcJob', {
      workflow: 'gcJob.delete',
      summary: 'Give up removing it: what is still on the host becomes an orphan, to be adopted or removed',
    }),
  ],
})
