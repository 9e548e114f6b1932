/** A change of a load balancer: rows in one commit, with its VIP's, and then its router has it so. */
import { type Guard, type Op, type Row, SkerryError } from '@skerry/contract'
import type { Graph } from '@skerry/graph'
import { defineWorkflow, type Step } from '@skerry/workflow'
import { input } from './input.ts'
import { GROUP, LB, LISTENER, NIC_REF, networksOf, nicRefsOf } from './load-balancer.rows.ts'
import { rowsStep } from './rows.step.ts'
import { vipAfter } from './vip.uses.ts'
import { type Action, type CheckInput, type Ctx, type Input, need, type World } from './world.ts'

const GONE_MS = 30_000

/** The load balancer that a call is about: by itself, a listener, a group. */
export function balancerOf(graph: Graph, { table, uuid, params }: Pick<Input, 'table' | 'uuid' | 'params'>): string {
  if (table === LB) return uuid
  return (graph.get(table, uuid)?.['loadBalancerUuid'] ?? params['loadBalancerUuid']) as string
}

export const tellBalancers = (of: (ctx: Ctx) => readonly string[]): Step<Input, World> => ({
  name: 'tell-router',
  noUndo: 'the router follows the rows',
  optional: 'the call answers before the router has it',
  do: async (ctx: Ctx) => {
    const { graph, agents } = ctx.world
    for (const uuid of of(ctx)) {
      const vip = graph.get('vip', (graph.get(LB, uuid)?.['vipUuid'] as string | undefined) ?? '')
      const names = vip ? [`vip/${vip['uuid']}`, `balancer/${uuid}`] : [`balancer/${uuid}`]
      const router = vip?.['servedL3Uuid'] ? [`router/${vip['servedL3Uuid']}`] : []
      await agents.converge([...router, ...names], ctx)
      await agents.gone(names, GONE_MS)
    }
  },
})

/** The operations, and what they mean for the networks that the load balancer serves and for its VIP. */
export function withNetworks(graph: Graph, lbUuid: string, ops: readonly Op[], now: number): Op[] {
  const lb = need(graph, LB, lbUuid)
  const gone = new Set(ops.flatMap((op) => (op.o === 'del' && op.t === NIC_REF ? [op.k] : [])))
  const come = ops.flatMap((op) => (op.o === 'put' && op.t === NIC_REF ? [op.v['vmNicUuid']] : []))
  const stay = nicRefsOf(graph, lbUuid).filter((ref) => !gone.has(ref['uuid'] as string))
  const l3NetworkUuids = networksOf(graph, [...stay.map((ref) => ref['vmNicUuid']), ...come])
  if (JSON.stringify(l3NetworkUuids) === JSON.stringify(lb['l3NetworkUuids'])) return [...ops]
  const vip = need(graph, 'vip', lb['vipUuid'])
  const after = vipAfter(graph, vip, { table: LB, uuid: lbUuid, row: { ...lb, l3NetworkUuids } })
  return [
    ...ops,
    { o: 'set', t: LB, k: lbUuid, v: { l3NetworkUuids, lastOpDate: now } },
    { o: 'set', t: 'vip', k: vip['uuid'] as string, v: after },
  ]
}

interface Changing {
  workflow: string
  check(i: CheckInput): void
  /** asked again after a crash, it gives the same or nothing */
  ops(ctx: Ctx, row: Row): Op[]
}

/** Of a listener or a group that is there; it throws what stands in the way by the time that its turn comes. */
export function balancerChange({ workflow, check, ops }: Changing): Action {
  return {
    workflow: defineWorkflow<Input, World>({
      name: workflow,
      version: 1,
      input,
      steps: [
        rowsStep('change', (ctx) => {
          const { graph, now } = ctx.world
          const { table, uuid, params } = ctx.input
          // repeated after a crash: it is done
          if (ctx.outputs['change'] !== undefined) return { ops: [] }
          check({ graph, params, uuid, table })
          const lb = balancerOf(graph, ctx.input)
          const made = withNetworks(graph, lb, ops(ctx, need(graph, table, uuid)), now())
          const there: Guard[] = [
            { g: 'exists', t: LB, k: lb },
            ...made.flatMap((op): Guard[] =>
              op.o === 'put' && typeof op.v['vmNicUuid'] === 'string' ? [{ g: 'exists', t: 'vmNic', k: op.v['vmNicUuid'] }] : [],
            ),
          ]
          return { ops: made, guards: there }
        }),
        tellBalancers((ctx) => [balancerOf(ctx.world.graph, ctx.input)]),
      ],
    }),
    check,
    queueKey: (i, graph) => balancerOf(graph, i) ?? i.uuid,
  }
}

/** Of that load balancer. */
export function needGroup(graph: Graph, uuid: unknown, lb: unknown): Row {
  const group = need(graph, GROUP, uuid)
  if (group['loadBalancerUuid'] === lb) return group
  throw new SkerryError('invalid-argument', `server group ${group['name']} is of another load balancer`, {
    ...{ field: 'serverGroupUuid', uuid, loadBalancerUuid: group['loadBalancerUuid'] },
  })
}
export const needListener = (graph: Graph, uuid: unknown): Row => need(graph, LISTENER, uuid)
