import { z } from 'zod'
import { attach, create, query, remove, update } from '../api.ts'
import { defineResource, enabledState } from '../resource.ts'
import { time, uuid } from '../scalars.ts'
import { schedulerParameters as parameters, schedulerJobTypes } from './scheduler.ts'

const groups = '/scheduler/jobgroups'
const members = `${groups}/{schedulerJobGroupUuid}/job`
const ends = `${groups}/{schedulerJobGroupUuid}/scheduler/triggers/{schedulerTriggerUuid}`
const schedulerJobUuids = z.array(uuid).min(1).max(1_000)
const dates = { createDate: time, lastOpDate: time }
const empty = { kind: 'empty' } as const

/** Jobs of one kind that are started together. What it says they are to be made with goes before what each says itself. */
export const schedulerJobGroup = defineResource({
  name: 'schedulerJobGroup',
  noun: 'scheduler-job-group',
  path: groups,
  inventory: { sdk: 'SchedulerJobGroupInventory', java: 'org.zstack.header.scheduler.SchedulerJobGroupInventory' },
  summary: 'Jobs that are started together',
  scope: { owner: 'ownerUuid' },
  fields: {
    /** a disabled one starts nothing */
    state: enabledState,
    jobType: z.enum(schedulerJobTypes),
    /** parameters as JSON text */
    jobData: z.string(),
    triggersUuid: z.array(uuid),
    jobsUuid: z.array(uuid),
  },
  edges: {
    jobs: {
      ...{ to: 'schedulerJob', via: 'jobsUuid', kind: 'parent', onDelete: 'detach', list: true },
      ...{ inverse: 'groups', as: 'jobs' },
    },
    triggers: {
      ...{ to: 'schedulerTrigger', via: 'triggersUuid', kind: 'parent', onDelete: 'detach', list: true },
      ...{ inverse: 'jobGroups', as: 'triggers' },
    },
  },
  indexes: ['name', 'jobsUuid', 'triggersUuid'],
  columns: ['name', 'uuid', 'jobType', 'state'],
  apis: [
    create('CreateSchedulerJobGroup', groups, {
      of: 'schedulerJobGroup',
      workflow: 'schedulerJobGroup.create',
      params: { type: z.enum(schedulerJobTypes), parameters },
      summary: 'Make a group of jobs that are started together',
    }),
    query('QuerySchedulerJobGroup', groups, 'schedulerJobGroup', { byUuid: false }),
    {
      ...update('UpdateSchedulerJobGroup', `${groups}/{uuid}/actions`, 'schedulerJobGroup', {
        state: enabledState.optional(),
        parameters,
      }),
      workflow: 'schedulerJobGroup.update',
    },
    remove('DeleteSchedulerJobGroup', `${groups}/{uuid}`, 'schedulerJobGroup'),
    {
      ...attach('AddSchedulerJobsToSchedulerJobGroup', 'POST', members, {
        of: 'schedulerJobGroup',
        workflow: 'schedulerJobGroup.addJobs',
        verb: 'add-jobs',
        params: { schedulerJobUuids },
        summary: 'Put jobs into a group of their kind',
      }),
      result: {
        kind: 'fields',
        schema: z.object({ inventories: z.array(z.object({ schedulerJobGroupUuid: uuid, schedulerJobUuid: uuid, ...dates })) }),
      },
    },
    {
      ...attach('RemoveSchedulerJobsFromSchedulerJobGroup', 'DELETE', members, {
        of: 'schedulerJobGroup',
        workflow: 'schedulerJobGroup.removeJobs',
        verb: 'remove-jobs',
        params: { schedulerJobUuids },
        summary: 'Take jobs out of a group',
      }),
      result: empty,
    },
    {
      ...attach('AddSchedulerJobGroupToSchedulerTrigger', 'POST', ends, {
        of: 'schedulerJobGroup',
        workflow: 'schedulerJobGroup.attach',
        verb: 'attach',
        params: { triggerNow: z.boolean().optional() },
        summary: 'Let a trigger start a group of jobs',
      }),
      result: {
        kind: 'fields',
        schema: z.object({ inventory: z.object({ schedulerJobGroupUuid: uuid, schedulerTriggerUuid: uuid, ...dates }) }),
      },
    },
    {
      ...attach('RemoveSchedulerJobGroupFromSchedulerTrigger', 'DELETE', ends, {
        of: 'schedulerJobGroup',
        workflow: 'schedulerJobGroup.detach',
        verb: 'detach',
        summary: 'Let a trigger no longer start a group of jobs',
      }),
      result: empty,
    },
  ],
})
