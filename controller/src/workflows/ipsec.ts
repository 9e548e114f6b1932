/** IPsec connections: each change is one commit with the row of the VIP, and then the router is told. */
import { ipsecDefaults, type Op, type Row, SkerryError } from '@skerry/contract'
import type { Graph } from '@skerry/graph'
import { defineWorkflow, type Step, stepsOf } from '@skerry/workflow'
import { ipsecs } from '../desired/ipsec.ts'
import { routerOf } from '../desired/router.ts'
import { secretIds } from '../engine/secret-params.ts'
import { input } from './input.ts'
import { needPossible, needVisibleL3s, sortedCidrs } from './ipsec.check.ts'
import { deletion } from './resource.delete.ts'
import { resourceChangeState } from './resource.update.ts'
import { rowsStep } from './rows.step.ts'
import { vipAfter } from './vip.uses.ts'
import { type Action, baseRow, type CheckInput, type Ctx, derivedId, type EndCtx, type Input, need, type World } from './world.ts'

const TABLE = 'ipsecConnection'
/** How long a router that should give something up is waited for; its tombstone waits on. */
const GONE_MS = 30_000

const tell: Step<Input, World> = {
  name: 'tell-router',
  noUndo: 'the router follows the rows',
  optional: 'the call answers before the router has it',
  do: async (ctx: Ctx) => {
    const { graph, agents } = ctx.world
    const { uuid } = ctx.input
    const vip = graph.get(TABLE, uuid)?.['vipUuid'] as string
    const served = graph.get('vip', vip)?.['servedL3Uuid'] as string | null | undefined
    await agents.converge([...(served ? [`router/${routerOf(graph, served)}`] : []), `vip/${vip}`, `ipsec/${uuid}`], ctx)
    await agents.gone([`ipsec/${uuid}`, `vip/${vip}`], GONE_MS)
  },
}

type At = Pick<CheckInput, 'graph' | 'params' | 'uuid'>
type Dates = { createDate: number; lastOpDate: number }
interface PeerCidr extends Dates {
  uuid: string
  cidr: string
  connectionUuid: string
}
interface L3Ref extends Dates {
  uuid: string
  l3NetworkUuid: string
  connectionUuid: string
}
/** Makes ids and dates of what a row lists; a check needs none that lasts. */
interface Maker {
  id(name: string): string
  now: number
}
const nobody: Maker = { id: () => '0'.repeat(32), now: 0 }
const makerOf = (ctx: Ctx): Maker => ({ id: (name) => derivedId(ctx, name), now: ctx.world.now() })

const datesOf = ({ now }: Maker): Dates => ({ createDate: now, lastOpDate: now })
const cidrRow = (cidr: string, connectionUuid: string, m: Maker): PeerCidr => ({
  ...{ uuid: m.id(`cidr ${cidr}`), cidr, connectionUuid },
  ...datesOf(m),
})
const refRow = (l3NetworkUuid: string, connectionUuid: string, m: Maker): L3Ref => ({
  ...{ uuid: m.id(`l3 ${l3NetworkUuid}`), l3NetworkUuid, connectionUuid },
  ...datesOf(m),
})

/** How the two sides talk: what a call says, and the default where it doesn't. */
function policyOf(params: Row): Row {
  const { name: _, description: __, ...known } = params
  const chosen = Object.fromEntries(
    Object.keys(ipsecDefaults).map((k) => [k, known[k] ?? ipsecDefaults[k as keyof typeof ipsecDefaults]]),
  )
  return {
    ...chosen,
    ...{ peerAddress: params['peerAddress'], authKey: params['authKey'] },
    ...{ localId: params['localId'] ?? null, remoteId: params['remoteId'] ?? null },
  }
}

/** It goes to the router byte by byte, as UTF-8: any text is a key but half a character, which would become another one. */
function wellFormed(params: Row): Row {
  if (typeof params['authKey'] === 'string' && /\p{Surrogate}/u.test(params['authKey']))
    throw new SkerryError('invalid-argument', 'authKey holds half a character, which no peer could be given', {
      field: 'authKey',
    })
  return params
}

const l3sOf = (refs: readonly L3Ref[]) => refs.map(({ l3NetworkUuid }) => l3NetworkUuid)

