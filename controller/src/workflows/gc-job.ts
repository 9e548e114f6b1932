/** What an agent that was away has to remove: told once more, or given up. */
import { type Op, type Row, SkerryError } from '@skerry/contract'
import type { Graph } from '@skerry/graph'
import { defineWorkflow } from '@skerry/workflow'
import { z } from 'zod'
import { tombstoneOf } from '../gc/jobs.ts'
import { input } from './input.ts'
import { type Action, type Ctx, type Input, need, type World } from './world.ts'

/** How long the caller waits for an agent that is there. */
const WAIT_MS = 30_000

function needAlive(alive: boolean, row: Readonly<Row>): void {
  if (alive) return
  const details = { agentUuid: row['agentUuid'], hostUuid: row['hostUuid'] }
  throw new SkerryError('agent-unreachable', `${row['name']}: its agent is away, and does it when it is back`, details)
}

function needPending(graph: Graph, uuid: string): Row {
  const row = need(graph, 'gcJob', uuid)
  if (tombstoneOf(graph, row)) return row
  const message = `${row['name']} is done: there is nothing to remove any more`
  throw new SkerryError('illegal-state', message, { uuid, state: 'Done', allowed: ['Idle', 'Processing'] })
}

async function tellAgain(ctx: Ctx): Promise<void> {
  const { graph, agents } = ctx.world
  const row = graph.get('gcJob', ctx.input.uuid)
  const key = row && tombstoneOf(graph, row)
  if (!row || !key) return
  needAlive(agents.alive(row['agentUuid'] as string), row)
  const name = key.slice(key.indexOf('/') + 1)
  await agents.remind([name])
  if ((await agents.gone([name], WAIT_MS)) || !tombstoneOf(graph, row)) return
  needAlive(agents.alive(row['agentUuid'] as string), row)
  const details = { agentUuid: row['agentUuid'], hostUuid: row['hostUuid'], key }
  throw new SkerryError(
    'agent-timeout',
    `${row['name']}: its agent was told, and has not done it in ${WAIT_MS / 1000} s`,
    details,
  )
}

const held = z.object({ rows: z.array(z.object({ t: z.string(), k: z.string(), v: z.record(z.string(), z.unknown()) })) })

/** The row and its tombstone: without it the agent keeps what it has, and what nobody wants is an orphan. */
function given(ctx: Ctx): z.infer<typeof held> {
  const { graph } = ctx.world
  const { uuid } = ctx.input
  const row = graph.get('gcJob', uuid)
  const key = row && tombstoneOf(graph, row)
  return {
    rows: [
      ...(row ? [{ t: 'gcJob', k: uuid, v: { ...row } }] : []),
      ...(key ? [{ t: 'desired', k: key, v: { ...graph.get('desired', key)! } }] : []),
    ],
  }
}

export const gcJobs: readonly Action[] = [
  {
    workflow: defineWorkflow<Input, World>({
      name: 'gcJob.trigger',
      version: 1,
      input,
      steps: [{ name: 'tell', noUndo: 'what is removed was deleted before', do: tellAgain }],
    }),
    check: ({ graph, uuid }) => void needPending(graph, uuid),
  },
  {
    workflow: defineWorkflow<Input, World>({
      name: 'gcJob.delete',
      version: 1,
      input,
      steps: [
        {
          name: 'give-up',
          output: held,
          do: (ctx: Ctx) => {
            const output = (ctx.outputs['give-up'] as z.infer<typeof held> | undefined) ?? given(ctx)
            const ops = output.rows.flatMap(({ t, k }): Op[] => (ctx.world.graph.get(t, k) ? [{ o: 'del', t, k }] : []))
            const facts = [{ noun: 'gcJob', uuid: ctx.input.uuid, event: 'deleted' }]
            return { output, ...(ops.length > 0 ? { change: { ops, facts } } : {}) }
          },
          undo: (ctx: Ctx) => {
            const rows = (ctx.outputs['give-up'] as z.infer<typeof held> | undefined)?.rows ?? []
            const ops = rows.flatMap(({ t, k, v }): Op[] => (ctx.world.graph.get(t, k) ? [] : [{ o: 'put', t, k, v }]))
            return ops.length > 0 ? { change: { ops } } : {}
          },
        },
      ],
    }),
  },
]
