/** The fake machine passes the suites of the real tools, and goes wrong when told to. */
import { describe, expect, it } from 'vitest'
import { type FakeFlow, fakeHost, serverKey } from '../src/index.ts'
import { bridgeSuite } from './conformance/bridge.ts'
import { bridgeFilterSuite } from './conformance/bridge-filter.ts'
import { charonSuite, PEER } from './conformance/charon.ts'
import { conntrackSuite } from './conformance/conntrack.ts'
import { dnsmasqSuite } from './conformance/dnsmasq.ts'
import { fatImageSuite } from './conformance/fat-image.ts'
import { filesSuite } from './conformance/files.ts'
import { ipSuite } from './conformance/ip.ts'
import { lighttpdSuite } from './conformance/lighttpd.ts'
import { nftSuite } from './conformance/nft.ts'
import { qemuImgSuite } from './conformance/qemu-img.ts'
import { routingSuite } from './conformance/routing.ts'
import { tcpSuite } from './conformance/tcp.ts'
import { vlanCases, vlanWorld } from './conformance/vlan.ts'
import { vxlanSuite } from './conformance/vxlan.ts'

const nothing = async () => undefined

ipSuite('fake', () => ({ ip: fakeHost().ip, prefix: 'ns' }))
routingSuite('fake', () => {
  const { ip, routing } = fakeHost()
  return { ip, routing, prefix: 'ns' }
})
conntrackSuite('fake', async () => {
  const { conntrack, flows } = fakeHost()
  const put = async (flow: FakeFlow) => void flows.set('r1', [...(flows.get('r1') ?? []), flow])
  return { world: { conntrack, netns: 'r1', put }, cleanUp: nothing }
})
charonSuite('fake', async () => {
  const host = fakeHost()
  const key = `it's "s3cret" \n`
  await host.ip.netns.add('r1')
  host.charons.peers.set(PEER, { key })
  const of = { charon: host.charon, files: host.files, process: host.process }
  return { world: { ...of, key, dir: '/var/lib/own', netns: 'r1', again: () => host.charon }, cleanUp: nothing }
})
const fakeBridges = async () => {
  const host = fakeHost({ nics: [] })
  return { world: { bridge: host.bridge, scope: host.ip.at() }, cleanUp: nothing }
}
bridgeSuite('fake', fakeBridges)
vxlanSuite('fake', fakeBridges)
describe('VLANs (fake)', () => {
  it.each(Object.entries(vlanCases))('%s', async (_, run) => {
    const { world } = await fakeBridges()
    await vlanWorld(world)
    await run(world)
  })
})
bridgeFilterSuite('fake', async () => {
  const host = fakeHost()
  return { filter: host.bridgeFilter, scope: host.ip.at(), cleanUp: nothing }
})
nftSuite('fake', async () => ({ nft: fakeHost().nft.at(), cleanUp: nothing }))
filesSuite('fake', async () => ({ files: fakeHost().files, dir: await emptyDir(fakeHost()) }))
fatImageSuite('fake', async () => {
  const host = fakeHost()
  await host.files.makeDir('/var/lib/seeds')
  return { fatImages: host.fatImages, files: host.files, dir: '/var/lib/seeds' }
})
qemuImgSuite('fake', async () => {
  const host = fakeHost()
  await host.files.makeDir('/var/lib/images')
  return { qemuImg: host.qemuImg, files: host.files, dir: '/var/lib/images' }
})
dnsmasqSuite('fake', async () => {
  const host = fakeHost()
  await host.ip.netns.add('r1')
  await host.ip.at('r1').links.add({ kind: 'bridge', name: 'lan0' })
  await host.ip.at('r1').addresses.add('lan0', '10.4.0.1/24')
  const { dnsmasq, files, process, requestLease } = host
  return {
    world: { dnsmasq, files, process, requestLease, dir: '/var/lib', netns: 'r1', again: () => host.dnsmasq },
    cleanUp: nothing,
  }
})
lighttpdSuite('fake', async () => {
  const host = fakeHost()
  await host.ip.netns.add('r1')
  await host.ip.at('r1').links.add({ kind: 'bridge', name: 'lan0' })
  await host.ip.at('r1').addresses.add('lan0', '169.254.169.254/32')
  const { lighttpd, files } = host
  return { world: { lighttpd, files, dir: '/var/lib', netns: 'r1', again: () => host.lighttpd }, cleanUp: nothing }
})
tcpSuite('fake', async () => {
  const { tcp, servers } = fakeHost()
  return {
    world: {
      tcp,
      async listen(accept) {
        servers.set(serverKey('r1', '192.0.2.7', 22), accept)
        return { netns: 'r1', address: '192.0.2.7', port: 22 }
      },
    },
    cleanUp: nothing,
  }
})

async function emptyDir(host: ReturnType<typeof fakeHost>): Promise<string> {
  await host.files.makeDir('/tmp')
  return '/tmp'
}

describe('a fake host', () => {
  it('fails the next call of an operation once, and then works again', async () => {
    const host = fakeHost()
    host.faults.failNext('ip.netns.add')
    await expect(host.ip.netns.add('x')).rejects.toMatchObject({ code: 'host-command-failed' })
    await host.ip.netns.add('x')
    expect(await host.ip.netns.list()).toEqual(['x'])
  })

  it('fails whatever is called fail…', async () => {
    const host = fakeHost()
    await expect(host.ip.netns.add('fail-here')).rejects.toThrow('because of the name')
    await expect(host.bridge.create({ name: 'fail0', uuid: '0'.repeat(32) })).rejects.toThrow('because of the name')
    await expect(host.qemuImg.create({ path: '/tmp/fail.raw', format: 'raw', sizeBytes: 1 })).rejects.toThrow(
      'because of the name',
    )
  })

  it('passes every operation through the hook before it acts', async () => {
    const host = fakeHost()
    const seen: string[] = []
    host.faults.before = (op) => {
      seen.push(op)
    }
    await host.nft.at().apply([])
    await host.ip.at().links.list()
    expect(seen).toEqual(['nft.apply', 'ip.links.list'])
  })

  it('counts only transactions that reached the kernel', async () => {
    const host = fakeHost()
    await host.nft.at().apply([])
    expect(host.ruleset().transactions).toBe(0)
    await host.nft.at().apply([{ add: { table: { family: 'ip', name: 't' } } }])
    expect(host.ruleset().transactions).toBe(1)
  })

  it('loses processes, namespaces and rules at a reboot, and keeps files', async () => {
    const host = fakeHost()
    const before = await host.facts.bootId()
    await host.ip.netns.add('r1')
    await host.nft.at().apply([{ add: { table: { family: 'ip', name: 't' } } }])
    await host.files.write('/tmp/a', '1')
    host.reboot()
    expect(await host.ip.netns.list()).toEqual([])
    expect(await host.nft.at().tables()).toEqual([])
    expect(await host.files.read('/tmp/a')).toBe('1')
    expect((await host.ip.at().links.list()).map((link) => link.name)).toEqual(['lo', 'eth0', 'eth1'])
    expect(await host.facts.bootId()).not.toBe(before)
    expect((await host.facts.machine()).bootId).toBe(await host.facts.bootId())
  })

  it('has a disk that can be full', async () => {
    const host = fakeHost()
    host.disk.totalBytes = 10
    await expect(host.files.write('/tmp/a', 'x'.repeat(11))).rejects.toMatchObject({ code: 'disk-full' })
    await host.files.write('/tmp/a', 'x'.repeat(10))
    expect((await host.files.capacity('/tmp')).availableBytes).toBe(0)
  })
})
