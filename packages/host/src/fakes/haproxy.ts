/** haproxy in memory: it reads the same files at start and reload, and tells what it was told. */
import { SkerryError } from '@skerry/contract'
import type { Haproxy, HaproxyRuntime, HaproxyView } from '../haproxy.ts'
import { haproxyFiles } from '../haproxy-config.ts'
import type { FakeDisk } from './files.ts'
import type { FakeNetwork } from './ip.ts'
import type { FakeProcessTable } from './processes.ts'

/** By folder: what each running one knows. Tests set `up` of its servers. */
export type FakeBalancers = Map<string, FakeBalancer>
export interface FakeBalancer {
  pid: number
  view: HaproxyView
  lists: Map<string, string[]>
  certificates: Map<string, string>
  /** How often it has read its files anew. */
  reloads: number
}

interface Machine {
  disk: FakeDisk
  network: FakeNetwork
  processTable: FakeProcessTable
}

export function fakeHaproxy(machine: Machine, balancers: FakeBalancers): Haproxy {
  const { disk, network, processTable } = machine
  const text = (path: string) => {
    const file = disk.files.get(path)
    return file && new TextDecoder().decode(file.data)
  }
  const running = (dir: string) => {
    const info = processTable.get(balancers.get(dir)?.pid ?? -1)
    return info && { pid: info.pid, startTicks: info.startTicks }
  }
  const live = (dir: string): FakeBalancer => {
    const known = balancers.get(dir)
    if (known && running(dir)) return known
    throw new SkerryError('host-command-failed', 'haproxy does not answer', { dir })
  }
  const load = (dir: string): Pick<FakeBalancer, 'view' | 'lists' | 'certificates'> => {
    const conf = text(`${dir}/${haproxyFiles.conf}`)
    if (conf === undefined) throw new SkerryError('host-command-failed', 'haproxy has no configuration', { dir })
    const named = (suffix: string) =>
      [...disk.files.keys()]
        .filter((path) => path.startsWith(`${dir}/`) && path.endsWith(suffix))
        .map((p) => p.slice(dir.length + 1))
    return {
      view: viewOf(conf),
      lists: new Map(named('.lst').map((file) => [file, text(`${dir}/${file}`)!.split('\n').filter(Boolean)])),
      certificates: new Map(named('.pem').map((file) => [file, text(`${dir}/${file}`)!])),
    }
  }
  return {
    at: (dir) =>
      runtime(
        () => live(dir),
        () => (running(dir) ? balancers.get(dir) : undefined),
      ),
    running: async (dir) => running(dir),
    configure: async (dir, conf) => {
      disk.put(`${dir}/${haproxyFiles.conf}`, new TextEncoder().encode(conf))
    },
    async start({ dir, netns = '' }) {
      if (running(dir)) return
      const loaded = load(dir)
      const argv = ['-D', '-W', '-C', dir, '-f', haproxyFiles.conf, '-p', haproxyFiles.pid]
      const { pid } = processTable.start(['haproxy', ...argv])
      network.in(netns).pids.add(pid)
      disk.put(`${dir}/${haproxyFiles.pid}`, new TextEncoder().encode(`${pid}\n`))
      balancers.set(dir, { pid, ...loaded, reloads: 0 })
    },
    async reload(dir) {
      const known = live(dir)
      Object.assign(known, load(dir), { reloads: known.reloads + 1 })
    },
    async stop(dir) {
      const found = running(dir)
      if (found) processTable.kill(found.pid)
      balancers.delete(dir)
    },
  }
}

/** Digest and servers of a configuration. Whoever is checked is up. */
function viewOf(conf: string): HaproxyView {
  const servers: HaproxyView['servers'] = {}
  let listener = ''
  for (const line of conf.split('\n')) {
    const backend = /^backend b_(\S+)$/.exec(line)?.[1]
    if (backend) servers[(listener = backend)] = []
    const [, name, ip, port, weight, rest] = /^ {2}server (\S+) ([\d.]+):(\d+) weight (\d+)(.*)$/.exec(line) ?? []
    if (!name) continue
    const up = rest!.includes(' check ') ? true : null
    servers[listener]!.push({ name, ip: ip!, port: Number(port), weight: Number(weight), up })
  }
  return { digest: /description (\S+)/.exec(conf)?.[1] ?? '', servers }
}

function runtime(live: () => FakeBalancer, there: () => FakeBalancer | undefined): HaproxyRuntime {
  const serversOf = (listener: string) => {
    const servers = live().view.servers[listener]
    if (servers) return servers
    throw new SkerryError('host-command-failed', 'haproxy knows no such backend', { listener })
  }
  return {
    view: async () => structuredClone(there()?.view),
    async addServer(listener, server, health) {
      const servers = serversOf(listener)
      if (servers.some(({ name }) => name === server.name))
        throw new SkerryError('host-command-failed', 'haproxy has a server with that name', { server: server.name })
      servers.push({ ...server, up: health ? true : null })
    },
    async setWeight(listener, name, weight) {
      const server = serversOf(listener).find((one) => one.name === name)
      if (!server) throw new SkerryError('host-command-failed', 'haproxy knows no such server', { name })
      server.weight = weight
    },
    async removeServer(listener, name) {
      const servers = live().view.servers[listener] ?? []
      const at = servers.findIndex((one) => one.name === name)
      if (at >= 0) servers.splice(at, 1)
    },
    list: async (file) => [...(there()?.lists.get(file) ?? [])],
    async setList(file, entries) {
      live().lists.set(file, [...entries])
    },
    async setCertificate(file, pem) {
      live().certificates.set(file, pem)
    },
  }
}
