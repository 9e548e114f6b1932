/** Servers of load balancers: network cards and addresses in groups. */
import { balancerDesired, type Op, type Row, SkerryError } from '@skerry/contract'
import type { Graph } from '@skerry/graph'
import { balancerChange } from './load-balancer.change.ts'
import {
  GROUP,
  GROUP_REF,
  groupsOf,
  LB,
  LISTENER,
  LISTENER_NIC,
  NIC_REF,
  nicRefsOf,
  rowsBy,
  SERVER_IP,
} from './load-balancer.rows.ts'
import { needReachable } from './vip.check.ts'
import { type Action, type Ctx, derivedId, need, touch } from './world.ts'

const WEIGHT = 100

interface Backend {
  key: string
  weight: number
}
const nicsIn = (params: Row): Backend[] =>
  ((params['vmNics'] as { uuid: string; weight?: number }[] | undefined) ?? []).map(({ uuid, weight = WEIGHT }) => ({
    key: uuid,
    weight,
  }))
const ipsIn = (params: Row): Backend[] =>
  ((params['servers'] as { ipAddress: string; weight?: number }[] | undefined) ?? []).map(({ ipAddress, weight = WEIGHT }) => ({
    key: ipAddress,
    weight,
  }))

const stop = (code: 'in-use' | 'invalid-argument' | 'not-found', message: string, details: Row) =>
  new SkerryError(code, message, details)

/** Throws why a card can't be a server of that load balancer. */
function needBackend(graph: Graph, lbUuid: unknown, nicUuid: unknown): void {
  const lb = need(graph, LB, lbUuid)
  const vip = need(graph, 'vip', lb['vipUuid'])
  const nic = needReachable(graph, nicUuid, { vip, table: LB, own: lbUuid })
  const [served] = lb['l3NetworkUuids'] as string[]
  if (served !== undefined && served !== nic['l3NetworkUuid'])
    throw new SkerryError('illegal-state', `load balancer ${lb['name']} has servers in another network: all are in one`, {
      ...{ loadBalancerUuid: lbUuid, vmNicUuid: nicUuid, servedL3NetworkUuid: served },
    })
}

/** Cards that come together are in one network, too. */
function needTogether(graph: Graph, nics: readonly string[]): void {
  const l3s = new Set(nics.map((nic) => graph.get('vmNic', nic)?.['l3NetworkUuid']))
  if (l3s.size > 1)
    throw stop('invalid-argument', 'these network cards are in several networks: all servers of a load balancer are in one', {
      field: 'vmNicUuids',
    })
}

/** Throws where a load balancer would have more servers than one document can say. */
function needRoom(graph: Graph, lb: unknown, more: number): void {
  const count =
    nicRefsOf(graph, lb).length +
    groupsOf(graph, lb).flatMap((g) => rowsBy(graph, SERVER_IP, 'serverGroupUuid', g['uuid'])).length
  const listeners = Math.max(1, graph.countBy(LISTENER, 'loadBalancerUuid', lb))
  if ((count + more) * listeners > balancerDesired.MAX_SERVERS)
    throw new SkerryError(
      'illegal-state',
      `a load balancer has at most ${balancerDesired.MAX_SERVERS} servers, counted for each listener`,
      {
        loadBalancerUuid: lb,
      },
    )
}

function needNew(graph: Graph, group: unknown, { nics, ips }: { nics: readonly string[]; ips: readonly string[] }): void {
  const all = [...nics, ...ips]
  const twice = all.find((key, at) => all.indexOf(key) !== at)
  if (twice) throw stop('invalid-argument', `${twice} is given twice`, { field: 'vmNicUuids' })
  const there = [
    ...rowsBy(graph, NIC_REF, 'serverGroupUuid', group).map((ref) => ref['vmNicUuid']),
    ...rowsBy(graph, SERVER_IP, 'serverGroupUuid', group).map((ref) => ref['ipAddress']),
  ]
  const known = all.find((key) => there.includes(key))
  if (known) throw stop('in-use', `${known} is in the server group already`, { serverGroupUuid: group, uuid: known })
}

