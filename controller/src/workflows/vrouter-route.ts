/** Route tables of VPC routers: a router has one at most, a table any number of routers. */
import { type Guard, type Op, type Row, SkerryError, vrouterDesired } from '@skerry/contract'
import type { Graph } from '@skerry/graph'
import { defineWorkflow, type Step } from '@skerry/workflow'
import { z } from 'zod'
import { input } from './input.ts'
import { creation } from './resource.create.ts'
import { deletion } from './resource.delete.ts'
import { cidrOf } from './vip.check.ts'
import {
  type Action,
  afterwards,
  baseRow,
  type CheckInput,
  type Ctx,
  type EndCtx,
  type Input,
  need,
  type World,
} from './world.ts'

const GONE_MS = 30_000
/** As ZStack has it: the kernel's own routes go before. */
const DISTANCE = 128

const entriesOf = (graph: Graph, table: unknown) =>
  [...graph.by('vRouterRouteEntry', 'routeTableUuid', table)].map((k) => graph.get('vRouterRouteEntry', k)!)
const routersOf = (graph: Graph, table: unknown) =>
  [...graph.by('vRouterRouteTableRef', 'routeTableUuid', table)].map(
    (k) => graph.get('vRouterRouteTableRef', k)!['virtualRouterVmUuid'] as string,
  )

interface Entry {
  type: string
  destination: string
  target: string | null
  distance: number
}

/** Throws what is wrong with a route. */
function entryOf({ params }: Pick<Input, 'params'>): Entry {
  const { target, distance = DISTANCE } = params as { target?: string; distance?: number }
  const type = (params['type'] as string | undefined) ?? 'UserStatic'
  const bad = (field: string, message: string) => new SkerryError('invalid-argument', message, { field })
  if (type === 'UserStatic' && target === undefined) throw bad('target', 'a static route needs a target: the next hop')
  if (type === 'UserBlackHole' && target !== undefined) throw bad('target', 'a black hole has no target')
  const destination = cidrOf(params['destination'] as string)
  if (destination.endsWith('/0'))
    throw bad('destination', 'the default route is of the public network that UpdateVirtualRouter names, and of no table')
  return { type, destination, target: target ?? null, distance }
}

function needRoom(graph: Graph, table: unknown, { destination, distance }: Entry): void {
  const entries = entriesOf(graph, table)
  const other = entries.find((one) => one['destination'] === destination && one['distance'] === distance)
  if (other)
    throw new SkerryError('in-use', `the table has a route to ${destination} with distance ${distance} already`, {
      vRouterRouteEntryUuid: other['uuid'],
    })
  if (entries.length >= vrouterDesired.MAX_ROUTES)
    throw new SkerryError('illegal-state', `the table has ${vrouterDesired.MAX_ROUTES} routes, the most there can be`, {
      routeTableUuid: table,
    })
}

const tell = (routers: (ctx: Ctx) => readonly string[]): Step<Input, World> => ({
  name: 'tell-routers',
  noUndo: 'routers follow the rows',
  optional: 'the call answers before the routers have it',
  do: async (ctx: Ctx) => {
    const names = routers(ctx).map((k) => `routes/${k}`)
    await ctx.world.agents.converge(names, ctx)
    await ctx.world.agents.gone(names, GONE_MS)
  },
})

function addEntry(ctx: Ctx) {
  const { graph } = ctx.world
  const { uuid, params } = ctx.input
  if (graph.get('vRouterRouteEntry', uuid)) return {}
  const table = params['routeTableUuid'] as string
  need(graph, 'vRouterRouteTable', table)
  const entry = entryOf(ctx.input)
  needRoom(graph, table, entry)
  const row = { ...baseRow(ctx), name: entry.destination, routeTableUuid: table, ...entry }
  // Two that come at once might be the same: the table's row counts them.
  const guards: Guard[] = [
    { g: 'absent', t: 'vRouterRouteEntry', k: uuid },
    { g: 'version', t: 'vRouterRouteTable', k: table, seq: graph.version('vRouterRouteTable', table)! },
  ]
  const ops: Op[] = [
    { o: 'put', t: 'vRouterRouteEntry', k: uuid, v: row },
    { o: 'set', t: 'vRouterRouteTable', k: table, v: { lastOpDate: ctx.world.now() } },
  ]
  return { change: { guards, ops, facts: [{ noun: 'vRouterRouteEntry', uuid, event: 'created' }] } }
}

const entryCreate: Action = {
  workflow: defineWorkflow<Input, World>({
    ...{ name: 'vRouterRouteEntry.create', version: 1, input },
    steps: [
      {
        name: 'create',
        do: addEntry,
        undo: (ctx) =>
          ctx.world.graph.get('vRouterRouteEntry', ctx.input.uuid)
            ? { change: { ops: [{ o: 'del' as const, t: 'vRouterRouteEntry', k: ctx.input.uuid }] } }
            : {},
      },
      tell((ctx) => routersOf(ctx.world.graph, ctx.input.params['routeTableUuid'])),
    ],
  }),
  check({ graph, params, uuid }: CheckInput) {
    if (graph.get('vRouterRouteEntry', uuid))
      throw new SkerryError('duplicate-uuid', `a route with uuid ${uuid} exists`, { uuid })
    need(graph, 'vRouterRouteTable', params['routeTableUuid'])
    needRoom(graph, params['routeTableUuid'], entryOf({ params }))
  },
}

