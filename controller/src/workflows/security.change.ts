/** A change of security groups: rows in one commit, and then the hosts that they concern have it so. */
import { ADMIN_ACCOUNT, type Guard, type Op, type Row } from '@skerry/contract'
import type { Graph } from '@skerry/graph'
import { defineWorkflow, type Step } from '@skerry/workflow'
import { documentKey, projections } from '../desired/project.ts'
import { notThere } from '../identity/decide.ts'
import { maySee } from '../identity/whose.ts'
import { input } from './input.ts'
import { rowsStep } from './rows.step.ts'
import type { Action, Ctx, EndCtx, Input, World } from './world.ts'

interface Changing {
  workflow: string
  check: NonNullable<Action['check']>
  /** asked again after a crash, it gives the same or nothing */
  rows(ctx: Ctx): { ops: Op[]; guards?: Guard[] }
  /** documents that must be in force when the job ends: `noun/uuid` */
  told(ctx: Ctx): string[]
  /** Groups that the call names inside of lists, where the gate of the API does not look: the caller must see them. */
  names?(params: Row): readonly unknown[]
  queueKey?: Action['queueKey']
  subject?: Action['subject']
  finish?(ctx: EndCtx): { result: Row }
}

/**
 * Those that can be waited for: a host that is away, or whose agent can't be told, gets them when it comes back, and must not keep a
 * group from being changed everywhere else.
 */
function reachable({ world: { graph, agents } }: Ctx, names: readonly string[]): string[] {
  return names.filter((name) => {
    const [noun, uuid] = name.split('/') as [string, string]
    const holders = projections.find((p) => p.noun === noun)?.agents(graph, uuid) ?? []
    return (
      holders.length > 0 &&
      holders.every((agent) => agents.alive(agent) && graph.get('desired', documentKey({ agentUuid: agent, noun, uuid })))
    )
  })
}

export const tellHosts = (told: Changing['told']): Step<Input, World> => ({
  name: 'tell-hosts',
  noUndo: 'hosts follow the rows',
  optional: 'the call answers before the hosts have it',
  do: async (ctx: Ctx) => void (await ctx.world.agents.converge(reachable(ctx, told(ctx)), ctx)),
})

function needVisible(graph: Graph, accountUuid: string, uuids: readonly unknown[]): void {
  if (accountUuid === ADMIN_ACCOUNT || graph.get('account', accountUuid)?.['type'] === 'SystemAdmin') return
  for (const k of uuids) {
    const row = typeof k === 'string' ? graph.get('securityGroup', k) : undefined
    if (typeof k === 'string' && (!row || !maySee(graph, accountUuid, 'securityGroup', row)))
      throw notThere('security-group', 'securityGroup', k)
  }
}

export function securityChange({ workflow, check, rows, told, names, queueKey, subject, finish }: Changing): Action {
  return {
    workflow: defineWorkflow<Input, World>({
      name: workflow,
      version: 1,
      input,
      steps: [
        rowsStep('change', (ctx) => {
          needVisible(ctx.world.graph, ctx.input.accountUuid, names?.(ctx.input.params) ?? [])
          return rows(ctx)
        }),
        tellHosts(told),
      ],
      ...(finish ? { finish: (ctx) => finish(ctx as EndCtx) } : {}),
    }),
    check: (given) => {
      if (given.accountUuid !== undefined) needVisible(given.graph, given.accountUuid, names?.(given.params) ?? [])
      check(given)
    },
    ...(queueKey ? { queueKey } : {}),
    ...(subject ? { subject } : {}),
  }
}

/** The group moves with all that belongs to it, so two changes of it never meet unseen. */
export const movesGroup = (ctx: Ctx, uuid: string): { guard: Guard; op: Op } => ({
  guard: { g: 'version', t: 'securityGroup', k: uuid, seq: ctx.world.graph.version('securityGroup', uuid)! },
  op: { o: 'set', t: 'securityGroup', k: uuid, v: { lastOpDate: ctx.world.now() } },
})

/** Documents of a group: its rules, and what its cards need. */
export const documentsOf = (graph: Graph, uuid: unknown): string[] => [
  `securityGroup/${uuid}`,
  ...[...graph.by('vmNicSecurityGroupRef', 'securityGroupUuid', uuid)].map(
    (k) => `nicSecurity/${graph.get('vmNicSecurityGroupRef', k)?.['vmNicUuid']}`,
  ),
]