const base = (ctx: Ctx, uuid: string): Row => {
  const now = ctx.world.now()
  return { uuid, name: uuid, description: null, createDate: now, lastOpDate: now }
}
const put = (ctx: Ctx, t: string, name: string, fields: Row): Op => {
  const k = derivedId(ctx, `${t}/${name}`)
  return { o: 'put', t, k, v: { ...base(ctx, k), ...fields } }
}
const nicRef = (ctx: Ctx, group: string, { key, weight }: Backend): Op =>
  put(ctx, NIC_REF, key, { serverGroupUuid: group, vmNicUuid: key, weight, ipVersion: 4, status: 'Pending' })

const addNics = balancerChange({
  workflow: 'loadBalancerListener.addNics',
  check({ graph, uuid, params }) {
    const listener = need(graph, LISTENER, uuid)
    const nics = params['vmNicUuids'] as string[]
    const group = listener['serverGroupUuid'] ?? ''
    needNew(graph, group, { nics, ips: [] })
    for (const nic of nics) needBackend(graph, listener['loadBalancerUuid'], nic)
    needTogether(graph, nics)
    needRoom(graph, listener['loadBalancerUuid'], nics.length)
  },
  ops(ctx, listener) {
    const own = listener['serverGroupUuid'] as string | null
    const group = own ?? derivedId(ctx, 'group')
    const uuid = listener['uuid'] as string
    const ownerUuid = listener['ownerUuid']
    const fields = { loadBalancerUuid: listener['loadBalancerUuid'], ipVersion: 4, listenerUuid: uuid, ownerUuid }
    const fresh: Op[] = own
      ? []
      : [
          {
            o: 'put',
            t: GROUP,
            k: group,
            v: { ...base(ctx, group), name: `default-server-group-${String(listener['name']).slice(0, 200)}`, ...fields },
          },
          put(ctx, GROUP_REF, group, { listenerUuid: uuid, serverGroupUuid: group }),
          touch(ctx, LISTENER, uuid, { serverGroupUuid: group }),
        ]
    return [
      ...fresh,
      ...(ctx.input.params['vmNicUuids'] as string[]).flatMap((nic) => [
        nicRef(ctx, group, { key: nic, weight: WEIGHT }),
        put(ctx, LISTENER_NIC, nic, { listenerUuid: uuid, vmNicUuid: nic, status: 'Pending' }),
      ]),
    ]
  },
})

/** Rows that name these cards below a parent; throws where one has none. */
function refsOf(graph: Graph, at: { table: string; via: string; of: unknown; field: string }, wanted: readonly unknown[]): Row[] {
  const rows = rowsBy(graph, at.table, at.via, at.of)
  return wanted.map((key) => {
    const row = rows.find((one) => one[at.field] === key)
    if (row) return row as Row
    throw stop('not-found', `${key} is no server there`, { uuid: key, resource: at.table })
  })
}
const inGroup = (graph: Graph, table: string, group: unknown, wanted: readonly unknown[]) =>
  refsOf(graph, { table, via: 'serverGroupUuid', of: group, field: table === NIC_REF ? 'vmNicUuid' : 'ipAddress' }, wanted)
const del =
  (t: string) =>
  (row: Readonly<Row>): Op => ({ o: 'del', t, k: row['uuid'] as string })

const removeNics = balancerChange({
  workflow: 'loadBalancerListener.removeNics',
  check({ graph, uuid, params }) {
    const listener = need(graph, LISTENER, uuid)
    inGroup(graph, NIC_REF, listener['serverGroupUuid'] ?? '', params['vmNicUuids'] as string[])
  },
  ops(ctx, listener) {
    const { graph } = ctx.world
    const nics = ctx.input.params['vmNicUuids'] as string[]
    const refs = inGroup(graph, NIC_REF, listener['serverGroupUuid'], nics)
    const shown = rowsBy(graph, LISTENER_NIC, 'listenerUuid', listener['uuid']).filter((row) =>
      nics.includes(row['vmNicUuid'] as string),
    )
    return [...refs.map(del(NIC_REF)), ...shown.map(del(LISTENER_NIC))]
  },
})

