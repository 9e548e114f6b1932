/** A whole life of a site on this machine, with the built programs: up, again, deaths, down, up, purge. */
import { execFile } from 'node:child_process'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { nftables, realHost } from '@skerry/host'
import { freePort, requireOrSkip } from '@skerry/testkit'
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest'
import { buildGuest } from '../src/guest/build.ts'
import { layoutOf } from '../src/layout.ts'
import { askControl } from '../src/supervisor/control.ts'

const run = promisify(execFile)
const repo = join(import.meta.dirname, '../../..')
const programs = ['qemu-system-x86_64', 'libvirtd', 'virtlogd', 'virsh', 'nats-server', 'dnsmasq', 'ip', 'nft', 'curl', 'unshare']
vi.setConfig({ testTimeout: 300_000, hookTimeout: 300_000 })

const host = realHost()
const layout = () => layoutOf(join(dir, 's'))
let dir: string
let env: Record<string, string>
let before: string

async function script(program: 'up' | 'down', ...args: string[]): Promise<string> {
  const { stdout } = await run(process.execPath, [join(repo, 'dist/deploy', `${program}.js`), ...args], { env })
  return stdout
}
const skerry = async (...args: string[]) =>
  (await run(process.execPath, [join(repo, 'dist/cli/main.js'), ...args, '--context', context], { env })).stdout
let context: string

const services = async () => (await askControl(layout().supervisorSocket, { verb: 'status' }, 5_000))?.services ?? []
const pids = async () => Object.fromEntries((await services()).map(({ name, pid }) => [name, pid]))

/** Everything on the machine that a site could leave behind. */
async function machine(): Promise<string> {
  const at = host.ip.at()
  const links = (await at.links.list()).map(({ name }) => name).sort()
  const tables = (await host.nft.at().tables()).map(({ family, name }) => `${family} ${name}`).sort()
  const running = (await host.process.list())
    .filter(({ cmdline }) => cmdline.join(' ').includes(dir))
    .map(({ cmdline }) => cmdline[0])
  const forward = await at.sysctl.read('net/ipv4/ip_forward')
  return JSON.stringify({ links, tables, running, forward, netns: (await host.ip.netns.list()).sort() }, null, 1)
}

const can = requireOrSkip('up and down', { root: true, programs })
describe.runIf(can)('a site on this machine', () => {
  const mine = {
    link: `usr${process.pid}`,
    netns: `usr-${process.pid}`,
    table: { family: 'inet' as const, name: `usr_${process.pid}` },
  }

  beforeAll(async () => {
    await run(join(repo, 'scripts/build'), [])
    dir = await mkdtemp(join(tmpdir(), 'skup-'))
    await run('chmod', ['711', dir])
    env = {
      PATH: process.env['PATH'] ?? '',
      HOME: dir,
      XDG_CONFIG_HOME: join(dir, 'config'),
      SKERRY_STATE_DIR: join(dir, 's'),
      SKERRY_HTTP_PORT: String(await freePort()),
      SKERRY_NATS_ADDR: `127.0.0.1:${await freePort()}`,
      SKERRY_LIBVIRT: 'own',
      SKERRY_DEMO_CIDR: '10.0.139.0/24',
    }
    // what a person made, with names near ours
    await host.ip.at().links.add({ name: mine.link, kind: 'bridge' })
    await host.ip.netns.add(mine.netns)
    await host.nft.at().apply([nftables.addTable(mine.table)])
    before = await machine()
    // one image for all suites: its packages need not be fetched again
    const { path } = await buildGuest({ ...host, cacheDir: join(tmpdir(), 'skerry-guest') })
    await host.files.makeDir(`${layout().cache}`)
    await run('cp', ['-rT', join(path, '../..'), layout().cache])
  })
  afterAll(async () => {
    await script('down', '--purge').catch(() => undefined) // the last test has done it, unless one before it failed
    await host.ip.at().links.del(mine.link)
    await host.ip.netns.del(mine.netns)
    await host.nft.at().apply(nftables.dropTable(mine.table))
    await rm(dir, { recursive: true, force: true })
  })

  test('one command leads to a guest that answers over HTTP', async () => {
    const said = await script('up')
    expect(said).toMatch(/hello {2}Running {2}10\.0\.139\.\d+ +hello from hello/)
    expect(said).toMatch(/KVM works|emulation \(TCG\)/)
    context = JSON.parse((await host.files.read(layout().record))!).siteName
    expect(await skerry('get', 'vm', '-o', 'name')).toContain('hello')
  })

  test('a second run changes nothing', async () => {
    const [pidsBefore, rows] = [await pids(), await skerry('get', 'vm', '-o', 'json')]
    await script('up')
    expect(await pids()).toEqual(pidsBefore)
    expect(await skerry('get', 'vm', '-o', 'json')).toBe(rows)
  })

  test('a service that dies comes back; guests do not notice', async () => {
    const { 'agent-kvm': agent, nats } = await pids()
    for (const pid of [agent!, nats!]) process.kill(pid, 'SIGKILL')
    await vi.waitFor(async () => {
      const now = await pids()
      expect([now['agent-kvm'] === agent, now['nats'] === nats], 'others than before').toEqual([false, false])
      expect((await services()).filter(({ state }) => state !== 'running')).toEqual([])
    }, 20_000)
    expect(await skerry('get', 'vm')).toContain('Running')
  })

  test('the supervisor killed with -9 ends no service, and the next up adopts them', async () => {
    const known = await pids()
    const { pid } = (await askControl(layout().supervisorSocket, { verb: 'status' }, 5_000))!
    process.kill(pid, 'SIGKILL')
    await vi.waitFor(async () => expect(await services()).toEqual([]))
    for (const service of Object.values(known)) expect(await host.process.get(service!)).toBeDefined()
    await script('up')
    expect(await pids()).toEqual(known)
  })

  test('down ends everything and keeps the data; up goes on from there', async () => {
    const address = /10\.0\.139\.\d+/.exec(await skerry('get', 'vm'))![0]
    await script('down')
    expect(JSON.parse(await machine()).running).toEqual([])
    expect(await script('up')).toContain(`Running  ${address}`)
  })

  test('purge leaves the machine as it was before, with what a person made', async () => {
    await script('down', '--purge')
    expect(await machine()).toBe(before)
    expect(await host.files.stat(layout().root)).toBeUndefined()
    expect(await host.files.list(join(dir, 'config'))).toEqual([])
    expect(await script('down', '--purge')).toContain('there is no site')
  })
})
