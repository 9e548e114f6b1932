/** A real guest through the public API: its life, its console, the audit of its host, the command line. */
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { type Row, routerNetns, VROUTER_PROVIDER } from '@skerry/contract'
import { realHost } from '@skerry/host'
import { describe, expect, it } from 'vitest'
import { BY_HAND, guestByHand } from '../harness/by-hand.ts'
import { inGuest, typed } from '../harness/console.ts'
import type { Demo } from '../harness/demo.ts'
import { onDemoSite } from '../harness/demo-site.ts'
import { answers, httpFromRouter, outside, uptime } from '../harness/guest.ts'
import { type TestSite, until } from '../harness/site.ts'
import { throughTunnel } from '../harness/tunnel.ts'
import { clean, gone, makeVm, stateOf, type Vm, vmOf } from '../harness/vms.ts'
import { domain, virsh } from '../harness/will.ts'

const { exec } = realHost()

let site: TestSite
let demo: Demo
onDemoSite((on) => {
  site = on.site
  demo = on.demo
})

describe('a guest', () => {
  it('boots from disk, gets the address of the graph, answers, reaches outward, keeps its address, and leaves nothing', async () => {
    const beyond = await outside('skout', '198.51.100')
    const vm = await makeVm(site, demo, 'hello')
    expect(await answers(demo.l3, vm.ip)).toContain('hello')
    expect(await httpFromRouter(demo.l3, vm.ip, `/cgi-bin/get?${beyond.address}:80`)).toContain('outside sees 198.51.100.1')
    await clean(site)

    await site.call('StopVmInstance', { uuid: vm.uuid })
    expect(await stateOf(site, vm)).toBe('Stopped')
    expect(vmOf(await site.call('StartVmInstance', { uuid: vm.uuid }))).toEqual(vm)
    await answers(demo.l3, vm.ip)
    expect(await uptime(demo.l3, vm.ip)).toBeLessThan(170)

    await site.call('RebootVmInstance', { uuid: vm.uuid })
    await answers(demo.l3, vm.ip)
    await gone(site, vm)
    await clean(site)
    expect((await exec.run('ip', ['-j', 'link', 'show'], { timeoutMs: 5_000 })).stdout).not.toContain(vm.tap)
    await beyond.stop()
  })
})

/** Another network in the cluster of the demo, with DHCP. */
async function otherNetwork(): Promise<{ l2: string; l3: string }> {
  const { uuid: l2 } = await site.call('CreateL2NoVlanNetwork', { name: 'other', zoneUuid: demo.zone, physicalInterface: 'none' })
  await site.call('AttachL2NetworkToCluster', { l2NetworkUuid: l2, clusterUuid: demo.cluster })
  const { uuid: l3 } = await site.call('CreateL3Network', { name: 'other', l2NetworkUuid: l2 })
  await site.call('AddIpRangeByNetworkCidr', { name: 'other', l3NetworkUuid: l3, networkCidr: '10.77.0.0/24' })
  await site.call('AttachNetworkServiceToL3Network', { l3NetworkUuid: l3, networkServices: { [VROUTER_PROVIDER]: ['DHCP'] } })
  return { l2: l2 as string, l3: l3 as string }
}

/** Reads of its disk take as long as their limit makes them take, and no longer without it. */
async function heldBack(vm: Vm): Promise<void> {
  const MIB = 1024 ** 2
  const root = (await site.client.get('vmInstance', vm.uuid)).rootVolumeUuid!
  const seconds = async (skip: number) => {
    const read = `dd if=/dev/vda of=/dev/null bs=1M count=4 skip=${skip} 2>/dev/null`
    const line = `a=$(date +%s); ${read}; echo took-$(($(date +%s)-a)) at-$((40+2))\n`
    return Number(/took-(\d+)/.exec(await typed(site, vm.uuid, line, 'at-42'))?.[1])
  }
  await site.call('SetVolumeQos', { uuid: root, totalBandwidth: MIB })
  expect(await site.call('GetVolumeQos', { uuid: root })).toMatchObject({ volumeBandwidth: MIB })
  const held = await seconds(1)
  await site.call('DeleteVolumeQos', { uuid: root })
  expect(held).toBeGreaterThanOrEqual(2)
  expect(await seconds(5)).toBeLessThan(held)
}

