/** Long jobs: a row that names a job, and that job, made like any other call. What becomes of it follows (engine/long-jobs.ts). */
import { type Change, type Row, SkerryError } from '@skerry/contract'
import { defineWorkflow } from '@skerry/workflow'
import { z } from 'zod'
import { configMs } from '../configs/value.ts'
import { longCallOf } from '../engine/long-call.ts'
import { secretFields } from '../engine/secret-params.ts'
import { input } from './input.ts'
import { type Action, baseRow, type Ctx, derivedId, type EndCtx, type Input, need, touch, type World } from './world.ts'

const rowOf = (ctx: Ctx): Row => need(ctx.world.graph, 'longJob', ctx.input.uuid)
/** The job that this run makes; the same one when a step is repeated. */
const madeJob = (ctx: Ctx) => derivedId(ctx, 'job')
const fact = (ctx: Ctx, event: string) => ({ noun: 'longJob', uuid: ctx.input.uuid, event })

function start(ctx: Ctx, jobName: string, params: Row): Promise<void> {
  const { accountUuid } = ctx.input
  const timeoutMs = configMs(ctx.world.graph, 'longJob.longJob.api.timeout')
  return ctx.world.jobs.accept({ jobName, params, accountUuid, jobUuid: madeJob(ctx), timeoutMs })
}

/** A job that was made, but could not be recorded as made, goes back at its next step. */
function giveUp(ctx: Ctx) {
  const job = ctx.world.graph.get('job', madeJob(ctx))
  const runs = job?.['state'] === 'processing' && job['cancelAsked'] !== true
  return runs ? { change: { ops: [{ o: 'set' as const, t: 'job', k: madeJob(ctx), v: { cancelAsked: true } }] } } : {}
}

/** Fields of a row whose job is about to be made. */
const beginning = (ctx: Ctx): Row => ({
  apiId: ctx.job,
  jobUuid: madeJob(ctx),
  state: 'Waiting',
  jobResult: null,
  executeTime: null,
  startDate: ctx.world.now(),
})

const record = {
  name: 'record',
  do: (ctx: Ctx) => {
    const { graph } = ctx.world
    const { params, uuid } = ctx.input
    if (graph.get('longJob', uuid)) return {}
    const [managementNodeUuid] = [...graph.rows('managementNode')].map(([key]) => key)
    const row: Row = {
      ...baseRow(ctx),
      ...beginning(ctx),
      name: params['name'] ?? params['jobName'],
      jobName: params['jobName'],
      jobData: params['jobData'],
      targetResourceUuid: params['targetResourceUuid'] ?? null,
      managementNodeUuid: managementNodeUuid ?? null,
    }
    const guards = [{ g: 'absent' as const, t: 'longJob', k: uuid }]
    return { change: { guards, ops: [{ o: 'put' as const, t: 'longJob', k: uuid, v: row }], facts: [fact(ctx, 'submitted')] } }
  },
  undo: (ctx: Ctx) =>
    ctx.world.graph.get('longJob', ctx.input.uuid)
      ? { change: { ops: [{ o: 'del' as const, t: 'longJob', k: ctx.input.uuid }] } }
      : {},
}

const submit = {
  name: 'start',
  undo: giveUp,
  do: (ctx: Ctx) => start(ctx, ctx.input.params['jobName'] as string, ctx.input.params['call'] as Row),
}

/** What is wrong with the call inside is looked for when the submission is accepted (engine/accept.ts). */
export const longJobSubmit: Action = {
  workflow: defineWorkflow<Input, World>({ name: 'longJob.submit', version: 1, input, steps: [record, submit] }),
}

const before = z.object({ before: z.record(z.string(), z.unknown()) })

