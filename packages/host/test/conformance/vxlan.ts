/** What every `Ip` and every `Bridges` does with VXLANs. `scope` sees the same namespace as `bridge`. */
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import type { UplinkSpec } from '../../src/index.ts'
import type { BridgeWorld } from './bridge.ts'

const UUID = '0123456789abcdef0123456789abcdef'
const vxlan = { kind: 'vxlan', vni: 100, local: '192.0.2.7', port: 4789 } as const
const uplink: UplinkSpec = { ...vxlan, name: 'skvx0', uuid: UUID, mtu: 1450 }

export function vxlanSuite(title: string, make: () => Promise<{ world: BridgeWorld; cleanUp: () => Promise<void> }>): void {
  describe(`VXLANs (${title})`, () => {
    let world: BridgeWorld
    let cleanUp: () => Promise<void>
    beforeEach(async () => {
      ;({ world, cleanUp } = await make())
      await world.scope.links.add({ kind: 'veth', name: 'nic0', peer: { name: 'wire0' } })
      await world.scope.links.set('nic0', { up: true })
      await world.scope.addresses.add('nic0', '192.0.2.7/24')
      await world.bridge.create({ name: 'br0', uuid: UUID })
    })
    afterEach(() => cleanUp())
    const get = (name: string) => world.scope.links.get(name)

    it('says its number, its address and its port; a number is there once', async () => {
      const { links } = world.scope
      await links.add({ ...vxlan, name: 'any0', mtu: 1400, alias: 'a mark' })
      expect(await get('any0')).toMatchObject({
        ...{ kind: 'vxlan', vxlan: { vni: 100, local: '192.0.2.7', port: 4789 }, mtu: 1400, alias: 'a mark', up: false },
      })
      expect((await get('nic0'))?.vxlan).toBeUndefined()
      await expect(links.add({ ...vxlan, name: 'any1' })).rejects.toMatchObject({ code: 'host-command-failed' })
      for (const bad of [{ vni: 0 }, { vni: 2 ** 24 }, { local: 'nowhere' }, { port: 0 }])
        await expect(links.add({ ...vxlan, name: 'any1', ...bad })).rejects.toMatchObject({ code: 'invalid-argument' })
    })

    it('floods to peers that are added and removed, each twice, one by one', async () => {
      const { links, flood } = world.scope
      await links.add({ ...vxlan, name: 'any0' })
      expect(await flood.list('any0')).toEqual([])
      for (const peer of ['192.0.2.9', '192.0.2.8', '192.0.2.9']) await flood.add('any0', peer)
      expect(await flood.list('any0')).toEqual(['192.0.2.8', '192.0.2.9'])
      for (const _ of [1, 2]) await flood.del('any0', '192.0.2.9')
      expect(await flood.list('any0')).toEqual(['192.0.2.8'])
      await expect(flood.add('any0', 'everybody')).rejects.toMatchObject({ code: 'invalid-argument' })
      await expect(flood.add('none0', '192.0.2.9')).rejects.toMatchObject({ code: 'host-command-failed' })
      await expect(flood.add('nic0; reboot', '192.0.2.9')).rejects.toMatchObject({ code: 'invalid-argument' })
    })

    it('becomes the marked uplink of our bridge, is put right, and goes when it is removed', async () => {
      for (const _ of [1, 2]) await world.bridge.makeUplink('br0', uplink)
      expect(await get('skvx0')).toMatchObject({ alias: `skerry:${UUID}`, master: 'br0', up: true, mtu: 1450 })
      await world.scope.links.set('skvx0', { up: false, master: null, mtu: 1300 })
      await world.bridge.makeUplink('br0', uplink)
      expect(await get('skvx0')).toMatchObject({ master: 'br0', up: true, mtu: 1450 })
      for (const _ of [1, 2]) await world.bridge.remove('skvx0')
      expect(await get('skvx0')).toBeUndefined()
    })

    it('leaves a VXLAN alone that is not ours', async () => {
      await world.scope.links.add({ ...vxlan, name: 'skvx0' })
      await expect(world.bridge.makeUplink('br0', uplink)).rejects.toMatchObject({ code: 'in-use' })
      await expect(world.bridge.remove('skvx0')).rejects.toMatchObject({ code: 'in-use' })
    })
  })
}
