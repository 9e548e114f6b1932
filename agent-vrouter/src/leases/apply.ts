/**
 * Writes host lines. Changes that come while a file is being written go into the next write together, so that a thousand
 * new guests are a few writes and reloads. Decides nothing.
 */
import { dnsmasqFiles, type Host } from '@skerry/host'
import { noting } from '../routers/apply.ts'
import { routerDir } from '../routers/service.ts'
import type { Folders } from './folder.ts'
import type { LeaseChange } from './have.ts'
import { type Edit, editHosts, type HostEntry } from './hosts-file.ts'

interface Waiting {
  put: Map<string, HostEntry>
  remove: Set<string>
  done: Promise<void>
}

export interface LeasePorts {
  host: Pick<Host, 'files' | 'dnsmasq'>
  /** Shared with the routers: what one has parsed, the other needn't. */
  folders: Folders
  stateDir: string
  /** Default: none is made. */
  pause?(ms: number): Promise<void>
}

/** Between two writes of a long file: both files are written whole, so each line of theirs makes the next change worth waiting for. */
const LINES_A_MS = 100
const MAX_PAUSE_MS = 50

export class HostsWriter {
  readonly #ports: LeasePorts
  /** By router: what the next write will hold. */
  readonly #waiting = new Map<string, Waiting>()
  /** By router: ends when the next write may begin. */
  readonly #tails = new Map<string, Promise<void>>()

  constructor(ports: LeasePorts) {
    this.#ports = ports
  }

  /** Resolves when the line is durable and the daemon, if it runs, was told. */
  apply(change: LeaseChange): Promise<void> {
    const next = this.#waiting.get(change.router) ?? this.#begin(change.router)
    if (change.op === 'host.put') {
      const { uuid, mac, ip, ip6, hostname } = change
      next.put.set(uuid, { uuid, mac, ip, ip6, hostname })
    } else {
      next.put.delete(change.uuid)
      next.remove.add(change.uuid)
    }
    return next.done
  }

  #begin(router: string): Waiting {
    const before = this.#tails.get(router) ?? Promise.resolve()
    // a turn of the event loop: changes that are applied side by side arrive in it
    const turn = before.then(() => new Promise<void>((resolve) => setImmediate(resolve)))
    const waiting: Waiting = { put: new Map(), remove: new Set(), done: Promise.resolve() }
    waiting.done = turn.then(async () => {
      this.#waiting.delete(router)
      const written = this.#write(router, { put: [...waiting.put.values()], remove: [...waiting.remove] })
      this.#tails.set(router, this.#rest(written))
      await written
    })
    this.#waiting.set(router, waiting)
    this.#tails.set(
      router,
      waiting.done.catch(() => undefined), // its own callers are told
    )
    return waiting
  }

  async #rest(written: Promise<number>): Promise<void> {
    const lines = await written.catch(() => 0) // its own callers are told
    const ms = Math.min(MAX_PAUSE_MS, Math.floor(lines / LINES_A_MS))
    if (ms > 0) await this.#ports.pause?.(ms)
  }

  /** Gives how many lines there were. */
  async #write(router: string, edit: Edit): Promise<number> {
    const { files, dnsmasq } = this.#ports.host
    const dir = routerDir(this.#ports.stateDir, router)
    const paths = dnsmasqFiles(dir)
    const { lines, hosts, names } = await this.#ports.folders.read(dir)
    const after = editHosts(lines, edit)
    await files.makeDir(dir, 0o755)
    if (after.names !== names) await files.write(paths.names, after.names)
    if (after.hosts !== hosts) await files.write(paths.hosts, after.hosts)
    // one that doesn't run reads them when its router starts it
    if (await dnsmasq.running(dir)) await noting(this.#ports.host, dir, () => dnsmasq.reload(dir))
    return lines.length
  }
}