function needOfTable({ graph, params, uuid }: Pick<CheckInput, 'graph' | 'params' | 'uuid'>): Readonly<Row> {
  const entry = need(graph, 'vRouterRouteEntry', uuid)
  if (entry['routeTableUuid'] === params['routeTableUuid']) return entry
  throw new SkerryError('not-found', `route ${uuid} is not of that table`, { uuid, routeTableUuid: params['routeTableUuid'] })
}

const entryDelete: Action = {
  workflow: defineWorkflow<Input, World>({
    ...{ name: 'vRouterRouteEntry.delete', version: 1, input },
    steps: [
      { name: 'check', noUndo: 'it only looks', do: (ctx: Ctx) => void needOfTable({ ...ctx.input, graph: ctx.world.graph }) },
    ],
    finish(ctx: EndCtx) {
      const { uuid, params } = ctx.input
      needOfTable({ graph: ctx.world.graph, params, uuid })
      return {
        change: {
          ops: [{ o: 'del', t: 'vRouterRouteEntry', k: uuid }],
          facts: [{ noun: 'vRouterRouteEntry', uuid, event: 'deleted' }],
        },
        result: { vRouterRouteTableUuid: params['routeTableUuid'] },
      }
    },
  }),
  check: (i) => void needOfTable(i),
}

const routerOfCall = ({ params }: Pick<Input, 'params'>) => params['virtualRouterVmUuid'] as string
const was = z.object({ before: z.string().nullable() })
const refRow = (ctx: Ctx, table: string): Op => {
  const router = routerOfCall(ctx.input)
  const dates = { createDate: ctx.world.now(), lastOpDate: ctx.world.now() }
  const row = { uuid: router, name: router, virtualRouterVmUuid: router, routeTableUuid: table, ...dates }
  return { o: 'put', t: 'vRouterRouteTableRef', k: router, v: row }
}

const tableAttach: Action = {
  workflow: defineWorkflow<Input, World>({
    ...{ name: 'vRouterRouteTable.attach', version: 1, input },
    steps: [
      {
        name: 'attach',
        output: was,
        do: (ctx: Ctx) => {
          const { graph } = ctx.world
          const router = routerOfCall(ctx.input)
          const known = ctx.outputs['attach'] as z.infer<typeof was> | undefined
          const before = known
            ? known.before
            : ((graph.get('vRouterRouteTableRef', router)?.['routeTableUuid'] as string | undefined) ?? null)
          const guards: Guard[] = [
            { g: 'exists', t: 'vpcRouter', k: router },
            { g: 'exists', t: 'vRouterRouteTable', k: ctx.input.uuid },
          ]
          return { output: { before }, change: { guards, ops: [refRow(ctx, ctx.input.uuid)] } }
        },
        undo: (ctx: Ctx) => {
          const { graph } = ctx.world
          const known = ctx.outputs['attach'] as z.infer<typeof was> | undefined
          const router = routerOfCall(ctx.input)
          if (!known || !graph.get('vRouterRouteTableRef', router)) return {}
          const { before } = known
          const back = before !== null && graph.get('vRouterRouteTable', before) ? refRow(ctx, before) : undefined
          return { change: { ops: [back ?? { o: 'del' as const, t: 'vRouterRouteTableRef', k: router }] } }
        },
      },
      tell((ctx) => [routerOfCall(ctx.input)]),
    ],
  }),
  check({ graph, params, uuid }: CheckInput) {
    const router = need(graph, 'vpcRouter', params['virtualRouterVmUuid'])
    if (graph.get('vRouterRouteTableRef', router['uuid'] as string)?.['routeTableUuid'] === uuid)
      throw new SkerryError('in-use', `VPC router ${router['name']} has that route table already`, { routeTableUuid: uuid })
  },
  queueKey: (i) => routerOfCall(i),
}

function needAttached({ graph, params, uuid }: Pick<CheckInput, 'graph' | 'params' | 'uuid'>): string {
  const router = params['virtualRouterVmUuid'] as string
  if (graph.get('vRouterRouteTableRef', router)?.['routeTableUuid'] === uuid) return router
  throw new SkerryError('not-found', `VPC router ${router} does not have route table ${uuid}`, {
    vmInstanceUuid: router,
    routeTableUuid: uuid,
  })
}

const tableDetach: Action = {
  workflow: defineWorkflow<Input, World>({
    ...{ name: 'vRouterRouteTable.detach', version: 1, input },
    steps: [
      { name: 'check', noUndo: 'it only looks', do: (ctx: Ctx) => void needAttached({ ...ctx.input, graph: ctx.world.graph }) },
    ],
    finish(ctx: EndCtx) {
      const router = needAttached({ ...ctx.input, graph: ctx.world.graph })
      return { change: { ops: [{ o: 'del', t: 'vRouterRouteTableRef', k: router }] }, result: afterwards([`routes/${router}`]) }
    },
  }),
  check: (i) => void needAttached(i),
  queueKey: (i) => routerOfCall(i),
}

export const routeActions: readonly Action[] = [
  creation({ workflow: 'vRouterRouteTable.create', table: 'vRouterRouteTable', row: () => ({}) }),
  deletion('vRouterRouteTable.delete'),
  tableAttach,
  tableDetach,
  entryCreate,
  entryDelete,
]
