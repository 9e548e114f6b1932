/** What ZStack's clients do with networks and the addresses in them, on a site in memory: refused where the reference refuses, and nothing left. */
import { bridgeName, type Row, routerNetns, VROUTER_PROVIDER } from '@skerry/contract'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { addRange, callsOn, type FewAddresses, fewAddresses, firstNic, vmOn } from '../harness/few-addresses.ts'

let site: FewAddresses['site']
let world: FewAddresses['world']
/** A network with a few addresses and nobody in it. */
let few: string
beforeAll(async () => {
  ;({ site, world, few } = await fewAddresses())
})
afterAll(async () => {
  await site?.stop()
  expect(site.errors).toEqual([])
})

const { call, inventory, list, refused } = callsOn(() => site)
const range = (more: Row) => addRange({ site, few }, more)
const graph = () => site.controller.state.graph
const free = async () => (await list('GetFreeIp', { l3NetworkUuid: few })).map((row) => row['ip'])
const makeVm = (more: Row = {}) => vmOn({ site, world }, more)
const nicRow = (nic: Row) => graph().get('vmNic', nic['uuid'] as string)!
describe('several ranges in one network', () => {
  it('are refused where they overlap, lie in another network, or have another gateway', async () => {
    const at = { name: 'r', l3NetworkUuid: few, netmask: '255.255.255.0', gateway: '10.7.0.1' }
    await refused('AddIpRange', { ...at, startIp: '10.7.0.15', endIp: '10.7.0.30' }, 'overlaps')
    await refused('AddIpRange', { ...at, startIp: '10.7.0.30', endIp: '10.7.0.25' }, 'after its end')
    await refused('AddIpRange', { ...at, startIp: '10.7.0.30', endIp: '10.7.0.40', gateway: '10.8.0.1' }, 'outside')
    await refused('AddIpRange', { ...at, startIp: '10.7.0.30', endIp: '10.7.0.40', gateway: '10.7.0.2' }, 'gateway 10.7.0.1')
    await refused('AddIpRange', { ...at, startIp: '10.7.0.30', endIp: '10.7.0.40', netmask: '255.255.0.255' }, 'contiguous')
    const other = { ...at, startIp: '10.8.0.30', endIp: '10.8.0.40', gateway: '10.8.0.1' }
    await refused('AddIpRange', other, 'in one CIDR')
  })

  it('give their addresses together', async () => {
    const second = await range({ startIp: '10.7.0.30', endIp: '10.7.0.34' })
    expect((await call('GetIpAddressCapacity', { l3NetworkUuids: [few] }))['totalCapacity']).toBe(15)
    await call('DeleteIpRange', { uuid: second['uuid'] })
    expect(await free()).toHaveLength(10)
  })
})

describe('reserved addresses', () => {
  it('are given to nobody until they are let go', async () => {
    const kept = await inventory('AddReservedIpRange', { l3NetworkUuid: few, startIp: '10.7.0.10', endIp: '10.7.0.18' })
    expect(kept).toMatchObject({ startIp: '10.7.0.10', endIp: '10.7.0.18', ipVersion: 4, l3NetworkUuid: few })
    expect((await list('QueryL3Network', { uuid: few }))[0]).toMatchObject({ reservedIpRanges: [{ uuid: kept['uuid'] }] })
    expect(await free()).toEqual(['10.7.0.19'])
    expect(await call('GetIpAddressCapacity', { l3NetworkUuids: [few] })).toMatchObject({
      totalCapacity: 10,
      availableCapacity: 1,
    })
    expect(await call('CheckIpAvailability', { l3NetworkUuid: few, ip: '10.7.0.12' })).toMatchObject({ available: false })
    const vm = await makeVm({ l3NetworkUuids: [few], strategy: 'CreateStopped' })
    expect(firstNic(vm)['ip']).toBe('10.7.0.19')
    await refused(
      'AttachL3NetworkToVm',
      { vmInstanceUuid: (await makeVm({ strategy: 'CreateStopped' }))['uuid'], l3NetworkUuid: few, staticIp: '10.7.0.12' },
      'reserved',
    )
    await refused('AddReservedIpRange', { l3NetworkUuid: few, startIp: '10.7.0.19', endIp: '10.7.0.19' }, 'in use')
    await refused('AddReservedIpRange', { l3NetworkUuid: few, startIp: '10.7.0.18', endIp: '10.7.0.19' }, 'overlaps')
    await refused('AddReservedIpRange', { l3NetworkUuid: few, startIp: '10.7.1.1', endIp: '10.7.1.9' }, 'no range')
    await refused('AddReservedIpRange', { l3NetworkUuid: few, startIp: '10.7.0.9', endIp: '10.7.0.1' }, 'after its end')
    await refused('AddReservedIpRange', { l3NetworkUuid: few, startIp: '10.7.0.9', endIp: 'fd00::1' }, 'one family')
    await call('DeleteReservedIpRange', { uuid: kept['uuid'] })
    expect(await free()).toHaveLength(9)
    for (const row of await list('QueryVmInstance')) {
      await call('DestroyVmInstance', { uuid: row['uuid'] })
      await call('ExpungeVmInstance', { uuid: row['uuid'] })
    }
  })
})

