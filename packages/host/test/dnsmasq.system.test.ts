/** What a guest really gets from the real dnsmasq: options, names, and a daemon that survives reloads under leases. */
import { randomBytes } from 'node:crypto'
import { chmod, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { requireOrSkip } from '@skerry/testkit'
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest'
import { realHost } from '../src/index.ts'
import { baseConfig } from './conformance/dnsmasq.ts'
import { dhcpRequest } from './udhcpc.ts'

// events, not times: the ceiling is only there for a stuck run
vi.setConfig({ testTimeout: 60_000, hookTimeout: 60_000 })

const host = realHost()
const suffix = randomBytes(4).toString('hex')
const router = `sktr${suffix}`
const client = `sktc${suffix}`
const A = { mac: '02:00:00:00:04:0a', ip: '10.4.0.10', hostname: 'vm-a' }
let root: string
let dir: string

describe.runIf(requireOrSkip('dnsmasq with a real client', { root: true, programs: ['ip', 'dnsmasq', 'busybox'] }))(
  'the real dnsmasq',
  () => {
    beforeAll(async () => {
      root = await mkdtemp(join(tmpdir(), 'skerry-dns-'))
      await chmod(root, 0o755)
      dir = join(root, 'net')
      await host.ip.netns.add(router)
      await host.ip.netns.add(client)
      await host.ip.at(router).links.add({ kind: 'veth', name: 'lan0', peer: { name: 'eth0', netns: client } })
      await host.ip.at(router).links.set('lan0', { up: true })
      await host.ip.at(client).links.set('eth0', { up: true })
      await host.ip.at(router).addresses.add('lan0', '10.4.0.1/24')
      await host.ip.at(client).addresses.add('eth0', '10.4.0.200/24')
      const classlessRoutes = [{ destination: '10.77.0.0/16', gateway: '10.4.0.254' }]
      await host.dnsmasq.write(dir, { ...baseConfig, classlessRoutes }, [A])
      await host.dnsmasq.start({ dir, netns: router })
    })
    afterAll(async () => {
      await host.dnsmasq.stop(dir)
      await host.ip.netns.del(client)
      await host.ip.netns.del(router)
      await rm(root, { recursive: true, force: true })
    })
    const resolve = async (name: string) => {
      const { stdout } = await host.exec.run('busybox', ['nslookup', name, '10.4.0.1'], {
        timeoutMs: 15_000,
        netns: client,
        okCodes: [0, 1],
      })
      return stdout
    }

    it('resolves a host by name before that host has asked for its lease', async () => {
      expect(await resolve('vm-a.net1.internal')).toContain('Address: 10.4.0.10')
      expect(await resolve('nobody.net1.internal')).toMatch(/NXDOMAIN|can't/)
    })

    it('hands out router, DNS, MTU and classless routes with the default route among them', async () => {
      await host.ip.at(client).addresses.del('eth0', '10.4.0.200/24')
      const got = await dhcpRequest({ exec: host.exec, scope: host.ip.at(client), netns: client, dir: root })(A.mac)
      expect(got).toContain('GOT ip=10.4.0.10 mask=24 router=10.4.0.1 dns=10.4.0.1 mtu=1450')
      expect(got).toContain('routes=10.77.0.0/16 10.4.0.254 0.0.0.0/0 10.4.0.1')
    })

    it('gives up root', async () => {
      const running = await host.dnsmasq.running(dir)
      const status = await host.exec.run('cat', [`/proc/${running?.pid}/status`], { timeoutMs: 5_000 })
      expect(Number(status.stdout.match(/^Uid:\t(\d+)/m)?.[1])).toBeGreaterThan(0)
    })

    it('survives reloads while a lease is held', async () => {
      const before = await host.dnsmasq.running(dir)
      const hosts = [A]
      for (let last = 20; last < 25; last++) {
        hosts.push({ mac: `02:00:00:00:05:${last}`, ip: `10.4.0.${last}`, hostname: `vm-${last}` })
        await host.dnsmasq.write(
          dir,
          { ...baseConfig, classlessRoutes: [{ destination: '10.77.0.0/16', gateway: '10.4.0.254' }] },
          hosts,
        )
        await host.dnsmasq.reload(dir)
      }
      await host.ip.at(client).addresses.add('eth0', '10.4.0.200/24')
      await vi.waitFor(async () => expect(await resolve('vm-24.net1.internal')).toContain('Address: 10.4.0.24'), {
        timeout: 20_000,
        interval: 100,
      })
      expect(await host.dnsmasq.running(dir)).toEqual(before)
      expect(await host.dnsmasq.leases(dir)).toMatchObject([{ mac: A.mac }])
    })
  },
)