function newRow({ params, uuid }: At, m: Maker): Row {
  const l3 = params['l3NetworkUuid'] as string | undefined
  const refs = l3 === undefined ? [] : [refRow(l3, uuid, m)]
  return {
    ...{ uuid, vipUuid: params['vipUuid'], ...policyOf(params), state: 'Enabled', status: 'Connecting', statusCause: null },
    peerCidrs: sortedCidrs((params['peerCidrs'] as string[] | undefined) ?? []).map((cidr) => cidrRow(cidr, uuid, m)),
    ...{ l3NetworkRefs: refs, l3NetworkUuids: l3sOf(refs) },
  }
}

/** What a call changes of a row that is there. */
type Changed = (row: Readonly<Row>, at: At, m: Maker) => Row

const withRefs = (refs: readonly L3Ref[]): Row => ({ l3NetworkRefs: refs, l3NetworkUuids: l3sOf(refs) })
const refsOf = (row: Readonly<Row>) => row['l3NetworkRefs'] as L3Ref[]
const cidrsOf = (row: Readonly<Row>) => row['peerCidrs'] as PeerCidr[]

const attachL3: Changed = (row, { params, uuid }, m) => {
  const asked = [...new Set(params['l3NetworkUuids'] as string[])]
  const fresh = asked.filter((l3) => !l3sOf(refsOf(row)).includes(l3))
  return withRefs([...refsOf(row), ...fresh.map((l3) => refRow(l3, uuid, m))])
}
const detachL3: Changed = (row, { params }) =>
  withRefs(refsOf(row).filter(({ l3NetworkUuid }) => !(params['l3NetworkUuids'] as string[]).includes(l3NetworkUuid)))
const addCidrs: Changed = (row, { params, uuid }, m) => {
  const fresh = sortedCidrs(params['peerCidrs'] as string[]).filter((cidr) => !cidrsOf(row).some((one) => one.cidr === cidr))
  return { peerCidrs: [...cidrsOf(row), ...fresh.map((cidr) => cidrRow(cidr, uuid, m))] }
}
const removeCidrs: Changed = (row, { params }) => {
  const gone = sortedCidrs(params['peerCidrs'] as string[])
  return { peerCidrs: cidrsOf(row).filter(({ cidr }) => !gone.includes(cidr)) }
}

/** The row and its VIP's in one commit, with what was looked at still so. */
const changing = (next: (ctx: Ctx) => { row: Row; op: Op } | undefined) =>
  rowsStep('change', (ctx) => {
    const { graph, now } = ctx.world
    const { uuid } = ctx.input
    const made = next(ctx)
    if (!made) return { ops: [] }
    needPossible(graph, made.row)
    const vip = need(graph, 'vip', made.row['vipUuid'])
    const key = vip['uuid'] as string
    const there = graph.version(TABLE, uuid)
    return {
      guards: [
        { g: 'version', t: 'vip', k: key, seq: graph.version('vip', key)! },
        there === undefined ? { g: 'absent', t: TABLE, k: uuid } : { g: 'version', t: TABLE, k: uuid, seq: there },
        ...(made.row['l3NetworkUuids'] as string[]).map((k) => ({ g: 'exists' as const, t: 'l3Network', k })),
      ],
      ops: [
        made.op,
        { o: 'set', t: 'vip', k: key, v: { ...vipAfter(graph, vip, { table: TABLE, uuid, row: made.row }), lastOpDate: now() } },
      ],
    }
  })

const create: Action = {
  workflow: defineWorkflow<Input, World>({
    name: 'ipsecConnection.create',
    version: 1,
    input,
    steps: [
      changing((ctx) => {
        const { uuid, params } = ctx.input
        const { graph } = ctx.world
        if (graph.get(TABLE, uuid)) return undefined
        const row = { ...baseRow(ctx), ...newRow({ graph, params, uuid }, makerOf(ctx)) }
        return { row, op: { o: 'put', t: TABLE, k: uuid, v: row } }
      }),
      tell,
    ],
  }),
  check(i) {
    if (i.graph.get(TABLE, i.uuid))
      throw new SkerryError('duplicate-uuid', `an IPsec connection with uuid ${i.uuid} exists`, { uuid: i.uuid })
    needPossible(i.graph, newRow(i, nobody))
  },
  complete: wellFormed,
  queueKey: (i) => i.params['vipUuid'] as string,
}

