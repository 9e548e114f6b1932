/** DNS servers and services of a network: fields of its row; the router follows. */
import { type Row, SkerryError, VROUTER_PROVIDER } from '@skerry/contract'
import { defineWorkflow } from '@skerry/workflow'
import { z } from 'zod'
import { canonicalIp } from '../place/ip.ts'
import { input } from './input.ts'
import { type Action, type CheckInput, type Ctx, type Input, need, touch, type World } from './world.ts'

interface Ref {
  l3NetworkUuid: string
  networkServiceProviderUuid: string
  networkServiceType: string
}
const before = z.object({ before: z.unknown() })
const l3Of = (i: { params: Row }) => i.params['l3NetworkUuid'] as string

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
            const key = l3Of(ctx.input)
            const l3 = need(ctx.world.graph, 'l3Network', key)
            return {
              output: { before: ctx.outputs['change']?.before ?? l3[field] ?? null },
              change: {
                guards: [{ g: 'version', t: 'l3Network', k: key, seq: ctx.world.graph.version('l3Network', key)! }],
                ops: [touch(ctx, 'l3Network', key, { [field]: next(l3, ctx.input.params) })],
                facts: [{ noun: 'l3Network', uuid: key, event: 'updated' }],
              },
            }
          },
          undo: (ctx: Ctx) => {
            const old = ctx.outputs['change'] as z.infer<typeof before> | undefined
            return old && ctx.world.graph.get('l3Network', l3Of(ctx.input))
              ? { change: { ops: [{ o: 'set' as const, t: 'l3Network', k: l3Of(ctx.input), v: { [field]: old.before } }] } }
              : {}
          },
        },
        {
          name: 'tell-router',
          do: async (ctx: Ctx) => void (await ctx.world.agents.converge([`router/${l3Of(ctx.input)}`], ctx)),
          noUndo: 'the router follows the network',
          optional: 'the call answers before the router has it',
        },
      ],
    }),
    check(i) {
      const l3 = need(i.graph, 'l3Network', i.params['l3NetworkUuid'])
      check?.(l3, i)
    },
    queueKey: (i) => l3Of(i),
  }
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
function wanted(l3Uuid: unknown, params: Row): Ref[] {
  const map = (params['networkServices'] ?? {}) as Record<string, string[]>
  const named = Object.entries(map).flatMap(([provider, types]) =>
    types.map((type) => ({ l3NetworkUuid: l3Uuid as string, networkServiceProviderUuid: provider, networkServiceType: type })),
  )
  const one = params['service'] as string | undefined
  return one
    ? [...named, { l3NetworkUuid: l3Uuid as string, networkServiceProviderUuid: VROUTER_PROVIDER, networkServiceType: one }]
    : named
}
const same = (a: Ref) => (b: Ref) =>
  a.networkServiceType === b.networkServiceType && a.networkServiceProviderUuid === b.networkServiceProviderUuid

export const l3AttachServices = l3Change(
  'l3Network.attachServices',
  'networkServices',
  (l3, p) => [...refs(l3), ...wanted(l3['uuid'], p).filter((w) => !refs(l3).some(same(w)))],
  (l3, i) => {
    if (wanted(l3['uuid'], i.params).length === 0) throw new SkerryError('invalid-argument', 'networkServices names no service')
    for (const provider of Object.keys((i.params['networkServices'] ?? {}) as Row))
      need(i.graph, 'networkServiceProvider', provider)
  },
)
export const l3DetachServices = l3Change(
  'l3Network.detachServices',
  'networkServices',
  (l3, p) => refs(l3).filter((r) => !wanted(l3['uuid'], p).some(same(r))),
  (l3, i) => {
    const asked = wanted(l3['uuid'], i.params)
    if (asked.length === 0) throw new SkerryError('invalid-argument', 'networkServices or service must name a service')
    const missing = asked.find((w) => !refs(l3).some(same(w)))
    if (missing) throw new SkerryError('not-found', `network ${l3['name']} has no service ${missing.networkServiceType}`)
  },
)
