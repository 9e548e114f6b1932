/** Jobs of the scheduler and their triggers: rows. What starts them is in controller/src/scheduler. */
import { type Op, type Row, SkerryError } from '@skerry/contract'
import { defineWorkflow } from '@skerry/workflow'
import { checkParameters, type SchedulerJobType, schedulerKinds } from '../scheduler/kinds.ts'
import { type Started, startedBy } from '../scheduler/started.ts'
import { checkWhen, endOf, firstOf, whenOf } from '../scheduler/when.ts'
import { input } from './input.ts'
import { creation } from './resource.create.ts'
import { resourceUpdating } from './resource.update.ts'
import { rowsStep } from './rows.step.ts'
import { runsNow, schedulerLinks } from './scheduler.link.ts'
import { type Action, type CheckInput, type Ctx, type Input, need, touch, type World } from './world.ts'

const jobCreate = creation({
  workflow: 'schedulerJob.create',
  table: 'schedulerJob',
  row: ({ input: { params } }) => ({
    targetResourceUuid: params['targetResourceUuid'],
    state: 'Enabled',
    jobClassName: params['type'],
    jobData: JSON.stringify(params['parameters'] ?? {}),
    triggersUuid: [],
    schedulerJobGroupUuids: [],
  }),
  check: ({ graph, params }) => {
    const type = params['type'] as SchedulerJobType
    need(graph, schedulerKinds[type].target, params['targetResourceUuid'])
    checkParameters(type, (params['parameters'] as Record<string, string> | undefined) ?? {})
  },
})

const groupCreate = creation({
  workflow: 'schedulerJobGroup.create',
  table: 'schedulerJobGroup',
  row: ({ input: { params } }) => ({
    state: 'Enabled',
    jobType: params['type'],
    jobData: JSON.stringify(params['parameters'] ?? {}),
    triggersUuid: [],
    jobsUuid: [],
  }),
  check: ({ params }) =>
    checkParameters(params['type'] as SchedulerJobType, (params['parameters'] as Record<string, string> | undefined) ?? {}),
})

/** `kind`: the field that says what it does. */
const updating = (table: string, kind: string) =>
  resourceUpdating(`${table}.update`, {
    also: ({ parameters }): Row => (parameters === undefined ? {} : { jobData: JSON.stringify(parameters) }),
    check: ({ graph, params, uuid }) => {
      const type = need(graph, table, uuid)[kind] as SchedulerJobType
      checkParameters(type, (params['parameters'] as Record<string, string> | undefined) ?? {})
    },
  })

/** The fields that say when, and what follows from them. */
function timing(params: Row, now: number, row?: Readonly<Row>): Row {
  const when = whenOf(params, now, row)
  const next = firstOf(when, now)
  return { ...when, next, fired: 0, stopTime: endOf(when, next) }
}

const triggerCreate = creation({
  workflow: 'schedulerTrigger.create',
  table: 'schedulerTrigger',
  row: (ctx) => ({ ...timing(ctx.input.params, ctx.world.now()), jobsUuid: [], jobGroupsUuid: [] }),
  check: ({ params }) => checkWhen(whenOf(params, 0)),
})

const TIMES = ['schedulerType', 'schedulerInterval', 'repeatCount', 'startTime', 'cron']

/** What says when it fires makes it begin anew; another name does not. */
function triggerSet({ params, uuid }: Input, ctx: Ctx): Row {
  const row = need(ctx.world.graph, 'schedulerTrigger', uuid)
  const words = Object.fromEntries(['name', 'description'].flatMap((f) => (params[f] === undefined ? [] : [[f, params[f]]])))
  return { ...words, ...(TIMES.some((f) => params[f] !== undefined) ? timing(params, ctx.world.now(), row) : {}) }
}

/** The jobs that a call asks for, all of the trigger where it names none. Throws `not-found`. */
function asked({ graph, params, uuid }: Pick<CheckInput, 'graph' | 'params' | 'uuid'>): Started[] {
  const all = new Map(startedBy(graph, need(graph, 'schedulerTrigger', uuid)).map((one) => [one.job['uuid'] as string, one]))
  const chosen = new Set((params['jobUuids'] as string[] | undefined) ?? all.keys())
  return [...chosen].map((job) => {
    const one = all.get(job)
    if (!one) throw new SkerryError('not-found', `this trigger starts no job ${job}`, { field: 'jobUuids', uuid: job })
    return one
  })
}

function runNow(ctx: Ctx): { ops: Op[] } {
  const { uuid, params } = ctx.input
  return { ops: runsNow(ctx, uuid, asked({ graph: ctx.world.graph, params, uuid })) }
}

const workflow = (name: string, step: ReturnType<typeof rowsStep>) =>
  defineWorkflow<Input, World>({ name, version: 1, input, steps: [step] })

export const schedulerActions: readonly Action[] = [
  jobCreate,
  updating('schedulerJob', 'jobClassName'),
  groupCreate,
  updating('schedulerJobGroup', 'jobType'),
  triggerCreate,
  {
    workflow: workflow(
      'schedulerTrigger.update',
      rowsStep('update', (ctx) => ({ ops: [touch(ctx, 'schedulerTrigger', ctx.input.uuid, triggerSet(ctx.input, ctx))] })),
    ),
    check: ({ graph, params, uuid }) => checkWhen(whenOf(params, 0, need(graph, 'schedulerTrigger', uuid))),
  },
  { workflow: workflow('schedulerTrigger.run', rowsStep('run', runNow)), check: (i) => void asked(i) },
  ...schedulerLinks,
]