describe('a guest that runs', () => {
  it('stands still and goes on, reads as fast as it may, answers in another network through a card that it is given, and lets go of it', async () => {
    const vm = await makeVm(site, demo, 'carded')
    await answers(demo.l3, vm.ip)
    expect((await site.call('PauseVmInstance', { uuid: vm.uuid }))['state']).toBe('Paused')
    await expect(httpFromRouter(demo.l3, vm.ip)).rejects.toThrow()
    await clean(site)
    expect((await site.call('ResumeVmInstance', { uuid: vm.uuid }))['state']).toBe('Running')
    await answers(demo.l3, vm.ip)

    await heldBack(vm)

    const { l2, l3 } = await otherNetwork()
    const attached = await site.call('AttachL3NetworkToVm', {
      vmInstanceUuid: vm.uuid,
      l3NetworkUuid: l3,
      staticIp: '10.77.0.42',
    })
    const nic = (attached['vmNics'] as Row[])[1]!
    expect(await answers(l3, '10.77.0.42')).toContain('hello')
    await clean(site)
    expect(vmOf(await site.call('DetachL3NetworkFromVm', { vmNicUuid: nic['uuid'] }))).toEqual(vm)
    await inGuest(site, vm.uuid, 'until [ ! -e /sys/class/net/eth1 ]; do sleep 1; done', 'away')
    await answers(demo.l3, vm.ip)
    expect((await exec.run('ip', ['-j', 'link', 'show'], { timeoutMs: 5_000 })).stdout).not.toContain(nic['internalName'])
    await clean(site)
    await gone(site, vm)
    await site.call('DeleteL2Network', { uuid: l2 })
    await clean(site)
  })
})

describe('a guest that somebody made with virsh', () => {
  it('is shown, planned for and adopted while it runs on in the same process, and is one of ours from its next start', async () => {
    const mine = await guestByHand(site, demo, '52:54:00:00:be:ef')
    const orphan = await until('a VM outside that can be adopted', 120_000, async () => {
      const { inventories } = await site.client.query('orphan', { q: [`ownUuid=${mine.uuid}`] })
      return inventories.find(({ adoptable }) => adoptable)
    })
    expect(orphan).toMatchObject({ name: BY_HAND, outside: true, paths: [mine.file], machine: { hindrances: [] } })
    const [pid, xml] = [await mine.pid(), await mine.xml()]
    const ip = '10.0.137.222'
    await expect(site.call('AdoptOrphan', { uuid: orphan.uuid, ips: ['10.9.9.9'] })).rejects.toMatchObject({
      code: 'illegal-state',
    })
    await site.client.call('AdoptOrphan', { uuid: orphan.uuid, ips: [ip] }, { dryRun: true })
    expect(await virsh(site, 'dumpxml', BY_HAND)).not.toContain('metadata')

    const { vmInstanceUuid } = await site.call('AdoptOrphan', { uuid: orphan.uuid, ips: [ip] })
    expect(vmInstanceUuid).toBe(mine.uuid)
    expect(await answers(demo.l3, ip)).toContain('hello')
    await clean(site)
    const vm = vmOf(await site.client.get('vm', mine.uuid))
    expect([await mine.pid(), await mine.xml(), await stateOf(site, vm)]).toEqual([pid, xml, 'Running'])

    await site.call('StopVmInstance', { uuid: vm.uuid, type: 'cold' })
    await site.call('StartVmInstance', { uuid: vm.uuid })
    expect(await answers(demo.l3, ip)).toContain('hello')
    expect(await virsh(site, 'dumpxml', domain(vm.uuid))).toContain(vm.tap)
    await gone(site, vm)
    await clean(site)
  })
})

