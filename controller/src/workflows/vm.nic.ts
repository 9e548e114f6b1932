/**
 * A network card comes to a VM and leaves it. Its network is made on the VM's host first, with the lease of its address; then the VM's
 * document has it, and its agent plugs it in, live when the guest runs. A card that leaves keeps its address until the guest has let go.
 */
import { type Op, type Row, SkerryError } from '@skerry/contract'
import { defineWorkflow, type Step } from '@skerry/workflow'
import { z } from 'zod'
import { input } from './input.ts'
import { networkPart } from './vm.network.ts'
import { fixedAddress, freeNicSlot, needReach, needUsableMac, nicsOf } from './vm.nic.check.ts'
import { dropNic, nicRows } from './vm.rows.ts'
import { convergeVm, needVm } from './volume.attach.ts'
import { CLEAN_UP_MS } from './volume.create.ts'
import {
  type Action,
  afterwards,
  type CheckInput,
  type Ctx,
  derivedId,
  type EndCtx,
  type Input,
  need,
  type World,
} from './world.ts'

const ids = z.object({ nicUuid: z.string(), usedIpUuid: z.string(), defaultL3NetworkUuid: z.string().nullable() })
const idsOf = (ctx: EndCtx) => ctx.outputs['choose'] as z.infer<typeof ids> | undefined
const vmOf = (ctx: EndCtx) => need(ctx.world.graph, 'vmInstance', ctx.input.uuid)
const setNic = (ctx: Ctx, v: Row, uuid = idsOf(ctx)?.nicUuid ?? ''): { change?: { ops: Op[] } } =>
  ctx.world.graph.get('vmNic', uuid) ? { change: { ops: [{ o: 'set', t: 'vmNic', k: uuid, v }] } } : {}
/** One that is off gets its network when it is started. */
const isOn = (ctx: Ctx) => vmOf(ctx)['hostUuid'] !== null

const choose: Step<Input, World> = {
  name: 'choose',
  output: ids,
  do: (ctx: Ctx) => ({
    output: idsOf(ctx) ?? {
      nicUuid: derivedId(ctx, 'nic'),
      usedIpUuid: derivedId(ctx, 'ip'),
      defaultL3NetworkUuid: vmOf(ctx)['defaultL3NetworkUuid'] ?? null,
    },
  }),
  // The last undo: the card has lost its rows by now, and the router is forgetting its lease.
  undo: async (ctx: Ctx) => void (idsOf(ctx) && (await ctx.world.agents.gone([`lease/${idsOf(ctx)!.nicUuid}`], CLEAN_UP_MS))),
}

const allocate: Step<Input, World> = {
  name: 'allocate',
  do: (ctx: Ctx) => {
    const { graph } = ctx.world
    const { nicUuid, usedIpUuid } = idsOf(ctx)!
    if (graph.get('vmNic', nicUuid)) return {}
    const { l3NetworkUuid, staticIp, customMac } = ctx.input.params as {
      l3NetworkUuid: string
      staticIp?: string
      customMac?: string
    }
    needReach(graph, ctx.input.uuid, l3NetworkUuid)
    const vm = vmOf(ctx)
    const { guards, ops } = nicRows(
      ctx,
      { nicUuid, usedIpUuid, l3NetworkUuid, ip: staticIp, mac: customMac },
      freeNicSlot(graph, vm),
    )
    const own: Op[] = [{ o: 'set', t: 'vmNic', k: nicUuid, v: { unplugged: true } }]
    if (!vm['defaultL3NetworkUuid'])
      own.push({ o: 'set', t: 'vmInstance', k: ctx.input.uuid, v: { defaultL3NetworkUuid: l3NetworkUuid } })
    const still = { g: 'field' as const, t: 'vmInstance', k: ctx.input.uuid, field: 'state', in: [vm['state'] as string] }
    return { change: { guards: [...guards, still], ops: [...ops, ...own] } }
  },
  undo: (ctx: Ctx) => {
    const { graph } = ctx.world
    const { nicUuid = '', defaultL3NetworkUuid = null } = idsOf(ctx) ?? {}
    if (!graph.get('vmNic', nicUuid)) return {}
    const ops: Op[] = dropNic(graph, nicUuid)
    if (graph.get('vmInstance', ctx.input.uuid))
      ops.push({ o: 'set', t: 'vmInstance', k: ctx.input.uuid, v: { defaultL3NetworkUuid } })
    return { change: { ops } }
  },
}

