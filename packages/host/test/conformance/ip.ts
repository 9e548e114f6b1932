/** What every `Ip` does, real or fake. Names are unique, so that two runs at once don't meet. */
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import type { Ip } from '../../src/index.ts'

export function ipSuite(title: string, make: () => { ip: Ip; prefix: string }): void {
  describe(`ip (${title})`, () => {
    const { ip, prefix } = make()
    const ns = `${prefix}a`
    const other = `${prefix}b`
    beforeEach(async () => {
      await ip.netns.add(ns)
      await ip.netns.add(other)
    })
    afterEach(async () => {
      await ip.netns.del(ns)
      await ip.netns.del(other)
    })

    it('lists a namespace it made, refuses to make it twice, and deletes it twice without complaint', async () => {
      expect(await ip.netns.list()).toContain(ns)
      await expect(ip.netns.add(ns)).rejects.toMatchObject({ code: 'host-command-failed' })
      await ip.netns.del(ns)
      await ip.netns.del(ns)
      expect(await ip.netns.list()).not.toContain(ns)
    })

    it('begins with a loopback interface and nothing else', async () => {
      const links = await ip.at(ns).links.list()
      expect(links.map((link) => [link.name, link.up, link.kind])).toEqual([['lo', false, null]])
      expect(await ip.netns.pids(ns)).toEqual([])
    })

    it('makes a veth pair across two namespaces, with what was asked for', async () => {
      const { links } = ip.at(ns)
      const peer = { name: 'peer0', netns: other, mac: '02:aa:00:00:00:02' }
      await links.add({ kind: 'veth', name: 'veth0', mac: '02:aa:00:00:00:01', mtu: 1400, alias: 'our mark', peer })
      expect(await links.get('veth0')).toMatchObject({
        kind: 'veth',
        mac: '02:aa:00:00:00:01',
        mtu: 1400,
        alias: 'our mark',
        up: false,
      })
      expect(await ip.at(other).links.get('peer0')).toMatchObject({
        kind: 'veth',
        mac: '02:aa:00:00:00:02',
        mtu: 1400,
        alias: null,
      })
      await links.set('veth0', { up: true })
      expect((await links.get('veth0'))?.running).toBe(false)
      await ip.at(other).links.set('peer0', { up: true })
      expect((await links.get('veth0'))?.running).toBe(true)
    })

    it('removes both ends of a pair with one, and is content when it is gone', async () => {
      await ip.at(ns).links.add({ kind: 'veth', name: 'veth0', peer: { name: 'peer0', netns: other } })
      await ip.at(other).links.del('peer0')
      await ip.at(other).links.del('peer0')
      expect(await ip.at(ns).links.get('veth0')).toBeUndefined()
    })

    it('refuses a name that is taken and an unknown interface', async () => {
      const { links } = ip.at(ns)
      await links.add({ kind: 'bridge', name: 'br0' })
      await expect(links.add({ kind: 'bridge', name: 'br0' })).rejects.toMatchObject({ code: 'host-command-failed' })
      await expect(links.set('none0', { up: true })).rejects.toMatchObject({ code: 'host-command-failed' })
      await expect(links.set('br0', { master: 'none0' })).rejects.toMatchObject({ code: 'host-command-failed' })
    })

    it('enslaves, releases, renames and marks', async () => {
      const { links } = ip.at(ns)
      await links.add({ kind: 'bridge', name: 'br0' })
      await links.add({ kind: 'veth', name: 'veth0', peer: { name: 'peer0' } })
      await links.set('veth0', { master: 'br0' })
      expect((await links.get('veth0'))?.master).toBe('br0')
      await links.set('br0', { name: 'br1', alias: 'skerry:x' })
      expect(await links.get('br1')).toMatchObject({ alias: 'skerry:x', kind: 'bridge' })
      expect((await links.get('veth0'))?.master).toBe('br1')
      await links.set('veth0', { master: null })
      expect((await links.get('veth0'))?.master).toBeNull()
    })

    it('moves an interface into another namespace, where it arrives down and bare', async () => {
      const { links, addresses } = ip.at(ns)
      await links.add({ kind: 'veth', name: 'veth0', peer: { name: 'peer0' } })
      await links.set('veth0', { up: true })
      await addresses.add('veth0', '10.9.0.1/24')
      await links.set('veth0', { netns: other })
      expect(await links.get('veth0')).toBeUndefined()
      expect(await ip.at(other).links.get('veth0')).toMatchObject({ up: false, kind: 'veth' })
      expect(await ip.at(other).addresses.list()).toEqual([])
    })

    it('adds an address once however often it is asked, and removes it twice', async () => {
      const { links, addresses } = ip.at(ns)
      await links.add({ kind: 'bridge', name: 'br0' })
      await addresses.add('br0', '10.9.0.1/24')
      await addresses.add('br0', '10.9.0.1/24')
      expect(await addresses.list()).toEqual([{ dev: 'br0', cidr: '10.9.0.1/24', scope: 'global' }])
      await addresses.del('br0', '10.9.0.1/24')
      await addresses.del('br0', '10.9.0.1/24')
      expect(await addresses.list()).toEqual([])
      await expect(addresses.add('none0', '10.9.0.1/24')).rejects.toMatchObject({ code: 'host-command-failed' })
    })

    it('keeps routes by destination, metric and table, and finds ours by their protocol', async () => {
      const { links, addresses, routes } = ip.at(ns)
      await links.add({ kind: 'veth', name: 'veth0', peer: { name: 'peer0' } })
      await links.set('peer0', { up: true })
      await links.set('veth0', { up: true })
      await addresses.add('veth0', '10.9.0.1/24')
      await routes.replace({ dst: 'default', via: '10.9.0.254', protocol: '215' })
      await routes.replace({ dst: 'default', via: '10.9.0.253', protocol: '215' })
      await routes.replace({ dst: '10.77.0.5/32', dev: 'veth0', metric: 7, protocol: '215' })
      await routes.replace({ dst: '10.8.0.0/16', via: '10.9.0.254', table: '100', protocol: '215' })
      await routes.replace({ dst: '10.78.0.0/16', blackhole: true, metric: 9, protocol: '216' })
      expect((await routes.list()).filter((route) => route.protocol === '216')).toEqual([
        expect.objectContaining({ dst: '10.78.0.0/16', blackhole: true, metric: 9 }),
      ])
      await routes.del({ dst: '10.78.0.0/16', blackhole: true, metric: 9 })
      expect((await routes.list()).filter((route) => route.protocol === '216')).toEqual([])
      const ours = (await routes.list()).filter((route) => route.protocol === '215')
      expect(ours).toEqual(
        expect.arrayContaining([
          { dst: 'default', via: '10.9.0.253', dev: 'veth0', protocol: '215', table: 'main' },
          { dst: '10.77.0.5/32', dev: 'veth0', metric: 7, protocol: '215', table: 'main' },
        ]),
      )
      expect(ours).toHaveLength(2)
      expect(await routes.list('100')).toMatchObject([{ dst: '10.8.0.0/16', via: '10.9.0.254', table: '100' }])
      expect(await routes.list('101')).toEqual([])
      await routes.del({ dst: '10.8.0.0/16', table: '100' })
      await routes.del({ dst: '10.8.0.0/16', table: '100' })
      expect(await routes.list('100')).toEqual([])
      await expect(routes.replace({ dst: 'default', via: '192.168.99.1' })).rejects.toMatchObject({ code: 'host-command-failed' })
    })

    it('writes a sysctl of its own namespace only', async () => {
      // A new namespace may start with what the machine has.
      await ip.at(other).sysctl.write('net/ipv4/ip_forward', 0)
      await ip.at(ns).sysctl.write('net/ipv4/ip_forward', 1)
      expect(await ip.at(ns).sysctl.read('net/ipv4/ip_forward')).toBe('1')
      expect(await ip.at(other).sysctl.read('net/ipv4/ip_forward')).toBe('0')
      await expect(ip.at(ns).sysctl.write('net/../kernel/panic', 1)).rejects.toMatchObject({ code: 'invalid-argument' })
      await expect(ip.at(ns).sysctl.read('kernel/panic')).rejects.toMatchObject({ code: 'invalid-argument' })
    })

    it.each(['br0; reboot', '-br 0', 'a'.repeat(16), 'br0\n', '$(id)', ''])(
      'refuses the interface name %j before anything runs',
      async (name) => {
        await expect(ip.at(ns).links.add({ kind: 'bridge', name })).rejects.toMatchObject({ code: 'invalid-argument' })
        await expect(ip.at(ns).addresses.add(name, '10.0.0.1/8')).rejects.toMatchObject({ code: 'invalid-argument' })
      },
    )

    it('refuses addresses and routes that are none', async () => {
      await expect(ip.at(ns).addresses.add('lo', '10.0.0.1')).rejects.toMatchObject({ code: 'invalid-argument' })
      await expect(ip.at(ns).routes.replace({ dst: 'all', dev: 'lo' })).rejects.toMatchObject({ code: 'invalid-argument' })
      await expect(ip.at(ns).links.add({ kind: 'bridge', name: 'br0', mac: 'xx' })).rejects.toMatchObject({
        code: 'invalid-argument',
      })
    })
  })
}
