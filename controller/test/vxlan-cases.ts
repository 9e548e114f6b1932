/** Where workflows about VXLAN begin. */
import { after, type Before, on, onSite } from './before.ts'
import { id, u } from './world.ts'

export const pool = id('pool')
export const vnis = id('vnis')
export const vxlan = id('vxlan')
const vtep = id('vtep')
const remote = id('remoteVtep')
export const tag = `l2NetworkUuid::${pool}::clusterUuid::${u.cluster}::cidr::{192.0.2.0/24}`

type Made = [string, ReturnType<typeof on>]
const onPool = { l2NetworkUuid: pool, clusterUuid: u.cluster }
const poolMade: Made = ['l2Network.createVxlanPool', on('l2Network', pool, { name: 'pool', zoneUuid: u.zone })]
const rangeMade: Made = ['vniRange.create', on('vniRange', vnis, { name: 'vnis', l2NetworkUuid: pool, startVni: 10, endVni: 19 })]
const told: Made = ['host.reconnect', on('host', u.host)]
const attached: Made = ['l2Network.attach', on('l2Network', pool, { ...onPool, systemTags: [tag] })]
const networkMade: Made = ['l2Network.createVxlan', on('l2Network', vxlan, { name: 'vxlan', poolUuid: pool })]
const vtepMade: Made = ['vtep.create', on('vtep', vtep, { hostUuid: u.host, poolUuid: pool, vtepIp: '192.0.2.10' })]
const remoteMade: Made = ['remoteVtep.create', on('remoteVtep', remote, { ...onPool, remoteVtepIp: '192.0.2.99' })]

/** By name of a case; those with a situation are the same workflow begun elsewhere. */
export const vxlanCases: Record<string, Before> = {
  'l2Network.createVxlanPool': onSite(poolMade[1]),
  'vniRange.create': after([poolMade], rangeMade[1]),
  'vniRange.delete': after([poolMade, rangeMade], on('vniRange', vnis)),
  'l2Network.createVxlan': after([told, poolMade, rangeMade, attached], networkMade[1]),
  'vtep.create': after([told, poolMade, rangeMade, networkMade], vtepMade[1]),
  'remoteVtep.create': after([told, poolMade, rangeMade, attached, networkMade], remoteMade[1]),
  'remoteVtep.delete': after(
    [told, poolMade, rangeMade, attached, networkMade, remoteMade],
    on('l2Network', pool, { ...onPool, remoteVtepIp: '192.0.2.99' }),
  ),
}
export const otherVxlanCases: [sentence: string, name: string, before: Before][] = [
  ['a VXLAN pool with a network', 'l2Network.attach', after([told, poolMade, rangeMade, networkMade], attached[1])],
  [
    'a VXLAN pool that has all that there is',
    'l2Network.detach',
    after([told, poolMade, rangeMade, attached, networkMade, remoteMade], on('l2Network', pool, onPool)),
  ],
  [
    'a VXLAN pool that has all that there is',
    'resource.delete',
    after([told, poolMade, rangeMade, attached, networkMade, remoteMade], on('l2Network', pool)),
  ],
]
