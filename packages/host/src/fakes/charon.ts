/**
 * Charons in memory. A peer is what a test (or a simulation) says of it: the key that it has, and why it doesn't answer. Tunnels come
 * about at once, by the same words and events as from the real one.
 */

import { type Charon, charonFiles } from '../charon.ts'
import type { CharonConnection, CharonEvent, CharonTalk, CharonTunnel, CharonView } from '../charon-talk.ts'
import type { FakeDisk } from './files.ts'
import { commandFailed } from './gate.ts'
import type { FakeProcessTable } from './processes.ts'

export interface FakePeer {
  key: string
  /** What charon's log says instead of a tunnel. */
  refuses?: string
}
/** By address. Who isn't there doesn't answer. */
export type FakePeers = Map<string, FakePeer>

interface Daemon {
  pid: number
  connections: Map<string, { connection: CharonConnection; key: string }>
  tunnels: CharonTunnel[]
  watchers: Set<{ onEvent(event: CharonEvent): void; ended(): void }>
}

export class FakeCharons {
  readonly peers: FakePeers = new Map()
  readonly #daemons = new Map<string, Daemon>()
  readonly #o: { disk: FakeDisk; processTable: FakeProcessTable; hasNetns(name: string): boolean }
  #ids = 0

  constructor(o: { disk: FakeDisk; processTable: FakeProcessTable; hasNetns(name: string): boolean }) {
    this.#o = o
  }

  port(): Charon {
    const running = async (dir: string) => {
      const found = this.#o.processTable.all().find((p) => p.cmdline.includes(`--conf=${charonFiles(dir).conf}`))
      return found && { pid: found.pid, startTicks: found.startTicks }
    }
    return {
      running,
      start: async ({ dir, netns }) => {
        if (await running(dir)) return
        if (netns !== undefined && !this.#o.hasNetns(netns)) throw commandFailed(`there is no namespace ${netns}`)
        this.#o.disk.makeDir(dir, 0o755)
        const { pid } = this.#o.processTable.start(['charon-systemd', `--conf=${charonFiles(dir).conf}`])
        this.#daemons.set(dir, { pid, connections: new Map(), tunnels: [], watchers: new Set() })
      },
      stop: async (dir) => {
        const found = await running(dir)
        if (found) this.#o.processTable.kill(found.pid)
        this.#find(dir)
      },
      at: (dir) => this.#talk(dir),
    }
  }

  /** The peer speaks first, or goes: what runs with it ends. */
  drop(address: string, line: string): void {
    for (const daemon of this.#daemons.values())
      for (const { connection } of daemon.connections.values())
        if (connection.peer.address === address) {
          tell(daemon, { connection: connection.name, is: 'log', line })
          terminate(daemon, connection.name)
        }
  }

  /** Undefined: its process is gone, and with it all that it held. */
  #find(dir: string): Daemon | undefined {
    const daemon = this.#daemons.get(dir)
    if (!daemon || this.#o.processTable.get(daemon.pid)) return daemon
    this.#daemons.delete(dir)
    for (const watcher of daemon.watchers) watcher.ended()
    return undefined
  }

  #talk(dir: string): CharonTalk {
    const need = () => {
      const daemon = this.#find(dir)
      if (!daemon) throw commandFailed('charon does not answer on its socket')
      return daemon
    }
    return {
      look: async () => viewOf(need()),
      load: async (connection, key) =>
        void need().connections.set(connection.name, { connection, key: new TextDecoder().decode(key) }),
      unload: async (name) => {
        const daemon = need()
        daemon.connections.delete(name)
        terminate(daemon, name)
      },
      initiate: async (name, child) => this.#initiate(need(), name, child),
      terminate: async (name) => terminate(need(), name),
      watch: async (onEvent) => {
        const daemon = need()
        let over: () => void = () => {}
        const ended = new Promise<void>((resolve) => {
          over = resolve
        })
        const watcher = { onEvent, ended: over }
        daemon.watchers.add(watcher)
        const close = () => {
          daemon.watchers.delete(watcher)
          over()
        }
        return { close, ended }
      },
    }
  }

  #initiate(daemon: Daemon, name: string, childName: string): void {
    const known = daemon.connections.get(name)
    const child = known?.connection.children.find((one) => one.name === childName)
    if (!known || !child) throw commandFailed(`charon refused initiate: CHILD_SA config '${childName}' not found`)
    const { connection, key } = known
    const peer = this.peers.get(connection.peer.address)
    const why = !peer
      ? 'giving up after 4 retransmits'
      : (peer.refuses ?? (peer.key === key ? undefined : 'received AUTHENTICATION_FAILED notify error'))
    if (why !== undefined) {
      tell(daemon, { connection: name, is: 'log', line: why })
      return
    }
    const carried = {
      ...{ child: childName, installed: true, localCidrs: [...child.localCidrs], peerCidrs: [...child.peerCidrs] },
      ...{ bytesIn: 0, bytesOut: 0, packetsIn: 0, packetsOut: 0 },
    }
    const there = daemon.tunnels.find((tunnel) => tunnel.connection === name)
    if (there) there.carried.push(carried)
    else {
      const version = connection.version === 'ikev1' ? 1 : 2
      daemon.tunnels.push({ connection: name, id: ++this.#ids, version, established: true, carried: [carried] })
    }
    tell(daemon, { connection: name, is: 'up' })
  }
}

const tell = ({ watchers }: Daemon, event: CharonEvent): void => {
  for (const { onEvent } of watchers) onEvent(event)
}

function terminate(daemon: Daemon, name: string): void {
  const left = daemon.tunnels.filter((tunnel) => tunnel.connection !== name)
  if (left.length === daemon.tunnels.length) return
  daemon.tunnels = left
  tell(daemon, { connection: name, is: 'down' })
}

const viewOf = ({ connections, tunnels }: Daemon): CharonView => ({
  esp: 'user-space',
  connections: [...connections.keys()],
  keys: [...connections.keys()],
  tunnels: structuredClone(tunnels),
})
