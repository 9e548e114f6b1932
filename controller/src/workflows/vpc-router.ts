/** VPC routers: made from an offering, on a host that their networks reach, started, stopped, and changed in what they do. */
import { type Guard, type Op, type Row, SkerryError } from '@skerry/contract'
import type { Graph } from '@skerry/graph'
import { defineWorkflow, type Step } from '@skerry/workflow'
import { z } from 'zod'
import { input } from './input.ts'
import { creation } from './resource.create.ts'
import { deletion } from './resource.delete.ts'
import { documentsOf, dropAddresses, hostFor, networksOf, nicsOf, serveBy } from './vpc.rows.ts'
import { publicCard } from './vpc-router.network.ts'
import { type Action, baseRow, type CheckInput, type Ctx, type Input, need, needEnabled, touch, type World } from './world.ts'

/** How long a router that should give something up is waited for; its tombstone waits on. */
const GONE_MS = 30_000

const offeringCreate = creation({
  workflow: 'virtualRouterOffering.create',
  table: 'virtualRouterOffering',
  parents: { zoneUuid: 'zone', managementNetworkUuid: 'l3Network', imageUuid: 'image' },
  check({ graph, params }) {
    const l3 = publicOf(graph, params)
    if (l3['category'] !== 'Public')
      throw new SkerryError('invalid-argument', `network ${l3['name']} is ${l3['category']}: routers begin with a public one`, {
        field: 'publicNetworkUuid',
        l3NetworkUuid: l3['uuid'],
      })
    for (const field of ['managementNetworkUuid', 'publicNetworkUuid'] as const) {
      const other = need(graph, 'l3Network', params[field] ?? l3['uuid'])
      if (other['zoneUuid'] !== params['zoneUuid'])
        throw new SkerryError('invalid-argument', `network ${other['name']} is in another zone`, {
          field,
          l3NetworkUuid: other['uuid'],
        })
    }
  },
  row({ input: { params: p } }) {
    const { managementNetworkUuid, zoneUuid, imageUuid, cpuNum, memorySize } = p
    return {
      ...{ zoneUuid, managementNetworkUuid, imageUuid, cpuNum, memorySize, cpuSpeed: 0, type: 'VirtualRouter', state: 'Enabled' },
      ...{ publicNetworkUuid: p['publicNetworkUuid'] ?? managementNetworkUuid, isDefault: p['isDefault'] ?? false },
      ...{ reservedMemorySize: p['reservedMemorySize'] ?? 0, sortKey: p['sortKey'] ?? 0 },
      allocatorStrategy: 'DefaultHostAllocatorStrategy',
    }
  },
})

const publicOf = (graph: Graph, params: Row): Readonly<Row> =>
  need(graph, 'l3Network', params['publicNetworkUuid'] ?? params['managementNetworkUuid'])

const tell: Step<Input, World> = {
  name: 'tell-router',
  noUndo: 'the router follows the rows',
  do: async (ctx: Ctx) => {
    const names = documentsOf(ctx.world.graph, ctx.input.uuid)
    await ctx.world.agents.converge(names, ctx)
    await ctx.world.agents.gone(names, GONE_MS)
  },
}

function placeFor(graph: Graph, { params }: Pick<Input, 'params'>) {
  const offering = needEnabled(graph, 'virtualRouterOffering', params['virtualRouterOfferingUuid'])
  const l3 = needEnabled(graph, 'l3Network', offering['publicNetworkUuid'])
  const zoneUuid = offering['zoneUuid'] as string
  if (params['zoneUuid'] !== undefined && params['zoneUuid'] !== zoneUuid)
    throw new SkerryError('invalid-argument', `offering ${offering['name']} is of another zone`, { field: 'zoneUuid', zoneUuid })
  const wish = { zoneUuid, clusterUuid: params['clusterUuid'], hostUuid: params['hostUuid'], l3Uuids: [l3['uuid'] as string] }
  return { offering, l3, ...hostFor(graph, wish) }
}

function make(ctx: Ctx) {
  const { graph } = ctx.world
  const { uuid } = ctx.input
  if (graph.get('vpcRouter', uuid)) return {}
  const { offering, l3, host, agentUuid } = placeFor(graph, ctx.input)
  const card = publicCard(ctx, { router: uuid, l3, deviceId: 0 })
  const place = {
    zoneUuid: offering['zoneUuid'],
    clusterUuid: host['clusterUuid'],
    hostUuid: host['uuid'],
    lastHostUuid: null,
    agentUuid,
  }
  const { managementNetworkUuid, imageUuid, cpuNum, memorySize } = offering
  const networks = { publicNetworkUuid: l3['uuid'], defaultL3NetworkUuid: l3['uuid'], defaultRouteL3NetworkUuid: l3['uuid'] }
  const kind = { type: 'ApplianceVm', applianceVmType: 'vpcvrouter', hypervisorType: 'KVM', haStatus: 'NoHa' }
  const row = {
    ...{ ...baseRow(ctx), ...place, ...networks, ...kind, managementNetworkUuid, imageUuid, cpuNum, memorySize },
    ...{ instanceOfferingUuid: offering['uuid'], state: 'Running', status: 'Connecting', dns: [], snatDisabled: [] },
  }
  const guards: Guard[] = [{ g: 'absent', t: 'vpcRouter', k: uuid }, { g: 'exists', t: 'agent', k: agentUuid }, ...card.guards]
  return {
    change: {
      guards,
      ops: [{ o: 'put' as const, t: 'vpcRouter', k: uuid, v: row }, ...card.ops],
      facts: [{ noun: 'vpcRouter', uuid, event: 'created' }],
    },
  }
}

