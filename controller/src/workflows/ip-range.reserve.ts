/** Addresses that nobody is given. Who has one already keeps it: such a range is refused. */
import { type Guard, type Op, type Row, SkerryError } from '@skerry/contract'
import type { Graph } from '@skerry/graph'
import { defineWorkflow } from '@skerry/workflow'
import { compareIps, endsInOrder, familyOf, within } from '../place/ip.ts'
import { input } from './input.ts'
import { type Action, baseRow, type CheckInput, type Ctx, type Input, need, type World } from './world.ts'

interface Wanted {
  l3NetworkUuid: string
  startIp: string
  endIp: string
}
const wantedOf = (params: Row): Wanted => {
  const { startIp, endIp } = endsInOrder(params['startIp'] as string, params['endIp'] as string)
  return { l3NetworkUuid: params['l3NetworkUuid'] as string, startIp, endIp }
}
const meets = (a: { startIp: string; endIp: string }, row: Readonly<Row>): boolean =>
  familyOf(a.startIp) === familyOf(row['startIp'] as string) &&
  compareIps(a.startIp, row['endIp'] as string) <= 0 &&
  compareIps(a.endIp, row['startIp'] as string) >= 0

const rowsOf = (graph: Graph, table: 'ipRange' | 'reservedIpRange', l3: string): Readonly<Row>[] =>
  [...graph.by(table, 'l3NetworkUuid', l3)].map((k) => graph.get(table, k)!)

/** Throws `in-use` where somebody has an address of it. */
function needUnused(graph: Graph, wanted: Wanted): void {
  for (const key of graph.by('usedIp', 'l3NetworkUuid', wanted.l3NetworkUuid)) {
    const ip = graph.get('usedIp', key)!['ip'] as string
    // Not by whom: the network may be shared with other accounts.
    if (within(ip, wanted))
      throw new SkerryError('in-use', `${ip} is in use: addresses are reserved before somebody has them`, {
        ip,
        l3NetworkUuid: wanted.l3NetworkUuid,
      })
  }
}

function needReservable(graph: Graph, uuid: string, wanted: Wanted): void {
  const l3 = need(graph, 'l3Network', wanted.l3NetworkUuid)
  const about = { ...wanted }
  if (!rowsOf(graph, 'ipRange', wanted.l3NetworkUuid).some((range) => meets(wanted, range)))
    throw new SkerryError(
      'invalid-argument',
      `no range of network ${l3['name']} has addresses between ${wanted.startIp} and ${wanted.endIp}`,
      about,
    )
  const other = rowsOf(graph, 'reservedIpRange', wanted.l3NetworkUuid).find((row) => row['uuid'] !== uuid && meets(wanted, row))
  if (other)
    throw new SkerryError(
      'invalid-argument',
      `${wanted.startIp} to ${wanted.endIp} overlaps what is reserved already (${other['startIp']} to ${other['endIp']})`,
      { ...about, reservedIpRangeUuid: other['uuid'] },
    )
  needUnused(graph, wanted)
}

function reserve(ctx: Ctx) {
  const { graph, now } = ctx.world
  const { uuid, params } = ctx.input
  if (graph.get('reservedIpRange', uuid)) return {}
  const wanted = wantedOf(params)
  needReservable(graph, uuid, wanted)
  const l3 = wanted.l3NetworkUuid
  const guards: Guard[] = [
    { g: 'absent', t: 'reservedIpRange', k: uuid },
    { g: 'version', t: 'l3Network', k: l3, seq: graph.version('l3Network', l3)! },
  ]
  const base = { ...baseRow(ctx), name: `${wanted.startIp}-${wanted.endIp}` }
  const ranges = rowsOf(graph, 'ipRange', l3).filter((range) => meets(wanted, range))
  const ops: Op[] = [
    { o: 'put', t: 'reservedIpRange', k: uuid, v: { ...base, ...wanted, ipVersion: familyOf(wanted.startIp) } },
    { o: 'set', t: 'l3Network', k: l3, v: { lastOpDate: now() } },
    // Writing the ranges makes an address that was chosen from them before a conflict: it is chosen anew.
    ...ranges.map((range): Op => ({ o: 'set', t: 'ipRange', k: range['uuid'] as string, v: { lastOpDate: now() } })),
  ]
  return { change: { guards, ops, facts: [{ noun: 'reservedIpRange', uuid, event: 'created' }] } }
}

export const ipRangeReserve: Action = {
  workflow: defineWorkflow<Input, World>({
    name: 'ipRange.reserve',
    version: 1,
    input,
    steps: [
      {
        name: 'reserve',
        do: reserve,
        undo: (ctx: Ctx) =>
          ctx.world.graph.get('reservedIpRange', ctx.input.uuid)
            ? { change: { ops: [{ o: 'del' as const, t: 'reservedIpRange', k: ctx.input.uuid }] } }
            : {},
      },
      {
        name: 'look-again',
        noUndo: 'it only looks',
        // An address may have been given out between look and commit; after it none is.
        do: (ctx: Ctx) => void needUnused(ctx.world.graph, wantedOf(ctx.input.params)),
      },
    ],
  }),
  check: ({ graph, params, uuid }: CheckInput) => {
    if (graph.get('reservedIpRange', uuid))
      throw new SkerryError('duplicate-uuid', `a reserved IP range with uuid ${uuid} exists`, { uuid })
    needReservable(graph, uuid, wantedOf(params))
  },
  queueKey: (i) => i.params['l3NetworkUuid'] as string,
}
