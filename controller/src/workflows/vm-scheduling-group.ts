/** Groups of VM scheduling rules and who is in them. Where members are is settled when they are placed (place/scheduling-rules.ts). */
import { type Guard, type Op, type Row, SkerryError } from '@skerry/contract'
import type { Graph } from '@skerry/graph'
import { defineWorkflow } from '@skerry/workflow'
import { notThere } from '../identity/decide.ts'
import { brokenBy, isHostOf, membersOf, moves, refKey, rulesOf, schedulingGroupsIn, unmoved } from '../place/scheduling-rules.ts'
import { input } from './input.ts'
import { creation } from './resource.create.ts'
import { type Action, type Ctx, type Input, need, type World } from './world.ts'

interface Both {
  guards: Guard[]
  ops: Op[]
}

const groupCreate = (table: string, more: Row): Action =>
  creation({
    workflow: `${table}.create`,
    table,
    row: ({ input: { params } }) => ({ zoneUuid: params['zoneUuid'], ...more }),
    parents: { zoneUuid: 'zone' },
  })

/** Of a commit that changes what holds for these groups: no member is placed, joins or comes under a rule in the same moment. */
export function holding(graph: Graph, vmGroups: readonly string[]): Both {
  const vms = [...new Map(vmGroups.flatMap((k) => membersOf(graph, k)).map((vm) => [vm['uuid'] as string, vm])).values()]
  const where = vms.map(
    (vm): Guard => ({
      g: 'field',
      t: 'vmInstance',
      k: vm['uuid'] as string,
      field: 'hostUuid',
      in: [(vm['hostUuid'] as string | null) ?? null],
    }),
  )
  return { guards: [...vmGroups.map((k) => unmoved(graph, k)), ...where], ops: vmGroups.map(moves) }
}

/** Members of one kind of group. */
interface Membership {
  /** table of the group */
  group: 'vmSchedulingRuleGroup' | 'hostSchedulingRuleGroup'
  /** table of who is in it */
  ref: 'vmSchedulingRuleGroupRef' | 'hostSchedulingRuleGroupRef'
  /** parameters, which are fields of `ref` */
  groupParam: 'vmGroupUuid' | 'hostGroupUuid'
  memberParam: 'vmUuid' | 'hostUuid'
  member: 'vmInstance' | 'host'
  verbs: { add: string; detach: string }
  /** why it can't be in the group (`joins`), or can't leave it; undefined: it can */
  problem(graph: Graph, group: string, member: Readonly<Row>, joins: boolean): string | undefined
  /** what must not change beside */
  held(graph: Graph, group: string, member: Readonly<Row>): Both
}

function refOp({ ref, groupParam, memberParam }: Membership, group: string, member: string, now: number): Op {
  const k = refKey(group, member)
  const v = { uuid: k, name: k, [groupParam]: group, [memberParam]: member, createDate: now, lastOpDate: now }
  return { o: 'put', t: ref, k, v }
}

const VMS: Membership = {
  group: 'vmSchedulingRuleGroup',
  ref: 'vmSchedulingRuleGroupRef',
  groupParam: 'vmGroupUuid',
  memberParam: 'vmUuid',
  member: 'vmInstance',
  verbs: { add: 'addVm', detach: 'detachVm' },
  problem(graph, group, vm, joins) {
    if (!joins || typeof vm['hostUuid'] !== 'string') return undefined
    const members = [...membersOf(graph, group), vm]
    return broken(rulesOf(graph, 'vmGroupUuid', group), (rule) => ({
      members,
      isHost: (host) => isHostOf(graph, rule['hostGroupUuid'], host),
    }))
  },
  held: (graph, group, vm) => ({
    guards: [
      unmoved(graph, group),
      {
        g: 'field',
        t: 'vmInstance',
        k: vm['uuid'] as string,
        field: 'hostUuid',
        in: [(vm['hostUuid'] as string | null) ?? null],
      },
    ],
    ops: [moves(group)],
  }),
}

const HOSTS: Membership = {
  group: 'hostSchedulingRuleGroup',
  ref: 'hostSchedulingRuleGroupRef',
  groupParam: 'hostGroupUuid',
  memberParam: 'hostUuid',
  member: 'host',
  verbs: { add: 'addHost', detach: 'detachHost' },
  problem(graph, group, host, joins) {
    return broken(rulesOf(graph, 'hostGroupUuid', group), (rule) => ({
      members: membersOf(graph, rule['vmGroupUuid']),
      isHost: (uuid) => (uuid === host['uuid'] ? joins : isHostOf(graph, group, uuid)),
    }))
  },
  held(graph, group) {
    const rules = [...graph.by('vmSchedulingRule', 'hostGroupUuid', group)].map((k) => graph.get('vmSchedulingRule', k)!)
    return holding(graph, [...new Set(rules.map((rule) => rule['vmGroupUuid'] as string))])
  },
}

type HeldOf = (rule: Readonly<Row>) => Parameters<typeof brokenBy>[1]

