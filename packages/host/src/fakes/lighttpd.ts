/** What the real program does at start, as far as anyone can see: needs its file and address, writes its pid. */
import type { FakeDisk } from './files.ts'
import type { FakeNetwork } from './ip.ts'
import type { FakeProcessTable } from './processes.ts'

interface Machine {
  disk: FakeDisk
  network: FakeNetwork
  processTable: FakeProcessTable
}

export async function startLighttpd(
  { disk, network, processTable }: Machine,
  argv: readonly string[],
  netns = '',
): Promise<{ code?: number; stderr?: string }> {
  const conf = argv[1] ?? ''
  const text = disk.files.get(conf)
  if (!text) return { code: 255, stderr: `(configfile.c) opening configfile ${conf} failed: No such file or directory` }
  const value = (key: string) => new TextDecoder().decode(text.data).match(new RegExp(`^${key} = "(.*)"$`, 'm'))?.[1] ?? ''
  const ns = network.in(netns)
  if (!ns.addresses.some(({ cidr }) => cidr.startsWith(`${value('server.bind')}/`)))
    return { code: 255, stderr: `(network.c) bind() ${value('server.bind')}:80: Cannot assign requested address` }
  const { pid } = processTable.start(['lighttpd', ...argv])
  ns.pids.add(pid)
  disk.put(value('server.pid-file'), new TextEncoder().encode(`${pid}\n`))
  return {}
}
