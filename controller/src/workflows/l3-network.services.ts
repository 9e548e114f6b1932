/** DNS servers and services of a network: fields of its row; the router follows. */
import { type Op, type Row, SkerryError } from '@skerry/contract'
import type { Graph } from '@skerry/graph'
import { defineWorkflow, type Step } from '@skerry/workflow'
import { z } from 'zod'
import { FOR_DHCP } from '../desired/flat.ts'
import { canonicalIp } from '../place/ip.ts'
import { dhcpAddress, flatDocuments } from './flat.ts'
import { input } from './input.ts'
import { type Action, type CheckInput, type Ctx, derivedId, type Input, need, touch, type World } from './world.ts'

interface Ref {
  l3NetworkUuid: string
  networkServiceProviderUuid: string
  networkServiceType: string
}
/** `taken`: rows of addresses as they were: null: there was none. */
const before = z.object({ before: z.unknown(), taken: z.record(z.string(), z.unknown()).optional() })
const l3Of = (i: { params: Row }) => i.params['l3NetworkUuid'] as string

const tellNetwork: Step<Input, World> = {
  name: 'tell-router',
  do: async (ctx: Ctx) => {
    const l3 = l3Of(ctx.input)
    await ctx.world.agents.converge([`router/${l3}`, ...flatDocuments(ctx.world, l3)], ctx)
  },
  noUndo: 'the router follows the network',
  optional: 'the call answers before the router has it',
}

/** A workflow that rewrites one field of the network and lets its router follow. */
export function l3Change(
  name: string,
  field: 'dns' | 'networkServices' | 'hostRoute' | 'mtu',
  next: (l3: Row, params: Row) => unknown,
  check?: (l3: Row, i: CheckInput) => void,
): Action {
  return {
    workflow: defineWorkflow<Input, World>({
      name,
      version: 1,
      input,
      steps: [
        {
          name: 'change',
          output: before,
          do: (ctx: Ctx) => {
            const { graph, now } = ctx.world
            const key = l3Of(ctx.input)
            const l3 = need(graph, 'l3Network', key)
            const value = next(l3, ctx.input.params)
            const address = dhcpAddress({ graph, l3: { ...l3, [field]: value }, uuid: derivedId(ctx, 'dhcp'), now: now() })
            const known = ctx.outputs['change'] as z.infer<typeof before> | undefined
            const taken = Object.fromEntries(address.ops.map(({ k }) => [k, graph.get('usedIp', k) ?? null]))
            return {
              output: { before: known?.before ?? l3[field] ?? null, taken: known?.taken ?? taken },
              change: {
                guards: [{ g: 'version', t: 'l3Network', k: key, seq: graph.version('l3Network', key)! }, ...address.guards],
                ops: [touch(ctx, 'l3Network', key, { [field]: value }), ...address.ops],
                facts: [{ noun: 'l3Network', uuid: key, event: 'updated' }],
              },
            }
          },
          undo: (ctx: Ctx) => {
            const old = ctx.outputs['change'] as z.infer<typeof before> | undefined
            if (!old || !ctx.world.graph.get('l3Network', l3Of(ctx.input))) return {}
            const back: Op = { o: 'set', t: 'l3Network', k: l3Of(ctx.input), v: { [field]: old.before } }
            return { change: { ops: [back, ...giveBack(ctx, old.taken ?? {})] } }
          },
        },
        tellNetwork,
      ],
    }),
    check(i) {
      const l3 = need(i.graph, 'l3Network', i.params['l3NetworkUuid'])
      check?.(l3, i)
    },
    queueKey: (i) => l3Of(i),
  }
}

/** Addresses of DHCP servers as they were. */
function giveBack({ world: { graph } }: Ctx, taken: Row): Op[] {
  return Object.entries(taken).flatMap(([k, row]): Op[] => {
    const there = graph.get('usedIp', k)
    if (row && !there) return [{ o: 'put', t: 'usedIp', k, v: row as Row }]
    return !row && there?.['usedFor'] === FOR_DHCP ? [{ o: 'del', t: 'usedIp', k }] : []
  })
}

