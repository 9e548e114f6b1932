/** IPsec connections before each call about them is proven: a guest that runs, and a public network beside its own. */
import { ADMIN_ACCOUNT, type Row } from '@skerry/contract'
import type { Input } from '../src/workflows/world.ts'
import { after, type Before, created, on, ran, vm } from './before.ts'
import { newVip, publicL3, publicNetwork, vip } from './vip-cases.ts'
import { id, u } from './world.ts'

export const tunnel = id('tunnel')
export const KEY = 'f00dfacef00dfacef00dfacef00dface'
/** As calls are by now: a secret is a reference. */
export const newTunnel = (more: Row = {}, uuid = tunnel): Input =>
  on('ipsecConnection', uuid, {
    ...{ name: 'branch', vipUuid: vip, l3NetworkUuid: u.l3, peerAddress: '192.0.2.77', authKey: { $secret: KEY } },
    peerCidrs: ['10.20.0.0/24', '10.30.0.9/24'],
    ...more,
  })

export const before =
  (input: Input | undefined, more: Row = {}): Before =>
  async (w) => {
    await after([created, ...publicNetwork, newVip(vip, { requiredIp: '198.51.100.15' })], vm)(w)
    if (input) await ran(w, 'ipsecConnection.create', newTunnel(more))
    return input ?? newTunnel(more)
  }
const its = (params: Row = {}, more: Row = {}): Before =>
  before({ ...on('ipsecConnection', tunnel, params), accountUuid: ADMIN_ACCOUNT }, more)

export const ipsecCases: Record<string, Before> = {
  'ipsecConnection.create': before(undefined),
  'ipsecConnection.change': its({ peerAddress: '192.0.2.78', authKey: { $secret: id('other key') }, ikeVersion: 'ikev1' }),
  'ipsecConnection.attachL3': its({ l3NetworkUuids: [u.l3] }, { l3NetworkUuid: undefined }),
  'ipsecConnection.detachL3': its({ l3NetworkUuids: [u.l3] }),
  'ipsecConnection.addCidrs': its({ peerCidrs: ['10.40.0.0/16'] }),
  'ipsecConnection.removeCidrs': its({ peerCidrs: ['10.20.0.0/24'] }),
  'ipsecConnection.changeState': its({ stateEvent: 'disable' }),
  'ipsecConnection.reconnect': its(),
  'ipsecConnection.delete': its(),
}

/** What else a call meets: sentence, workflow, what stands before it. */
export const otherIpsecCases: readonly [string, string, Before][] = [
  ['IPsec connections', 'vip.delete', before(on('vip', vip))],
  ['IPsec connections of its VIPs', 'l3Network.delete', before(on('l3Network', publicL3))],
]
