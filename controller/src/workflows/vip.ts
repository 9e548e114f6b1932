/** VIPs: an address of a network that no guest has by itself. Its router gets it with its first use. */
import { type Guard, type Op, type Row, SkerryError } from '@skerry/contract'
import type { Graph } from '@skerry/graph'
import { defineWorkflow, stepsOf } from '@skerry/workflow'
import { chooseAddress, freeAddresses, ipToLong, usedIpKey } from '../place/address.ts'
import { input } from './input.ts'
import { deletion } from './resource.delete.ts'
import { resourceChangeState } from './resource.update.ts'
import { isUsable } from './vip.check.ts'
import { tellRouter } from './vip.tell.ts'
import { type Action, baseRow, type CheckInput, type Ctx, derivedId, type Input, need, needEnabled, type World } from './world.ts'

/** The address that a call asks for, or one that is free, with its range. */
export function addressFor(graph: Graph, params: Row, random: () => number): { ip: string; range: Row } {
  const l3 = need(graph, 'l3Network', params['l3NetworkUuid'])
  const about = { l3NetworkUuid: l3['uuid'] }
  const asked = params['ipRangeUuid'] as string | undefined
  const ranges = [...graph.by('ipRange', 'l3NetworkUuid', l3['uuid'])]
    .filter((k) => asked === undefined || k === asked)
    .map((k) => graph.get('ipRange', k)! as Row)
    .filter((range) => range['ipVersion'] === 4)
  if (asked !== undefined && ranges.length === 0)
    throw new SkerryError('invalid-argument', `IP range ${asked} is none of network ${l3['name']}`, {
      ...about,
      field: 'ipRangeUuid',
    })
  const ip = params['requiredIp'] as string | undefined
  if (ip !== undefined) {
    const range = ranges.find((one) => isUsable(ip, one))
    if (!range)
      throw new SkerryError('invalid-argument', `${ip} is in no such range of network ${l3['name']}`, {
        ...about,
        field: 'requiredIp',
        ip,
      })
    // Not by whom: the network may be shared with other accounts.
    if (graph.get('usedIp', usedIpKey(l3['uuid'] as string, ip)) || ip === range['gateway'])
      throw new SkerryError('in-use', `${ip} in network ${l3['name']} is in use`, { ...about, field: 'requiredIp', ip })
    return { ip, range }
  }
  const inOrder = asked !== undefined || params['allocatorStrategy'] === 'FirstAvailableIpAllocatorStrategy'
  const found = inOrder ? firstFree(graph, ranges) : chooseAddress(graph, l3['uuid'] as string, random)
  if (!found) throw new SkerryError('no-address', `network ${l3['name']} has no free address left`, about)
  return found
}

function firstFree(graph: Graph, ranges: readonly Row[]): { ip: string; range: Row } | undefined {
  for (const range of ranges) for (const ip of freeAddresses(graph, range)) return { ip, range }
  return undefined
}

function make(ctx: Ctx) {
  const { graph, random, now } = ctx.world
  const { params, uuid } = ctx.input
  if (graph.get('vip', uuid)) return {}
  const { ip, range } = addressFor(graph, params, random)
  const l3NetworkUuid = params['l3NetworkUuid'] as string
  const key = usedIpKey(l3NetworkUuid, ip)
  const at = { l3NetworkUuid, ip, netmask: range['netmask'], gateway: range['gateway'], ipRangeUuid: range['uuid'] }
  const guards: Guard[] = [
    { g: 'absent', t: 'vip', k: uuid },
    { g: 'absent', t: 'usedIp', k: key },
    { g: 'exists', t: 'ipRange', k: range['uuid'] as string },
  ]
  const use = { useFor: null, servedL3Uuid: null, peerL3NetworkUuids: [], serviceProvider: null, servicesRefs: [] }
  const vip = { ...baseRow(ctx), ...at, state: 'Enabled', prefixLen: range['prefixLen'], system: false, ...use }
  const dates = { createDate: now(), lastOpDate: now() }
  const own = { uuid: derivedId(ctx, 'ip'), name: ip, ipVersion: 4, ipInLong: ipToLong(ip), usedFor: 'Vip', vmNicUuid: null }
  const ops: Op[] = [
    { o: 'put', t: 'vip', k: uuid, v: vip },
    { o: 'put', t: 'usedIp', k: key, v: { ...own, ...at, ...dates } },
  ]
  return { change: { guards, ops, facts: [{ noun: 'vip', uuid, event: 'created' }] } }
}

function takeBack(ctx: Ctx) {
  const vip = ctx.world.graph.get('vip', ctx.input.uuid)
  if (!vip) return {}
  const key = usedIpKey(vip['l3NetworkUuid'] as string, vip['ip'] as string)
  const ops: Op[] = [
    { o: 'del', t: 'vip', k: ctx.input.uuid },
    ...(ctx.world.graph.get('usedIp', key) ? [{ o: 'del' as const, t: 'usedIp', k: key }] : []),
  ]
  return { change: { ops } }
}

const vipCreate: Action = {
  atOnce: true,
  workflow: defineWorkflow<Input, World>({
    name: 'vip.create',
    version: 1,
    input,
    steps: [{ name: 'create', do: make, undo: takeBack }],
  }),
  check({ graph, params, uuid }: CheckInput) {
    if (graph.get('vip', uuid)) throw new SkerryError('duplicate-uuid', `a VIP with uuid ${uuid} exists`, { uuid })
    needEnabled(graph, 'l3Network', params['l3NetworkUuid'])
    addressFor(graph, params, () => 0)
  },
}

/** A change of state that the router hears of before the job is done. */
export const changingState = (name: string): Action => ({
  ...resourceChangeState,
  workflow: defineWorkflow<Input, World>({
    name,
    version: 1,
    input,
    steps: [...stepsOf(resourceChangeState.workflow), tellRouter],
  }),
})

export const vipActions: readonly Action[] = [vipCreate, changingState('vip.changeState'), deletion('vip.delete')]
