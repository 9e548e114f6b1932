/** Load balancers, and groups of servers. */
import { type Row, SkerryError } from '@skerry/contract'
import { defineWorkflow } from '@skerry/workflow'
import { input } from './input.ts'
import { tellBalancers } from './load-balancer.change.ts'
import { listenerActions, needShared } from './load-balancer.listener.ts'
import { GROUP, LB } from './load-balancer.rows.ts'
import { deletion } from './resource.delete.ts'
import { rowsStep } from './rows.step.ts'
import { needVipFor } from './vip.check.ts'
import { vipAfter } from './vip.uses.ts'
import { type Action, baseRow, type CheckInput, type Input, need, needEnabled, type World } from './world.ts'

function checkCreate({ graph, params, uuid }: Pick<CheckInput, 'graph' | 'params' | 'uuid'>): Row {
  if (params['vipUuid'] === undefined)
    throw new SkerryError('invalid-argument', 'a load balancer needs a VIP', { field: 'vipUuid' })
  return needVipFor(graph, params['vipUuid'], LB, uuid)
}

const creating: Action = {
  workflow: defineWorkflow<Input, World>({
    name: 'loadBalancer.create',
    version: 1,
    input,
    steps: [
      rowsStep('change', (ctx) => {
        const { graph } = ctx.world
        const { uuid, params } = ctx.input
        if (ctx.outputs['change'] !== undefined) return { ops: [] }
        const vip = checkCreate({ graph, params, uuid })
        const k = vip['uuid'] as string
        const row = { ...baseRow(ctx), vipUuid: k, vipIp: vip['ip'], state: 'Enabled', type: 'Shared', l3NetworkUuids: [] }
        const after = vipAfter(graph, vip, { table: LB, uuid, row })
        return {
          guards: [{ g: 'version', t: 'vip', k, seq: graph.version('vip', k)! }],
          ops: [
            { o: 'put', t: LB, k: uuid, v: row },
            { o: 'set', t: 'vip', k, v: after },
          ],
        }
      }),
    ],
  }),
  check(i) {
    if (i.graph.get(LB, i.uuid))
      throw new SkerryError('duplicate-uuid', `a load balancer with uuid ${i.uuid} exists`, { uuid: i.uuid })
    checkCreate(i)
  },
  queueKey: (i) => i.params['vipUuid'] as string,
}

const refresh: Action = {
  workflow: defineWorkflow<Input, World>({
    name: 'loadBalancer.refresh',
    version: 1,
    input,
    steps: [tellBalancers((ctx) => [ctx.input.uuid])],
  }),
}

const groupCreate: Action = balancerGroup()
function balancerGroup(): Action {
  const check = ({ graph, params, uuid }: Pick<CheckInput, 'graph' | 'params' | 'uuid'>) => {
    if (graph.get(GROUP, uuid)) throw new SkerryError('duplicate-uuid', `a server group with uuid ${uuid} exists`, { uuid })
    needEnabled(graph, LB, params['loadBalancerUuid'])
  }
  return {
    workflow: defineWorkflow<Input, World>({
      name: 'loadBalancerServerGroup.create',
      version: 1,
      input,
      steps: [
        rowsStep('change', (ctx) => {
          if (ctx.outputs['change'] !== undefined) return { ops: [] }
          check({ graph: ctx.world.graph, params: ctx.input.params, uuid: ctx.input.uuid })
          const { loadBalancerUuid } = ctx.input.params
          const v = { ...baseRow(ctx), loadBalancerUuid, ipVersion: 4, listenerUuid: null }
          return {
            guards: [{ g: 'exists', t: LB, k: loadBalancerUuid as string }],
            ops: [{ o: 'put', t: GROUP, k: ctx.input.uuid, v }],
          }
        }),
      ],
    }),
    check,
    queueKey: (i) => i.params['loadBalancerUuid'] as string,
  }
}

const groupDelete: Action = (() => {
  const plain = deletion('loadBalancerServerGroup.delete')
  return {
    ...plain,
    check(i: CheckInput) {
      needShared(need(i.graph, GROUP, i.uuid))
      plain.check?.(i)
    },
  }
})()

export const loadBalancerActions: readonly Action[] = [
  creating,
  refresh,
  deletion('loadBalancer.delete'),
  ...listenerActions,
  groupCreate,
  groupDelete,
]
