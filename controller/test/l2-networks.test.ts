/** What a call about VLANs and VXLANs is refused for, and what hosts are told. */
import type { kvmDesired, Row } from '@skerry/contract'
import { SkerryError } from '@skerry/contract'
import { beforeEach, describe, expect, it } from 'vitest'
import { documentOf } from '../src/agents/documents.ts'
import { actions } from '../src/workflows/index.ts'
import { on, ran } from './before.ts'
import { pool, tag, vnis, vxlan } from './vxlan-cases.ts'
import { id, makeWorld, type TestWorld, u } from './world.ts'
import { site } from './world-site.ts'

let w: TestWorld
beforeEach(async () => {
  w = await makeWorld()
  await site(w)
})
const run = (name: string, table: string, uuid: string, params: Row = {}) => ran(w, name, on(table, uuid, params))
const l2 = (name: string, uuid: string, params: Row) => run(name, 'l2Network', uuid, params)
/** How a call is refused before it becomes a job. */
function refusal(name: string, table: string, uuid: string, params: Row): SkerryError {
  try {
    actions.get(name)!.check?.({ graph: w.state.graph, params, uuid, table })
  } catch (error) {
    if (error instanceof SkerryError) return error
    throw error
  }
  throw new Error(`${name} is not refused`)
}
const specOf = (uuid: string): kvmDesired.BridgeSpec | undefined => {
  const document = documentOf(w.state.graph, `${u.kvm}/bridge/${uuid}`)
  return document && 'spec' in document ? (document.spec as kvmDesired.BridgeSpec) : undefined
}
const onCluster = (l2NetworkUuid: string) => ({ l2NetworkUuid, clusterUuid: u.cluster })

describe('VLANs', () => {
  const [red, blue] = [id('red'), id('blue')]
  const vlan = (name: string, number: number) => ({ name, zoneUuid: u.zone, physicalInterface: 'eth0', vlan: number })
  beforeEach(async () => {
    await l2('l2Network.createVlan', red, vlan('red', 7))
    await l2('l2Network.createVlan', blue, vlan('blue', 7))
    await l2('l2Network.attach', red, onCluster(red))
  })

  it('are said to the hosts, and said anew when they change', async () => {
    expect(specOf(red)).toMatchObject({ physicalInterface: 'eth0', vlan: 7 })
    await l2('l2Network.changeVlan', red, { vlan: 8 })
    expect(specOf(red)).toMatchObject({ physicalInterface: 'eth0', vlan: 8 })
    await l2('l2Network.changeVlan', red, { type: 'L2NoVlanNetwork' })
    expect(specOf(red)).toMatchObject({ physicalInterface: 'eth0' })
    expect(specOf(red)?.vlan).toBeUndefined()
    expect(w.state.graph.get('l2Network', red)).toMatchObject({ type: 'L2NoVlanNetwork', vlan: null, virtualNetworkId: null })
    expect([...w.state.graph.rows('usedVlan')]).toEqual([])
  })

  it('are of one network in a cluster, until it lets go of them', async () => {
    expect(refusal('l2Network.attach', 'l2Network', blue, onCluster(blue))).toMatchObject({
      code: 'in-use',
      message: 'L2 network red has VLAN 7 of eth0 in this cluster already',
    })
    await expect(l2('l2Network.attach', blue, onCluster(blue)), 'also when both were accepted').rejects.toThrow(/conflict/)
    await l2('l2Network.changeVlan', red, { vlan: 8 })
    await l2('l2Network.attach', blue, onCluster(blue))
    expect(refusal('l2Network.changeVlan', 'l2Network', red, { vlan: 7 })).toMatchObject({ code: 'in-use' })
    await l2('l2Network.detach', blue, onCluster(blue))
    await l2('l2Network.changeVlan', red, { vlan: 7 })
  })

  it.each([
    ['needs an interface', 'l2Network.createVlan', { ...vlan('x', 3), physicalInterface: 'none' }, /physicalInterface is none/],
    ['needs a number', 'l2Network.changeVlan', { type: 'L2VlanNetwork' }, /vlan is missing/],
    ['and none are not asked together', 'l2Network.changeVlan', { type: 'L2NoVlanNetwork', vlan: 3 }, /says no VLAN/],
  ])('one %s', (_, name, params, message) => {
    expect(refusal(name, 'l2Network', name === 'l2Network.createVlan' ? id('x') : red, params).message).toMatch(message)
  })
})

it('a network that is deleted while a host is looked at again is not waited for', async () => {
  const gone = id('gone')
  await l2('l2Network.create', gone, { name: 'gone', zoneUuid: u.zone, physicalInterface: 'none' })
  await l2('l2Network.attach', gone, onCluster(gone))
  const { converge } = w.agents
  const asked: string[][] = []
  w.agents.converge = async (names) => {
    asked.push(names.filter((name) => name.startsWith('bridge/')))
    if (asked.length > 1) return converge.call(w.agents, names)
    await l2('resource.delete', gone, {})
    throw new SkerryError('conflict', 'no longer wanted')
  }
  await run('host.reconnect', 'host', u.host)
  expect(asked.map((names) => names.includes(`bridge/${gone}`))).toEqual([true, false])
})

