/** An access key: its secret goes to the secret store, and only a reference to it into the graph. */
import { randomBytes } from 'node:crypto'
import { type Row, SkerryError } from '@skerry/contract'
import type { Graph } from '@skerry/graph'
import { defineWorkflow } from '@skerry/workflow'
import { input } from './input.ts'
import { type Action, baseRow, type CheckInput, type Ctx, derivedId, type Input, need, type World } from './world.ts'

const idOf = (ctx: Ctx) => (ctx.input.params['AccessKeyID'] as string | undefined) ?? derivedId(ctx, 'id').slice(0, 20)

function checkFree(graph: Graph, id: string): void {
  const [taken] = graph.by('accessKey', 'AccessKeyID', id)
  if (taken) throw new SkerryError('duplicate-name', `access key ${id} exists`, { field: 'AccessKeyID' })
}

const record = {
  name: 'record',
  do: (ctx: Ctx) => {
    const { graph } = ctx.world
    const { uuid, params } = ctx.input
    if (graph.get('accessKey', uuid)) return {}
    const AccessKeyID = idOf(ctx)
    checkFree(graph, AccessKeyID)
    const { accountUuid, userUuid, AccessKeySecret } = params
    const row: Row = { ...baseRow(ctx), name: AccessKeyID, accountUuid, userUuid, AccessKeyID, AccessKeySecret, state: 'Enabled' }
    return {
      change: {
        guards: [
          { g: 'absent' as const, t: 'accessKey', k: uuid },
          { g: 'exists' as const, t: 'account', k: accountUuid as string },
        ],
        ops: [{ o: 'put' as const, t: 'accessKey', k: uuid, v: row }],
        facts: [{ noun: 'accessKey', uuid, event: 'created' }],
      },
    }
  },
  undo: (ctx: Ctx) =>
    ctx.world.graph.get('accessKey', ctx.input.uuid)
      ? { change: { ops: [{ o: 'del' as const, t: 'accessKey', k: ctx.input.uuid }] } }
      : {},
}

export const accessKeyCreate: Action = {
  workflow: defineWorkflow<Input, World>({ name: 'accessKey.create', version: 1, input, steps: [record] }),
  complete: (params) => ({ AccessKeySecret: randomBytes(30).toString('base64url'), ...params }),
  // One at a time: what makes an id unique is that nobody else is making one.
  queueKey: () => 'accessKey',
  check({ graph, params }: CheckInput) {
    need(graph, 'account', params['accountUuid'])
    // A session of an account names it as its user.
    const isUser = graph.get('user', params['userUuid'] as string)?.['accountUuid'] === params['accountUuid']
    if (params['userUuid'] !== params['accountUuid'] && !isUser)
      throw new SkerryError('not-found', `account ${params['accountUuid']} has no user ${params['userUuid']}`, {
        field: 'userUuid',
      })
    if (params['AccessKeyID'] !== undefined) checkFree(graph, params['AccessKeyID'] as string)
  },
}
