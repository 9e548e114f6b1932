/** VM scheduling rules. One that is hard comes to hold only while no VM breaks it, so that what it says is always so. */
import { type Guard, type Row, SkerryError } from '@skerry/contract'
import type { Graph } from '@skerry/graph'
import { defineWorkflow } from '@skerry/workflow'
import { brokenBy, isHostOf, membersOf } from '../place/scheduling-rules.ts'
import { input } from './input.ts'
import { rowsStep } from './rows.step.ts'
import { holding } from './vm-scheduling-group.ts'
import { type Action, baseRow, type Ctx, type Input, need, touch, type World } from './world.ts'

const policyOf = (mode: unknown) => (mode === 'HARD' ? 'antiHard' : 'antiSoft')

/** Throws where the rule, as it would be, is hard and in force, and VMs that are on hosts now break it. */
function needKept(graph: Graph, rule: Readonly<Row>): void {
  if (rule['mode'] !== 'HARD' || rule['state'] !== 'Enabled') return
  const problem = brokenBy(rule, {
    members: membersOf(graph, rule['vmGroupUuid']),
    isHost: (host) => isHostOf(graph, rule['hostGroupUuid'], host),
  })
  if (problem) throw new SkerryError('illegal-state', problem, { vmSchedulingRuleUuid: rule['uuid'] })
}

function asked(graph: Graph, params: Row): Row {
  const group = need(graph, 'vmSchedulingRuleGroup', params['vmGroupUuid'])
  const hosts = params['hostGroupUuid'] ? need(graph, 'hostSchedulingRuleGroup', params['hostGroupUuid']) : undefined
  const zoneUuid = params['zoneUuid'] ?? group['zoneUuid']
  for (const one of hosts ? [group, hosts] : [group])
    if (one['zoneUuid'] !== zoneUuid)
      throw new SkerryError('invalid-argument', `group ${one['name']} is of another zone than the rule`, {
        zoneUuid,
        groupUuid: one['uuid'],
      })
  const { rule, mode, vmGroupUuid } = params
  const policy = params['policy'] ?? policyOf(mode)
  if (policy !== policyOf(mode))
    throw new SkerryError('invalid-argument', `a rule whose mode is ${mode} has the policy ${policyOf(mode)}, or leave it out`, {
      field: 'policy',
    })
  const of = { vmGroupUuid, hostGroupUuid: params['hostGroupUuid'] ?? null }
  return { rule, mode, ...of, policy, type: 'host', version: '1.0', appliance: 'CUSTOMER', zoneUuid, state: 'Enabled' }
}

/** A step that gives the rule these fields. A version of its group that has moved since makes it look again. */
const changing = (name: string, fieldsOf: (ctx: Ctx) => Row) =>
  rowsStep(name, (ctx) => {
    const { graph } = ctx.world
    const rule = need(graph, 'vmSchedulingRule', ctx.input.uuid)
    const set = fieldsOf(ctx)
    needKept(graph, { ...rule, ...set })
    const held = holding(graph, [rule['vmGroupUuid'] as string])
    return { guards: held.guards, ops: [touch(ctx, 'vmSchedulingRule', ctx.input.uuid, set), ...held.ops] }
  })

const stateOf = (params: Row) => (params['state'] === 'enable' ? 'Enabled' : 'Disabled')

function fieldsIn(params: Row): Row {
  const { name, description, mode } = params
  const given = Object.entries({ name, description, mode }).filter(([, value]) => value !== undefined)
  return { ...Object.fromEntries(given), ...(mode === undefined ? {} : { policy: policyOf(mode) }) }
}

const workflow = (name: string, step: ReturnType<typeof changing>) =>
  defineWorkflow<Input, World>({ name, version: 1, input, steps: [step] })

const create: Action = {
  workflow: workflow(
    'vmSchedulingRule.create',
    rowsStep('create', (ctx) => {
      const { graph } = ctx.world
      const k = ctx.input.uuid
      if (graph.get('vmSchedulingRule', k)) return { ops: [] }
      const v: Row = { ...baseRow(ctx), ...asked(graph, ctx.input.params) }
      needKept(graph, v)
      const held = holding(graph, [v['vmGroupUuid'] as string])
      const host: Guard[] = v['hostGroupUuid']
        ? [{ g: 'exists', t: 'hostSchedulingRuleGroup', k: v['hostGroupUuid'] as string }]
        : []
      const guards: Guard[] = [{ g: 'absent', t: 'vmSchedulingRule', k }, ...held.guards, ...host]
      return { guards, ops: [{ o: 'put', t: 'vmSchedulingRule', k, v }, ...held.ops] }
    }),
  ),
  check({ graph, uuid, params }) {
    if (graph.get('vmSchedulingRule', uuid))
      throw new SkerryError('duplicate-uuid', `a vmSchedulingRule with uuid ${uuid} exists`, { uuid })
    needKept(graph, { name: params['name'] as string, ...asked(graph, params) })
  },
}

export const vmSchedulingRules: readonly Action[] = [
  create,
  {
    workflow: workflow(
      'vmSchedulingRule.update',
      changing('update', ({ input: { params } }) => fieldsIn(params)),
    ),
    check: ({ graph, uuid, params }) => needKept(graph, { ...need(graph, 'vmSchedulingRule', uuid), ...fieldsIn(params) }),
  },
  {
    workflow: workflow(
      'vmSchedulingRule.changeState',
      changing('change-state', ({ input: { params } }) => ({ state: stateOf(params) })),
    ),
    check: ({ graph, uuid, params }) => needKept(graph, { ...need(graph, 'vmSchedulingRule', uuid), state: stateOf(params) }),
  },
]