describe('a console, a tunnel, and a host in maintenance', () => {
  it('show what is typed to the guest, reach its ports from outside, and stop it for as long as the maintenance lasts', async () => {
    const vm = await makeVm(site, demo, 'talk')
    await answers(demo.l3, vm.ip)
    expect(await typed(site, vm.uuid, 'echo sum-$((40+2))\n', 'sum-42')).toContain('sum-42')
    expect(await throughTunnel(site, { vm: vm.uuid, port: 80, text: 'GET / HTTP/1.0\r\n\r\n' })).toContain('hello from talk')
    const closed = throughTunnel(site, { vm: vm.uuid, port: 81, text: '' })
    await expect(closed).rejects.toThrow(`${vm.ip}:81: connection refused`)

    const change = (stateEvent: string) => site.call('ChangeHostState', { uuid: demo.host, stateEvent })
    expect((await change('maintain'))['state']).toBe('Maintenance')
    expect(await stateOf(site, vm)).toBe('Stopped')
    expect(await site.libvirtd.qemuPids()).toEqual({})
    await expect(site.call('StartVmInstance', { uuid: vm.uuid })).rejects.toMatchObject({ code: 'no-host' })
    expect((await change('enable'))['state']).toBe('Enabled')
    await answers(demo.l3, vm.ip)
    await clean(site)
    await gone(site, vm)
  })
})

describe('audit --hosts', () => {
  it('finds each of ten differences that were planted by hand', async () => {
    const vm = await makeVm(site, demo, 'audited')
    await answers(demo.l3, vm.ip)
    await clean(site)
    const planted: [what: string, plant: () => Promise<unknown>, mend: () => Promise<unknown>, kind: string][] = await plants(vm)
    for (const [what, plant, mend, kind] of planted) {
      await plant()
      const { differences } = await site.client.auditHosts()
      expect(
        differences.map((d) => d['kind']),
        what,
      ).toContain(kind)
      await mend()
    }
    expect(planted.length).toBeGreaterThanOrEqual(10)
    await gone(site, vm)
    await clean(site)
  })
})

async function plants(vm: Vm): Promise<[string, () => Promise<unknown>, () => Promise<unknown>, string][]> {
  const run = (cmd: string, ...argv: string[]) => exec.run(cmd, argv, { timeoutMs: 10_000, okCodes: [0, 1] })
  const pool = join(site.dir, 'primary')
  const store = join(site.dir, 'images')
  const stray = 'f'.repeat(32)
  const ns = routerNetns(demo.l3)
  const blob = (await run('ls', join(store, 'images'))).stdout.trim()
  const volume = (await run('ls', join(pool, 'volumes'))).stdout.trim()
  const move = (path: string) => [() => run('mv', path, `${path}.away`), () => run('mv', `${path}.away`, path)] as const
  const touch = (path: string) => [() => run('touch', path), () => run('rm', '-f', path)] as const
  return [
    ['a volume file of nobody', ...touch(join(pool, 'volumes', `${stray}.qcow2`)), 'volume-file'],
    ['a cached image of nobody', ...touch(join(pool, 'cache', `${stray}${stray}.qcow2`)), 'cache-file'],
    ['an image of nobody', ...touch(join(store, 'images', `${stray}${stray}.qcow2`)), 'image-file'],
    ['a missing image', ...move(join(store, 'images', blob)), 'image-file'],
    ['a missing volume', ...move(join(pool, 'volumes', volume)), 'volume-file'],
    ['a missing image reference', ...move(join(store, 'refs', `${demo.image}.json`)), 'image-ref'],
    [
      'a bridge of nobody',
      () => run('ip', 'link', 'add', 'skbr0123456789a', 'type', 'bridge'),
      () => run('ip', 'link', 'del', 'skbr0123456789a'),
      'bridge',
    ],
    [
      'a tap of nobody',
      () => run('ip', 'tuntap', 'add', 'sktp0123456789a', 'mode', 'tap'),
      () => run('ip', 'tuntap', 'del', 'sktp0123456789a', 'mode', 'tap'),
      'tap',
    ],
    [
      'a router of nobody',
      () => run('ip', 'netns', 'add', `skerry-${stray}`),
      () => run('ip', 'netns', 'del', `skerry-${stray}`),
      'netns',
    ],
    [
      'SNAT of nobody',
      () => run('ip', 'netns', 'exec', ns, 'nft', 'add', 'element', 'inet', 'skerry', 'snat_sources', '{ 10.99.0.0/24 }'),
      async () => undefined,
      'snat',
    ],
    [
      'a domain with our mark that nobody knows',
      () => strangerDomain(vm, stray),
      () => run('virsh', '-c', site.libvirtd.uri, 'undefine', `skerry-${stray}`),
      'domain',
    ],
  ]
}

