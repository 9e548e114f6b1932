/** A VPC router comes into networks and leaves them: it is the router of a VPC network, and has an address of its own in a public one. */
import { type Guard, type Op, type Row, SkerryError, vrouterDesired } from '@skerry/contract'
import type { Graph } from '@skerry/graph'
import { defineWorkflow, type Step } from '@skerry/workflow'
import { ipToLong, rangesOf, usedIpKey } from '../place/address.ts'
import { ranges6Of } from '../place/address6.ts'
import { input } from './input.ts'
import { addressFor } from './vip.ts'
import { documentsOf, dropAddresses, needApart, needReach, nicsOf, VPC_NETWORK } from './vpc.rows.ts'
import {
  type Action,
  afterwards,
  type CheckInput,
  type Ctx,
  derivedId,
  type EndCtx,
  type Input,
  need,
  needEnabled,
  type World,
} from './world.ts'

interface Card {
  guards: Guard[]
  ops: Op[]
}
interface At {
  router: string
  l3: Readonly<Row>
  deviceId: number
  /** the address that it should have */
  ip?: unknown
}

/** The same when the step is repeated. */
const cardId = (ctx: Ctx, l3: unknown) => derivedId(ctx, `nic ${l3}`)
const cardRow = (ctx: Ctx, { router, l3, deviceId }: At, more: Row): Op => {
  const uuid = cardId(ctx, l3['uuid'])
  const dates = { createDate: ctx.world.now(), lastOpDate: ctx.world.now() }
  const row = {
    uuid,
    name: `nic${deviceId}`,
    vmInstanceUuid: router,
    l3NetworkUuid: l3['uuid'],
    deviceId,
    ipVersion: 4,
    ...dates,
    ...more,
  }
  return { o: 'put', t: 'vpcRouterNic', k: uuid, v: row }
}

/** A card in a public network, with an address that nobody has. */
export function publicCard(ctx: Ctx, at: At): Card {
  const { graph, random, now } = ctx.world
  const l3NetworkUuid = at.l3['uuid'] as string
  const asked = { l3NetworkUuid, ...(at.ip === undefined ? {} : { requiredIp: at.ip }) }
  const { ip, range } = addressFor(graph, asked, random)
  const key = usedIpKey(l3NetworkUuid, ip)
  const { netmask, gateway } = range
  const used: Row = {
    ...{
      uuid: derivedId(ctx, `ip ${l3NetworkUuid}`),
      name: ip,
      l3NetworkUuid,
      ip,
      netmask,
      gateway,
      ipRangeUuid: range['uuid'],
      ipVersion: 4,
    },
    ...{ ipInLong: ipToLong(ip), usedFor: 'VirtualRouter', vmNicUuid: null, createDate: now(), lastOpDate: now() },
  }
  return {
    guards: [
      { g: 'absent', t: 'usedIp', k: key },
      { g: 'exists', t: 'ipRange', k: range['uuid'] as string },
    ],
    ops: [
      { o: 'put', t: 'usedIp', k: key, v: used },
      cardRow(ctx, at, { ip, netmask, gateway, prefixLen: range['prefixLen'], isPublic: true, ipRangeUuid: range['uuid'] }),
    ],
  }
}

/** The router becomes the gateway of a VPC network. */
function privateCard(ctx: Ctx, at: At, router: Readonly<Row>): Card {
  const { graph } = ctx.world
  const k = at.l3['uuid'] as string
  const [range] = rangesOf(graph, k) as Row[]
  const { gateway, netmask, prefixLen } = range!
  return {
    guards: [{ g: 'version', t: 'l3Network', k, seq: graph.version('l3Network', k)! }],
    ops: [
      { o: 'set', t: 'l3Network', k, v: { vpcRouterUuid: at.router, routerAgentUuid: router['agentUuid'] } },
      cardRow(ctx, at, { ip: gateway, netmask, gateway, prefixLen, isPublic: false, ipRangeUuid: null }),
    ],
  }
}

/** Throws why the router can't come into that network. */
export function needAttachable(graph: Graph, router: Readonly<Row>, l3: Readonly<Row>): void {
  const about = { l3NetworkUuid: l3['uuid'], vmInstanceUuid: router['uuid'] }
  const stop = (message: string, more: Row = {}) => new SkerryError('illegal-state', message, { ...about, ...more })
  const own = l3['type'] === VPC_NETWORK
  if (!own && l3['category'] !== 'Public')
    throw stop(`network ${l3['name']} is neither a VPC network nor a public one`, { type: l3['type'], category: l3['category'] })
  const nics = nicsOf(graph, router['uuid'])
  const has = own ? (l3['vpcRouterUuid'] as string | null | undefined) : nics.find((nic) => nic['l3NetworkUuid'] === l3['uuid'])
  if (has)
    throw new SkerryError(
      'in-use',
      own ? `network ${l3['name']} has a VPC router already` : `VPC router ${router['name']} is in network ${l3['name']} already`,
      about,
    )
  if (nics.length >= vrouterDesired.MAX_VPC_NETWORKS)
    throw stop(`VPC router ${router['name']} is in ${vrouterDesired.MAX_VPC_NETWORKS} networks, the most there can be`)
  if (rangesOf(graph, l3['uuid']).length === 0) throw stop(`network ${l3['name']} has no IPv4 range: add one first`)
  if (own && ranges6Of(graph, l3['uuid']).length > 0)
    throw stop(`network ${l3['name']} has an IPv6 range, which VPC routers do not serve`)
  needApart(graph, router, l3)
  needReach(graph, router, l3)
}

