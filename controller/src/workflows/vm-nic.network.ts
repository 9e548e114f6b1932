/** A card of a VM that is off comes into another network, or has another MAC. Its guest finds both when it starts. */
import { type Guard, type Op, type Row, SkerryError } from '@skerry/contract'
import type { Graph } from '@skerry/graph'
import { defineWorkflow } from '@skerry/workflow'
import { chooseAddress, ipToLong, usedIpKey } from '../place/address.ts'
import { address6Of, isSelfMade } from '../place/address6.ts'
import { input } from './input.ts'
import { rows6 } from './nic.address6.ts'
import { rowsStep } from './rows.step.ts'
import { endUses, usesOfNic } from './vip.uses.ts'
import { fixedAddress, needNetworkFor, needUsableMac } from './vm.nic.check.ts'
import { staticIpTags } from './vm.static-ip.ts'
import { type Action, type CheckInput, type Ctx, derivedId, type EndCtx, type Input, need, touch, type World } from './world.ts'

/** Throws `vm-illegal-state` while it is on: a guest would go on with what its card no longer has. */
function needOff(graph: Graph, nic: Readonly<Row>, what: string): Row {
  const vm = need(graph, 'vmInstance', nic['vmInstanceUuid'])
  if (vm['state'] !== 'Stopped')
    throw new SkerryError(
      'vm-illegal-state',
      `VM instance ${vm['name']} is ${vm['state']}: ${what} of a network card can be changed when it is Stopped`,
      { uuid: vm['uuid'], state: vm['state'], allowed: ['Stopped'] },
    )
  return vm
}
const stillOff = (vm: Row): Guard => ({ g: 'field', t: 'vmInstance', k: vm['uuid'] as string, field: 'state', in: ['Stopped'] })

/** Throws what keeps a card from coming into that network. */
export function needOther(graph: Graph, nic: Readonly<Row>, l3NetworkUuid: unknown): void {
  needOff(graph, nic, 'the network')
  needNetworkFor(graph, nic['vmInstanceUuid'], l3NetworkUuid)
  const [use] = usesOfNic(graph, nic['uuid'])
  if (use)
    throw new SkerryError('in-use', `${use.row['name']} (${use.row['vipIp']}) leads to the network card: detach it first`, {
      vmNicUuid: nic['uuid'],
      uuid: use.row['uuid'],
    })
  const [ref] = graph.by('loadBalancerServerGroupVmNicRef', 'vmNicUuid', nic['uuid'])
  if (ref)
    throw new SkerryError('in-use', 'the network card is a server of a load balancer: take it out there first', {
      vmNicUuid: nic['uuid'],
      serverGroupUuid: graph.get('loadBalancerServerGroupVmNicRef', ref)?.['serverGroupUuid'],
    })
}

const nicOf = (ctx: EndCtx) => need(ctx.world.graph, 'vmNic', ctx.input.uuid)

function moved(ctx: Ctx): { ops: Op[]; guards?: Guard[] } {
  const { graph, random, now } = ctx.world
  const nic = nicOf(ctx)
  const { destL3NetworkUuid: to, staticIp } = ctx.input.params as { destL3NetworkUuid: string; staticIp?: string }
  if (nic['l3NetworkUuid'] === to) return { ops: [] }
  needOther(graph, nic, to)
  const l3 = need(graph, 'l3Network', to)
  const chosen = staticIp ? fixedAddress(graph, l3, staticIp) : chooseAddress(graph, to, random)
  if (!chosen) throw new SkerryError('no-address', `network ${l3['name']} has no free address left`, { l3NetworkUuid: to })
  const { ip, range } = chosen
  const vm = need(graph, 'vmInstance', nic['vmInstanceUuid'])
  const from = nic['l3NetworkUuid']
  const at = { l3NetworkUuid: to, ip, netmask: range['netmask'], gateway: range['gateway'], ipVersion: 4 }
  const row = { uuid: derivedId(ctx, 'ip'), name: ip, ...at, ipRangeUuid: range['uuid'], ipInLong: ipToLong(ip), usedFor: null }
  const dates = { createDate: now(), lastOpDate: now() }
  const key = usedIpKey(to, ip)
  const old = [...graph.by('usedIp', 'vmNicUuid', nic['uuid'])].map((k): Op => ({ o: 'del', t: 'usedIp', k }))
  const tags = staticIpTags(graph, vm['uuid'], from).map((tag): Op => ({ o: 'del', t: 'tag', k: tag['uuid'] as string }))
  const six = rows6(ctx, {
    ...{ nicUuid: nic['uuid'] as string, l3NetworkUuid: to, mac: nic['mac'] as string },
    usedIpUuid: derivedId(ctx, 'ip6'),
  })
  const byDefault = vm['defaultL3NetworkUuid'] === from ? { defaultL3NetworkUuid: to } : {}
  return {
    ops: [
      ...old,
      ...tags,
      // What leads to it from outside leads into the network that it leaves.
      ...endUses(graph, (table) => new Set(table === 'vmNic' ? [nic['uuid'] as string] : [])),
      { o: 'put', t: 'usedIp', k: key, v: { ...row, vmNicUuid: nic['uuid'], ...dates } },
      ...six.ops,
      touch(ctx, 'vmNic', nic['uuid'] as string, at),
      touch(ctx, 'vmInstance', vm['uuid'] as string, byDefault),
    ],
    guards: [
      stillOff(vm),
      { g: 'absent', t: 'usedIp', k: key },
      { g: 'version', t: 'ipRange', k: range['uuid'] as string, seq: graph.version('ipRange', range['uuid'] as string)! },
      ...six.guards,
    ],
  }
}

