/** Security groups and their rules. */
import { type Guard, type Op, type Row, SkerryError } from '@skerry/contract'
import type { Graph } from '@skerry/graph'
import { inOrder, rulesOf } from '../desired/security-group.ts'
import { creation } from './resource.create.ts'
import { documentsOf, movesGroup, securityChange } from './security.change.ts'
import { DEFAULT_PRIORITY, LAST, needNew, needRoom, type RuleFields, ruleFields } from './security.rule.ts'
import { type Action, type CheckInput, type Ctx, derivedId, need, touch } from './world.ts'

const RULE = 'securityGroupRule'

function ruleRow(ctx: Ctx, uuid: string, fields: Row): Op {
  const now = ctx.world.now()
  const legacy = { srcPortRange: null, allowedCidr: null, startPort: null, endPort: null }
  return {
    o: 'put',
    t: RULE,
    k: uuid,
    v: { uuid, name: uuid, description: null, ...legacy, ...fields, createDate: now, lastOpDate: now },
  }
}

/** The members of a group reach each other, in both families. */
function defaultRules(ctx: Ctx, group: string): Op[] {
  return (['Ingress', 'Egress'] as const).flatMap((type) =>
    ([4, 6] as const).map((ipVersion) => {
      const fields: RuleFields = {
        ...{ type, ipVersion, protocol: 'ALL', srcIpRange: null, dstIpRange: null, dstPortRange: null, action: 'ACCEPT' },
        remoteSecurityGroupUuid: group,
      }
      const more = { securityGroupUuid: group, state: 'Enabled', priority: DEFAULT_PRIORITY }
      return ruleRow(ctx, derivedId(ctx, `default/${type}/${ipVersion}`), { ...fields, ...more })
    }),
  )
}

const creating = creation({
  workflow: 'securityGroup.create',
  table: 'securityGroup',
  row: ({ input: { params } }) => ({ state: 'Enabled', ipVersion: params['ipVersion'] ?? 4, attachedL3NetworkUuids: [] }),
  also: (ctx) => defaultRules(ctx, ctx.input.uuid),
})

const told = ({ world: { graph }, input: { uuid } }: Ctx) => documentsOf(graph, uuid)

const changeState = securityChange({
  workflow: 'securityGroup.changeState',
  check: ({ graph, uuid }) => void need(graph, 'securityGroup', uuid),
  rows: (ctx) => ({
    ops: [
      touch(ctx, 'securityGroup', ctx.input.uuid, {
        state: ctx.input.params['stateEvent'] === 'enable' ? 'Enabled' : 'Disabled',
      }),
    ],
  }),
  told,
})

/** Rules of one direction that may be moved, in their order. */
const movable = (graph: Graph, group: unknown, type: unknown): Readonly<Row>[] =>
  rulesOf(graph, group)
    .filter((rule) => rule['type'] === type && rule['priority'] !== DEFAULT_PRIORITY)
    .sort(inOrder)

/** Numbers from 1 without gaps; only what moves is written. */
const numbered = (ctx: Ctx, order: readonly Readonly<Row>[]): Op[] =>
  order.flatMap((rule, at) =>
    rule['priority'] === at + 1 ? [] : [touch(ctx, RULE, rule['uuid'] as string, { priority: at + 1 })],
  )

/** Rules as a call gives them; each group that it names besides makes another of each. */
function givenRules(graph: Graph, group: Readonly<Row>, params: Row): Row[] {
  const rules = params['rules'] as Row[]
  const remotes = (params['remoteSecurityGroupUuids'] as string[] | undefined) ?? []
  const all: Row[] =
    remotes.length > 0 ? rules.flatMap((rule) => remotes.map((r) => ({ ...rule, remoteSecurityGroupUuid: r }))) : rules
  return all.map((rule) => ({
    ...ruleFields(graph, group, rule),
    state: rule['state'] ?? 'Enabled',
    description: rule['description'] ?? null,
  }))
}

/** From 1 to one behind the last of its direction; −1: that. */
function placeOf(count: number, priority: number): number {
  if (priority === LAST) return count
  if (priority >= 1 && priority <= count + 1) return priority - 1
  const message = `priority must be ${LAST} (behind all others) or 1 to ${count + 1}`
  throw new SkerryError('invalid-argument', message, { field: 'priority', priority })
}

const priorityOf = (params: Row) => (params['priority'] as number | undefined) ?? LAST

