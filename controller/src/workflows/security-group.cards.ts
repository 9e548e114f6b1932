/** Which network cards are in which security groups, and where groups may be used. */
import { hash } from 'node:crypto'
import { type Guard, type Op, type Row, SkerryError } from '@skerry/contract'
import type { Graph } from '@skerry/graph'
import { configText } from '../configs/value.ts'
import { refsOfNic } from '../desired/security-members.ts'
import { documentsOf, movesGroup, securityChange } from './security.change.ts'
import { type Action, type Ctx, need, touch } from './world.ts'

const REF = 'vmNicSecurityGroupRef'
const POLICY = 'vmNicSecurityPolicy'

/** There can't be two of one card in one group. */
const keyOf = (group: string, nic: string) => hash('sha256', `securityGroup/${group}/${nic}`).slice(0, 32)

function refOp(ctx: Ctx, { group, nic, priority }: { group: string; nic: string; priority: number }): Op {
  const k = keyOf(group, nic)
  const now = ctx.world.now()
  const vmInstanceUuid = ctx.world.graph.get('vmNic', nic)!['vmInstanceUuid']
  const v = {
    uuid: k,
    name: k,
    priority,
    vmNicUuid: nic,
    securityGroupUuid: group,
    vmInstanceUuid,
    createDate: now,
    lastOpDate: now,
  }
  return { o: 'put', t: REF, k, v }
}

/** What a card has from its first group on. */
function policyOps(ctx: Ctx, nic: string): Op[] {
  const { graph, now } = ctx.world
  if (graph.get(POLICY, nic)) return []
  const of = (key: 'securityGroup.ingress.defaultPolicy' | 'securityGroup.egress.defaultPolicy') =>
    configText(graph, key) === 'accept' ? 'ALLOW' : 'DENY'
  const dates = { createDate: now(), lastOpDate: now() }
  return [
    {
      o: 'put',
      t: POLICY,
      k: nic,
      v: {
        uuid: nic,
        name: nic,
        vmNicUuid: nic,
        ingressPolicy: of('securityGroup.ingress.defaultPolicy'),
        egressPolicy: of('securityGroup.egress.defaultPolicy'),
        ...dates,
      },
    },
  ]
}

/** Without its last group a card has no policy. `left`: groups that it stays in. */
const policyGone = (graph: Graph, nic: string, left: number): Op[] =>
  left === 0 && graph.get(POLICY, nic) ? [{ o: 'del', t: POLICY, k: nic }] : []

function needAttached(group: Readonly<Row>, nic: Readonly<Row>): void {
  if ((group['attachedL3NetworkUuids'] as string[]).includes(nic['l3NetworkUuid'] as string)) return
  const message = `security group ${group['name']} is not attached to the L3 network of card ${nic['uuid']}: attach it first`
  throw new SkerryError('illegal-state', message, { vmNicUuid: nic['uuid'], l3NetworkUuid: nic['l3NetworkUuid'] })
}

const cardsOf = (params: Row) => [...new Set(params['vmNicUuids'] as string[])]
const guardsOf = (nics: readonly string[]): Guard[] => nics.map((k) => ({ g: 'exists', t: 'vmNic', k }))
const nicDocuments = (nics: readonly string[]) => nics.map((nic) => `nicSecurity/${nic}`)

const addNics = securityChange({
  workflow: 'securityGroup.addNics',
  check({ graph, uuid, params }) {
    const group = need(graph, 'securityGroup', uuid)
    for (const k of cardsOf(params)) {
      const nic = need(graph, 'vmNic', k)
      needAttached(group, nic)
      if (graph.get(REF, keyOf(uuid, k)))
        throw new SkerryError('illegal-state', `card ${k} is in security group ${group['name']} already`, { vmNicUuid: k })
    }
  },
  rows(ctx) {
    const { graph } = ctx.world
    const { uuid, params } = ctx.input
    const nics = cardsOf(params).filter((k) => graph.get('vmNic', k) && !graph.get(REF, keyOf(uuid, k)))
    if (nics.length === 0) return { ops: [] }
    for (const nic of nics) needAttached(need(graph, 'securityGroup', uuid), graph.get('vmNic', nic)!)
    const { guard, op } = movesGroup(ctx, uuid)
    const last = (nic: string) => Math.max(0, ...refsOfNic(graph, nic).map((ref) => ref['priority'] as number))
    const ops = nics.flatMap((nic) => [refOp(ctx, { group: uuid, nic, priority: last(nic) + 1 }), ...policyOps(ctx, nic)])
    return { guards: [guard, ...guardsOf(nics)], ops: [...ops, op] }
  },
  told: ({ world: { graph }, input: { uuid, params } }) => [
    `securityGroup/${uuid}`,
    ...nicDocuments(cardsOf(params).filter((k) => graph.get('vmNic', k))),
  ],
})

