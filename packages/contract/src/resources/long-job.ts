import { z } from 'zod'
import { action, create, createParams, query, remove, update } from '../api.ts'
import { defineResource } from '../resource.ts'
import { time, uuid } from '../scalars.ts'

/** States in which nothing more happens by itself (zstack-core §2.26). */
const ended = ['Succeeded', 'Failed', 'Canceled'] as const
const states = ['Waiting', 'Running', 'Suspended', 'Canceling', ...ended] as const
export type LongJobState = (typeof states)[number]

/**
 * A call that its caller does not wait for. It wraps one ordinary job, `jobUuid`, and its state follows from that job's: Suspended
 * is a job that is stuck.
 */
export const longJob = defineResource({
  name: 'longJob',
  noun: 'long-job',
  path: '/longjobs',
  inventory: { sdk: 'LongJobInventory', java: 'org.zstack.header.longjob.LongJobInventory' },
  summary: 'A call that nobody waits for',
  scope: { owner: 'ownerUuid' },
  fields: {
    /** id of the call that submitted it, or ran it again: `GET /task-progresses/<apiId>` */
    apiId: uuid,
    /** ZStack's message class: `APIAddImageMsg` */
    jobName: z.string(),
    /** parameters of that API as JSON text, secrets left out */
    jobData: z.string(),
    /** what a poll of the job would answer, as JSON text */
    jobResult: z.string().nullable(),
    state: z.enum(states),
    targetResourceUuid: z.string().nullable(),
    managementNodeUuid: uuid.nullable(),
    /** seconds from its start to its end */
    executeTime: z.number().int().nullable(),
    jobUuid: uuid,
    startDate: time,
  },
  hidden: ['startDate'],
  states: {
    field: 'state',
    table: {
      Waiting: { start: 'Running', fail: 'Failed', canceling: 'Canceling', canceled: 'Canceled' },
      Running: { succeed: 'Succeeded', fail: 'Failed', suspend: 'Suspended', canceling: 'Canceling', canceled: 'Canceled' },
      Suspended: { resume: 'Running', fail: 'Failed', canceling: 'Canceling' },
      Canceling: { canceled: 'Canceled', fail: 'Canceled', succeed: 'Succeeded', suspend: 'Canceling' },
      Succeeded: {},
      Failed: {},
      Canceled: {},
    },
  },
  edges: {},
  indexes: ['name', 'state', 'apiId', 'jobUuid', 'targetResourceUuid'],
  columns: ['name', 'uuid', 'jobName', 'state', 'targetResourceUuid'],
  apis: [
    {
      ...create('SubmitLongJob', '/longjobs', {
        of: 'longJob',
        workflow: 'longJob.submit',
        verb: 'submit',
        params: {},
        summary: 'Make a call without waiting for it',
      }),
      params: z.object({
        ...createParams,
        name: createParams.name.optional(),
        jobName: z.string().min(1).max(255),
        jobData: z
          .string()
          .min(2)
          .max(256 * 1024),
        targetResourceUuid: uuid.optional(),
      }),
    },
    query('QueryLongJob', '/longjobs', 'longJob'),
    action('CancelLongJob', '/longjobs/{uuid}/actions', {
      of: 'longJob',
      workflow: 'longJob.cancel',
      verb: 'cancel',
      allowed: ['Waiting', 'Running', 'Canceling'],
      result: { kind: 'empty' },
      summary: 'Undo a long job at its next step',
    }),
    action('ResumeLongJob', '/longjobs/{uuid}/actions', {
      of: 'longJob',
      workflow: 'longJob.resume',
      verb: 'resume',
      allowed: ['Suspended', 'Canceling'],
      summary: 'Go on with a long job whose job is stuck',
    }),
    action('RerunLongJob', '/longjobs/{uuid}/actions', {
      of: 'longJob',
      workflow: 'longJob.rerun',
      verb: 'rerun',
      allowed: ended,
      summary: 'Make the same call again',
    }),
    action('CleanLongJob', '/longjobs/{uuid}/actions', {
      of: 'longJob',
      workflow: 'longJob.clean',
      verb: 'clean',
      allowed: ['Suspended', ...ended],
      result: { kind: 'empty' },
      summary: 'Take back what a long job that is stuck has left',
    }),
    update('UpdateLongJob', '/longjobs/{uuid}/actions', 'longJob'),
    remove('DeleteLongJob', '/longjobs/{uuid}', 'longJob', {
      allowed: ended,
      summary: 'Forget a long job that has ended; what it has made stays',
    }),
  ],
})