const tell: Step<Input, World> = {
  name: 'tell-router',
  noUndo: 'the router follows the rows',
  do: async (ctx: Ctx) => void (await ctx.world.agents.converge(documentsOf(ctx.world.graph, ctx.input.uuid), ctx)),
}

function attach(ctx: Ctx) {
  const { graph } = ctx.world
  const { uuid, params } = ctx.input
  if (graph.get('vpcRouterNic', cardId(ctx, ctx.input.params['l3NetworkUuid']))) return {}
  const router = need(graph, 'vpcRouter', uuid)
  const l3 = needEnabled(graph, 'l3Network', params['l3NetworkUuid'])
  needAttachable(graph, router, l3)
  const deviceId = Math.max(-1, ...nicsOf(graph, uuid).map((nic) => nic['deviceId'] as number)) + 1
  const at = { router: uuid, l3, deviceId, ip: params['staticIp'] }
  const { guards, ops } = l3['type'] === VPC_NETWORK ? privateCard(ctx, at, router) : publicCard(ctx, at)
  const version: Guard = { g: 'version', t: 'vpcRouter', k: uuid, seq: graph.version('vpcRouter', uuid)! }
  // Two that come at once might have addresses in common: the router's row counts them.
  const touched: Op = { o: 'set', t: 'vpcRouter', k: uuid, v: { lastOpDate: ctx.world.now() } }
  return {
    change: { guards: [version, ...guards], ops: [...ops, touched], facts: [{ noun: 'vpcRouter', uuid, event: 'updated' }] },
  }
}

const leave = (graph: Graph, nic: Readonly<Row>): Op[] => [
  ...dropAddresses(graph, [nic]),
  { o: 'del', t: 'vpcRouterNic', k: nic['uuid'] as string },
  ...(nic['isPublic']
    ? []
    : [
        {
          o: 'set' as const,
          t: 'l3Network',
          k: nic['l3NetworkUuid'] as string,
          v: { vpcRouterUuid: null, routerAgentUuid: null },
        },
      ]),
]

function unattach(ctx: Ctx) {
  const nic = ctx.world.graph.get('vpcRouterNic', cardId(ctx, ctx.input.params['l3NetworkUuid']))
  return nic ? { change: { ops: leave(ctx.world.graph, nic) } } : {}
}

/** Throws why a router can't leave the network of that card. */
function needDetachable(graph: Graph, uuid: unknown): Readonly<Row> {
  const nic = need(graph, 'vpcRouterNic', uuid)
  const router = need(graph, 'vpcRouter', nic['vmInstanceUuid'])
  const l3 = need(graph, 'l3Network', nic['l3NetworkUuid'])
  const about = { l3NetworkUuid: l3['uuid'], vmInstanceUuid: router['uuid'] }
  if (nic['isPublic'] && router['defaultRouteL3NetworkUuid'] === l3['uuid'])
    throw new SkerryError(
      'illegal-state',
      `VPC router ${router['name']} goes out to network ${l3['name']}: choose another default route first`,
      about,
    )
  const guests = graph.countBy('vmNic', 'l3NetworkUuid', l3['uuid'])
  if (!nic['isPublic'] && guests > 0)
    throw new SkerryError('in-use', `network ${l3['name']} has ${guests} cards of VMs, whose gateway the router is`, {
      ...about,
      guests,
    })
  return nic
}

/** One commit, so that there is never half of it to take back. */
function detach(ctx: EndCtx) {
  const { graph } = ctx.world
  const nic = needDetachable(graph, ctx.input.uuid)
  const router = nic['vmInstanceUuid'] as string
  const guards: Guard[] = [{ g: 'version', t: 'vpcRouter', k: router, seq: graph.version('vpcRouter', router)! }]
  return {
    change: { guards, ops: leave(graph, nic), facts: [{ noun: 'vpcRouter', uuid: router, event: 'updated' }] },
    result: { vpcRouterUuid: router, ...afterwards([`vip/${ctx.input.uuid}`]) },
  }
}

export const vpcNetworkActions: readonly Action[] = [
  {
    workflow: defineWorkflow<Input, World>({
      ...{ name: 'vpcRouter.attachNetwork', version: 1, input },
      steps: [{ name: 'attach', do: attach, undo: unattach }, tell],
    }),
    check({ graph, params, uuid }: CheckInput) {
      const l3 = needEnabled(graph, 'l3Network', params['l3NetworkUuid'])
      needAttachable(graph, need(graph, 'vpcRouter', uuid), l3)
      if (params['staticIp'] === undefined) return
      if (l3['type'] === VPC_NETWORK)
        throw new SkerryError('invalid-argument', 'a VPC router has the gateway of a VPC network, and no other address there', {
          field: 'staticIp',
        })
      addressFor(graph, { l3NetworkUuid: l3['uuid'], requiredIp: params['staticIp'] }, () => 0)
    },
  },
  {
    workflow: defineWorkflow<Input, World>({
      ...{ name: 'vpcRouter.detachNetwork', version: 1, input },
      steps: [{ name: 'check', noUndo: 'it only looks', do: (ctx: Ctx) => void needDetachable(ctx.world.graph, ctx.input.uuid) }],
      finish: detach,
    }),
    check: ({ graph, uuid }) => void needDetachable(graph, uuid),
    queueKey: ({ uuid }, graph) => (graph.get('vpcRouterNic', uuid)?.['vmInstanceUuid'] as string | undefined) ?? uuid,
  },
]
