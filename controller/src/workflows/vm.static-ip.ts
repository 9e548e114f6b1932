/**
 * The address of a card is changed. A guest that is on goes on with the old one until it asks for its lease again, so that one stays
 * held for the card (`usedFor: Former`) until the VM stops or starts, or somebody lets it go by DeleteIpAddress.
 */
import { type Guard, type Op, type Row, SkerryError } from '@skerry/contract'
import type { Graph } from '@skerry/graph'
import { defineWorkflow } from '@skerry/workflow'
import { resourceTypeOf, tagRow } from '../engine/tags.ts'
import { ipToLong, usedIpKey } from '../place/address.ts'
import { address6Of } from '../place/address6.ts'
import { canonicalIp, familyOf } from '../place/ip.ts'
import { input } from './input.ts'
import { fixedAddress6, rows6 } from './nic.address6.ts'
import { rowsStep } from './rows.step.ts'
import { followAddress } from './vip.uses.ts'
import { fixedAddress, nicsOf } from './vm.nic.check.ts'
import { type Action, type CheckInput, type Ctx, derivedId, type Input, need, touch, type World } from './world.ts'

/** An address that a guest may still have. */
export const FORMER = 'Former'

const formOf = (l3: unknown) => `staticIp::${l3}::`
/** `::` parts a tag, so ZStack writes an IPv6 address with `--` in its place. */
const tagForm = (ip: string) => ip.replaceAll('::', '--')
const addressIn = (tag: Readonly<Row>): string => ((tag['tag'] as string).split('::')[2] ?? '').replaceAll('--', '::')
/** Tags of a VM that say which address it was given in a network. */
export const staticIpTags = (graph: Graph, vmUuid: unknown, l3: unknown): Readonly<Row>[] =>
  [...graph.by('tag', 'resourceUuid', vmUuid)]
    .map((k) => graph.get('tag', k)!)
    .filter((tag) => tag['type'] === 'System' && (tag['tag'] as string).startsWith(formOf(l3)))

/** Addresses that the guest of a VM has no more, once it is off or starts anew. */
export const dropFormer = (graph: Graph, vmUuid: unknown): Op[] =>
  nicsOf(graph, vmUuid)
    .flatMap((nic) => [...graph.by('usedIp', 'vmNicUuid', nic['uuid'])])
    .filter((k) => graph.get('usedIp', k)?.['usedFor'] === FORMER)
    .map((k) => ({ o: 'del', t: 'usedIp', k }))

/** The card that a VM has in a network. Throws `not-found`. */
function needNic(graph: Graph, vm: Readonly<Row>, l3Uuid: unknown): Readonly<Row> {
  const l3 = need(graph, 'l3Network', l3Uuid)
  const nic = nicsOf(graph, vm['uuid']).find((one) => one['l3NetworkUuid'] === l3Uuid)
  if (nic) return nic
  throw new SkerryError('not-found', `VM instance ${vm['name']} has no card in network ${l3['name']}`, {
    uuid: vm['uuid'],
    l3NetworkUuid: l3Uuid,
  })
}

const STATES = ['Running', 'Stopped']
function needSteady(graph: Graph, uuid: unknown): Row {
  const vm = need(graph, 'vmInstance', uuid)
  if (!STATES.includes(vm['state'] as string))
    throw new SkerryError(
      'vm-illegal-state',
      `VM instance ${vm['name']} is ${vm['state']}: its address can be changed when it is ${STATES.join(' or ')}`,
      { uuid, state: vm['state'], allowed: STATES },
    )
  return vm
}

/** The one it is given, with its range; undefined: the card has it. */
function wanted(graph: Graph, nic: Readonly<Row>, ip: string): { range: Row; own: boolean } | undefined {
  if (nic['ip'] === ip) return undefined
  const l3 = need(graph, 'l3Network', nic['l3NetworkUuid'])
  const held = graph.get('usedIp', usedIpKey(l3['uuid'] as string, ip))
  // its own of before
  if (held && held['vmNicUuid'] === nic['uuid']) return { range: need(graph, 'ipRange', held['ipRangeUuid']), own: true }
  return { range: fixedAddress(graph, l3, ip, 'ip').range, own: false }
}

