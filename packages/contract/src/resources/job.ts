import { z } from 'zod'
import { action, call, query } from '../api.ts'
import { defineResource } from '../resource.ts'
import { time, uuid } from '../scalars.ts'
import { getChainTask, getResourceNames } from './task-details.ts'

/** One accepted asynchronous call and the workflow that carries it out. Ours; ZStack's clients see it at `/api-jobs/<uuid>`. */
export const job = defineResource({
  name: 'job',
  noun: 'job',
  path: '/jobs',
  summary: 'One accepted call and how far it has come',
  scope: { owner: 'accountUuid' },
  fields: {
    api: z.string(),
    workflow: z.string(),
    version: z.number().int(),
    accountUuid: z.string(),
    /** who acted for the account; absent: the account itself */
    userUuid: z.string().optional(),
    resourceUuid: z.string().nullable(),
    resourceType: z.string().nullable(),
    state: z.enum(['processing', 'undoing', 'done', 'failed', 'stuck']),
    input: z.record(z.string(), z.unknown()),
    steps: z.array(z.string()),
    /** steps that it passed over; absent: none so far */
    skipped: z.array(z.string()).optional(),
    /** name of the step that is under way or was last */
    step: z.string().nullable(),
    result: z.record(z.string(), z.unknown()).nullable(),
    error: z.record(z.string(), z.unknown()).nullable(),
    finishedAt: time.nullable(),
    deadline: time.nullable(),
  },
  hidden: ['input'],
  edges: {},
  indexes: ['state', 'resourceUuid', 'accountUuid', 'api'],
  columns: ['uuid', 'name', 'state', 'step', 'resourceUuid'],
  apis: [
    getChainTask,
    getResourceNames,
    { ...query('QueryJob', '/jobs', 'job'), own: true },
    {
      ...action('RetryJob', '/jobs/{uuid}/actions', {
        of: 'job',
        workflow: 'job.retry',
        verb: 'retry',
        summary: 'Try the undo of a stuck job again',
      }),
      sync: true,
      own: true,
      rights: 'admin',
    },
    call('GetTaskProgress', 'GET', '/task-progresses/{apiId}', {
      verb: 'progress',
      summary: 'Steps, bytes and remaining time of a job',
      params: { all: z.boolean().optional() },
      result: { kind: 'fields', schema: z.object({ inventories: z.array(z.record(z.string(), z.unknown())) }) },
    }),
  ],
})

/** What a finished step left behind; key `<jobUuid>/<step>`. Gone when the job ends. */
export const jobStep = defineResource({
  name: 'jobStep',
  noun: 'job-step',
  path: '/jobs/steps',
  summary: 'A finished step of a running job',
  scope: 'admin',
  fields: { jobUuid: uuid, step: z.string(), state: z.enum(['done', 'undone']), output: z.unknown() },
  edges: { job: { to: 'job', via: 'jobUuid', kind: 'parent', onDelete: 'cascade', inverse: 'doneSteps' } },
  indexes: ['jobUuid'],
  columns: [],
  apis: [],
})
