/** A flat network on a site in memory: from the services of provider Flat to what a guest is given and told, and back to nothing. */
import { FLAT_PROVIDER, flatRouter, type Row, routerNetns, routerPort } from '@skerry/contract'
import { lighttpdFiles } from '@skerry/host'
import { afterAll, beforeAll, expect, it, vi } from 'vitest'
import { callsOn, type FewAddresses, fewAddresses, firstNic, vmOn } from '../harness/few-addresses.ts'

let site: FewAddresses['site']
let world: FewAddresses['world']
let few: string
beforeAll(async () => {
  ;({ site, world, few } = await fewAddresses())
})
afterAll(async () => {
  await site?.stop()
  expect(site.errors).toEqual([])
})

const { call, inventory, list, refused } = callsOn(() => site)
const dir = () => `/var/lib/skerry/agent-vrouter/routers/${flatRouter(few)}`
async function differences(): Promise<unknown[]> {
  const headers = { Authorization: `Bearer ${site.client.session}` }
  return ((await (await fetch(`${site.url}/v1/audit/hosts`, { headers })).json()) as { differences: unknown[] }).differences
}
const told = (ip: unknown, path: string) => site.machine.host.files.read(`${lighttpdFiles(dir()).root}/${ip}/${path}`)

it('serves its guests where they are, and leaves nothing', async () => {
  const { host } = site.machine
  await refused(
    'AttachNetworkServiceToL3Network',
    { l3NetworkUuid: few, networkServices: { [FLAT_PROVIDER]: ['PortForwarding'] } },
    'has no service PortForwarding',
  )
  const provider = (await list('QueryNetworkServiceProvider')).find(({ type }) => type === 'Flat')
  expect(provider).toMatchObject({ uuid: FLAT_PROVIDER, networkServiceTypes: ['DHCP', 'DNS', 'HostRoute', 'Userdata', 'Eip'] })
  await call('AttachNetworkServiceToL3Network', {
    l3NetworkUuid: few,
    networkServices: { [FLAT_PROVIDER]: ['DHCP', 'DNS', 'Userdata', 'Eip'] },
  })
  expect(await call('GetL3NetworkDhcpIpAddress', { l3NetworkUuid: few })).toMatchObject({ ip: '10.7.0.19' })
  expect(await call('CheckIpAvailability', { l3NetworkUuid: few, ip: '10.7.0.19' })).toMatchObject({ available: false })
  const systemTags = [`userdata::${Buffer.from('#cloud-config\n').toString('base64')}`, 'hostname::Web']
  const vm = await vmOn({ site, world }, { l3NetworkUuids: [few], systemTags })
  const { mac, ip } = firstNic(vm) as { mac: string; ip: string }
  expect(await host.requestLease(dir(), mac)).toBe(ip)
  expect(await told(ip, 'latest/user-data')).toBe('#cloud-config\n')
  expect((await told(ip, 'latest/meta-data/instance-id')) === vm['uuid']).toBe(true)
  expect((await host.ip.at().links.get(routerPort(flatRouter(few))))?.master).not.toBeNull()
  // by no router besides
  expect(await host.ip.netns.list()).not.toContain(routerNetns(few))
  expect(await differences()).toEqual([])

  const outer = await site.client.uuid('CreateL3Network', { name: 'public', l2NetworkUuid: world.l2, category: 'Public' })
  await inventory('AddIpRange', {
    ...{ name: 'public', l3NetworkUuid: outer, netmask: '255.255.255.0', gateway: '198.51.100.1' },
    ...{ startIp: '198.51.100.10', endIp: '198.51.100.20' },
  })
  const vip = await inventory('CreateVip', { name: 'vip', l3NetworkUuid: outer })
  const eip = await inventory('CreateEip', { name: 'eip', vipUuid: vip['uuid'], vmNicUuid: firstNic(vm)['uuid'] })
  expect((await list('QueryVip', { uuid: vip['uuid'] }))[0]).toMatchObject({ serviceProvider: 'Flat' })
  expect(await differences()).toEqual([])

  // off: nothing of it is here; on again: all is as before
  await call('StopVmInstance', { uuid: vm['uuid'], type: 'cold' })
  await vi.waitFor(async () => expect(await host.ip.netns.list()).not.toContain(routerNetns(flatRouter(few))))
  expect(await differences()).toEqual([])
  await call('StartVmInstance', { uuid: vm['uuid'] })
  expect(await told(ip, 'latest/user-data')).toBe('#cloud-config\n')
  await vi.waitFor(async () => expect(await differences()).toEqual([]))

  await call('DeleteEip', { uuid: eip['uuid'] })
  await call('DestroyVmInstance', { uuid: vm['uuid'] })
  await call('ExpungeVmInstance', { uuid: vm['uuid'] })
  await call('DetachNetworkServiceFromL3Network', {
    l3NetworkUuid: few,
    networkServices: { [FLAT_PROVIDER]: ['DHCP', 'DNS', 'Userdata', 'Eip'] },
  })
  expect(await call('GetL3NetworkDhcpIpAddress', { l3NetworkUuid: few })).not.toHaveProperty('ip')
  expect(await call('CheckIpAvailability', { l3NetworkUuid: few, ip: '10.7.0.19' })).toMatchObject({ available: true })
  await vi.waitFor(async () => expect(await host.ip.netns.list()).not.toContain(routerNetns(flatRouter(few))))
  expect(await host.lighttpd.running(dir())).toBeUndefined()
  expect(await differences()).toEqual([])
  expect(((await list('QueryVmInstance')) as Row[]).length).toBe(0)
})