const servers = (l3: Row) => l3['dns'] as string[]
const dnsOf = (params: Row) => canonicalIp(params['dns'] as string)
export const l3AddDns = l3Change(
  'l3Network.addDns',
  'dns',
  (l3, p) => [...servers(l3).filter((d) => d !== dnsOf(p)), dnsOf(p)],
  (l3, i) => {
    if (servers(l3).includes(dnsOf(i.params)))
      throw new SkerryError('invalid-argument', `DNS server ${i.params['dns']} is already there`)
  },
)
export const l3RemoveDns = l3Change(
  'l3Network.removeDns',
  'dns',
  (l3, p) => servers(l3).filter((d) => d !== dnsOf(p)),
  (l3, i) => {
    if (!servers(l3).includes(dnsOf(i.params)))
      throw new SkerryError('not-found', `network ${l3['name']} has no DNS server ${i.params['dns']}`)
  },
)

const refs = (l3: Row) => l3['networkServices'] as Ref[]
function wanted(l3: Row, params: Row): Ref[] {
  const l3Uuid = l3['uuid']
  const map = (params['networkServices'] ?? {}) as Record<string, string[]>
  const named = Object.entries(map).flatMap(([provider, types]) =>
    types.map((type) => ({ l3NetworkUuid: l3Uuid as string, networkServiceProviderUuid: provider, networkServiceType: type })),
  )
  // whoever serves it: a network has a service once
  const one = refs(l3).filter((ref) => ref.networkServiceType === params['service'])
  return [...named, ...one]
}
const same = (a: Ref) => (b: Ref) =>
  a.networkServiceType === b.networkServiceType && a.networkServiceProviderUuid === b.networkServiceProviderUuid

/** Throws where the provider has no such service, or another one serves it here already. */
function needServed(graph: Graph, l3: Row, ref: Ref): void {
  const { networkServiceProviderUuid: key, networkServiceType: service } = ref
  const provider = need(graph, 'networkServiceProvider', key)
  const about = { l3NetworkUuid: l3['uuid'], networkServiceProviderUuid: key, networkServiceType: service }
  if (!(provider['networkServiceTypes'] as string[]).includes(service))
    throw new SkerryError('invalid-argument', `provider ${provider['name']} has no service ${service}`, about)
  const other = refs(l3).find((one) => one.networkServiceType === service && one.networkServiceProviderUuid !== key)
  if (!other) return
  const { name } = need(graph, 'networkServiceProvider', other.networkServiceProviderUuid)
  throw new SkerryError(
    'illegal-state',
    `network ${l3['name']} has service ${service} of provider ${name} already: detach it first`,
    {
      ...about,
      servedBy: other.networkServiceProviderUuid,
    },
  )
}

export const l3AttachServices = l3Change(
  'l3Network.attachServices',
  'networkServices',
  (l3, p) => [...refs(l3), ...wanted(l3, p).filter((w) => !refs(l3).some(same(w)))],
  (l3, i) => {
    if (wanted(l3, i.params).length === 0) throw new SkerryError('invalid-argument', 'networkServices names no service')
    const all = wanted(l3, i.params)
    for (const ref of all) needServed(i.graph, l3, ref)
    const twice = all.find((ref) => all.some((other) => other.networkServiceType === ref.networkServiceType && !same(ref)(other)))
    if (twice)
      throw new SkerryError('invalid-argument', `networkServices names two providers of service ${twice.networkServiceType}`)
  },
)
export const l3DetachServices = l3Change(
  'l3Network.detachServices',
  'networkServices',
  (l3, p) => refs(l3).filter((r) => !wanted(l3, p).some(same(r))),
  (l3, i) => {
    const asked = wanted(l3, i.params)
    const one = i.params['service']
    if (asked.length === 0 && one !== undefined)
      throw new SkerryError('not-found', `network ${l3['name']} has no service ${one}`, {
        ...{ field: 'service', l3NetworkUuid: l3['uuid'] },
      })
    if (asked.length === 0) throw new SkerryError('invalid-argument', 'networkServices or service must name a service')
    const missing = asked.find((w) => !refs(l3).some(same(w)))
    if (missing)
      throw new SkerryError('not-found', `network ${l3['name']} has no service ${missing.networkServiceType}`, {
        ...{ field: 'networkServices', l3NetworkUuid: l3['uuid'] },
      })
  },
)