function unmake(ctx: Ctx) {
  const { graph } = ctx.world
  const { uuid } = ctx.input
  if (!graph.get('vpcRouter', uuid)) return {}
  const nics = nicsOf(graph, uuid)
  const ops: Op[] = [
    ...dropAddresses(graph, nics),
    ...nics.map((nic): Op => ({ o: 'del', t: 'vpcRouterNic', k: nic['uuid'] as string })),
    { o: 'del', t: 'vpcRouter', k: uuid },
  ]
  return { change: { ops } }
}

const connected: Step<Input, World> = {
  name: 'connect',
  noUndo: 'what is seen of a router is seen again',
  do: (ctx: Ctx) =>
    need(ctx.world.graph, 'vpcRouter', ctx.input.uuid)['status'] === 'Connected'
      ? {}
      : { change: { ops: [{ o: 'set', t: 'vpcRouter', k: ctx.input.uuid, v: { status: 'Connected' } }] } },
}

const workflowOf = (name: string, steps: Step<Input, World>[]) => defineWorkflow<Input, World>({ name, version: 1, input, steps })

const routerCreate: Action = {
  workflow: workflowOf('vpcRouter.create', [{ name: 'create', do: make, undo: unmake }, tell, connected]),
  check({ graph, params, uuid }: CheckInput) {
    if (graph.get('vpcRouter', uuid)) throw new SkerryError('duplicate-uuid', `a VPC router with uuid ${uuid} exists`, { uuid })
    placeFor(graph, { params })
  },
}

const was = z.object({ before: z.record(z.string(), z.unknown()) })
type Next = (router: Readonly<Row>, ctx: Pick<Ctx, 'input' | 'world'>) => Row | undefined

/** A step that writes fields of the router; its networks are served where it runs afterwards. Nothing to write: nothing happens. */
function changing(name: string, next: Next): Step<Input, World> {
  const write = (ctx: Ctx, router: Readonly<Row>, set: Row): Op[] => {
    const uuid = ctx.input.uuid
    const moved = 'agentUuid' in set && set['agentUuid'] !== router['agentUuid']
    return [
      touch(ctx, 'vpcRouter', uuid, set),
      ...(moved ? serveBy(ctx.world.graph, uuid, set['agentUuid'] as string | null) : []),
    ]
  }
  return {
    name,
    output: was,
    do: (ctx: Ctx) => {
      const { graph } = ctx.world
      const router = need(graph, 'vpcRouter', ctx.input.uuid)
      const set = next(router, ctx)
      const known = (ctx.outputs[name] as z.infer<typeof was> | undefined)?.before
      if (!set) return { output: { before: known ?? {} } }
      const before = known ?? Object.fromEntries(Object.keys(set).map((k) => [k, router[k] ?? null]))
      const key = ctx.input.uuid
      const guards: Guard[] = [{ g: 'version', t: 'vpcRouter', k: key, seq: graph.version('vpcRouter', key)! }]
      return {
        output: { before },
        change: { guards, ops: write(ctx, router, set), facts: [{ noun: 'vpcRouter', uuid: key, event: 'updated' }] },
      }
    },
    undo: (ctx: Ctx) => {
      const before = (ctx.outputs[name] as z.infer<typeof was> | undefined)?.before ?? {}
      const router = ctx.world.graph.get('vpcRouter', ctx.input.uuid)
      return router && Object.keys(before).length > 0 ? { change: { ops: write(ctx, router as Row, before) } } : {}
    },
  }
}

const allNetworks = (graph: Graph, router: Readonly<Row>): string[] =>
  nicsOf(graph, router['uuid']).map((nic) => nic['l3NetworkUuid'] as string)

function start(router: Readonly<Row>, { input: { params }, world: { graph } }: Pick<Ctx, 'input' | 'world'>): Row | undefined {
  if (router['state'] === 'Running') return undefined
  const { zoneUuid, lastHostUuid } = router
  const wish = { zoneUuid, clusterUuid: params['clusterUuid'], l3Uuids: allNetworks(graph, router) }
  const asked = params['hostUuid'] as string | undefined
  const place = asked === undefined ? lastOr(graph, wish, lastHostUuid) : hostFor(graph, { ...wish, hostUuid: asked })
  const { host, agentUuid } = place
  return { state: 'Running', status: 'Connecting', hostUuid: host['uuid'], clusterUuid: host['clusterUuid'], agentUuid }
}

