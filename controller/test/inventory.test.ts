import { type Api, type Resource, type Row, resourceOf, resources } from '@skerry/contract'
import { describe, expect, it } from 'vitest'
import { render, schemaOf, schemaOfReply, targets, withTimes } from '../src/inventory/index.ts'
import { FakeEngine, T0 } from '../src/testing/index.ts'

const vmInstance = resourceOf('vmInstance')!

describe('an inventory', () => {
  it('has the declared fields, without hidden ones and nulls', () => {
    const engine = new FakeEngine()
    const row = engine.add('vmInstance', { hostUuid: null, undeclared: 1 })
    const inventory = render(engine.graph, vmInstance, row)
    for (const field of [...vmInstance.hidden!, 'hostUuid', 'undeclared']) expect(inventory, field).not.toHaveProperty(field)
    expect(inventory).toMatchObject({ uuid: row['uuid'], createDate: T0, vmNics: [], allVolumes: [] })
  })
  it('holds its inlined children in the order of their slots, theirs too', () => {
    const engine = new FakeEngine()
    const vm = engine.add('vmInstance')
    for (const deviceId of [2, 0, 1]) {
      const nic = engine.add('vmNic', { vmInstanceUuid: vm['uuid'], deviceId })
      engine.add('usedIp', { vmNicUuid: nic['uuid'], ip: `10.0.0.${deviceId}` })
    }
    engine.add('vmNic', { vmInstanceUuid: 'f'.repeat(32) })
    const nics = render(engine.graph, vmInstance, vm)['vmNics'] as { deviceId: number; usedIps: Row[] }[]
    expect(nics.map((nic) => [nic.deviceId, nic.usedIps.map((ip) => ip['ip'])])).toEqual([
      [0, ['10.0.0.0']],
      [1, ['10.0.0.1']],
      [2, ['10.0.0.2']],
    ])
  })
  it('never changes the row that it is made from', () => {
    const engine = new FakeEngine()
    const row = engine.add('zone')
    const before = structuredClone(row)
    render(engine.graph, resourceOf('zone')!, row, () => 'date')
    expect(row).toEqual(before)
  })
  it('gets its dates, and its children theirs, written later just as at once', () => {
    const engine = new FakeEngine()
    const vm = engine.add('vmInstance')
    engine.add('volume', { vmInstanceUuid: vm['uuid'] })
    const iso = (ms: number) => new Date(ms).toISOString()
    expect(withTimes(vmInstance, render(engine.graph, vmInstance, vm), iso)).toEqual(render(engine.graph, vmInstance, vm, iso))
  })
})

describe('a schema', () => {
  it('names only objects that are there, of classes that ZStack has', () => {
    const engine = new FakeEngine()
    const nic = engine.add('vmNic')
    engine.add('usedIp', { vmNicUuid: nic['uuid'] })
    const inventory = render(engine.graph, resourceOf('vmNic')!, nic)
    expect(schemaOf({ inventories: [inventory, inventory] }, resourceOf('vmNic')!)).toEqual({
      'inventories[0]': 'org.zstack.header.vm.VmNicInventory',
      'inventories[0].usedIps[0]': 'org.zstack.header.network.l3.UsedIpInventory',
      'inventories[1]': 'org.zstack.header.vm.VmNicInventory',
      'inventories[1].usedIps[0]': 'org.zstack.header.network.l3.UsedIpInventory',
    })
    expect(schemaOf({ inventory: null }, resourceOf('vmNic')!)).toEqual({})
  })
  it('names the classes of lists inside an inventory, as deep as they go', () => {
    const leaf = 'org.zstack.header.storage.snapshot.VolumeSnapshotTree$SnapshotLeafInventory'
    const tree = { inventory: {}, children: [{ inventory: {}, children: [{ inventory: {}, children: [] }] }] }
    expect(schemaOf({ inventories: [{ tree }, {}] }, resourceOf('volumeSnapshotTree')!)).toEqual({
      'inventories[0]': 'org.zstack.header.storage.snapshot.VolumeSnapshotTreeInventory',
      'inventories[0].tree': leaf,
      'inventories[0].tree.children[0]': leaf,
      'inventories[0].tree.children[0].children[0]': leaf,
      'inventories[1]': 'org.zstack.header.storage.snapshot.VolumeSnapshotTreeInventory',
    })
    expect(schemaOf({ inventory: { backupStorageRefs: [{}] } }, resourceOf('image')!)).toEqual({
      inventory: 'org.zstack.header.image.ImageInventory',
      'inventory.backupStorageRefs[0]': 'org.zstack.header.image.ImageBackupStorageRefInventory',
    })
  })
  it('names the classes of what a reply holds that is no inventory', () => {
    const struct = 'org.zstack.resourceconfig.ResourceConfigStruct'
    const reply = { configs: [{ effectiveConfigs: [{}] }, { effectiveConfigs: null }], other: [{}] }
    expect(schemaOfReply(reply, { api: 'GetResourceConfigs' } as Api)).toEqual({
      'configs[0]': struct,
      'configs[0].effectiveConfigs[0]': 'org.zstack.resourceconfig.ResourceConfigInventory',
      'configs[1]': struct,
    })
    expect(schemaOfReply(reply, { api: 'GetVersion' } as Api)).toEqual({})
  })
})

describe('query targets', () => {
  it('hold every visible field and lead to each other both ways', () => {
    expect(Object.keys(targets)).toEqual(Object.keys(resources))
    expect(targets['vmInstance']!.relations).toHaveProperty('vmNics')
    expect(targets['vmNic']!.relations).toHaveProperty('l3Network')
    expect(targets['volume']!.relations).toHaveProperty('image')
    expect(targets['zone']!.fields).toMatchObject({
      uuid: 'string',
      name: 'string',
      state: 'string',
      isDefault: 'boolean',
      createDate: 'time',
    })
    for (const [name, target] of Object.entries(targets)) {
      for (const hidden of (resourceOf(name) as Resource).hidden ?? [])
        expect(target.fields, `${name}.${hidden}`).not.toHaveProperty(hidden)
    }
  })
})
