/** VIPs and their uses before each call about them is proven: a guest that runs, and a public network beside its own. */
import { type Row, VROUTER_PROVIDER } from '@skerry/contract'
import type { Input } from '../src/workflows/world.ts'
import { after, type Before, created, on, ran, vm } from './before.ts'
import { id, type TestWorld, u } from './world.ts'

const l2 = id('publicL2')
export const publicL3 = id('public')
export const [vip, eip, rule] = [id('vip'), id('eip'), id('rule')]

type Call = [string, Input]
export const publicNetwork: Call[] = [
  ['l2Network.create', on('l2Network', l2, { name: 'public', zoneUuid: u.zone, physicalInterface: 'none' })],
  ['l2Network.attach', on('l2Network', l2, { l2NetworkUuid: l2, clusterUuid: u.cluster })],
  ['l3Network.create', on('l3Network', publicL3, { name: 'public', l2NetworkUuid: l2, category: 'Public' })],
  [
    'ipRange.add',
    on('ipRange', id('publicRange'), {
      ...{ name: 'public', l3NetworkUuid: publicL3, startIp: '198.51.100.10', endIp: '198.51.100.20' },
      ...{ netmask: '255.255.255.0', gateway: '198.51.100.1' },
    }),
  ],
  [
    'l3Network.attachServices',
    on('l3Network', u.l3, { l3NetworkUuid: u.l3, networkServices: { [VROUTER_PROVIDER]: ['Eip', 'PortForwarding'] } }),
  ],
]
export const newVip = (uuid = vip, more: Row = {}): Call => [
  'vip.create',
  on('vip', uuid, { name: 'vip', l3NetworkUuid: publicL3, ...more }),
]
export const nicOf = (w: TestWorld) => [...w.state.graph.by('vmNic', 'vmInstanceUuid', u.vm)][0]!
export const newEip = (more: Row = {}) => on('eip', eip, { name: 'eip', vipUuid: vip, ...more })
const ports = { vipPortStart: 80, vipPortEnd: 82, privatePortStart: 8080, protocolType: 'TCP', allowedCidr: '192.0.2.7/24' }
export const newRule = (more: Row = {}) => on('portForwardingRule', rule, { name: 'rule', vipUuid: vip, ...ports, ...more })

/** `attached`: the use is there, with the guest or without one. */
const before =
  (use: ((more?: Row) => Input) | undefined, attached: boolean, given: (nic: string) => Input): Before =>
  async (w) => {
    await after([created, ...publicNetwork, newVip()], vm)(w)
    const vmNicUuid = nicOf(w)
    if (use) {
      const input = use(attached ? { vmNicUuid } : {})
      await ran(w, `${input.table}.create`, input)
    }
    return given(vmNicUuid)
  }
const disable: Row = { stateEvent: 'disable' }
const ofUse = (table: 'eip' | 'portForwardingRule', uuid: string, use: (more?: Row) => Input): Record<string, Before> => ({
  [`${table}.create`]: before(undefined, false, (vmNicUuid) => use({ vmNicUuid })),
  [`${table}.attach`]: before(use, false, (vmNicUuid) => on(table, uuid, { vmNicUuid })),
  [`${table}.detach`]: before(use, true, () => on(table, uuid)),
  [`${table}.changeState`]: before(use, true, () => on(table, uuid, disable)),
  [`${table}.delete`]: before(use, true, () => on(table, uuid)),
})

export const vipCases: Record<string, Before> = {
  'vip.create': after(publicNetwork, newVip()[1]),
  'vip.changeState': before(newEip, true, () => on('vip', vip, disable)),
  'vip.delete': before(newEip, true, () => on('vip', vip)),
  ...ofUse('eip', eip, newEip),
  ...ofUse('portForwardingRule', rule, newRule),
}

/** What else a call meets: sentence, workflow, what stands before it. */
export const otherVipCases: readonly [string, string, Before][] = [
  ['rules of port forwarding', 'vip.delete', before(newRule, true, () => on('vip', vip))],
  ['an EIP on the card', 'vm.detachNic', before(newEip, true, (nic) => on('vmNic', nic))],
  ['VIPs in it', 'l3Network.delete', before(newEip, true, () => on('l3Network', publicL3))],
]