function addressOps(ctx: Ctx, vm: Row, nic: Readonly<Row>): { ops: Op[]; guards: Guard[] } {
  const { graph, now } = ctx.world
  const ip = ctx.input.params['ip'] as string | undefined
  const to = ip === undefined ? undefined : wanted(graph, nic, ip)
  if (!to || ip === undefined) return { ops: [], guards: [] }
  const { range, own } = to
  const l3 = nic['l3NetworkUuid'] as string
  const key = usedIpKey(l3, ip)
  const old = usedIpKey(l3, nic['ip'] as string)
  const at = { ip, netmask: range['netmask'], gateway: range['gateway'] }
  const about = { ipRangeUuid: range['uuid'], ipInLong: ipToLong(ip), ipVersion: 4, usedFor: null, vmNicUuid: nic['uuid'] }
  const dates = { createDate: now(), lastOpDate: now() }
  const row = { uuid: derivedId(ctx, 'ip'), name: ip, l3NetworkUuid: l3, ...at, ...about, ...dates }
  const leave = leaving(vm, old, now())
  const take: Op = own
    ? { o: 'set', t: 'usedIp', k: key, v: { usedFor: null, lastOpDate: now() } }
    : { o: 'put', t: 'usedIp', k: key, v: row }
  const uuid = range['uuid'] as string
  const free: Guard[] = own
    ? []
    : [
        { g: 'absent', t: 'usedIp', k: key },
        { g: 'version', t: 'ipRange', k: uuid, seq: graph.version('ipRange', uuid)! },
      ]
  return { ops: [leave, take, touch(ctx, 'vmNic', nic['uuid'] as string, at)], guards: free }
}

/** The same of its IPv6 address. */
function address6Ops(ctx: Ctx, vm: Row, nic: Readonly<Row>): { ops: Op[]; guards: Guard[] } {
  const { graph, now } = ctx.world
  const asked = ctx.input.params['ip6'] as string | undefined
  const before = address6Of(graph, nic['uuid'])
  if (asked === undefined || before?.row['ip'] === canonicalIp(asked)) return { ops: [], guards: [] }
  const l3NetworkUuid = nic['l3NetworkUuid'] as string
  const key = usedIpKey(l3NetworkUuid, canonicalIp(asked))
  const leave = before ? [leaving(vm, before.key, now())] : []
  if (isOwnFormer(graph, nic, key))
    return { ops: [...leave, { o: 'set', t: 'usedIp', k: key, v: { usedFor: null, lastOpDate: now() } }], guards: [] }
  const card = { nicUuid: nic['uuid'] as string, l3NetworkUuid, mac: nic['mac'] as string, usedIpUuid: derivedId(ctx, 'ip6') }
  const { ops, guards } = rows6(ctx, { ...card, ip: asked })
  return { ops: [...leave, ...ops], guards }
}

/** Whether the card had that address before. */
const isOwnFormer = (graph: Graph, nic: Readonly<Row>, key: string): boolean =>
  graph.get('usedIp', key)?.['vmNicUuid'] === nic['uuid']
/** A guest that is on still has it. */
const leaving = (vm: Row, k: string, now: number): Op =>
  vm['state'] === 'Running' ? { o: 'set', t: 'usedIp', k, v: { usedFor: FORMER, lastOpDate: now } } : { o: 'del', t: 'usedIp', k }

function change(ctx: Ctx): { ops: Op[]; guards?: Guard[] } {
  const { graph, now } = ctx.world
  const { uuid, params } = ctx.input
  const id = derivedId(ctx, 'tag')
  if (graph.get('tag', id)) return { ops: [] }
  const vm = needSteady(graph, uuid)
  const nic = needNic(graph, vm, params['l3NetworkUuid'])
  const four = addressOps(ctx, vm, nic)
  const six = address6Ops(ctx, vm, nic)
  const [ops, guards] = [
    [...four.ops, ...six.ops],
    [...four.guards, ...six.guards],
  ]
  const said = [params['ip'], params['ip6'] && canonicalIp(params['ip6'] as string)].filter((ip) => ip !== undefined)
  const made = said.map((ip, i) => {
    const tag = `${formOf(params['l3NetworkUuid'])}${tagForm(ip as string)}`
    const of = { resourceUuid: uuid, resourceType: resourceTypeOf('vmInstance'), tag, kind: 'System' as const }
    return tagRow({ uuid: i === 0 ? id : derivedId(ctx, 'tag6'), ...of }, now())
  })
  // What it was given of the other family stays.
  const families = new Set(said.map((ip) => familyOf(ip as string)))
  const before = staticIpTags(graph, uuid, params['l3NetworkUuid']).filter((tag) => families.has(familyOf(addressIn(tag))))
  const still: Guard = { g: 'field', t: 'vmInstance', k: uuid, field: 'state', in: [vm['state'] as string] }
  const followed = params['ip'] === undefined ? [] : followAddress(graph, nic['uuid'], params['ip'] as string)
  return {
    guards: [...guards, still],
    ops: [...ops, ...followed, ...before.map((old): Op => ({ o: 'del', t: 'tag', k: old['uuid'] as string })), ...made],
  }
}