describe('what the guests of a network are told', () => {
  it('are its routes, each once and to where they can go', async () => {
    const add = { l3NetworkUuid: world.l3, prefix: '172.16.0.0/16', nexthop: '10.0.0.9' }
    const l3 = await inventory('AddHostRouteToL3Network', add)
    expect(l3['hostRoute']).toMatchObject([{ prefix: '172.16.0.0/16', nexthop: '10.0.0.9', l3NetworkUuid: world.l3 }])
    await refused('AddHostRouteToL3Network', add, 'already')
    await refused('AddHostRouteToL3Network', { ...add, prefix: '172.17.0.1/16' }, '172.17.0.0/16')
    await refused('AddHostRouteToL3Network', { ...add, prefix: '172.17.0.0/16', nexthop: '10.9.0.9' }, 'could not reach')
    await refused('RemoveHostRouteFromL3Network', { l3NetworkUuid: world.l3, prefix: '172.17.0.0/16' }, 'no route')
    const vm = await makeVm()
    await site.settled()
    expect(await conf()).toContain('option:classless-static-route,172.16.0.0/16,10.0.0.9,0.0.0.0/0,10.0.0.1')
    await call('RemoveHostRouteFromL3Network', { l3NetworkUuid: world.l3, prefix: '172.16.0.0/16' })
    await site.settled()
    expect(await conf()).not.toContain('classless')
    await call('DestroyVmInstance', { uuid: vm['uuid'] })
    await call('ExpungeVmInstance', { uuid: vm['uuid'] })
  })

  it('is the size of packets, which router and bridge follow', async () => {
    expect(await call('GetL3NetworkMtu', { l3NetworkUuid: world.l3 })).toMatchObject({ mtu: 1500 })
    await refused('SetL3NetworkMtu', { l3NetworkUuid: world.l3, mtu: 67 }, 'mtu')
    await refused('SetL3NetworkMtu', { l3NetworkUuid: world.l3, mtu: 9217 }, 'mtu')
    const vm = await makeVm()
    expect(await call('SetL3NetworkMtu', { l3NetworkUuid: world.l3, mtu: 9000 })).toEqual({})
    expect(await call('GetL3NetworkMtu', { l3NetworkUuid: world.l3 })).toMatchObject({ mtu: 9000 })
    await site.settled()
    expect(await conf()).toContain('dhcp-option=option:mtu,9000')
    const links = await site.machine.host.ip.at().links.list()
    expect(links.find((link) => link.name === bridgeName(world.l2))?.mtu).toBe(9000)
    const inner = await site.machine.host.ip.at(routerNetns(world.l3)).links.list()
    expect(inner.find((link) => link.name === 'lan0')?.mtu).toBe(9000)
    await call('DestroyVmInstance', { uuid: vm['uuid'] })
    await call('ExpungeVmInstance', { uuid: vm['uuid'] })
  })

  it('comes from the gateway, where DHCP is served', async () => {
    expect(await call('GetL3NetworkDhcpIpAddress', { l3NetworkUuid: world.l3 })).toMatchObject({ ip: '10.0.0.1' })
    expect(await call('GetL3NetworkRouterInterfaceIp', { l3NetworkUuid: world.l3 })).toMatchObject({
      routerInterfaceIp: '10.0.0.1',
    })
    expect((await call('GetL3NetworkDhcpIpAddress', { l3NetworkUuid: few }))['ip']).toBeUndefined()
    expect((await list('QueryNetworkServiceL3NetworkRef')).filter((row) => row['l3NetworkUuid'] === world.l3)).toContainEqual({
      l3NetworkUuid: world.l3,
      networkServiceProviderUuid: VROUTER_PROVIDER,
      networkServiceType: 'DHCP',
    })
  })
})