const addRules = securityChange({
  workflow: 'securityGroup.addRules',
  names: (params) => (params['rules'] as Row[]).map((rule) => rule['remoteSecurityGroupUuid']),
  check({ graph, uuid, params }) {
    const group = need(graph, 'securityGroup', uuid)
    const rules = givenRules(graph, group, params)
    for (const [at, rule] of rules.entries()) {
      needNew(graph, uuid, rule)
      const same = (other: Row) =>
        JSON.stringify({ ...other, state: '', description: '' }) === JSON.stringify({ ...rule, state: '', description: '' })
      if (rules.findIndex(same) < at) throw new SkerryError('invalid-argument', 'a rule is given twice', { field: 'rules' })
      placeOf(movable(graph, uuid, rule['type']).length, priorityOf(params))
    }
    needRoom(graph, uuid, rules)
  },
  rows(ctx) {
    const { graph } = ctx.world
    const { uuid, params } = ctx.input
    const ids = (at: number) => derivedId(ctx, `rule/${at}`)
    if (graph.get(RULE, ids(0))) return { ops: [] }
    const rules = givenRules(graph, need(graph, 'securityGroup', uuid), params)
    needRoom(graph, uuid, rules)
    const { guard, op } = movesGroup(ctx, uuid)
    const ops = ['Ingress', 'Egress'].flatMap((type) => {
      const fresh = rules.map((rule, at) => ({ ...rule, uuid: ids(at) }) as Row).filter((rule) => rule['type'] === type)
      if (fresh.length === 0) return []
      const there = movable(graph, uuid, type)
      const place = placeOf(there.length, priorityOf(params))
      const behind = there.slice(place)
      return [
        ...numbered(ctx, there.slice(0, place)),
        ...fresh.map((rule, at) =>
          ruleRow(ctx, rule['uuid'] as string, { ...rule, securityGroupUuid: uuid, priority: place + at + 1 }),
        ),
        ...behind.flatMap((rule, at) => {
          const priority = place + fresh.length + at + 1
          return rule['priority'] === priority ? [] : [touch(ctx, RULE, rule['uuid'] as string, { priority })]
        }),
      ]
    })
    const remotes = [...new Set(rules.flatMap((rule) => (rule['remoteSecurityGroupUuid'] as string | null) ?? []))]
    return {
      guards: [guard, ...remotes.filter((k) => k !== uuid).map((k): Guard => ({ g: 'exists', t: 'securityGroup', k }))],
      ops: [...ops, op],
    }
  },
  told,
})

/** All of one group; the rules that it was made with can be switched off, and nothing else. */
function needRules(graph: Graph, uuids: readonly string[], may: { group?: unknown; defaults?: boolean }): Row[] {
  const rules = [...new Set(uuids)].map((k) => need(graph, RULE, k))
  const group = may.group ?? rules[0]?.['securityGroupUuid']
  const stranger = rules.find((rule) => rule['securityGroupUuid'] !== group)
  if (stranger)
    throw new SkerryError('invalid-argument', `rule ${stranger['uuid']} is of another security group`, { field: 'ruleUuids' })
  const fixed = rules.find((rule) => rule['priority'] === DEFAULT_PRIORITY)
  if (fixed && !may.defaults)
    throw new SkerryError(
      'illegal-state',
      `rule ${fixed['uuid']} lets the members of its group reach each other: it can be switched off, and nothing else`,
      { uuid: fixed['uuid'] },
    )
  return rules
}

const changeRuleState = securityChange({
  workflow: 'securityGroup.changeRuleState',
  check: ({ graph, uuid, params }) => void needRules(graph, params['ruleUuids'] as string[], { group: uuid, defaults: true }),
  rows: (ctx) => {
    const { guard, op } = movesGroup(ctx, ctx.input.uuid)
    const { ruleUuids, state } = ctx.input.params as { ruleUuids: string[]; state: string }
    const there = [...new Set(ruleUuids)].filter((k) => ctx.world.graph.get(RULE, k))
    return { guards: [guard], ops: [...there.map((k) => touch(ctx, RULE, k, { state })), op] }
  },
  told,
})

interface Placed {
  ruleUuid: string
  priority: number
}
function reordered(graph: Graph, uuid: string, params: Row): Readonly<Row>[] {
  const places = params['rules'] as Placed[]
  const there = movable(graph, uuid, params['type'])
  const wanted = new Map(places.map(({ ruleUuid, priority }) => [ruleUuid, priority]))
  const unknown = places.find(({ ruleUuid }) => !there.some((rule) => rule['uuid'] === ruleUuid))
  const say = (message: string) => new SkerryError('invalid-argument', message, { field: 'rules' })
  if (unknown) throw say(`${unknown.ruleUuid} is no rule of type ${params['type']} of this group that can be moved`)
  if (wanted.size < places.length) throw say('a rule is named twice')
  const numbers = there.map((rule) => wanted.get(rule['uuid'] as string) ?? (rule['priority'] as number))
  if (new Set(numbers).size < numbers.length) throw say('two rules would have the same priority: name all that move')
  if (Math.max(...numbers) > there.length) throw say(`priorities of its ${there.length} rules go from 1 to ${there.length}`)
  return there
    .map((rule, at) => ({ rule, at: numbers[at]! }))
    .sort((a, b) => a.at - b.at)
    .map(({ rule }) => rule)
}