function leave(ctx: Ctx, group: string, nics: readonly string[]): Op[] {
  const { graph } = ctx.world
  const inGroup = nics.filter((nic) => graph.get(REF, keyOf(group, nic)))
  return inGroup.flatMap((nic): Op[] => [
    { o: 'del', t: REF, k: keyOf(group, nic) },
    ...policyGone(graph, nic, refsOfNic(graph, nic).length - 1),
  ])
}

const removeNics = securityChange({
  workflow: 'securityGroup.removeNics',
  check({ graph, uuid, params }) {
    const group = need(graph, 'securityGroup', uuid)
    for (const k of cardsOf(params)) {
      need(graph, 'vmNic', k)
      if (!graph.get(REF, keyOf(uuid, k)))
        throw new SkerryError('illegal-state', `card ${k} is not in security group ${group['name']}`, { vmNicUuid: k })
    }
  },
  rows(ctx) {
    const { guard, op } = movesGroup(ctx, ctx.input.uuid)
    return { guards: [guard], ops: [...leave(ctx, ctx.input.uuid, cardsOf(ctx.input.params)), op] }
  },
  told: ({ input: { params } }) => nicDocuments(cardsOf(params)),
})

type Ref = { securityGroupUuid: string; priority?: number }

/** In their order: what has no number follows those that have one. */
function wantedRefs(params: Row): { group: string; priority: number }[] {
  const refs = params['refs'] as Ref[]
  const say = (message: string) => new SkerryError('invalid-argument', message, { field: 'refs' })
  if (new Set(refs.map((ref) => ref.securityGroupUuid)).size < refs.length) throw say('a security group is named twice')
  const numbers = refs.flatMap(({ priority }) => priority ?? [])
  if (new Set(numbers).size < numbers.length) throw say('two security groups have the same priority')
  let next = Math.max(0, ...numbers)
  return refs.map(({ securityGroupUuid: group, priority }) => ({ group, priority: priority ?? ++next }))
}

const setGroups = securityChange({
  workflow: 'vmNic.setSecurityGroups',
  names: (params) => (params['refs'] as Ref[]).map((ref) => ref.securityGroupUuid),
  check({ graph, uuid, params }) {
    const nic = need(graph, 'vmNic', uuid)
    for (const { group } of wantedRefs(params)) needAttached(need(graph, 'securityGroup', group), nic)
  },
  rows(ctx) {
    const { graph } = ctx.world
    const { uuid: nic, params } = ctx.input
    const wanted = wantedRefs(params)
    const kept = new Set(wanted.map(({ group }) => keyOf(group, nic)))
    const gone = refsOfNic(graph, nic).filter((ref) => !kept.has(ref['uuid'] as string))
    const moved = [...wanted.map(({ group }) => group), ...gone.map((ref) => ref['securityGroupUuid'] as string)].map((group) =>
      movesGroup(ctx, group),
    )
    const put = wanted.flatMap(({ group, priority }): Op[] => {
      const there = graph.get(REF, keyOf(group, nic))
      if (there?.['priority'] === priority) return []
      return [there ? touch(ctx, REF, keyOf(group, nic), { priority }) : refOp(ctx, { group, nic, priority })]
    })
    const policy = wanted.length > 0 ? policyOps(ctx, nic) : policyGone(graph, nic, 0)
    const ops = [...gone.map((ref): Op => ({ o: 'del', t: REF, k: ref['uuid'] as string })), ...put, ...policy]
    return { guards: [...moved.map(({ guard }) => guard), ...guardsOf([nic])], ops: [...ops, ...moved.map(({ op }) => op)] }
  },
  told: ({ world: { graph }, input: { uuid } }) => [
    ...refsOfNic(graph, uuid).map((ref) => `securityGroup/${ref['securityGroupUuid']}`),
    `nicSecurity/${uuid}`,
  ],
  finish: ({ world: { graph }, input: { uuid } }) => ({
    result: { inventory: refsOfNic(graph, uuid).map(({ name: _, uuid: __, ...ref }) => ref) },
  }),
})