export const vmSetStaticIp: Action = {
  workflow: defineWorkflow<Input, World>({
    name: 'vm.setStaticIp',
    version: 1,
    input,
    steps: [
      rowsStep('change', change),
      {
        name: 'tell-router',
        do: async (ctx: Ctx) => {
          const { graph, agents } = ctx.world
          const nic = needNic(graph, need(graph, 'vmInstance', ctx.input.uuid), ctx.input.params['l3NetworkUuid'])
          await agents.converge([`lease/${nic['uuid']}`], ctx)
        },
        noUndo: 'the lease follows the card',
        optional: 'the call answers before the router has it',
      },
    ],
  }),
  check: ({ graph, uuid, params }: CheckInput) => {
    const vm = needSteady(graph, uuid)
    const nic = needNic(graph, vm, params['l3NetworkUuid'])
    const { ip, ip6 } = params as { ip?: string; ip6?: string }
    if (ip === undefined && ip6 === undefined)
      throw new SkerryError('invalid-argument', 'ip or ip6 must say which address the card is to have', { field: 'ip' })
    if (ip !== undefined) wanted(graph, nic, ip)
    const l3 = need(graph, 'l3Network', params['l3NetworkUuid'])
    const own = ip6 !== undefined && isOwnFormer(graph, nic, usedIpKey(l3['uuid'] as string, canonicalIp(ip6)))
    if (ip6 !== undefined && !own) fixedAddress6(graph, l3, ip6)
  },
}

const named = (graph: Graph, uuid: unknown, params: Row) =>
  staticIpTags(graph, uuid, params['l3NetworkUuid']).filter(
    (tag) => params['staticIp'] === undefined || addressIn(tag) === canonicalIp(params['staticIp'] as string),
  )

export const vmDeleteStaticIp: Action = {
  workflow: defineWorkflow<Input, World>({
    name: 'vm.deleteStaticIp',
    version: 1,
    input,
    steps: [
      rowsStep('forget', (ctx) => ({
        ops: named(ctx.world.graph, ctx.input.uuid, ctx.input.params).map(
          (tag): Op => ({ o: 'del', t: 'tag', k: tag['uuid'] as string }),
        ),
      })),
    ],
  }),
  check: ({ graph, uuid, params }: CheckInput) => {
    const vm = need(graph, 'vmInstance', uuid)
    const l3 = need(graph, 'l3Network', params['l3NetworkUuid'])
    if (named(graph, uuid, params).length === 0)
      throw new SkerryError('not-found', `VM instance ${vm['name']} was given no address of its own in network ${l3['name']}`, {
        uuid,
        l3NetworkUuid: l3['uuid'],
      })
  },
}

const idsOf = (params: Row) => [...new Set(params['usedIpUuids'] as string[])]
function needFormer(graph: Graph, l3Uuid: unknown, uuid: string): string {
  const [key] = graph.by('usedIp', 'uuid', uuid)
  const row = key === undefined ? undefined : graph.get('usedIp', key)
  const l3 = need(graph, 'l3Network', l3Uuid)
  if (!row || row['l3NetworkUuid'] !== l3Uuid)
    throw new SkerryError('not-found', `network ${l3['name']} has no address ${uuid} in use`, { resource: 'usedIp', uuid })
  if (row['usedFor'] !== FORMER)
    throw new SkerryError('in-use', `${row['ip']} in network ${l3['name']} is in use`, { uuid, ip: row['ip'] })
  return key!
}

export const usedIpDelete: Action = {
  workflow: defineWorkflow<Input, World>({
    name: 'usedIp.delete',
    version: 1,
    input,
    steps: [
      rowsStep('delete', (ctx) => {
        const { graph } = ctx.world
        const there = idsOf(ctx.input.params).filter((uuid) => graph.countBy('usedIp', 'uuid', uuid) > 0)
        const keys = there.map((uuid) => needFormer(graph, ctx.input.params['l3NetworkUuid'], uuid))
        return {
          ops: keys.map((k): Op => ({ o: 'del', t: 'usedIp', k })),
          guards: keys.map((k): Guard => ({ g: 'field', t: 'usedIp', k, field: 'usedFor', in: [FORMER] })),
        }
      }),
    ],
  }),
  check: ({ graph, params }: CheckInput) => {
    for (const uuid of idsOf(params)) needFormer(graph, params['l3NetworkUuid'], uuid)
  },
  queueKey: (i) => i.params['l3NetworkUuid'] as string,
}
