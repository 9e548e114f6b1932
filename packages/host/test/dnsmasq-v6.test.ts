/** The IPv6 part of a configuration, and what the lease file says of DHCPv6. */
import { describe, expect, it } from 'vitest'
import { type DnsmasqV6, parseLeases, parseLeases6, renderHosts, renderNames, renderV6 } from '../src/index.ts'

const base: DnsmasqV6 = {
  interface: 'lan0',
  network: 'fd00:1::/64',
  mode: 'static',
  leaseSeconds: 3600,
  dnsServers: ['fd00:1::1'],
}

describe('IPv6 in dnsmasq', () => {
  it('advertises the prefix without a way out, and gives listed hosts their addresses', () => {
    expect(renderV6({ ...base, domain: 'net1.internal', mtu: 1400 })).toEqual([
      'enable-ra',
      'ra-param=lan0,mtu:1400,60,0',
      'dhcp-range=fd00:1::,static,64,3600s',
      'dhcp-option=option6:dns-server,[fd00:1::1]',
      'dhcp-option=option6:domain-search,net1.internal',
    ])
    expect(renderV6({ ...base, mode: 'ra-only', dnsServers: [] })).toEqual([
      'enable-ra',
      'ra-param=lan0,60,0',
      'dhcp-range=fd00:1::,ra-only,64,3600s',
    ])
  })

  it.each<[string, unknown]>([
    ['network', 'fd00:1::/64\nuser=root'],
    ['network', '10.0.0.0/24'],
    ['mode', 'proxy'],
    ['mtu', 1000],
    ['dnsServers', ['10.0.0.1']],
    ['domain', 'a b'],
    ['interface', 'lan0,eth0'],
  ])('refuses a %s that is none', (key, value) => {
    expect(() => renderV6({ ...base, [key]: value } as DnsmasqV6)).toThrow()
  })

  it('gives a host both addresses and both names, and no address twice', () => {
    const host = { mac: '02:00:00:00:00:0a', ip: '10.0.0.5', ip6: 'fd00:1::5', hostname: 'vm' }
    expect(renderHosts([host])).toBe('02:00:00:00:00:0a,10.0.0.5,[fd00:1::5],vm\n')
    expect(renderNames([host])).toBe('10.0.0.5 vm\nfd00:1::5 vm\n')
    expect(() => renderHosts([host, { mac: '02:00:00:00:00:0b', ip: '10.0.0.6', ip6: 'fd00:1::5' }])).toThrow('not valid')
  })

  it('tells the MAC of a lease where its DUID holds it', () => {
    const text = [
      '1900000000 02:00:00:00:00:0a 10.0.0.5 vm *',
      'duid 00:01:00:01:2e:00:00:00:02:42:ac:11:00:02',
      '1900000000 123 fd00:1::5 vm 00:03:00:01:02:00:00:00:00:0a',
      '1900000000 124 fd00:1::6 * 00:01:00:01:2e:00:00:00:02:00:00:00:00:0b',
      '1900000000 125 fd00:1::7 * 00:04:11:22:33:44:55:66:77:88:99:aa:bb:cc:dd:ee:ff:00',
      '',
    ].join('\n')
    expect(parseLeases(text)).toHaveLength(1)
    expect(parseLeases6(text)).toEqual([
      { ip: 'fd00:1::5', mac: '02:00:00:00:00:0a' },
      { ip: 'fd00:1::6', mac: '02:00:00:00:00:0b' },
      { ip: 'fd00:1::7', mac: null },
    ])
  })
})
