import { fakeHost } from '../src/index.ts'
import { haproxySuite } from './conformance/haproxy.ts'

haproxySuite('fake', async () => {
  const { haproxy, files, ip, processTable } = fakeHost()
  const [dir, netns] = ['/run/balancer', 'r1']
  await files.makeDir(dir, 0o755)
  await ip.netns.add(netns)
  const kill = (pid: number) => processTable.kill(pid)
  const world = { haproxy, files, dir, netns, again: () => haproxy, kill, pem: async (name: string) => `${name}\n` }
  return { world, cleanUp: async () => undefined }
})