const updateRulePriority = securityChange({
  workflow: 'securityGroup.updateRulePriority',
  check: ({ graph, uuid, params }) => void reordered(graph, uuid, params),
  rows: (ctx) => {
    const { guard, op } = movesGroup(ctx, ctx.input.uuid)
    return { guards: [guard], ops: [...numbered(ctx, reordered(ctx.world.graph, ctx.input.uuid, ctx.input.params)), op] }
  },
  told,
})

const groupOfRule = (graph: Graph, rule: unknown) => graph.get(RULE, rule as string)?.['securityGroupUuid'] as string

function changed(graph: Graph, rule: Readonly<Row>, params: Row): Row {
  const said = Object.fromEntries(Object.entries(params).filter(([k, v]) => k !== 'uuid' && v !== undefined))
  const whole = Object.keys(said).every((k) => k === 'state')
  if (rule['priority'] === DEFAULT_PRIORITY && !whole) needRules(graph, [rule['uuid'] as string], {})
  const { priority: _, state = rule['state'], description = rule['description'] ?? null } = said
  const group = need(graph, 'securityGroup', rule['securityGroupUuid'])
  // addresses and a group take each other's place
  const other = said['remoteSecurityGroupUuid'] ? { srcIpRange: null, dstIpRange: null } : {}
  const ranges = said['srcIpRange'] || said['dstIpRange'] ? { remoteSecurityGroupUuid: null } : {}
  const portless = said['protocol'] && !['TCP', 'UDP'].includes(said['protocol'] as string) ? { dstPortRange: null } : {}
  const fields = ruleFields(graph, group, {
    ...rule,
    startPort: undefined,
    endPort: undefined,
    allowedCidr: undefined,
    ...other,
    ...ranges,
    ...portless,
    ...said,
  })
  return { ...fields, state, description }
}

const changeRule = securityChange({
  workflow: 'securityGroupRule.change',
  check({ graph, uuid, params }: CheckInput) {
    const rule = need(graph, RULE, uuid)
    needNew(graph, groupOfRule(graph, uuid), changed(graph, rule, params), uuid)
    if (params['priority'] !== undefined)
      placeOf(movable(graph, rule['securityGroupUuid'], rule['type']).length - 1, params['priority'] as number)
  },
  rows(ctx) {
    const { graph } = ctx.world
    const { uuid, params } = ctx.input
    const rule = need(graph, RULE, uuid)
    const { guard, op } = movesGroup(ctx, groupOfRule(graph, uuid))
    const ops = [touch(ctx, RULE, uuid, changed(graph, rule, params))]
    if (params['priority'] === undefined) return { guards: [guard], ops: [...ops, op] }
    const others = movable(graph, rule['securityGroupUuid'], rule['type']).filter((other) => other['uuid'] !== uuid)
    const place = placeOf(others.length, params['priority'] as number)
    const order = [...others.slice(0, place), rule, ...others.slice(place)]
    return { guards: [guard], ops: [...ops, ...numbered(ctx, order), op] }
  },
  told: ({ world: { graph }, input: { uuid } }) => documentsOf(graph, groupOfRule(graph, uuid)),
  queueKey: ({ uuid }, graph) => groupOfRule(graph, uuid) ?? uuid,
})

const groupOfMany = (graph: Graph, params: Row) => groupOfRule(graph, (params['ruleUuids'] as string[])[0])

/** The rules go in the step, so a crash finds their group by what was held of them. */
const removeRules = securityChange({
  workflow: 'securityGroup.removeRules',
  check: ({ graph, params }) => void needRules(graph, params['ruleUuids'] as string[], {}),
  rows(ctx) {
    const { graph } = ctx.world
    const uuids = [...new Set(ctx.input.params['ruleUuids'] as string[])].filter((k) => graph.get(RULE, k))
    const group = groupOfRule(graph, uuids[0])
    if (group === undefined) return { ops: [] }
    const { guard, op } = movesGroup(ctx, group)
    const left = (type: string) => movable(graph, group, type).filter((rule) => !uuids.includes(rule['uuid'] as string))
    const gone = uuids.map((k): Op => ({ o: 'del', t: RULE, k }))
    return { guards: [guard], ops: [...gone, ...numbered(ctx, left('Ingress')), ...numbered(ctx, left('Egress')), op] }
  },
  told: (ctx) => documentsOf(ctx.world.graph, heldGroup(ctx.outputs)),
  subject: (params) => (params['ruleUuids'] as string[])[0]!,
  queueKey: ({ params, uuid }, graph) => groupOfMany(graph, params) ?? uuid,
  finish: (ctx) => ({ result: { securityGroupUuid: heldGroup(ctx.outputs) } }),
})

function heldGroup(outputs: Readonly<Record<string, unknown>>): string | undefined {
  const { before = [] } = (outputs['change'] ?? {}) as { before?: { t: string; k: string }[] }
  return before.find(({ t }) => t === 'securityGroup')?.k
}

export const securityGroupActions: readonly Action[] = [
  creating,
  changeState,
  addRules,
  changeRuleState,
  updateRulePriority,
  changeRule,
  removeRules,
]