const changePolicy = securityChange({
  workflow: 'vmNic.changeSecurityPolicy',
  check({ graph, uuid, params }) {
    need(graph, POLICY, uuid)
    if (params['ingressPolicy'] === undefined && params['egressPolicy'] === undefined)
      throw new SkerryError('invalid-argument', 'give ingressPolicy or egressPolicy', { field: 'ingressPolicy' })
  },
  rows: (ctx) => {
    const { ingressPolicy, egressPolicy } = ctx.input.params
    if (!ctx.world.graph.get(POLICY, ctx.input.uuid)) return { ops: [] }
    return {
      ops: [
        touch(ctx, POLICY, ctx.input.uuid, {
          ...(ingressPolicy === undefined ? {} : { ingressPolicy }),
          ...(egressPolicy === undefined ? {} : { egressPolicy }),
        }),
      ],
    }
  },
  told: ({ input: { uuid } }) => nicDocuments([uuid]),
})

const networksOf = (graph: Graph, uuid: string) => need(graph, 'securityGroup', uuid)['attachedL3NetworkUuids'] as string[]

const attach = securityChange({
  workflow: 'securityGroup.attach',
  check({ graph, uuid, params }) {
    const l3 = need(graph, 'l3Network', params['l3NetworkUuid'])
    if (networksOf(graph, uuid).includes(l3['uuid'] as string))
      throw new SkerryError('illegal-state', `the security group is attached to L3 network ${l3['name']} already`, { uuid })
  },
  rows(ctx) {
    const { uuid, params } = ctx.input
    const l3 = params['l3NetworkUuid'] as string
    const there = networksOf(ctx.world.graph, uuid)
    if (there.includes(l3)) return { ops: [] }
    const { guard } = movesGroup(ctx, uuid)
    const ops = [touch(ctx, 'securityGroup', uuid, { attachedL3NetworkUuids: [...there, l3] })]
    return { guards: [guard, { g: 'exists', t: 'l3Network', k: l3 }], ops }
  },
  told: () => [],
})

/** Its cards of that network leave the group. */
const detach = securityChange({
  workflow: 'securityGroup.detach',
  check({ graph, uuid, params }) {
    if (!networksOf(graph, uuid).includes(params['l3NetworkUuid'] as string))
      throw new SkerryError('illegal-state', 'the security group is not attached to this L3 network', { uuid })
  },
  rows(ctx) {
    const { graph } = ctx.world
    const { uuid, params } = ctx.input
    const l3 = params['l3NetworkUuid'] as string
    const { guard } = movesGroup(ctx, uuid)
    const nics = [...graph.by(REF, 'securityGroupUuid', uuid)]
      .map((k) => graph.get(REF, k)!['vmNicUuid'] as string)
      .filter((nic) => graph.get('vmNic', nic)?.['l3NetworkUuid'] === l3)
    const left = networksOf(graph, uuid).filter((k) => k !== l3)
    return {
      guards: [guard],
      ops: [...leave(ctx, uuid, nics), touch(ctx, 'securityGroup', uuid, { attachedL3NetworkUuids: left })],
    }
  },
  told: ({ world: { graph }, input: { uuid } }) => documentsOf(graph, uuid),
})

export const securityCardActions: readonly Action[] = [addNics, removeNics, setGroups, changePolicy, attach, detach]