/** The first hard rule that would be broken, in words. */
const broken = (rules: readonly Readonly<Row>[], heldOf: HeldOf): string | undefined =>
  rules
    .filter((rule) => rule['mode'] === 'HARD')
    .map((rule) => brokenBy(rule, heldOf(rule)))
    .find((problem) => problem !== undefined)

function needFree(m: Membership, graph: Graph, [group, member]: [string, string], joins: boolean): void {
  const row = need(graph, m.member, member)
  const of = need(graph, m.group, group)
  const foreign = joins && row['zoneUuid'] && row['zoneUuid'] !== of['zoneUuid']
  const problem = foreign
    ? `group ${of['name']} is of another zone than ${m.member} ${row['name']}`
    : m.problem(graph, group, row, joins)
  if (problem) throw new SkerryError('illegal-state', problem, { [m.groupParam]: group, [m.memberParam]: member })
}

const at = (m: Membership, { input: { uuid, params } }: Pick<Ctx, 'input'>): [string, string] => [
  uuid,
  params[m.memberParam] as string,
]

function dropped(m: Membership, ctx: Pick<Ctx, 'input' | 'world'>): Op[] {
  const k = refKey(...at(m, ctx))
  return ctx.world.graph.get(m.ref, k) ? [{ o: 'del', t: m.ref, k }] : []
}

const fact = (m: Membership, ctx: Pick<Ctx, 'input'>, verb: string) => {
  const [group, member] = at(m, ctx)
  return { noun: m.group, uuid: group, event: verb, data: { [m.memberParam]: member } }
}

function adding(m: Membership): Action {
  return {
    workflow: defineWorkflow<Input, World>({
      name: `${m.group}.${m.verbs.add}`,
      version: 1,
      input,
      steps: [
        {
          name: 'add',
          do: (ctx: Ctx) => {
            const { graph, now } = ctx.world
            const [group, member] = at(m, ctx)
            const k = refKey(group, member)
            if (graph.get(m.ref, k)) return {}
            needFree(m, graph, [group, member], true)
            const held = m.held(graph, group, need(graph, m.member, member))
            return {
              change: {
                guards: [{ g: 'absent', t: m.ref, k }, { g: 'exists', t: m.group, k: group }, ...held.guards],
                ops: [refOp(m, group, member, now()), ...held.ops],
                facts: [fact(m, ctx, `${m.member}-added`)],
              },
            }
          },
          undo: (ctx: Ctx) => {
            const ops = dropped(m, ctx)
            return ops.length > 0 ? { change: { ops } } : {}
          },
        },
      ],
    }),
    check({ graph, uuid, params }) {
      const member = params[m.memberParam] as string
      need(graph, m.member, member)
      if (graph.get(m.ref, refKey(uuid, member)))
        throw new SkerryError('illegal-state', `this ${m.member} is in this group already`, { [m.memberParam]: member })
      needFree(m, graph, [uuid, member], true)
    },
  }
}

function detaching(m: Membership): Action {
  return {
    workflow: defineWorkflow<Input, World>({
      name: `${m.group}.${m.verbs.detach}`,
      version: 1,
      input,
      steps: [{ name: 'look', noUndo: 'it only looks', do: () => ({}) }],
      finish: (ctx) => {
        const ops = dropped(m, ctx)
        if (ops.length === 0) return {}
        const { graph } = ctx.world
        const [group, member] = at(m, ctx)
        needFree(m, graph, [group, member], false)
        const held = m.held(graph, group, need(graph, m.member, member))
        return { change: { guards: held.guards, ops: [...ops, ...held.ops], facts: [fact(m, ctx, `${m.member}-detached`)] } }
      },
    }),
    check({ graph, uuid, params }) {
      const member = params[m.memberParam] as string
      need(graph, m.member, member)
      if (!graph.get(m.ref, refKey(uuid, member)))
        throw new SkerryError('illegal-state', `this ${m.member} is not in this group`, { [m.memberParam]: member })
      needFree(m, graph, [uuid, member], false)
    },
  }
}

/** A VM that is being created joins the groups of its tags. What another account has is as if it weren't there. */
export function joiningScheduling({ world: { graph, now }, input: { uuid, params, accountUuid } }: Ctx): Both {
  const keys = schedulingGroupsIn((params['systemTags'] as string[] | undefined) ?? [])
  const admin = graph.get('account', accountUuid)?.['type'] === 'SystemAdmin'
  for (const k of keys) {
    const group = graph.get('vmSchedulingRuleGroup', k)
    if (!group || (!admin && group['ownerUuid'] !== accountUuid))
      throw notThere('vm-scheduling-group', 'vmSchedulingRuleGroup', k)
  }
  return {
    guards: keys.map((k) => unmoved(graph, k)),
    ops: keys.flatMap((k) => [refOp(VMS, k, uuid, now()), moves(k)]),
  }
}

export const vmSchedulingGroups: readonly Action[] = [
  groupCreate('vmSchedulingRuleGroup', { appliance: 'CUSTOMER' }),
  groupCreate('hostSchedulingRuleGroup', {}),
  ...[VMS, HOSTS].flatMap((m) => [adding(m), detaching(m)]),
]
