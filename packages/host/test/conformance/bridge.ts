/** What every `Bridges` does. `ip` sees the same namespace as `bridge`. */
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { type Bridges, type IpScope, markOf, ownerOf } from '../../src/index.ts'

const UUID = '0123456789abcdef0123456789abcdef'
const OTHER = 'fedcba9876543210fedcba9876543210'

export interface BridgeWorld {
  bridge: Bridges
  scope: IpScope
}

export function bridgeSuite(title: string, make: () => Promise<{ world: BridgeWorld; cleanUp: () => Promise<void> }>): void {
  describe(`bridge (${title})`, () => {
    let world: BridgeWorld
    let cleanUp: () => Promise<void>
    beforeEach(async () => {
      ;({ world, cleanUp } = await make())
      await world.scope.links.add({ kind: 'veth', name: 'nic0', peer: { name: 'wire0' } })
    })
    afterEach(() => cleanUp())

    it('makes a bridge that is up and carries our mark', async () => {
      await world.bridge.create({ name: 'br0', uuid: UUID, mtu: 1450, mac: '02:00:00:00:00:09' })
      expect(await world.bridge.list()).toEqual([
        { name: 'br0', uuid: UUID, ports: [], up: true, mtu: 1450, mac: '02:00:00:00:00:09' },
      ])
      expect((await world.scope.links.get('br0'))?.alias).toBe(markOf(UUID))
    })

    it('is content to make the same one again, and brings it up if it is down', async () => {
      await world.bridge.create({ name: 'br0', uuid: UUID })
      await world.scope.links.set('br0', { up: false })
      await world.bridge.create({ name: 'br0', uuid: UUID })
      expect(await world.bridge.list()).toMatchObject([{ name: 'br0', up: true }])
    })

    it('finishes what a crash left under the temporary name', async () => {
      await world.scope.links.add({ kind: 'bridge', name: `skt${UUID.slice(0, 12)}` })
      await world.bridge.create({ name: 'br0', uuid: UUID })
      expect((await world.bridge.list()).map((bridge) => bridge.name)).toEqual(['br0'])
    })

    it('leaves alone what is not ours: an unmarked bridge, another mark, something that is no bridge', async () => {
      await world.scope.links.add({ kind: 'bridge', name: 'virbr0' })
      await world.bridge.create({ name: 'br0', uuid: UUID })
      await expect(world.bridge.create({ name: 'virbr0', uuid: UUID })).rejects.toMatchObject({ code: 'in-use' })
      await expect(world.bridge.create({ name: 'br0', uuid: OTHER })).rejects.toMatchObject({ code: 'in-use' })
      await expect(world.bridge.create({ name: 'nic0', uuid: UUID })).rejects.toMatchObject({ code: 'in-use' })
      await expect(world.bridge.remove('virbr0')).rejects.toMatchObject({ code: 'in-use' })
      await expect(world.bridge.remove('nic0')).rejects.toMatchObject({ code: 'in-use' })
      await expect(world.bridge.addPort('virbr0', 'nic0')).rejects.toMatchObject({ code: 'in-use' })
      expect((await world.bridge.list()).find((bridge) => bridge.name === 'virbr0')).toMatchObject({ uuid: null, ports: [] })
    })

    it('removes ours, and is content when it is gone', async () => {
      await world.bridge.create({ name: 'br0', uuid: UUID })
      await world.bridge.remove('br0')
      await world.bridge.remove('br0')
      expect(await world.bridge.list()).toEqual([])
    })

    it('adds and removes a port, each twice', async () => {
      await world.bridge.create({ name: 'br0', uuid: UUID })
      await world.bridge.addPort('br0', 'nic0')
      await world.bridge.addPort('br0', 'nic0')
      expect((await world.bridge.list())[0]?.ports).toEqual(['nic0'])
      expect((await world.scope.links.get('nic0'))?.up).toBe(true)
      await world.bridge.removePort('br0', 'nic0')
      await world.bridge.removePort('br0', 'nic0')
      expect((await world.bridge.list())[0]?.ports).toEqual([])
    })

    it('attaches a NIC that carries no address', async () => {
      await world.bridge.create({ name: 'br0', uuid: UUID })
      await world.bridge.attachNic('br0', 'nic0')
      expect((await world.bridge.list())[0]?.ports).toEqual(['nic0'])
    })

    it('says which interface does not exist', async () => {
      await world.bridge.create({ name: 'br0', uuid: UUID })
      await expect(world.bridge.attachNic('br0', 'nic9')).rejects.toMatchObject({
        code: 'not-found',
        message: 'there is no network interface called nic9 on this host',
      })
      await expect(world.bridge.attachNic('br9', 'nic0')).rejects.toMatchObject({ code: 'not-found' })
    })

    it('refuses a NIC that carries an address of the host, and says which', async () => {
      await world.bridge.create({ name: 'br0', uuid: UUID })
      await world.scope.addresses.add('nic0', '192.0.2.7/24')
      await expect(world.bridge.attachNic('br0', 'nic0')).rejects.toMatchObject({
        code: 'in-use',
        details: { interface: 'nic0', addresses: ['192.0.2.7/24'] },
      })
      expect((await world.bridge.list())[0]?.ports).toEqual([])
    })

    it('refuses a port that belongs to another bridge', async () => {
      await world.bridge.create({ name: 'br0', uuid: UUID })
      await world.bridge.create({ name: 'br1', uuid: OTHER })
      await world.bridge.addPort('br0', 'nic0')
      await expect(world.bridge.attachNic('br1', 'nic0')).rejects.toMatchObject({ code: 'in-use', details: { master: 'br0' } })
    })

    it('reads only a whole mark as an owner', () => {
      expect(ownerOf(markOf(UUID))).toBe(UUID)
      expect(ownerOf('skerry:')).toBeNull()
      expect(ownerOf(`${markOf(UUID)}0`)).toBeNull()
      expect(ownerOf(null)).toBeNull()
    })
  })
}
