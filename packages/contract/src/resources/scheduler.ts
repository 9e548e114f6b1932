import { z } from 'zod'
import { action, attach, call, create, query, remove, update } from '../api.ts'
import { defineResource, enabledState } from '../resource.ts'
import { line, time, uuid } from '../scalars.ts'

/** What a job of the scheduler does to its target; ZStack knows more kinds, for what is not here. */
export const schedulerJobTypes = ['startVm', 'stopVm', 'rebootVm', 'volumeSnapshot'] as const
const MAX = 2_147_483_647
const ends = '/scheduler/jobs/{schedulerJobUuid}/scheduler/triggers/{schedulerTriggerUuid}'
const schedulerType = z.enum(['simple', 'cron'])
const when = {
  /** seconds between two runs */
  schedulerInterval: z.number().int().min(1).max(MAX).optional(),
  /** 0: without end */
  repeatCount: z.number().int().min(0).max(MAX).optional(),
  /** epoch seconds; 0: at once */
  startTime: z.number().int().min(0).max(253_402_300_799).optional(),
  /** as Quartz writes it: seconds first, Sunday is 1; in the time zone of the controller */
  cron: line(255).optional(),
}
export const schedulerParameters = z.record(z.string().max(255), z.string().max(255)).optional()
const parameters = schedulerParameters
const link = z.object({ uuid, schedulerJobUuid: uuid, schedulerTriggerUuid: uuid, createDate: time, lastOpDate: time })

/** A call that is made again and again, when its triggers say so, with the rights of its owner. */
export const schedulerJob = defineResource({
  name: 'schedulerJob',
  noun: 'scheduler-job',
  path: '/scheduler/jobs',
  inventory: { sdk: 'SchedulerJobInventory', java: 'org.zstack.header.scheduler.SchedulerJobInventory' },
  summary: 'A call that is made when its triggers say so',
  scope: { owner: 'ownerUuid' },
  fields: {
    targetResourceUuid: uuid,
    state: enabledState,
    jobClassName: z.enum(schedulerJobTypes),
    /** parameters as JSON text */
    jobData: z.string(),
    triggersUuid: z.array(uuid),
    schedulerJobGroupUuids: z.array(uuid),
  },
  edges: {
    triggers: {
      to: 'schedulerTrigger',
      via: 'triggersUuid',
      kind: 'parent',
      onDelete: 'detach',
      list: true,
      inverse: 'jobs',
      as: 'triggers',
    },
    groups: {
      ...{ to: 'schedulerJobGroup', via: 'schedulerJobGroupUuids', kind: 'parent', onDelete: 'detach', list: true },
      ...{ inverse: 'jobs', as: 'groups' },
    },
  },
  indexes: ['name', 'targetResourceUuid', 'triggersUuid', 'schedulerJobGroupUuids'],
  columns: ['name', 'uuid', 'jobClassName', 'targetResourceUuid', 'state'],
  apis: [
    create('CreateSchedulerJob', '/scheduler/jobs', {
      of: 'schedulerJob',
      workflow: 'schedulerJob.create',
      params: { targetResourceUuid: uuid, type: z.enum(schedulerJobTypes), parameters },
      summary: 'Say what is to be done when a trigger fires',
    }),
    query('QuerySchedulerJob', '/scheduler/jobs', 'schedulerJob', { byUuid: false }),
    {
      ...update('UpdateSchedulerJob', '/scheduler/jobs/{uuid}/actions', 'schedulerJob', { parameters }),
      workflow: 'schedulerJob.update',
    },
    remove('DeleteSchedulerJob', '/scheduler/jobs/{uuid}', 'schedulerJob'),
    {
      ...attach('AddSchedulerJobToSchedulerTrigger', 'POST', ends, {
        of: 'schedulerJob',
        workflow: 'schedulerJob.attach',
        verb: 'attach',
        params: { triggerNow: z.boolean().optional() },
        summary: 'Let a trigger start a job',
      }),
      result: { kind: 'fields', schema: z.object({ inventory: link }) },
    },
    {
      ...attach('RemoveSchedulerJobFromSchedulerTrigger', 'DELETE', ends, {
        of: 'schedulerJob',
        workflow: 'schedulerJob.detach',
        verb: 'detach',
        summary: 'Let a trigger no longer start a job',
      }),
      result: { kind: 'empty' },
    },
    call('GetNoTriggerSchedulerJobs', 'GET', '/scheduler/jobs/candidates', {
      verb: 'without-trigger',
      summary: 'Jobs that no trigger starts',
      result: { kind: 'inventories', of: 'schedulerJob' },
    }),
  ],
})