export const vmAttachNic: Action = {
  workflow: defineWorkflow<Input, World>({
    name: 'vm.attachNic',
    version: 1,
    input,
    steps: [
      choose,
      allocate,
      ...networkPart({ when: isOn }),
      {
        name: 'connect',
        do: (ctx: Ctx) => setNic(ctx, { unplugged: false }),
        undo: (ctx: Ctx) => setNic(ctx, { unplugged: true }),
      },
      { name: 'plug', do: (ctx: Ctx) => convergeVm(ctx, ctx.input.uuid), noUndo: 'a card that its document lacks is taken out' },
    ],
    finish: (ctx: EndCtx) => {
      const { uuid, params } = ctx.input
      const data = { vmNicUuid: idsOf(ctx)!.nicUuid, l3NetworkUuid: params['l3NetworkUuid'] }
      return {
        change: {
          ops: [{ o: 'set', t: 'vmInstance', k: uuid, v: { lastOpDate: ctx.world.now() } }],
          facts: [{ noun: 'vmInstance', uuid, event: 'nic-attached', data }],
        },
      }
    },
  }),
  check: ({ graph, params, uuid }: CheckInput) => {
    needReach(graph, uuid, params['l3NetworkUuid'])
    if (params['staticIp']) fixedAddress(graph, need(graph, 'l3Network', params['l3NetworkUuid']), params['staticIp'] as string)
    if (params['customMac']) needUsableMac(graph, params['customMac'] as string, 'customMac')
  },
}

const held = z.object({ vmInstanceUuid: z.string() })
const holderOf = (ctx: EndCtx) => (ctx.outputs['look'] as z.infer<typeof held>).vmInstanceUuid

/** The end of a card: its rows go, and another network becomes the default where its own was that. */
function dropped(ctx: EndCtx) {
  const { graph, now } = ctx.world
  const { uuid } = ctx.input
  const vmUuid = holderOf(ctx)
  const vm = graph.get('vmInstance', vmUuid)
  const l3 = graph.get('vmNic', uuid)?.['l3NetworkUuid']
  const rest = nicsOf(graph, vmUuid).filter((nic) => nic['uuid'] !== uuid)
  const next = vm?.['defaultL3NetworkUuid'] === l3 ? (rest[0]?.['l3NetworkUuid'] ?? null) : vm?.['defaultL3NetworkUuid']
  const v = { defaultL3NetworkUuid: next ?? null, lastOpDate: now() }
  const about = { noun: 'vmInstance', uuid: vmUuid, event: 'nic-detached', data: { vmNicUuid: uuid, l3NetworkUuid: l3 } }
  return {
    guards: [{ g: 'exists' as const, t: 'vmNic', k: uuid }],
    ops: [...dropNic(graph, uuid), ...(vm ? [{ o: 'set' as const, t: 'vmInstance', k: vmUuid, v }] : [])],
    facts: [about],
  }
}

export const vmDetachNic: Action = {
  workflow: defineWorkflow<Input, World>({
    name: 'vm.detachNic',
    version: 1,
    input,
    steps: [
      {
        name: 'look',
        output: held,
        noUndo: 'it only looks',
        do: (ctx: Ctx) => {
          const vmInstanceUuid = need(ctx.world.graph, 'vmNic', ctx.input.uuid)['vmInstanceUuid'] as string
          needVm(ctx.world.graph, vmInstanceUuid, 'detached')
          return { output: { vmInstanceUuid } }
        },
      },
      {
        name: 'withdraw',
        do: (ctx: Ctx) => setNic(ctx, { unplugged: true }, ctx.input.uuid),
        undo: (ctx: Ctx) => setNic(ctx, { unplugged: false }, ctx.input.uuid),
      },
      { name: 'unplug', do: (ctx: Ctx) => convergeVm(ctx, holderOf(ctx)), noUndo: 'wanting it again plugs it in again' },
    ],
    finish: (ctx: EndCtx) => ({
      change: dropped(ctx),
      result: { ...afterwards([`lease/${ctx.input.uuid}`]), vmInstanceUuid: holderOf(ctx) },
    }),
  }),
  check: ({ graph, uuid }: CheckInput) => {
    const nic = need(graph, 'vmNic', uuid)
    if (nic['unplugged'])
      throw new SkerryError('illegal-state', 'another call works on this network card', { uuid, state: 'unplugged' })
    needVm(graph, nic['vmInstanceUuid'], 'detached')
  },
  queueKey: ({ uuid }, graph) => (graph.get('vmNic', uuid)?.['vmInstanceUuid'] as string | undefined) ?? uuid,
}