/** A file of the router of the network that guests are in. */
async function fileOf(name: string): Promise<string> {
  const { files } = site.machine.host.disk
  const path = [...files.keys()].find((one) => one.endsWith(`${world.l3}/${name}`))
  return (path && (await site.machine.host.files.read(path))) ?? ''
}
const conf = () => fileOf('dnsmasq.conf')
const hosts = () => fileOf('hosts')

describe('the address of a card', () => {
  const static_ = (vm: Row, ip: string, more: Row = {}) => ({ vmInstanceUuid: vm['uuid'], l3NetworkUuid: world.l3, ip, ...more })

  it('changes for a guest that runs: its lease follows, and the old one is nobody else’s before it stops', async () => {
    const vm = await makeVm()
    const nic = firstNic(vm)
    const old = nic['ip'] as string
    expect(await call('SetVmStaticIp', static_(vm, '10.0.0.77'))).toEqual({})
    expect(nicRow(nic)).toMatchObject({ ip: '10.0.0.77', l3NetworkUuid: world.l3 })
    expect(await hosts()).toContain(`${nic['mac']},10.0.0.77`)
    expect(graph().get('vmInstance', vm['uuid'] as string)?.['state']).toBe('Running')
    expect(await call('CheckIpAvailability', { l3NetworkUuid: world.l3, ip: old })).toMatchObject({ available: false })
    const tags = await list('QuerySystemTag')
    expect(tags.map((tag) => tag['tag'])).toContain(`staticIp::${world.l3}::10.0.0.77`)
    const statistics = await call('GetL3NetworkIpStatistic', {
      l3NetworkUuid: world.l3,
      resourceType: 'VM',
      replyWithCount: true,
    })
    expect(statistics).toMatchObject({
      total: 2,
      ipStatistics: expect.arrayContaining([
        expect.objectContaining({
          ip: '10.0.0.77',
          vmInstanceUuid: vm['uuid'],
          vmDefaultIp: ['10.0.0.77'],
          resourceTypes: ['VM'],
          state: 'Running',
        }),
      ]),
    })
    await call('StopVmInstance', { uuid: vm['uuid'], type: 'cold' })
    expect(await call('CheckIpAvailability', { l3NetworkUuid: world.l3, ip: old })).toMatchObject({ available: true })
    await call('DeleteVmStaticIp', { vmInstanceUuid: vm['uuid'], l3NetworkUuid: world.l3 })
    expect(nicRow(nic)['ip']).toBe('10.0.0.77')
    await refused('DeleteVmStaticIp', { vmInstanceUuid: vm['uuid'], l3NetworkUuid: world.l3 }, 'no address of its own')
    await gone(vm)
  })

  it('comes back to the guest that had it, and is let go by hand', async () => {
    const vm = await makeVm()
    const nic = firstNic(vm)
    const old = nic['ip'] as string
    await call('SetVmStaticIp', static_(vm, '10.0.0.78'))
    const former = async () => (await list('QueryIpAddress')).filter((row) => row['usedFor'] === 'Former')
    const [held] = await former()
    expect(held).toMatchObject({ ip: old, vmNicUuid: nic['uuid'] })
    await call('SetVmStaticIp', static_(vm, old))
    expect(nicRow(nic)['ip']).toBe(old)
    expect((await former()).map((row) => row['ip'])).toEqual(['10.0.0.78'])
    await refused('DeleteIpAddress', { l3NetworkUuid: few, usedIpUuids: [(await former())[0]!['uuid']] }, 'no address')
    await refused('DeleteIpAddress', { l3NetworkUuid: world.l3, usedIpUuids: [held!['uuid']] }, 'in use')
    await call('DeleteIpAddress', { l3NetworkUuid: world.l3, usedIpUuids: [(await former())[0]!['uuid']] })
    expect(await former()).toEqual([])
    await gone(vm)
  })

  it('is refused where it is no address for it', async () => {
    const [vm, other] = [await makeVm(), await makeVm()]
    await refused('SetVmStaticIp', static_(vm, '192.0.2.1'), 'in no range')
    await refused('SetVmStaticIp', static_(vm, firstNic(other)['ip'] as string), 'in use')
    await refused('SetVmStaticIp', static_(vm, '10.7.0.12', { l3NetworkUuid: few }), 'has no card')
    await refused('SetVmStaticIp', { vmInstanceUuid: vm['uuid'], l3NetworkUuid: world.l3 }, 'ip')
    await gone(vm)
    await gone(other)
  })

  it('is in another network, and its MAC another, when the guest is off', async () => {
    const vm = await makeVm()
    const nic = firstNic(vm)
    const change = { vmNicUuid: nic['uuid'], destL3NetworkUuid: few }
    await refused('ChangeVmNicNetwork', change, 'Stopped')
    await refused('UpdateVmNicMac', { vmNicUuid: nic['uuid'], mac: 'fa:00:00:00:00:01' }, 'Stopped')
    await call('StopVmInstance', { uuid: vm['uuid'], type: 'cold' })
    expect(
      (await list('GetCandidateL3NetworksForChangeVmNicNetwork', { vmNicUuid: nic['uuid'] })).map((l3) => l3['uuid']),
    ).toEqual([few])
    await refused('ChangeVmNicNetwork', { ...change, destL3NetworkUuid: world.l3 }, 'already')
    await refused('ChangeVmNicNetwork', { ...change, staticIp: '10.8.0.1' }, 'in no range')
    await refused('UpdateVmNicMac', { vmNicUuid: nic['uuid'], mac: '01:00:00:00:00:01' }, 'group')
    const moved = await inventory('ChangeVmNicNetwork', { ...change, staticIp: '10.7.0.15' })
    expect(moved).toMatchObject({ uuid: nic['uuid'], l3NetworkUuid: few, ip: '10.7.0.15', mac: nic['mac'], gateway: '10.7.0.1' })
    expect(graph().get('vmInstance', vm['uuid'] as string)?.['defaultL3NetworkUuid']).toBe(few)
    expect(await inventory('UpdateVmNicMac', { vmNicUuid: nic['uuid'], mac: 'fa:00:00:00:00:01' })).toMatchObject({
      mac: 'fa:00:00:00:00:01',
    })
    await call('ChangeVmNicNetwork', { vmNicUuid: nic['uuid'], destL3NetworkUuid: world.l3 })
    await call('StartVmInstance', { uuid: vm['uuid'] })
    expect(await hosts()).toContain(`fa:00:00:00:00:01,${nicRow(nic)['ip']}`)
    await gone(vm)
  })
})

async function gone(vm: Row): Promise<void> {
  await call('DestroyVmInstance', { uuid: vm['uuid'] })
  await call('ExpungeVmInstance', { uuid: vm['uuid'] })
  await site.settled()
  expect(site.contradictions()).toEqual([])
  const held = [...graph().rows('usedIp')].filter(([, row]) => row['vmNicUuid'] === firstNic(vm)['uuid'])
  expect(held).toEqual([])
}