/** Defines a copy of a VM's domain under another uuid, as a restored backup of the graph would leave it behind. */
async function strangerDomain(vm: Vm, stray: string): Promise<void> {
  const virsh = (...argv: string[]) => exec.run('virsh', ['-c', site.libvirtd.uri, ...argv], { timeoutMs: 10_000 })
  const dashed = (uuid: string) => uuid.replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, '$1-$2-$3-$4-$5')
  const { stdout } = await virsh('dumpxml', '--inactive', `skerry-${vm.uuid}`)
  const file = join(site.dir, 'stranger.xml')
  await writeFile(file, stdout.replaceAll(vm.uuid, stray).replaceAll(dashed(vm.uuid), dashed(stray)))
  await virsh('define', file)
}

describe('the command line, as it is built', () => {
  const skerry = async (...argv: string[]) => {
    const env = ['-u', 'SKERRY_CONTEXT', `XDG_CONFIG_HOME=${join(site.dir, 'config')}`]
    const cli = [process.execPath, join(import.meta.dirname, '../../dist/cli/main.js')]
    return exec.run('env', [...env, ...cli, ...argv], { timeoutMs: 60_000, okCodes: [0, 1, 2, 3, 4] })
  }

  it('takes a VM instance through its life by name, in every format, and says by its exit code how it went', async () => {
    const password = join(site.dir, 'password')
    await writeFile(password, 'password\n', { mode: 0o600 })
    expect((await skerry('login', '--url', site.url, '--password-file', password)).code).toBe(0)
    const made = await skerry(
      'create',
      'vm',
      '--name',
      'by-hand',
      '--instance-offering',
      'small',
      '--image',
      'tiny',
      '--l3-networks',
      'net1',
      '--wait',
    )
    expect(made.stderr + made.stdout).toContain('boot')
    expect((await skerry('get', 'vm', 'by-hand', '-o', 'yaml')).stdout).toContain('name: by-hand')
    expect(JSON.parse((await skerry('get', 'vm', 'by-hand', '-o', 'json')).stdout)).toBeTruthy()
    const plan = await skerry('stop', 'vm', 'by-hand', '--dry-run')
    expect(plan.stdout).toContain('power-off')
    expect((await skerry('get', 'vm', 'by-hand')).stdout).toContain('Running')
    expect((await skerry('get', 'vm', 'nobody')).code).toBe(3)
    expect((await skerry('recover', 'vm', 'by-hand', '--wait')).code, 'it is not destroyed').toBe(4)
    const tree = (await skerry('delete', 'zone', 'site', '--dry-run')).stdout
    expect(tree).toContain('would go:\nzone site ')
    expect(tree).toMatch(/─ vm by-hand /)
    expect((await skerry('destroy', 'vm', 'by-hand', '--wait')).code).toBe(0)
    expect((await skerry('expunge', 'vm', 'by-hand', '--wait')).code).toBe(0)
    await clean(site)
    expect((await skerry('audit', '--hosts')).code).toBe(0)
  })
})