const both = (params: Row) => ({
  nics: (params['vmNicUuids'] as string[] | undefined) ?? nicsIn(params).map(({ key }) => key),
  ips: (params['serverIps'] as string[] | undefined) ?? ipsIn(params).map(({ key }) => key),
})
function needSome(params: Row): void {
  const { nics, ips } = both(params)
  if (nics.length + ips.length === 0) throw stop('invalid-argument', 'no server is given', { field: 'vmNics' })
}
/** The group that a listener has for itself holds what is added to the listener. */
function needShared(group: Row): void {
  if (group['listenerUuid'])
    throw new SkerryError(
      'illegal-state',
      `server group ${group['name']} is a listener's own: add network cards to the listener`,
      {
        ...{ serverGroupUuid: group['uuid'], listenerUuid: group['listenerUuid'] },
      },
    )
}

const addBackends = balancerChange({
  workflow: 'loadBalancerServerGroup.addBackends',
  check({ graph, uuid, params }) {
    const group = need(graph, GROUP, uuid)
    needShared(group)
    needSome(params)
    const { nics, ips } = both(params)
    needNew(graph, uuid, { nics, ips })
    for (const nic of nics) needBackend(graph, group['loadBalancerUuid'], nic)
    needTogether(graph, nics)
    needRoom(graph, group['loadBalancerUuid'], nics.length + ips.length)
  },
  ops: (ctx, group) => [
    ...nicsIn(ctx.input.params).map((nic) => nicRef(ctx, group['uuid'] as string, nic)),
    ...ipsIn(ctx.input.params).map(({ key, weight }) =>
      put(ctx, SERVER_IP, key, { serverGroupUuid: group['uuid'], ipAddress: key, weight, status: 'Pending' }),
    ),
  ],
})

const changeBackends = balancerChange({
  workflow: 'loadBalancerServerGroup.changeBackends',
  check({ graph, uuid, params }) {
    need(graph, GROUP, uuid)
    needSome(params)
    inGroup(graph, NIC_REF, uuid, both(params).nics)
    inGroup(graph, SERVER_IP, uuid, both(params).ips)
  },
  ops(ctx, { uuid }) {
    const { graph } = ctx.world
    const weigh = (table: string, all: Backend[]) =>
      all.flatMap(({ key, weight }) =>
        inGroup(graph, table, uuid, [key]).map((row) => touch(ctx, table, row['uuid'] as string, { weight })),
      )
    return [...weigh(NIC_REF, nicsIn(ctx.input.params)), ...weigh(SERVER_IP, ipsIn(ctx.input.params))]
  },
})

const removeBackends = balancerChange({
  workflow: 'loadBalancerServerGroup.removeBackends',
  check({ graph, uuid, params }) {
    needShared(need(graph, GROUP, uuid))
    needSome(params)
    inGroup(graph, NIC_REF, uuid, both(params).nics)
    inGroup(graph, SERVER_IP, uuid, both(params).ips)
  },
  ops(ctx, { uuid }) {
    const { nics, ips } = both(ctx.input.params)
    const { graph } = ctx.world
    return [...inGroup(graph, NIC_REF, uuid, nics).map(del(NIC_REF)), ...inGroup(graph, SERVER_IP, uuid, ips).map(del(SERVER_IP))]
  },
})

/** Whether a card could be a server there. */
export function mayServe(graph: Graph, lb: unknown, nic: unknown): boolean {
  try {
    needBackend(graph, lb, nic)
    return true
  } catch (error) {
    if (error instanceof SkerryError) return false
    throw error
  }
}

export const backendActions: readonly Action[] = [addNics, removeNics, addBackends, changeBackends, removeBackends]
