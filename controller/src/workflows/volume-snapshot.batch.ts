/** Several snapshots go, one after another, each in a job of its own: what one of them can't costs the others nothing. */
import { type ErrorBody, errors, type Row, SkerryError, toErrorBody } from '@skerry/contract'
import { defineWorkflow, type Step } from '@skerry/workflow'
import { z } from 'zod'
import { input } from './input.ts'
import { type Action, type CheckInput, type Ctx, derivedId, type EndCtx, type Input, need, type World } from './world.ts'

const sizes = z.object({ sizes: z.record(z.string(), z.number()) })
const results = z.object({ results: z.array(z.record(z.string(), z.unknown())) })
const uuidsOf = (params: Row) => params['uuids'] as string[]

const look: Step<Input, World> = {
  name: 'look',
  output: sizes,
  noUndo: 'it only looks',
  do: (ctx: Ctx) => {
    const size = (uuid: string) => (ctx.world.graph.get('volumeSnapshot', uuid)?.['size'] as number | undefined) ?? 0
    return { output: { sizes: Object.fromEntries(uuidsOf(ctx.input.params).map((uuid) => [uuid, size(uuid)])) } }
  },
}

/** What became of one. A job that goes on when nobody waits any more is not known to have failed, so that ends the whole. */
async function deleteOne(ctx: Ctx, uuid: string): Promise<ErrorBody | undefined> {
  const job = derivedId(ctx, `delete/${uuid}`)
  const { deleteMode } = ctx.input.params
  const params = { uuid, ...(deleteMode === undefined ? {} : { deleteMode }) }
  const { accountUuid } = ctx.input
  const timeoutMs = Math.max(1, ctx.remainingMs())
  try {
    await ctx.world.jobs.accept({ jobName: 'APIDeleteVolumeSnapshotMsg', params, accountUuid, jobUuid: job, timeoutMs })
  } catch (error) {
    if (error instanceof SkerryError && errors[error.code].retry !== 'bug') return toErrorBody(error)
    throw error
  }
  return ctx.world.jobs.ended(job, ctx.remainingMs())
}

const deletions: Step<Input, World> = {
  name: 'delete',
  output: results,
  noUndo: 'each deletion is a job of its own',
  do: async (ctx: Ctx) => {
    const all = uuidsOf(ctx.input.params)
    const { sizes: known } = ctx.outputs['look'] as z.infer<typeof sizes>
    const told: Row[] = []
    for (const [n, snapshotUuid] of all.entries()) {
      ctx.progress({ step: 'delete', percent: Math.floor((n * 100) / all.length), at: ctx.world.now() })
      const error = await deleteOne(ctx, snapshotUuid)
      const said = error && { code: errors[error.code].zstack, description: errors[error.code].title, details: error.message }
      told.push({ snapshotUuid, success: !error, ...(said ? { error: said } : { size: known[snapshotUuid] }) })
    }
    return { output: { results: told } }
  },
}

export const volumeSnapshotBatch: Action = {
  workflow: defineWorkflow<Input, World>({
    name: 'volumeSnapshot.batchDelete',
    version: 1,
    input,
    steps: [look, deletions],
    finish: (ctx: EndCtx) => ({ result: ctx.outputs['delete'] as Row }),
  }),
  check({ graph, params }: CheckInput) {
    const all = uuidsOf(params)
    const twice = all.find((uuid, i) => all.indexOf(uuid) !== i)
    if (twice !== undefined)
      throw new SkerryError('invalid-argument', `invalid field[uuids]: it names ${twice} twice`, { field: 'uuids', uuid: twice })
    for (const uuid of all) need(graph, 'volumeSnapshot', uuid)
  },
}
