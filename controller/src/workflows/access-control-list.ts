/** Lists of addresses that listeners ask: a change of one is a change of every load balancer that has it. */
import { type Row, SkerryError } from '@skerry/contract'
import type { Graph } from '@skerry/graph'
import { defineWorkflow } from '@skerry/workflow'
import { ENTRY, networksIn, networksOfAcl } from '../place/acl-networks.ts'
import { input } from './input.ts'
import { tellBalancers } from './load-balancer.change.ts'
import { ACL_REF, LISTENER, rowsBy } from './load-balancer.rows.ts'
import { creation } from './resource.create.ts'
import { rowsStep } from './rows.step.ts'
import { type Action, type CheckInput, type Input, need, type World } from './world.ts'

const ACL = 'accessControlList'
/** Of one list, as networks: a document holds all lists of a load balancer. */
const MAX_NETWORKS = 100

/** Load balancers that have it. */
const balancersOf = (graph: Graph, acl: unknown): string[] => [
  ...new Set(
    rowsBy(graph, ACL_REF, 'aclUuid', acl).map(
      (ref) => graph.get(LISTENER, ref['listenerUuid'] as string)!['loadBalancerUuid'] as string,
    ),
  ),
]

function checkAdd({ graph, params }: Pick<CheckInput, 'graph' | 'params'>): void {
  need(graph, ACL, params['aclUuid'])
  const count = networksOfAcl(graph, params['aclUuid']).length + networksIn(params['entries'] as string).length
  if (count > MAX_NETWORKS)
    throw new SkerryError('illegal-state', `a list holds at most ${MAX_NETWORKS} networks; with these it would hold ${count}`, {
      field: 'entries',
    })
}

const adding: Action = {
  workflow: defineWorkflow<Input, World>({
    name: 'accessControlListEntry.create',
    version: 1,
    input,
    steps: [
      rowsStep('change', (ctx) => {
        const { params, uuid } = ctx.input
        if (ctx.outputs['change'] !== undefined) return { ops: [] }
        checkAdd({ graph: ctx.world.graph, params })
        const now = ctx.world.now()
        const { aclUuid, entries: ipEntries, description = null } = params
        const v: Row = { uuid, name: uuid, description, aclUuid, type: 'IpEntry', ipEntries, createDate: now, lastOpDate: now }
        return { guards: [{ g: 'exists', t: ACL, k: aclUuid as string }], ops: [{ o: 'put', t: ENTRY, k: uuid, v }] }
      }),
      tellBalancers((ctx) => balancersOf(ctx.world.graph, ctx.input.params['aclUuid'])),
    ],
  }),
  check(i) {
    if (i.graph.get(ENTRY, i.uuid))
      throw new SkerryError('duplicate-uuid', `an entry with uuid ${i.uuid} exists`, { uuid: i.uuid })
    checkAdd(i)
  },
  queueKey: (i) => i.params['aclUuid'] as string,
}

function needEntry({ graph, params, uuid }: Pick<CheckInput, 'graph' | 'params' | 'uuid'>): void {
  const entry = need(graph, ENTRY, uuid)
  if (entry['aclUuid'] !== params['aclUuid'])
    throw new SkerryError('not-found', `list ${params['aclUuid']} has no entry ${uuid}`, { uuid, aclUuid: params['aclUuid'] })
}

const removing: Action = {
  workflow: defineWorkflow<Input, World>({
    name: 'accessControlListEntry.remove',
    version: 1,
    input,
    steps: [
      rowsStep('change', (ctx) => {
        const { uuid, params } = ctx.input
        if (ctx.outputs['change'] !== undefined) return { ops: [] }
        needEntry({ graph: ctx.world.graph, params, uuid })
        return { ops: [{ o: 'del', t: ENTRY, k: uuid }] }
      }),
      tellBalancers((ctx) => balancersOf(ctx.world.graph, ctx.input.params['aclUuid'])),
    ],
  }),
  check: needEntry,
  queueKey: (i) => i.params['aclUuid'] as string,
}

export const accessControlListActions: readonly Action[] = [
  creation({ workflow: 'accessControlList.create', table: ACL, row: () => ({ ipVersion: 4 }) }),
  adding,
  removing,
]
