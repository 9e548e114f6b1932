/**
 * What every `Ip` and every `Bridges` does with VLANs. The real ones need 8021q, so they pass this in the kernel lab; there a test runner
 * takes a minute to start, so these are plain functions.
 */
import assert from 'node:assert/strict'
import type { IpScope, UplinkSpec } from '../../src/index.ts'
import type { BridgeWorld } from './bridge.ts'

const UUID = '0123456789abcdef0123456789abcdef'
const OTHER = 'fedcba9876543210fedcba9876543210'
const TEMPORARY = `sku${UUID.slice(0, 12)}`
type Vlan = Extract<UplinkSpec, { kind: 'vlan' }>
const uplink = (vid: number, uuid = UUID): Vlan => ({
  ...{ kind: 'vlan', name: `nic0.${vid}`, uuid, link: 'nic0', vid, mtu: 1400 },
})
const refused = (code: string, made: Promise<unknown>) => assert.rejects(made, (error: { code?: unknown }) => error.code === code)

/** Of a link: the fields of `like` are as there. */
async function like(scope: IpScope, name: string, want: object): Promise<void> {
  const link = (await scope.links.get(name)) as unknown as Record<string, unknown>
  assert.ok(link, `${name} is there`)
  assert.deepEqual(Object.fromEntries(Object.keys(want).map((key) => [key, link[key]])), want)
}
const gone = async (scope: IpScope, name: string) => assert.equal(await scope.links.get(name), undefined)

/** A NIC, and a bridge of ours. */
export async function vlanWorld({ bridge, scope }: BridgeWorld): Promise<void> {
  await scope.links.add({ kind: 'veth', name: 'nic0', peer: { name: 'wire0' } })
  await bridge.create({ name: 'br0', uuid: UUID })
}

/** Each in a world of its own. */
export const vlanCases: Readonly<Record<string, (world: BridgeWorld) => Promise<void>>> = {
  async 'says which interface carries it and by what tag; one interface carries a tag once'({ scope }) {
    const { links } = scope
    await links.add({ kind: 'vlan', name: 'any0', link: 'nic0', vid: 4094 })
    await like(scope, 'any0', { kind: 'vlan', vlan: { link: 'nic0', vid: 4094 }, mtu: 1500, up: false })
    await like(scope, 'nic0', { vlan: undefined })
    await refused('host-command-failed', links.add({ kind: 'vlan', name: 'any1', link: 'nic0', vid: 4094 }))
    for (const vid of [0, 4095]) await refused('invalid-argument', links.add({ kind: 'vlan', name: 'any1', link: 'nic0', vid }))
  },

  async 'is no larger than what carries it, goes down with it and goes with it'({ scope }) {
    const { links } = scope
    await links.add({ kind: 'vlan', name: 'any0', link: 'nic0', vid: 5 })
    await refused('host-command-failed', links.set('any0', { up: true }))
    await links.set('nic0', { up: true })
    await links.set('any0', { up: true })
    await refused('host-command-failed', links.set('any0', { mtu: 9000 }))
    await links.set('nic0', { mtu: 1400 })
    await like(scope, 'any0', { mtu: 1400, up: true })
    await links.set('nic0', { up: false })
    await like(scope, 'any0', { up: false })
    await links.del('nic0')
    await gone(scope, 'any0')
  },

  async 'becomes the marked uplink of our bridge, while its interface keeps the address of the host'({ bridge, scope }) {
    await scope.addresses.add('nic0', '192.0.2.7/24')
    for (const _ of [1, 2]) await bridge.makeUplink('br0', uplink(7))
    await like(scope, 'nic0.7', { alias: `skerry:${UUID}`, master: 'br0', up: true, mtu: 1400 })
    await like(scope, 'nic0', { up: true, master: null, mtu: 1500 })
    const addresses = await scope.addresses.list()
    assert.ok(addresses.some(({ cidr }) => cidr === '192.0.2.7/24'))
  },

  async 'is put right when it was changed by hand, and made after a crash in its making'({ bridge, scope }) {
    await scope.links.add({ kind: 'vlan', name: TEMPORARY, link: 'nic0', vid: 7 })
    await bridge.makeUplink('br0', uplink(7))
    await scope.links.set('nic0.7', { up: false, master: null, mtu: 1300 })
    await bridge.makeUplink('br0', uplink(7))
    await like(scope, 'nic0.7', { master: 'br0', up: true, mtu: 1400 })
    await gone(scope, TEMPORARY)
  },

  async 'leaves a VLAN alone that is not this network’s, and removes only its own'({ bridge, scope }) {
    await scope.links.add({ kind: 'vlan', name: 'nic0.8', link: 'nic0', vid: 8 })
    await refused('in-use', bridge.makeUplink('br0', uplink(8)))
    await refused('in-use', bridge.remove('nic0.8'))
    await bridge.makeUplink('br0', uplink(7))
    await refused('in-use', bridge.makeUplink('br0', uplink(7, OTHER)))
    for (const _ of [1, 2]) await bridge.remove('nic0.7')
    await gone(scope, 'nic0.7')
    await like(scope, 'nic0.8', { alias: null, master: null })
    await refused('not-found', bridge.makeUplink('br0', { ...uplink(9), link: 'nic9' }))
  },
}
