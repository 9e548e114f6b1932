/** The real tools pass the suites, in namespaces that this run made and removes by name. */
import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { chmod, mkdtemp, rm } from 'node:fs/promises'
import { type AddressInfo, createServer, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { requireOrSkip } from '@skerry/testkit'
import { afterAll, vi } from 'vitest'
import {
  bridgeFilter,
  bridges,
  dnsmasq,
  type FakeFlow,
  ip,
  lighttpd,
  nft,
  qemuImg,
  realExec,
  realHost,
  tcp,
} from '../src/index.ts'
import { bridgeSuite } from './conformance/bridge.ts'
import { bridgeFilterSuite } from './conformance/bridge-filter.ts'
import { conntrackSuite } from './conformance/conntrack.ts'
import { dnsmasqSuite } from './conformance/dnsmasq.ts'
import { fatImageSuite } from './conformance/fat-image.ts'
import { ipSuite } from './conformance/ip.ts'
import { lighttpdSuite } from './conformance/lighttpd.ts'
import { nftSuite } from './conformance/nft.ts'
import { qemuImgSuite } from './conformance/qemu-img.ts'
import { routingSuite } from './conformance/routing.ts'
import { tcpSuite } from './conformance/tcp.ts'
import { vxlanSuite } from './conformance/vxlan.ts'
import { leaseClient } from './udhcpc.ts'

// events, not times: the ceiling is only there for a stuck run
vi.setConfig({ testTimeout: 60_000, hookTimeout: 60_000 })

const exec = realExec()
const host = realHost()
const unique = (what: string) => `skt${what}${randomBytes(4).toString('hex')}`
const folders: string[] = []
afterAll(async () => {
  for (const folder of folders) await rm(folder, { recursive: true, force: true })
})
const folder = async () => {
  const made = await mkdtemp(join(tmpdir(), 'skerry-host-'))
  await chmod(made, 0o755)
  folders.push(made)
  return made
}

if (requireOrSkip('ip, bridge and nft against the kernel', { root: true, programs: ['ip', 'nft'] })) {
  ipSuite('real', () => ({ ip: ip(exec), prefix: unique('i') }))
  routingSuite('real', () => ({ ip: host.ip, routing: host.routing, prefix: unique('p') }))
  const realBridges = async () => {
    const ns = unique('b')
    await host.ip.netns.add(ns)
    return { world: { bridge: bridges(host.ip, ns), scope: host.ip.at(ns) }, cleanUp: () => host.ip.netns.del(ns) }
  }
  bridgeSuite('real', realBridges)
  vxlanSuite('real', realBridges)
  bridgeFilterSuite('real', async () => {
    const ns = unique('f')
    await host.ip.netns.add(ns)
    return { filter: bridgeFilter(exec, ns), scope: host.ip.at(ns), cleanUp: () => host.ip.netns.del(ns) }
  })
  nftSuite('real', async () => {
    const ns = unique('n')
    await host.ip.netns.add(ns)
    return { nft: nft(exec).at(ns), cleanUp: () => host.ip.netns.del(ns) }
  })
}

if (requireOrSkip('connections that the kernel tracks', { root: true, programs: ['ip', 'conntrack'] })) {
  conntrackSuite('real', async () => {
    const netns = unique('t')
    await host.ip.netns.add(netns)
    let n = 1_024
    const put = async ({ source, destination, answeredTo, protocol, port }: FakeFlow) => {
      const there = ['-s', source, '-d', destination, '--sport', String(++n), '--dport', String(port)]
      const back = ['-r', destination, '-q', answeredTo, '--reply-port-src', String(port), '--reply-port-dst', String(n)]
      const state = protocol === 'tcp' ? ['--state', 'ESTABLISHED'] : []
      const argv = ['-I', '-p', protocol, ...there, ...back, ...state, '-t', '600']
      await host.exec.run('conntrack', argv, { timeoutMs: 10_000, netns })
    }
    return { world: { conntrack: host.conntrack, netns, put }, cleanUp: () => host.ip.netns.del(netns) }
  })
}

if (requireOrSkip('dnsmasq with a real client', { root: true, programs: ['ip', 'dnsmasq', 'busybox'] })) {
  dnsmasqSuite('real', async () => {
    const netns = unique('r')
    const client = unique('c')
    await host.ip.netns.add(netns)
    await host.ip.netns.add(client)
    const router = host.ip.at(netns)
    await router.links.add({ kind: 'veth', name: 'lan0', peer: { name: 'eth0', netns: client } })
    await router.links.set('lan0', { up: true })
    await router.addresses.add('lan0', '10.4.0.1/24')
    const dir = await folder()
    const world = {
      ...{ dnsmasq: host.dnsmasq, files: host.files, process: host.process, dir, netns },
      requestLease: leaseClient({ exec, scope: host.ip.at(client), netns: client, dir }),
      again: () => dnsmasq({ exec: realExec(), files: host.files, processes: host.process }),
    }
    const cleanUp = async () => {
      await host.ip.netns.del(client)
      await host.ip.netns.del(netns)
    }
    return { world, cleanUp }
  })
}

if (requireOrSkip('lighttpd', { root: true, programs: ['ip', 'lighttpd'] })) {
  lighttpdSuite('real', async () => {
    const netns = unique('l')
    await host.ip.netns.add(netns)
    await host.ip.at(netns).links.set('lo', { up: true })
    await host.ip.at(netns).addresses.add('lo', '169.254.169.254/32')
    const again = () => lighttpd({ exec: realExec(), files: host.files, processes: host.process })
    const world = { lighttpd: host.lighttpd, files: host.files, dir: await folder(), netns, again }
    return { world, cleanUp: () => host.ip.netns.del(netns) }
  })
}

if (requireOrSkip('FAT images', { programs: ['mkfs.vfat', 'mcopy', 'mlabel', 'mdir'] })) {
  fatImageSuite('real', async () => ({ fatImages: host.fatImages, files: host.files, dir: await folder() }))
}

if (requireOrSkip('qemu-img', { programs: ['qemu-img'] })) {
  qemuImgSuite('real', async () => ({ qemuImg: qemuImg(exec, host.files), files: host.files, dir: await folder() }))
}

if (requireOrSkip('TCP out of a namespace', { root: true, programs: ['ip', 'busybox'] })) {
  tcpSuite('real', async () => {
    // the guest's side is this process, the router's a namespace with a veth to it
    const [netns, link] = [unique('t'), `skt${randomBytes(3).toString('hex')}`]
    const subnet = `10.254.${randomBytes(1)[0]}`
    await host.ip.netns.add(netns)
    const { links, addresses } = host.ip.at(netns)
    await host.ip.at().links.add({ kind: 'veth', name: link, peer: { name: 'lan0', netns } })
    await links.set('lan0', { up: true })
    await addresses.add('lan0', `${subnet}.1/24`)
    await host.ip.at().links.set(link, { up: true })
    await host.ip.at().addresses.add(link, `${subnet}.2/24`)
    const sockets: Socket[] = []
    const server = createServer({ allowHalfOpen: true }, (socket) => {
      sockets.push(socket.on('error', () => undefined))
      accept(socket)
    })
    let accept: (client: Socket) => void = () => undefined
    server.listen(0, `${subnet}.2`)
    await once(server, 'listening')
    const { port } = server.address() as AddressInfo
    return {
      world: {
        tcp: tcp(exec),
        async listen(on) {
          accept = on
          return { netns, address: `${subnet}.2`, port }
        },
      },
      async cleanUp() {
        for (const socket of sockets) socket.destroy()
        server.close()
        await host.ip.netns.del(netns)
      },
    }
  })
}
