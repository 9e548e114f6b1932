/** Small pure parts: networks, hosts files, table shapes, configuration. */
import { routerUplink } from '@skerry/contract'
import { buildTable, compareShape, elementsIn, fakeHost, moveElements } from '@skerry/host'
import { describe, expect, test } from 'vitest'
import { editHosts, parseHosts } from '../src/leases/hosts-file.ts'
import { contains, networkOf, overlaps } from '../src/routers/cidr.ts'
import { hostShape, routerShape, SNAT_SOURCES, sourceOf, toSource, toUplink, UPLINKS, uplinkOf } from '../src/routers/rules.ts'
import { confOf, nameServers } from '../src/routers/service.ts'
import { routerSpec } from './world.ts'

describe('networks', () => {
  test('are what the kernel makes of them', () => {
    expect(networkOf('10.1.2.3/8')).toBe('10.0.0.0/8')
    expect(networkOf('192.168.255.129/25')).toBe('192.168.255.128/25')
    expect(networkOf('1.2.3.4/0')).toBe('0.0.0.0/0')
    expect(networkOf('255.255.255.255/32')).toBe('255.255.255.255/32')
  })
  test('hold addresses and meet each other', () => {
    expect(contains('10.0.0.0/24', '10.0.0.255')).toBe(true)
    expect(contains('10.0.0.0/24', '10.0.1.0')).toBe(false)
    expect(contains('0.0.0.0/0', '203.0.113.1')).toBe(true)
    expect(overlaps('10.0.0.0/8', '10.9.0.0/16')).toBe(true)
    expect(overlaps('10.9.0.0/16', '10.0.0.0/8')).toBe(true)
    expect(overlaps('10.0.0.0/24', '10.0.1.0/24')).toBe(false)
  })
})

describe('a hosts file', () => {
  const [A, B] = ['a'.repeat(32), 'b'.repeat(32)]
  const entry = (uuid: string, n: number) => ({ uuid, mac: `02:00:00:00:00:0${n}`, ip: `10.0.0.${n}`, hostname: `vm-${n}` })

  test('is read as it was written', () => {
    const { hosts, names } = editHosts([], { put: [entry(A, 1), entry(B, 2)], remove: [] })
    expect(parseHosts(hosts, names)).toEqual([
      { uuid: A, mac: '02:00:00:00:00:01', ip: '10.0.0.1', dhcpName: 'vm-1', dnsName: 'vm-1' },
      { uuid: B, mac: '02:00:00:00:00:02', ip: '10.0.0.2', dhcpName: 'vm-2', dnsName: 'vm-2' },
    ])
    expect(editHosts(parseHosts(hosts, names), { put: [], remove: [] })).toEqual({ hosts, names })
    expect(editHosts(parseHosts(hosts, names), { put: [], remove: [A, B] })).toEqual({ hosts: '', names: '' })
  })
  test('loses the line of whoever had a new one’s MAC or address, and lines of nobody', () => {
    const { hosts, names } = editHosts([], { put: [entry(A, 1)], remove: [] })
    const after = editHosts(parseHosts(`02:00:00:00:00:77,10.0.0.77\n${hosts}`, names), {
      put: [{ ...entry(B, 2), ip: '10.0.0.1' }],
      remove: [],
    })
    expect(after).toEqual({ hosts: `# ${B}\n02:00:00:00:00:02,10.0.0.1,vm-2\n`, names: '10.0.0.1 vm-2\n' })
  })
  test('takes no value that could be a line', () => {
    expect(() => editHosts([], { put: [{ ...entry(A, 1), hostname: 'x\n02:00:00:00:00:66,10.0.0.66' }], remove: [] })).toThrow()
  })
})

describe('a table', () => {
  const listed = async (shape: typeof routerShape, elements: Parameters<typeof buildTable>[1]) => {
    const nft = fakeHost().nft.at()
    await nft.apply(buildTable(shape, elements))
    return { nft, objects: await nft.table(shape.table) }
  }
  test('is recognised after it was built, and its elements are read back', async () => {
    const { objects } = await listed(routerShape, { [SNAT_SOURCES]: ['10.0.0.0/24', '10.0.1.1/32'].map(toSource) })
    expect(compareShape(objects, routerShape)).toBe('ok')
    expect(elementsIn(objects, SNAT_SOURCES).map(sourceOf)).toEqual(['10.0.0.0/24', '10.0.1.1/32'])
    const uplink = { ifname: routerUplink('a'.repeat(32)), ip: '169.254.0.2' }
    const host = await listed(hostShape('t'), { [UPLINKS]: [toUplink(uplink)] })
    expect(elementsIn(host.objects, UPLINKS).map(uplinkOf)).toEqual([uplink])
  })
  test.each([
    ['a rule less', { flush: { chain: { family: 'inet', table: 'skerry', name: 'input' } } }],
    ['a rule more', { add: { rule: { family: 'inet', table: 'skerry', chain: 'input', expr: [{ accept: null }] } } }],
    ['a chain more', { add: { chain: { family: 'inet', table: 'skerry', name: 'more' } } }],
    ['a set more', { add: { set: { family: 'inet', table: 'skerry', name: 'more', type: 'ipv4_addr' } } }],
  ] as const)('with %s differs', async (_what, command) => {
    const { nft } = await listed(routerShape, {})
    await nft.apply([command as never])
    expect(compareShape(await nft.table(routerShape.table), routerShape)).toBe('differs')
  })
  test('moves no element without a command', () => {
    expect(moveElements(routerShape.table, SNAT_SOURCES, { add: [], remove: [] })).toEqual([])
  })
})

describe('the configuration of dnsmasq', () => {
  const lines = (change = {}, upstream: string[] = []) => confOf(routerSpec('br', change), '/r', upstream).split('\n')
  test('hands out the router as DNS server, which asks what the network names', () => {
    expect(lines({ dns: ['192.0.2.1'] }, ['192.0.2.9'])).toEqual(
      expect.arrayContaining(['server=192.0.2.1', 'dhcp-option=option:dns-server,10.10.0.1']),
    )
    expect(lines({ dns: ['192.0.2.1'] }, ['192.0.2.9'])).not.toContain('server=192.0.2.9')
  })
  test('asks the name servers of the host where the network names none', () => {
    expect(lines({}, ['192.0.2.9'])).toContain('server=192.0.2.9')
  })
  test('without DNS hands out what the network names', () => {
    const conf = lines({ dns: ['192.0.2.1'], services: { dhcp: true, dns: false, snat: true } })
    expect(conf).toEqual(expect.arrayContaining(['port=0', 'dhcp-option=option:dns-server,192.0.2.1']))
  })
  test('lets no guest choose a name, and keeps no line a renewal', () => {
    expect(lines()).toEqual(expect.arrayContaining(['dhcp-ignore-names', 'quiet-dhcp']))
  })
})

test('name servers on the loopback are of no use in a namespace', () => {
  expect(
    nameServers(
      '# x\nnameserver 127.0.0.53\nnameserver 192.0.2.1\nnameserver 192.0.2.1\nnameserver fe80::1\nnameserver 999.1.1.1\n',
    ),
  ).toEqual(['192.0.2.1'])
  expect(nameServers(undefined)).toEqual([])
})