/** Where it was last, if it can be there: its networks may have no other way. */
function lastOr(graph: Graph, wish: Parameters<typeof hostFor>[1], lastHostUuid: unknown) {
  try {
    if (lastHostUuid !== null) return hostFor(graph, { ...wish, hostUuid: lastHostUuid })
  } catch (error) {
    if (!(error instanceof SkerryError && error.code === 'no-host')) throw error
  }
  return hostFor(graph, wish)
}

const stop = (router: Readonly<Row>): Row | undefined =>
  router['state'] === 'Stopped'
    ? undefined
    : {
        ...{ state: 'Stopped', status: 'Disconnected', agentUuid: null, hostUuid: null, clusterUuid: null },
        lastHostUuid: router['hostUuid'],
      }

const servers = (router: Readonly<Row>) => router['dns'] as string[]
const dnsOf = ({ params }: Pick<Input, 'params'>) => params['dns'] as string
const MAX_DNS = 8

/** A change of what a router does. `check` throws what is wrong with it. */
const change = (name: string, next: Next, check?: (router: Readonly<Row>, i: CheckInput) => void): Action => ({
  workflow: workflowOf(name, [changing('change', next), tell]),
  check: (i) => check?.(need(i.graph, 'vpcRouter', i.uuid), i),
})

function needPublicCard(router: Readonly<Row>, { graph, params }: CheckInput): void {
  const l3 = params['defaultRouteL3NetworkUuid']
  if (l3 === undefined) return
  if (nicsOf(graph, router['uuid']).some((nic) => nic['isPublic'] && nic['l3NetworkUuid'] === l3)) return
  throw new SkerryError('invalid-argument', `VPC router ${router['name']} is not in that public network: attach it first`, {
    field: 'defaultRouteL3NetworkUuid',
    l3NetworkUuid: l3,
  })
}

/** SNAT of which networks is off afterwards. */
function snatAfter(router: Readonly<Row>, { input: { params, uuid }, world: { graph } }: Pick<Ctx, 'input' | 'world'>): Row {
  const asked = params['l3NetworkUuid'] as string | undefined
  const meant = new Set(asked === undefined ? networksOf(graph, uuid) : [asked])
  const others = (router['snatDisabled'] as string[]).filter((k) => !meant.has(k))
  return { snatDisabled: params['state'] === 'disable' ? [...others, ...meant].sort() : others }
}

const setServiceState: Action = {
  ...change('vpcRouter.setServiceState', snatAfter, (router, { graph, params }) => {
    const l3 = params['l3NetworkUuid']
    if (l3 !== undefined && need(graph, 'l3Network', l3)['vpcRouterUuid'] !== router['uuid'])
      throw new SkerryError('invalid-argument', `VPC router ${router['name']} is not the router of that network`, {
        field: 'l3NetworkUuid',
        l3NetworkUuid: l3,
      })
  }),
  workflow: defineWorkflow<Input, World>({
    ...{ name: 'vpcRouter.setServiceState', version: 1, input, steps: [changing('change', snatAfter), tell] },
    finish: (ctx) => ({ result: { state: ctx.input.params['state'] } }),
  }),
}

export const vpcRouterActions: readonly Action[] = [
  offeringCreate,
  routerCreate,
  {
    workflow: workflowOf('vpcRouter.start', [changing('start', start), tell, connected]),
    check: (i) => void need(i.graph, 'vpcRouter', i.uuid),
  },
  {
    workflow: workflowOf('vpcRouter.stop', [changing('stop', stop), tell]),
    check: (i) => void need(i.graph, 'vpcRouter', i.uuid),
  },
  {
    workflow: workflowOf('vpcRouter.reboot', [
      changing('stop', stop),
      { ...tell, name: 'tell-stop' },
      changing('start', start),
      tell,
      connected,
    ]),
  },
  { workflow: workflowOf('vpcRouter.reconnect', [tell, connected]) },
  deletion('vpcRouter.delete'),
  change(
    'vpcRouter.addDns',
    (router, i) => ({ dns: [...servers(router).filter((ip) => ip !== dnsOf(i.input)), dnsOf(i.input)] }),
    (router, i) => {
      if (servers(router).includes(dnsOf(i)))
        throw new SkerryError('invalid-argument', `DNS server ${dnsOf(i)} is already there`, { field: 'dns' })
      if (servers(router).length >= MAX_DNS)
        throw new SkerryError('illegal-state', `VPC router ${router['name']} has ${MAX_DNS} DNS servers, the most there can be`)
    },
  ),
  change(
    'vpcRouter.removeDns',
    (router, i) => ({ dns: servers(router).filter((ip) => ip !== dnsOf(i.input)) }),
    (router, i) => {
      if (!servers(router).includes(dnsOf(i)))
        throw new SkerryError('not-found', `VPC router ${router['name']} has no DNS server ${dnsOf(i)}`)
    },
  ),
  change(
    'vpcRouter.changeDefaultRoute',
    (_, { input: { params } }) => {
      const { defaultRouteL3NetworkUuid } = params
      return defaultRouteL3NetworkUuid === undefined ? undefined : { defaultRouteL3NetworkUuid }
    },
    needPublicCard,
  ),
  setServiceState,
]
