/** The real charon passes its suite, with a second one as its peer that has a configuration of its own, in namespaces of this run. */
import { randomBytes } from 'node:crypto'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { requireOrSkip, StockPeer } from '@skerry/testkit'
import { vi } from 'vitest'
import { charon, realHost } from '../src/index.ts'
import { charonSuite, PEER } from './conformance/charon.ts'

// events, not times: the ceiling is only there for a stuck run
vi.setConfig({ testTimeout: 60_000, hookTimeout: 60_000 })

/** All that a shell, a configuration file or a C string would stumble over. */
const KEY = `it's "s3cret" \\ # {} \n $x\u0000y`

if (requireOrSkip('charon with a peer', { root: true, programs: ['ip', 'charon-systemd', 'swanctl'] })) {
  charonSuite('real', async () => {
    const host = realHost()
    const suffix = randomBytes(4).toString('hex')
    const [netns, peerNs] = [`skt-cl-${suffix}`, `skt-cp-${suffix}`]
    const dir = await mkdtemp(join(tmpdir(), 'skc-'))
    for (const ns of [netns, peerNs]) {
      await host.ip.netns.add(ns)
      await host.ip.at(ns).links.set('lo', { up: true })
    }
    await host.ip.at(netns).links.add({ kind: 'veth', name: 'wan0', peer: { name: 'wan0', netns: peerNs } })
    for (const [ns, ip] of [
      [netns, '192.0.2.1'],
      [peerNs, PEER],
    ] as const) {
      await host.ip.at(ns).addresses.add('wan0', `${ip}/24`)
      await host.ip.at(ns).links.set('wan0', { up: true })
    }
    // who has no address in a network gets no way to the other one
    await host.ip.at(netns).addresses.add('lo', '10.1.0.1/24')
    for (const cidr of ['10.2.0.1/24', '10.3.0.1/24']) await host.ip.at(peerNs).addresses.add('lo', cidr)
    const peer = new StockPeer({ netns: peerNs, dir: join(dir, 'peer'), address: PEER })
    await peer.start({
      ...{ remote: '192.0.2.1', key: KEY, proposal: 'aes256-sha256-ecp256', espProposal: 'aes256-sha256' },
      ...{ localCidrs: ['10.2.0.0/24', '10.3.0.0/24'], remoteCidrs: ['10.1.0.0/24'] },
    })
    return {
      world: {
        ...{ charon: host.charon, files: host.files, process: host.process, dir: join(dir, 'own'), netns, key: KEY },
        again: () => charon({ exec: host.exec, files: host.files, processes: host.process }),
      },
      async cleanUp() {
        await peer.stop()
        for (const ns of [netns, peerNs]) await host.ip.netns.del(ns)
        await rm(dir, { recursive: true, force: true })
      },
    }
  })
}