const queueKey: Action['queueKey'] = ({ uuid }, graph) =>
  (graph.get('vmNic', uuid)?.['vmInstanceUuid'] as string | undefined) ?? uuid

export const vmNicChangeNetwork: Action = {
  workflow: defineWorkflow<Input, World>({
    name: 'vmNic.changeNetwork',
    version: 1,
    input,
    steps: [rowsStep('move', moved)],
  }),
  check: ({ graph, uuid, params }: CheckInput) => {
    const nic = need(graph, 'vmNic', uuid)
    const to = params['destL3NetworkUuid']
    needOther(graph, nic, to)
    if (params['staticIp']) fixedAddress(graph, need(graph, 'l3Network', to), params['staticIp'] as string)
  },
  queueKey,
}

/** An address that the guest makes of its MAC is another one with another MAC. */
function remade(ctx: Ctx, nic: Readonly<Row>, mac: string): { ops: Op[]; guards: Guard[] } {
  const { graph } = ctx.world
  const before = address6Of(graph, nic['uuid'])
  if (!before || !isSelfMade(need(graph, 'ipRange', before.row['ipRangeUuid']))) return { ops: [], guards: [] }
  const at = { nicUuid: nic['uuid'] as string, l3NetworkUuid: nic['l3NetworkUuid'] as string, mac }
  const { ops, guards } = rows6(ctx, { ...at, usedIpUuid: derivedId(ctx, 'ip6') })
  return { ops: [{ o: 'del', t: 'usedIp', k: before.key }, ...ops], guards }
}

function renumbered(ctx: Ctx): { ops: Op[]; guards?: Guard[] } {
  const { graph, now } = ctx.world
  const nic = nicOf(ctx)
  const mac = ctx.input.params['mac'] as string
  if (nic['mac'] === mac) return { ops: [] }
  const vm = needOff(graph, nic, 'the MAC address')
  needUsableMac(graph, mac, 'mac')
  const old = [...graph.by('usedMac', 'vmNicUuid', nic['uuid'])].map((k): Op => ({ o: 'del', t: 'usedMac', k }))
  const dates = { createDate: now(), lastOpDate: now() }
  const six = remade(ctx, nic, mac)
  return {
    ops: [
      ...old,
      ...six.ops,
      { o: 'put', t: 'usedMac', k: mac, v: { uuid: nic['uuid'], name: mac, vmNicUuid: nic['uuid'], ...dates } },
      touch(ctx, 'vmNic', nic['uuid'] as string, { mac }),
    ],
    guards: [stillOff(vm), { g: 'absent', t: 'usedMac', k: mac }, ...six.guards],
  }
}

export const vmNicChangeMac: Action = {
  workflow: defineWorkflow<Input, World>({
    name: 'vmNic.changeMac',
    version: 1,
    input,
    steps: [rowsStep('change', renumbered)],
  }),
  check: ({ graph, uuid, params }: CheckInput) => {
    const nic = need(graph, 'vmNic', uuid)
    needOff(graph, nic, 'the MAC address')
    if (nic['mac'] !== params['mac']) needUsableMac(graph, params['mac'] as string, 'mac')
  },
  queueKey,
}