const again = {
  name: 'record',
  output: before,
  do: (ctx: Ctx) => {
    const row = rowOf(ctx)
    const set = beginning(ctx)
    if (row['jobUuid'] === set['jobUuid']) return { output: ctx.outputs['record'] as z.infer<typeof before> }
    const old = Object.fromEntries(Object.keys(set).map((field) => [field, row[field] ?? null]))
    const guards = [{ g: 'field' as const, t: 'longJob', k: ctx.input.uuid, field: 'jobUuid', in: [row['jobUuid'] as string] }]
    const ops = [touch(ctx, 'longJob', ctx.input.uuid, set)]
    return { output: { before: old }, change: { guards, ops, facts: [fact(ctx, 'submitted')] } }
  },
  undo: (ctx: Ctx) => {
    const old = (ctx.outputs['record'] as z.infer<typeof before> | undefined)?.before
    const there = ctx.world.graph.get('longJob', ctx.input.uuid)
    return old && there ? { change: { ops: [touch(ctx, 'longJob', ctx.input.uuid, old)] } } : {}
  },
}

const rerun = {
  name: 'start',
  undo: giveUp,
  do: (ctx: Ctx) => {
    const { jobName, jobData } = rowOf(ctx) as { jobName: string; jobData: string }
    return start(ctx, jobName, longCallOf(jobName, jobData).params)
  },
}

export const longJobRerun: Action = {
  workflow: defineWorkflow<Input, World>({ name: 'longJob.rerun', version: 1, input, steps: [again, rerun] }),
  check({ graph, uuid }) {
    const { jobName, jobData } = need(graph, 'longJob', uuid) as { jobName: string; jobData: string }
    const { api, params } = longCallOf(jobName, jobData)
    const secret = secretFields(api).find((field) => params[field] !== undefined)
    if (secret !== undefined)
      throw new SkerryError('long-job-unsupported', `${secret} of this long job is not kept: submit it anew`, { field: secret })
  },
}

const cancelable = ['Waiting', 'Running', 'Canceling']

function checkCancelable(row: Row): void {
  if (cancelable.includes(row['state'] as string)) return
  throw new SkerryError('illegal-state', `long job ${row['name']} is ${row['state']}: it can't be canceled any more`, {
    uuid: row['uuid'],
    state: row['state'],
    allowed: cancelable,
  })
}

/** Takes effect between two steps: what a host is doing is not broken off, because nobody could tell how far it came. */
function asked(ctx: EndCtx) {
  const row = need(ctx.world.graph, 'longJob', ctx.input.uuid)
  checkCancelable(row)
  const { uuid, jobUuid } = row as { uuid: string; jobUuid: string }
  const change: Change = {
    guards: [
      { g: 'field', t: 'longJob', k: uuid, field: 'state', in: cancelable },
      { g: 'exists', t: 'job', k: jobUuid },
    ],
    ops: [
      { o: 'set', t: 'job', k: jobUuid, v: { cancelAsked: true } },
      { o: 'set', t: 'longJob', k: uuid, v: { state: 'Canceling', lastOpDate: ctx.world.now() } },
    ],
    facts: [{ noun: 'longJob', uuid, event: 'canceling' }],
  }
  return { change }
}

export const longJobCancel: Action = {
  workflow: defineWorkflow<Input, World>({
    name: 'longJob.cancel',
    version: 1,
    input,
    steps: [{ name: 'check', noUndo: 'it only looks', do: (ctx: Ctx) => checkCancelable(rowOf(ctx)) }],
    finish: asked,
  }),
}

const resume = {
  name: 'retry',
  noUndo: 'a job that is still stuck stays so',
  do: (ctx: Ctx) => ctx.world.jobs.retry(rowOf(ctx)['jobUuid'] as string),
}

export const longJobResume: Action = {
  workflow: defineWorkflow<Input, World>({ name: 'longJob.resume', version: 1, input, steps: [resume] }),
}

/** One that is no longer under way has left nothing: what failed or was canceled is undone. Only one that is stuck has to be taken back. */
const clean = {
  name: 'clean',
  noUndo: 'a job that is still stuck stays so',
  do: async (ctx: Ctx) => {
    const { state, jobUuid } = rowOf(ctx) as { state: string; jobUuid: string }
    if (state === 'Suspended') await ctx.world.jobs.retry(jobUuid)
  },
}

const longJobClean: Action = {
  workflow: defineWorkflow<Input, World>({ name: 'longJob.clean', version: 1, input, steps: [clean] }),
}

export const longJobs: readonly Action[] = [longJobSubmit, longJobRerun, longJobCancel, longJobResume, longJobClean]
