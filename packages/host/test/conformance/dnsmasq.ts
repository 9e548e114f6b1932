/** What every `Dnsmasq` does. The world has the interface `lan0` with 10.4.0.1/24 in `netns`, and a client on its wire. */
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { type Dnsmasq, type DnsmasqConfig, dnsmasqFiles, type Files, type Processes } from '../../src/index.ts'

export interface DnsmasqWorld {
  dnsmasq: Dnsmasq
  files: Files
  process: Processes
  /** An empty place for instance folders. */
  dir: string
  netns: string
  /** A client with that MAC asks for an address: what it got, or undefined. */
  requestLease(dir: string, mac: string): Promise<string | undefined>
  /** A second agent's view: the same machine, a new tool object. */
  again(): Dnsmasq
}

export const baseConfig: DnsmasqConfig = {
  interface: 'lan0',
  listenAddress: '10.4.0.1',
  network: '10.4.0.0/24',
  leaseSeconds: 600,
  router: '10.4.0.1',
  dnsServers: [],
  upstreamDns: [],
  domain: 'net1.internal',
  mtu: 1450,
  classlessRoutes: [],
  dhcp: true,
  dns: true,
}
const A = { mac: '02:00:00:00:04:0a', ip: '10.4.0.10', hostname: 'vm-a' }
const B = { mac: '02:00:00:00:04:0b', ip: '10.4.0.11' }

export function dnsmasqSuite(title: string, make: () => Promise<{ world: DnsmasqWorld; cleanUp: () => Promise<void> }>): void {
  describe(`dnsmasq (${title})`, () => {
    let world: DnsmasqWorld
    let cleanUp: () => Promise<void>
    let dir: string
    let instance: { dir: string; netns: string }
    beforeEach(async () => {
      ;({ world, cleanUp } = await make())
      dir = `${world.dir}/net1`
      instance = { dir, netns: world.netns }
    })
    afterEach(async () => {
      await world.dnsmasq.stop(dir)
      await cleanUp()
    })

    it('says what a write changed, so that the caller knows whether to reload or restart', async () => {
      const { dnsmasq } = world
      expect(await dnsmasq.write(dir, baseConfig, [A])).toBe('config')
      expect(await dnsmasq.write(dir, baseConfig, [A])).toBe('nothing')
      expect(await dnsmasq.write(dir, baseConfig, [B, A])).toBe('hosts')
      expect(await dnsmasq.write(dir, baseConfig, [A, B])).toBe('nothing')
      expect(await dnsmasq.write(dir, { ...baseConfig, mtu: 1400 }, [A, B])).toBe('config')
    })

    it('starts once, is found again by another tool, and stops', async () => {
      const { dnsmasq } = world
      await dnsmasq.write(dir, baseConfig, [A])
      expect(await dnsmasq.running(dir)).toBeUndefined()
      await dnsmasq.start(instance)
      const first = await dnsmasq.running(dir)
      expect(first).toBeDefined()
      await dnsmasq.start(instance)
      expect(await world.again().running(dir)).toEqual(first)
      await dnsmasq.stop(dir)
      await dnsmasq.stop(dir)
      expect(await dnsmasq.running(dir)).toBeUndefined()
    })

    it('takes no process for its own whose command line names another folder', async () => {
      const { dnsmasq, files } = world
      await dnsmasq.write(dir, baseConfig, [A])
      await dnsmasq.start(instance)
      const other = `${world.dir}/other`
      await dnsmasq.write(other, baseConfig, [])
      await files.write(dnsmasqFiles(other).pid, (await files.read(dnsmasqFiles(dir).pid)) ?? '')
      expect(await dnsmasq.running(other)).toBeUndefined()
      await dnsmasq.stop(other)
      expect(await dnsmasq.running(dir)).toBeDefined()
    })

    it('starts again after it was killed, over the stale pid file', async () => {
      const { dnsmasq, process } = world
      await dnsmasq.write(dir, baseConfig, [A])
      await dnsmasq.start(instance)
      const first = await dnsmasq.running(dir)
      if (!first) throw new Error('it does not run')
      await process.signal(first, 'SIGKILL')
      expect(await process.waitGone(first, 2_000)).toBe(true)
      expect(await dnsmasq.running(dir)).toBeUndefined()
      await dnsmasq.start(instance)
      expect((await dnsmasq.running(dir))?.pid).not.toBe(first.pid)
    })

    it('gives a listed MAC its address, and an unlisted one nothing', async () => {
      const { dnsmasq } = world
      await dnsmasq.write(dir, baseConfig, [A])
      await dnsmasq.start(instance)
      expect(await world.requestLease(dir, A.mac)).toBe(A.ip)
      expect(await world.requestLease(dir, B.mac)).toBeUndefined()
      expect(await dnsmasq.leases(dir)).toMatchObject([{ mac: A.mac, ip: A.ip, hostname: 'vm-a' }])
    })

    it('serves a new host after a reload, with the same process', async () => {
      const { dnsmasq } = world
      await dnsmasq.write(dir, baseConfig, [A])
      await dnsmasq.start(instance)
      const first = await dnsmasq.running(dir)
      expect(await world.requestLease(dir, A.mac)).toBe(A.ip)
      await dnsmasq.write(dir, baseConfig, [A, B])
      await dnsmasq.reload(dir)
      expect(await world.requestLease(dir, B.mac)).toBe(B.ip)
      expect(await dnsmasq.running(dir)).toEqual(first)
    })

    it('gives an address to another MAC once the old lease is forgotten', async () => {
      const { dnsmasq } = world
      await dnsmasq.write(dir, baseConfig, [A])
      await dnsmasq.start(instance)
      expect(await world.requestLease(dir, A.mac)).toBe(A.ip)
      await dnsmasq.write(dir, baseConfig, [{ ...B, ip: A.ip }])
      await dnsmasq.reload(dir)
      expect(await world.requestLease(dir, B.mac)).toBeUndefined()
      await dnsmasq.forget(instance, [A.ip])
      expect(await dnsmasq.leases(dir)).toEqual([])
      expect(await world.requestLease(dir, B.mac)).toBe(A.ip)
    })

    it('forgets nothing, and keeps the process, when none of the addresses is leased', async () => {
      const { dnsmasq } = world
      await dnsmasq.write(dir, baseConfig, [A])
      await dnsmasq.start(instance)
      const first = await dnsmasq.running(dir)
      await dnsmasq.forget(instance, ['10.4.0.99'])
      expect(await dnsmasq.running(dir)).toEqual(first)
    })

    it('fails clearly where its address or interface is missing, and when there is nothing to reload', async () => {
      const { dnsmasq } = world
      await dnsmasq.write(dir, { ...baseConfig, listenAddress: '10.99.0.1', interface: 'none0' }, [])
      await expect(dnsmasq.start(instance)).rejects.toMatchObject({ code: 'host-command-failed' })
      await expect(dnsmasq.reload(dir)).rejects.toMatchObject({ code: 'host-command-failed' })
    })

    it('refuses to start where the daemon, no longer root, could not read its hosts', async () => {
      const { dnsmasq, files } = world
      await files.makeDir(`${world.dir}/closed`, 0o700)
      await dnsmasq.write(`${world.dir}/closed/net`, baseConfig, [A])
      await expect(dnsmasq.start({ ...instance, dir: `${world.dir}/closed/net` })).rejects.toMatchObject({
        details: { remedy: `chmod o+x ${world.dir}/closed` },
      })
    })
  })
}
