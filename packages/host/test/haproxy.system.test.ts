/** The real haproxy passes the suite, in a namespace of its own. */
import { randomBytes } from 'node:crypto'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { requireOrSkip } from '@skerry/testkit'
import { vi } from 'vitest'
import { haproxy, realHost } from '../src/index.ts'
import { haproxySuite } from './conformance/haproxy.ts'

// events, not times: the ceiling is only there for a stuck run
vi.setConfig({ testTimeout: 60_000, hookTimeout: 60_000 })

if (requireOrSkip('haproxy', { root: true, programs: ['ip', 'haproxy', 'openssl'] })) {
  haproxySuite('real', async () => {
    const host = realHost()
    const netns = `skt-l-${randomBytes(4).toString('hex')}`
    const root = await mkdtemp(join(tmpdir(), 'skerry-haproxy-'))
    // deeper than the path of a socket may be
    const dir = join(root, 'a'.repeat(100))
    await host.files.makeDir(dir, 0o755)
    await host.ip.netns.add(netns)
    await host.ip.at(netns).links.set('lo', { up: true })
    const pem = async (name: string) => {
      const argv = ['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-subj', `/CN=${name}`]
      const out = ['-days', '2', '-keyout', join(root, 'key'), '-out', join(root, 'crt')]
      await host.exec.run('openssl', [...argv, ...out], { timeoutMs: 20_000 })
      return `${await host.files.read(join(root, 'crt'))}${await host.files.read(join(root, 'key'))}`
    }
    const again = () => haproxy({ exec: host.exec, files: host.files, processes: host.process })
    const world = {
      haproxy: host.haproxy,
      files: host.files,
      dir,
      netns,
      again,
      kill: (pid: number) => void process.kill(pid, 9),
      pem,
    }
    const cleanUp = async () => {
      await host.ip.netns.del(netns)
      await rm(root, { recursive: true, force: true })
    }
    return { world, cleanUp }
  })
}
