/** The guest image is built, boots from its disk under qemu without KVM, gets an address, answers, and obeys the power button. */
import { randomBytes } from 'node:crypto'
import { chmod, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { GUARD_BYTES, guardImage, realHost } from '@skerry/host'
import { requireOrSkip } from '@skerry/testkit'
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest'
import { buildGuest, GUEST_FILE, type GuestImage } from '../src/guest/build.ts'
import { LEASE_LINE, READY_LINE } from '../src/guest/rootfs.ts'
import { type GuestVm, startGuest } from './guest-vm.ts'

const MAC = '02:00:00:00:05:0a'
const ADDRESS = '10.5.0.10'
const programs = [
  'qemu-system-x86_64',
  'qemu-img',
  'mformat',
  'syslinux',
  'dpkg-deb',
  'apt-get',
  'ip',
  'dnsmasq',
  'curl',
  'busybox',
]
// A boot takes some 5 s here; the ceiling is for a machine that is busy with ten other things.
const BOOT = { timeout: 120_000, interval: 100 }
vi.setConfig({ testTimeout: 180_000, hookTimeout: 180_000 })

const host = realHost()
const netns = `skt${randomBytes(4).toString('hex')}`
let dir: string
let image: GuestImage
let vm: GuestVm | undefined

const curl = async (url: string) => {
  const { stdout } = await host.exec.run('curl', ['-s', '-m', '10', url], {
    timeoutMs: 15_000,
    netns,
    okCodes: [0, 7, 28, 52, 56],
  })
  return stdout
}

describe.runIf(requireOrSkip('the guest image', { root: true, programs }))('the guest image', () => {
  beforeAll(async () => {
    dir = await mkdtemp(join(tmpdir(), 'skerry-guest-'))
    await chmod(dir, 0o755)
    image = await buildGuest({ ...host, cacheDir: join(dir, 'cache') })
  })
  afterAll(async () => {
    vm?.process.kill('SIGKILL')
    await host.dnsmasq.stop(join(dir, 'net'))
    await host.ip.netns.del(netns)
    await rm(dir, { recursive: true, force: true })
  })

  it('is built once and then found, with the same content', async () => {
    expect(image).toMatchObject({ cached: false, path: expect.stringMatching(new RegExp(`/${GUEST_FILE}$`)) })
    expect(image.sizeBytes).toBeLessThan(24 * 1024 * 1024)
    expect(await buildGuest({ ...host, cacheDir: join(dir, 'cache') })).toEqual({ ...image, cached: true })
    expect((await host.files.list(join(dir, 'cache')))?.filter((name) => name.startsWith('build-'))).toEqual([])
  })

  it('passes the guard for images from outside', async () => {
    const head = (await host.files.readAt(image.path, 0, GUARD_BYTES)) ?? new Uint8Array()
    expect(guardImage({ head, fileSizeBytes: image.sizeBytes, declared: 'qcow2' })).toMatchObject({ ok: true })
  })

  it('boots without a network up to its ready line, and ends at the power button', async () => {
    const alone = await mkdtemp(join(dir, 'alone-'))
    const lonely = await startGuest({ exec: host.exec, image: image.path, dir: alone, machine: 'pc' })
    try {
      await expect.poll(() => lonely.console(), BOOT).toContain(`${READY_LINE} skerry-guest`)
      await expect.poll(() => lonely.console(), BOOT).toContain('skerry-guest:~# ')
      await lonely.pressPowerButton()
      expect(await lonely.process.exited).toEqual({ code: 0, signal: null })
    } finally {
      lonely.process.kill('SIGKILL')
    }
  })

  describe('on a network with our DHCP', () => {
    beforeAll(async () => {
      await host.ip.netns.add(netns)
      const { links, addresses } = host.ip.at(netns)
      await links.set('lo', { up: true })
      await links.add({ kind: 'bridge', name: 'lan0' })
      await links.set('lan0', { up: true })
      await addresses.add('lan0', '10.5.0.1/24')
      const config = {
        ...{ interface: 'lan0', listenAddress: '10.5.0.1', network: '10.5.0.0/24', router: '10.5.0.1', leaseSeconds: 600 },
        ...{ dnsServers: [], upstreamDns: [], classlessRoutes: [], mtu: 1400, dhcp: true, dns: true },
      }
      await host.dnsmasq.write(join(dir, 'net'), config, [{ mac: MAC, ip: ADDRESS, hostname: 'hello' }])
      await host.dnsmasq.start({ dir: join(dir, 'net'), netns })
      vm = await startGuest({ exec: host.exec, image: image.path, dir, tap: { netns, name: 'tap0', mac: MAC } })
      await vi.waitFor(async () => expect(await links.get('tap0')).toBeDefined(), BOOT)
      await links.set('tap0', { master: 'lan0', up: true })
      await vi.waitFor(async () => expect(await vm?.console()).toContain(`${LEASE_LINE} eth0 ${ADDRESS}`), BOOT)
    })

    it('takes the address that was meant for it', async () => {
      expect(await host.dnsmasq.leases(join(dir, 'net'))).toMatchObject([{ mac: MAC, ip: ADDRESS, hostname: 'hello' }])
    })

    it('answers over HTTP with the name that DHCP gave it', async () => {
      await expect.poll(() => curl(`http://${ADDRESS}/`), BOOT).toBe('hello from hello\n')
    })

    it('tells its uptime, which goes on', async () => {
      const uptime = async () => Number((await curl(`http://${ADDRESS}/cgi-bin/uptime`)).split(' ')[0])
      const first = await uptime()
      expect(first).toBeGreaterThan(0)
      await expect.poll(uptime, BOOT).toBeGreaterThan(first)
    })

    it('fetches from outside for who asks, and only from a number', async () => {
      await host.files.makeDir(join(dir, 'www'))
      await host.files.write(join(dir, 'www/index.html'), 'the world outside')
      const server = await host.exec.spawn('busybox', ['httpd', '-f', '-p', '10.5.0.1:8099', '-h', join(dir, 'www')], {
        logFile: join(dir, 'httpd.log'),
        netns,
      })
      try {
        await expect.poll(() => curl(`http://${ADDRESS}/cgi-bin/get?10.5.0.1:8099`), BOOT).toBe('the world outside\n')
        for (const bad of ['localhost', '', '10.5.0.1:8099/x', '$(id)', '1:2:3'])
          expect(await curl(`http://${ADDRESS}/cgi-bin/get?${encodeURIComponent(bad)}`)).toBe('ask for ?ADDRESS:PORT\n')
        expect(await curl(`http://${ADDRESS}/cgi-bin/get?10.5.0.1:8098`)).toContain('refused')
      } finally {
        server.kill('SIGKILL')
      }
    })

    it('uses the MTU and route that it was given, seen from its shell on the serial port', async () => {
      await vm?.type('echo mtu=$(cat /sys/class/net/eth0/mtu) gw=$(ip route | grep default)')
      await expect.poll(() => vm?.console(), BOOT).toMatch(/mtu=1400 gw=default via 10\.5\.0\.1 dev eth0/)
      expect(await vm?.console()).toContain('hello:~# ')
    })

    it('shuts down at the power button', async () => {
      await vm?.pressPowerButton()
      expect(await vm?.process.exited).toEqual({ code: 0, signal: null })
      expect(await vm?.console()).toContain('power button: off')
    })
  })
})
