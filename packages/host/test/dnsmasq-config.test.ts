import { describe, expect, it } from 'vitest'
import { dnsmasqFiles, parseLeases, renderConf, renderHosts, renderNames } from '../src/index.ts'
import { baseConfig } from './conformance/dnsmasq.ts'

const files = dnsmasqFiles('/run/skerry/net1')
const lines = (change: Partial<typeof baseConfig> = {}) =>
  renderConf({ ...baseConfig, ...change }, files)
    .trim()
    .split('\n')

describe('the configuration of dnsmasq', () => {
  it('serves exactly one interface and only listed hosts', () => {
    expect(lines()).toEqual([
      'interface=lan0',
      'listen-address=10.4.0.1',
      'bind-interfaces',
      'except-interface=lo',
      'no-resolv',
      'no-hosts',
      'no-poll',
      'user=nobody',
      'pid-file=/run/skerry/net1/pid',
      'log-facility=/run/skerry/net1/log',
      'port=53',
      'addn-hosts=/run/skerry/net1/names',
      'bogus-priv',
      'domain-needed',
      'stop-dns-rebind',
      'domain=net1.internal',
      'local=/net1.internal/',
      'expand-hosts',
      'dhcp-authoritative',
      'dhcp-no-override',
      'no-ping',
      'dhcp-lease-max=20000',
      'dhcp-range=10.4.0.0,static,255.255.255.0,600s',
      'dhcp-hostsfile=/run/skerry/net1/hosts',
      'dhcp-leasefile=/run/skerry/net1/leases',
      'dhcp-option=option:router,10.4.0.1',
      'dhcp-option=option:dns-server,10.4.0.1',
      'dhcp-option=option:mtu,1450',
    ])
  })

  it('sends an empty router or DNS option rather than dnsmasq’s own address', () => {
    const without = lines({ router: undefined, dns: false })
    expect(without).toContain('dhcp-option=option:router')
    expect(without).toContain('dhcp-option=option:dns-server')
    expect(without).toContain('port=0')
  })

  it('adds the default route to classless routes, because clients then ignore the router', () => {
    const routes = [{ destination: '10.9.0.0/16', gateway: '10.4.0.254' }]
    expect(lines({ classlessRoutes: routes })).toContain(
      'dhcp-option=option:classless-static-route,10.9.0.0/16,10.4.0.254,0.0.0.0/0,10.4.0.1',
    )
  })

  it.each([
    ['10.4.0.77/24', '10.4.0.0,static,255.255.255.0'],
    ['10.4.200.1/20', '10.4.192.0,static,255.255.240.0'],
    ['192.168.255.129/25', '192.168.255.128,static,255.255.255.128'],
    ['10.0.0.0/8', '10.0.0.0,static,255.0.0.0'],
  ])('serves the network of %s', (network, range) => {
    expect(lines({ network })).toContain(`dhcp-range=${range},600s`)
  })

  it('forwards names only where it is told', () => {
    expect(lines().some((line) => line.startsWith('server='))).toBe(false)
    expect(lines({ upstreamDns: ['9.9.9.9'] })).toContain('server=9.9.9.9')
  })

  it('serves DNS alone', () => {
    expect(lines({ dhcp: false }).some((line) => line.startsWith('dhcp-'))).toBe(false)
  })

  it.each([
    ['interface', 'lan0\ndhcp-script=/bin/sh'],
    ['domain', 'x\nserver=1.1.1.1'],
    ['router', '10.0.0.1,set:x'],
    ['network', '10.0.0.0/33'],
    ['user', 'root;id'],
    ['leaseSeconds', 1],
    ['mtu', 67],
  ])('refuses a %s that is none', (key, value) => {
    expect(() => renderConf({ ...baseConfig, [key]: value }, files)).toThrow('not valid')
  })
})

describe('the hosts of dnsmasq', () => {
  const a = { mac: '02:00:00:00:00:0a', ip: '10.4.0.10', hostname: 'vm-a' }
  const b = { mac: '02:00:00:00:00:0b', ip: '10.4.0.11' }

  it('are the same text in whatever order they come', () => {
    expect(renderHosts([b, a])).toBe('02:00:00:00:00:0a,10.4.0.10,vm-a\n02:00:00:00:00:0b,10.4.0.11\n')
    expect(renderHosts([a, b])).toBe(renderHosts([b, a]))
    expect(renderNames([b, a])).toBe('10.4.0.10 vm-a\n')
  })

  it('never carry a tag, nor anything that could become one', () => {
    expect(() => renderHosts([{ ...a, hostname: 'set:x' }])).toThrow('not valid')
    expect(() => renderHosts([{ ...a, hostname: 'a,b' }])).toThrow('not valid')
    expect(() => renderHosts([{ ...a, mac: '02:00:00:00:00:0A' }])).toThrow('not valid')
    expect(() => renderNames([{ ...a, ip: '10.4.0.10\n1.1.1.1 bank.example' }])).toThrow('not valid')
  })

  it('are refused when two share a MAC or an address', () => {
    expect(() => renderHosts([a, { ...b, mac: a.mac }])).toThrow('not valid')
    expect(() => renderHosts([a, { ...b, ip: a.ip }])).toThrow('not valid')
  })
})

it('reads leases, and nothing else, from the lease file', () => {
  const text =
    '1700000600 02:00:00:00:00:0a 10.4.0.10 vm-a 01:02\n0 02:00:00:00:00:0b 10.4.0.11 * *\nduid 00:01\n1700000600 1234 fd00::1 * x\n\n'
  expect(parseLeases(text)).toEqual([
    { expiresAt: 1_700_000_600, mac: '02:00:00:00:00:0a', ip: '10.4.0.10', hostname: 'vm-a' },
    { expiresAt: 0, mac: '02:00:00:00:00:0b', ip: '10.4.0.11', hostname: null },
  ])
})