const vipOf = ({ uuid }: Pick<Input, 'uuid'>, graph: Graph) => (graph.get(TABLE, uuid)?.['vipUuid'] as string | undefined) ?? uuid

function change(name: string, changed: Changed, check?: (row: Row, params: Row) => void): Action {
  return {
    workflow: defineWorkflow<Input, World>({
      name: `ipsecConnection.${name}`,
      version: 1,
      input,
      steps: [
        changing((ctx) => {
          const { uuid, params, accountUuid } = ctx.input
          const { graph, now } = ctx.world
          if (name === 'attachL3') needVisibleL3s(graph, accountUuid, params['l3NetworkUuids'] as string[])
          const row = need(graph, TABLE, uuid)
          const v = { ...changed(row, { graph, params, uuid }, makerOf(ctx)), lastOpDate: now() }
          return { row: { ...row, ...v }, op: { o: 'set', t: TABLE, k: uuid, v } }
        }),
        tell,
      ],
      finish: shredReplaced,
    }),
    check(i) {
      const row = need(i.graph, TABLE, i.uuid)
      check?.(row, i.params)
      needPossible(i.graph, { ...row, ...changed(row, i, nobody) })
    },
    complete: wellFormed,
    queueKey: vipOf,
  }
}

/** A key that was replaced goes; one that is still in the row is kept, because something refers to it. */
function shredReplaced({ outputs }: EndCtx): { result: Row } {
  const { before } = outputs['change'] as { before: { v: Row | null }[] }
  return { result: { shred: before.flatMap(({ v }) => (v ? secretIds(v) : [])) } }
}

const notIn = (what: string, asked: readonly string[], there: readonly string[]) => {
  const stranger = asked.find((one) => !there.includes(one))
  if (stranger !== undefined)
    throw new SkerryError('illegal-state', `this connection has no ${what} ${stranger}`, { [what]: stranger })
}

const changeState: Action = {
  ...resourceChangeState,
  workflow: defineWorkflow<Input, World>({
    name: 'ipsecConnection.changeState',
    version: 1,
    input,
    steps: [...stepsOf(resourceChangeState.workflow), tell],
  }),
}

const reconnect: Action = {
  workflow: defineWorkflow<Input, World>({
    name: 'ipsecConnection.reconnect',
    version: 1,
    input,
    steps: [
      {
        name: 'reconnect',
        noUndo: 'a tunnel that was begun anew is as it was',
        do: async (ctx: Ctx) => {
          const { graph, agents } = ctx.world
          const { uuid } = ctx.input
          const [agent] = ipsecs.agents(graph, uuid)
          if (agent === undefined) throw nowhere(uuid)
          await agents.converge([`ipsec/${uuid}`], ctx)
          await agents.command(
            agent,
            { id: `${ctx.commandId}_reconnect`, noun: 'ipsec', uuid, verb: 'reconnect', input: {} },
            ctx,
          )
        },
      },
    ],
  }),
  check({ graph, uuid }) {
    need(graph, TABLE, uuid)
    if (ipsecs.agents(graph, uuid).length === 0) throw nowhere(uuid)
  },
}

export const nowhere = (uuid: string) =>
  new SkerryError(
    'illegal-state',
    'this connection is on no host: it is disabled, has no networks on one side, or its network has no router yet',
    {
      ipsecConnectionUuid: uuid,
      remedy: 'Enable it, attach a network with a running VM, and add networks of the peer.',
    },
  )

export const ipsecActions: readonly Action[] = [
  create,
  change('change', (_row, { params }) => policyOf(params)),
  change('attachL3', attachL3),
  change('detachL3', detachL3, (row, params) => notIn('l3NetworkUuid', params['l3NetworkUuids'] as string[], l3sOf(refsOf(row)))),
  change('addCidrs', addCidrs),
  change('removeCidrs', removeCidrs, (row, params) =>
    notIn(
      'peerCidr',
      sortedCidrs(params['peerCidrs'] as string[]),
      cidrsOf(row).map(({ cidr }) => cidr),
    ),
  ),
  changeState,
  reconnect,
  deletion('ipsecConnection.delete'),
]