describe('VXLANs', () => {
  beforeEach(async () => {
    await run('host.reconnect', 'host', u.host)
    await l2('l2Network.createVxlanPool', pool, { name: 'pool', zoneUuid: u.zone })
    await run('vniRange.create', 'vniRange', vnis, { name: 'few', l2NetworkUuid: pool, startVni: 10, endVni: 11 })
  })
  const attach = () => l2('l2Network.attach', pool, { ...onCluster(pool), systemTags: [tag] })
  const network = (name: string, params: Row = {}) => l2('l2Network.createVxlan', id(name), { name, poolUuid: pool, ...params })
  const vniOf = (name: string) => w.state.graph.get('l2Network', id(name))?.['vni']

  it('are given the lowest free VNI or the one that is named, never one twice, and give it back', async () => {
    await network('a', { vni: 11 })
    await network('b')
    expect([vniOf('a'), vniOf('b')]).toEqual([11, 10])
    expect(refusal('l2Network.createVxlan', 'l2Network', id('c'), { poolUuid: pool }).message).toBe(
      'all VNIs of the pool are taken',
    )
    const named = (vni: number) => refusal('l2Network.createVxlan', 'l2Network', id('c'), { poolUuid: pool, vni })
    expect(named(11)).toMatchObject({ code: 'in-use', message: 'VNI 11 is taken' })
    expect(named(12)).toMatchObject({ code: 'invalid-argument', message: 'VNI 12 is in no range of the pool' })
    await run('resource.delete', 'l2Network', id('a'))
    await network('c')
    expect(vniOf('c')).toBe(11)
  })

  it('reach the hosts of the pool’s clusters, each told its own VTEP and all others', async () => {
    await network('early')
    await attach()
    await l2('l2Network.createVxlan', vxlan, { name: 'late', poolUuid: pool })
    const told = { vtepIp: '192.0.2.10', port: 4789, peers: [] }
    expect(specOf(id('early'))).toMatchObject({ physicalInterface: null, vxlan: { vni: 10, ...told } })
    expect(specOf(vxlan)?.vxlan).toEqual({ vni: 11, ...told })
    expect(specOf(pool), 'a pool is nothing on a host').toBeUndefined()
    await run('remoteVtep.create', 'remoteVtep', id('remote'), { ...onCluster(pool), remoteVtepIp: '192.0.2.99' })
    expect(specOf(vxlan)?.vxlan?.peers).toEqual(['192.0.2.99'])
    await l2('l2Network.detach', pool, onCluster(pool))
    expect(specOf(vxlan)).toBeUndefined()
    for (const table of ['vtep', 'remoteVtep']) expect([...w.state.graph.rows(table)]).toEqual([])
  })

  it('go with their pool, and take their networks along', async () => {
    await attach()
    await network('a')
    await run('l3Network.create', 'l3Network', id('l3a'), { name: 'l3a', l2NetworkUuid: id('a') })
    await run('resource.delete', 'l2Network', pool)
    expect(w.state.graph.get('l3Network', id('l3a'))).toBeUndefined()
    for (const table of ['vniRange', 'usedVni', 'vtep']) expect([...w.state.graph.rows(table)]).toEqual([])
  })

  it.each([
    ['a pool without the network of the VTEPs', 'l2Network.attach', { ...onCluster(pool) }, /as the system tag l2NetworkUuid::/],
    [
      'a pool where a host has no address',
      'l2Network.attach',
      { ...onCluster(pool), systemTags: [tag.replace('192.0.2.0', '10.1.0.0')] },
      /host .* has no address in 10\.1\.0\.0\/24; it has 192\.0\.2\.10\/24/,
    ],
    ['a range that ends before it starts', 'vniRange.create', { l2NetworkUuid: pool, startVni: 9, endVni: 8 }, /after its end/],
    ['a range over another', 'vniRange.create', { l2NetworkUuid: pool, startVni: 1, endVni: 10 }, /overlaps few/],
    ['a range of what is no pool', 'vniRange.create', { l2NetworkUuid: u.l2, startVni: 1, endVni: 2 }, /not a VXLAN pool/],
    ['an L3 network on a pool', 'l3Network.create', { l2NetworkUuid: pool }, /is a VXLAN pool/],
    [
      'a VTEP that the host has not',
      'vtep.create',
      { hostUuid: u.host, poolUuid: pool, vtepIp: '10.1.1.1' },
      /has no address 10\.1\.1\.1/,
    ],
    ['a VTEP where none is to be found', 'vtep.create', { hostUuid: u.host, poolUuid: pool }, /must be named: vtepIp/],
    [
      'a remote VTEP where the pool is not',
      'remoteVtep.create',
      { ...onCluster(pool), remoteVtepIp: '192.0.2.9' },
      /not attached/,
    ],
    [
      'to remove a remote VTEP that is not there',
      'remoteVtep.delete',
      { ...onCluster(pool), remoteVtepIp: '192.0.2.9' },
      /no remote VTEP/,
    ],
  ])('refuse %s', (_, name, params, message) => {
    const table = name.startsWith('l2Network') ? 'l2Network' : name.split('.')[0]!
    expect(refusal(name, table, name === 'l2Network.attach' ? pool : id('new'), params).message).toMatch(message)
  })

  it('keep a range whose VNI is in use', async () => {
    await network('a')
    expect(refusal('vniRange.delete', 'vniRange', vnis, {})).toMatchObject({
      code: 'in-use',
      message: 'L2 network a has VNI 10 of this range',
    })
  })
})