/** When jobs are started. `next` is recorded, so that a controller that was away knows what it has missed. */
export const schedulerTrigger = defineResource({
  name: 'schedulerTrigger',
  noun: 'scheduler-trigger',
  path: '/scheduler/triggers',
  inventory: { sdk: 'SchedulerTriggerInventory', java: 'org.zstack.header.scheduler.SchedulerTriggerInventory' },
  summary: 'When jobs are started',
  scope: { owner: 'ownerUuid' },
  fields: {
    schedulerType,
    schedulerInterval: z.number().int().nullable(),
    repeatCount: z.number().int().nullable(),
    startTime: time.nullable(),
    stopTime: time.nullable(),
    cron: z.string().nullable(),
    jobsUuid: z.array(uuid),
    jobGroupsUuid: z.array(uuid),
    /** when it fires; null: never again */
    next: time.nullable(),
    /** how often it has fired */
    fired: z.number().int(),
  },
  hidden: ['fired'],
  edges: {
    jobs: {
      to: 'schedulerJob',
      via: 'jobsUuid',
      kind: 'parent',
      onDelete: 'detach',
      list: true,
      inverse: 'startedBy',
      as: 'jobs',
    },
    jobGroups: {
      ...{ to: 'schedulerJobGroup', via: 'jobGroupsUuid', kind: 'parent', onDelete: 'detach', list: true },
      ...{ inverse: 'triggers', as: 'jobGroups' },
    },
  },
  indexes: ['name', 'jobsUuid', 'jobGroupsUuid'],
  columns: ['name', 'uuid', 'schedulerType', 'schedulerInterval', 'cron', 'next'],
  apis: [
    create('CreateSchedulerTrigger', '/scheduler/triggers', {
      of: 'schedulerTrigger',
      workflow: 'schedulerTrigger.create',
      params: { schedulerType, ...when },
      summary: 'Say when jobs are to be started: every so many seconds, or as a cron line says',
    }),
    query('QuerySchedulerTrigger', '/scheduler/triggers', 'schedulerTrigger', { byUuid: false }),
    {
      ...update('UpdateSchedulerTrigger', '/scheduler/triggers/{uuid}/actions', 'schedulerTrigger', {
        schedulerType: schedulerType.optional(),
        ...when,
      }),
      workflow: 'schedulerTrigger.update',
    },
    remove('DeleteSchedulerTrigger', '/scheduler/triggers/{uuid}', 'schedulerTrigger'),
    action('RunSchedulerTrigger', '/scheduler/triggers/{uuid}/actions', {
      of: 'schedulerTrigger',
      workflow: 'schedulerTrigger.run',
      verb: 'run',
      params: { jobUuids: z.array(uuid).max(1_000).optional() },
      result: { kind: 'empty' },
      summary: 'Start the jobs of a trigger now, besides',
    }),
    call('GetAvailableTriggers', 'GET', '/scheduler/triggers/available', {
      verb: 'available',
      summary: 'Triggers that will fire again',
      result: { kind: 'inventories', of: 'schedulerTrigger' },
    }),
  ],
})

/** What became of a run. One that could not be made at its time is told as missed, and not made up for. */
export const schedulerJobHistory = defineResource({
  name: 'schedulerJobHistory',
  noun: 'scheduler-job-history',
  path: '/scheduler/job/history',
  inventory: { sdk: 'SchedulerJobHistoryInventory', java: 'org.zstack.header.scheduler.SchedulerJobHistoryInventory' },
  summary: 'A run of a scheduler job',
  scope: { follows: 'schedulerJobUuid', of: 'schedulerJob' },
  fields: {
    schedulerJobUuid: uuid,
    triggerUuid: uuid.nullable(),
    /** the group that started it; null: by itself */
    schedulerJobGroupUuid: uuid.nullable().optional(),
    targetResourceUuid: uuid,
    schedulerJobType: z.enum(schedulerJobTypes),
    state: z.enum(['Waiting', 'Running', 'Succeeded', 'Failed', 'Missed']),
    /** when it was due, or was asked for */
    startTime: time,
    /** seconds from its start to its end */
    executeTime: z.number().int().nullable(),
    success: z.boolean().nullable(),
    /** why it failed, or what was missed */
    resultDump: z.string().nullable(),
    /** runs that were missed until then */
    missed: z.number().int(),
    jobUuid: uuid,
    /** what it made */
    madeUuid: uuid.nullable(),
  },
  hidden: ['madeUuid'],
  edges: {
    job: { to: 'schedulerJob', via: 'schedulerJobUuid', kind: 'parent', onDelete: 'cascade', inverse: 'history' },
  },
  indexes: ['schedulerJobUuid', 'jobUuid', 'state'],
  columns: ['startTime', 'schedulerJobType', 'targetResourceUuid', 'state', 'resultDump'],
  apis: [
    query('QuerySchedulerJobHistory', '/scheduler/job/history', 'schedulerJobHistory', { byUuid: false }),
    call('GetSchedulerExecutionReport', 'GET', '/scheduler/report', {
      verb: 'report',
      summary: 'How many runs have succeeded, failed or are still to end, hour by hour, day by day or month by month',
      params: {
        /** epoch ms of the first interval; 0: the last interval is the one that is now */
        startTime: time.max(8_640_000_000_000),
        intervalTimeUnit: z.enum(['Hour', 'Day', 'Month']),
        /** how many intervals; 0: one */
        range: z.number().int().min(0).max(31),
        schedulerJobTypes: z.array(line(255)).min(1).max(100),
      },
      result: {
        kind: 'fields',
        schema: z.object({
          successRecords: z.array(z.number()),
          failureRecords: z.array(z.number()),
          partialSuccessRecords: z.array(z.number()),
          waitingRecords: z.array(z.number()),
        }),
      },
    }),
  ],
})
