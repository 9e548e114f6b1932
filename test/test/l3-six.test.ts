/** Networks whose guests have IPv6 addresses beside the others, on a site in memory. */
import { type Row, routerNetns } from '@skerry/contract'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { callsOn, type FewAddresses, fewAddresses, firstNic, vmOn } from '../harness/few-addresses.ts'

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
const graph = () => site.controller.state.graph
const makeVm = (more: Row = {}) => vmOn({ site, world }, more)
const nicRow = (nic: Row) => graph().get('vmNic', nic['uuid'] as string)!
/** A file of the router of the network that guests are in. */
async function fileOf(name: string): Promise<string> {
  const { files } = site.machine.host.disk
  const path = [...files.keys()].find((one) => one.endsWith(`${world.l3}/${name}`))
  return (path && (await site.machine.host.files.read(path))) ?? ''
}
const conf = () => fileOf('dnsmasq.conf')
const hosts = () => fileOf('hosts')

describe('IPv6', () => {
  const six = (more: Row = {}) => ({
    name: 'six',
    l3NetworkUuid: world.l3,
    networkCidr: 'fd00:A::/64',
    addressMode: 'SLAAC',
    ...more,
  })
  const ends = (more: Row) => ({
    ...{ name: 'six', l3NetworkUuid: world.l3, startIp: 'fd00:a::10', endIp: 'fd00:a::1f', gateway: 'fd00:a::1', prefixLen: 64 },
    ...{ addressMode: 'Stateful-DHCP', ...more },
  })
  const usedOf = async (nic: Row) =>
    ((await list('QueryVmNic', { uuid: nic['uuid'] }))[0]!['usedIps'] as Row[]).map(({ ip, ipVersion }) => [ipVersion, ip])
  const capacity = () => call('GetIpAddressCapacity', { l3NetworkUuids: [world.l3] })

  it('is refused where the range is none, or the network can’t have it', async () => {
    await refused('AddIpv6RangeByNetworkCidr', six({ networkCidr: 'fd00:a::/80' }), '/64')
    await refused(
      'AddIpv6RangeByNetworkCidr',
      six({ networkCidr: 'fd00:a::/127', addressMode: 'Stateful-DHCP' }),
      'between /8 and /126',
    )
    await refused('AddIpv6RangeByNetworkCidr', six({ networkCidr: 'fe80::/64' }), 'no guest')
    await refused('AddIpv6RangeByNetworkCidr', six({ networkCidr: 'ff02::/64' }), 'no guest')
    await refused('AddIpv6RangeByNetworkCidr', six({ networkCidr: '10.9.0.0/24' }), 'networkCidr')
    await refused('AddIpv6Range', ends({ startIp: 'fd00:a::1f', endIp: 'fd00:a::10' }), 'after its end')
    await refused('AddIpv6Range', ends({ endIp: 'fd00:b::10' }), 'not in one network')
    await refused('AddIpv6Range', ends({ gateway: 'fd00:b::1' }), 'outside')
    await refused('AddIpv6Range', ends({ gateway: 'fd00:a::11' }), 'in the range')
    await refused('AddIpv6Range', ends({ startIp: '10.0.0.5' }), 'startIp')
    await refused('AddIpv6Range', ends({ prefixLen: 7 }), 'prefixLen')
    const bare = await site.client.uuid('CreateL3Network', { name: 'bare', l2NetworkUuid: world.l2 })
    await refused('AddIpv6Range', ends({ l3NetworkUuid: bare }), 'no IPv4 range')
    await call('SetL3NetworkMtu', { l3NetworkUuid: few, mtu: 1000 })
    await refused('AddIpv6Range', ends({ l3NetworkUuid: few }), '1280')
  })

  it('is an address beside the other, which guests make of their MAC', async () => {
    const range = await inventory('AddIpv6RangeByNetworkCidr', six())
    expect(range).toMatchObject({
      ...{ networkCidr: 'fd00:a::/64', startIp: 'fd00:a::2', endIp: 'fd00:a::ffff:ffff:ffff:ffff', gateway: 'fd00:a::1' },
      ...{ netmask: 'ffff:ffff:ffff:ffff::', prefixLen: 64, ipVersion: 6, addressMode: 'SLAAC' },
    })
    await refused('SetL3NetworkMtu', { l3NetworkUuid: world.l3, mtu: 1000 }, '1280')
    await refused('AddIpv6Range', ends({ startIp: 'fd00:a::10' }), 'overlaps')
    expect(await capacity()).toMatchObject({ ipv4TotalCapacity: 253, ipv6TotalCapacity: Number.MAX_SAFE_INTEGER })
    const vm = await makeVm()
    const nic = firstNic(vm)
    const [a, b, c, d, e, f] = (nic['mac'] as string).split(':').map((byte) => Number.parseInt(byte, 16)) as number[]
    const word = (high: number, low: number) => ((high << 8) | low).toString(16)
    const own = `fd00:a::${word(a! ^ 2, b!)}:${word(c!, 0xff)}:${word(0xfe, d!)}:${word(e!, f!)}`
    expect(await usedOf(nic)).toEqual([
      [4, nic['ip']],
      [6, own],
    ])
    expect(nicRow(nic)).toMatchObject({ ip: nic['ip'], ipVersion: 4 })
    expect(await conf()).toContain('dhcp-range=fd00:a::,ra-only,64,86400s')
    expect(await conf()).toContain('dhcp-option=option6:dns-server,[fd00:a::1]')
    expect(await fileOf('names')).toContain(`${own} `)
    const inner = await site.machine.host.ip.at(routerNetns(world.l3)).addresses.list()
    expect(inner.map((address) => address.cidr)).toContain('fd00:a::1/64')
    expect(await capacity()).toMatchObject({ ipv6UsedIpAddressNumber: 1, ipv4UsedIpAddressNumber: 1 })
    const at = { l3NetworkUuid: world.l3, ip: own.toUpperCase() }
    expect(await call('CheckIpAvailability', at)).toMatchObject({ available: false })
    await refused('SetVmStaticIp', { vmInstanceUuid: vm['uuid'], l3NetworkUuid: world.l3, ip6: 'fd00:a::77' }, 'make their own')
    await call('StopVmInstance', { uuid: vm['uuid'], type: 'cold' })
    await call('UpdateVmNicMac', { vmNicUuid: nic['uuid'], mac: 'fa:00:00:00:00:01' })
    expect((await usedOf(nic))[1]).toEqual([6, 'fd00:a::f800:ff:fe00:1'])
    await call('DeleteIpRange', { uuid: range['uuid'] })
    // The card stays, with what is left to it.
    expect(await usedOf(nic)).toEqual([[4, nic['ip']]])
    await gone(vm)
    expect(await conf()).not.toContain('enable-ra')
  })

  it('is given by DHCP, chosen or asked for, where the network says so', async () => {
    await call('AddIpv6Range', ends({}))
    await refused('AddIpv6Range', ends({ startIp: 'fd00:a::30', endIp: 'fd00:a::3f', gateway: 'fd00:a::2' }), 'one gateway')
    await refused('AddIpv6Range', ends({ startIp: 'fd00:a::30', endIp: 'fd00:a::3f', addressMode: 'SLAAC' }), 'one addressMode')
    await call('AddReservedIpRange', { l3NetworkUuid: world.l3, startIp: 'fd00:a::10', endIp: 'fd00:a::1d' })
    const free = async () => (await list('GetFreeIp', { l3NetworkUuid: world.l3, ipVersion: 6 })).map((row) => row['ip'])
    expect(await free()).toEqual(['fd00:a::1e', 'fd00:a::1f'])
    const vm = await makeVm()
    const nic = firstNic(vm)
    const [, [, given]] = (await usedOf(nic)) as [unknown, [number, string]]
    expect(['fd00:a::1e', 'fd00:a::1f']).toContain(given)
    expect(await hosts()).toContain(`${nic['mac']},${nic['ip']},[${given}]`)
    const other = given === 'fd00:a::1e' ? 'fd00:a::1f' : 'fd00:a::1e'
    const at = { vmInstanceUuid: vm['uuid'], l3NetworkUuid: world.l3 }
    await refused('SetVmStaticIp', { ...at, ip6: 'fd00:a::11' }, 'in use')
    await refused('SetVmStaticIp', { ...at, ip6: 'fd00:a::99' }, 'in no range')
    await call('SetVmStaticIp', { ...at, ip6: other.toUpperCase() })
    expect(await hosts()).toContain(`${nic['mac']},${nic['ip']},[${other}]`)
    expect((await list('QuerySystemTag')).map((tag) => tag['tag'])).toContain(
      `staticIp::${world.l3}::${other.replace('::', '--')}`,
    )
    expect(await free()).toEqual([])
    const { last } = await site.client.exchange('CreateVmInstance', {
      ...{ name: 'full', instanceOfferingUuid: world.offering, imageUuid: world.image, l3NetworkUuids: [world.l3] },
    })
    expect(last.text).toContain('no free IPv6 address')
    await gone(vm)
    expect(await free()).toHaveLength(2)
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
