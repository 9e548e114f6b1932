/**
 * Writes host lines. Changes that come while a file is being written go into the next write together, so that a thousand
 * new guests are a few writes and reloads. Decides nothing.
 */
import { dnsmasqFiles, type Host } from '@skerry/host'
import { noting } from '../routers/apply.ts'
import { routerDir } from '../routers/service.ts'
import type { Folders } from './folder.ts'
import type { LeaseChange } from './have.ts'
import { type Edit, editHosts, type HostEntry, parseHosts } from './hosts-file.ts'

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
}

export class HostsWriter {
  readonly #ports: Pick<LeasePorts, 'host' | 'stateDir'>
  /** By router: what the next write will hold. */
  readonly #waiting = new Map<string, Waiting>()
  /** By router: the write that is going on. */
  readonly #tails = new Map<string, Promise<void>>()

  constructor(ports: Pick<LeasePorts, 'host' | 'stateDir'>) {
    this.#ports = ports
  }

  /** Resolves when the line is durable and the daemon, if it runs, was told. */
  apply(change: LeaseChange): Promise<void> {
    const next = this.#waiting.get(change.router) ?? this.#begin(change.router)
    if (change.op === 'host.put') {
      const { uuid, mac, ip, hostname } = change
      next.put.set(uuid, { uuid, mac, ip, hostname })
    } else {
      next.put.delete(change.uuid)
      next.remove.add(change.uuid)
    }
    return next.done
  }

  #begin(router: string): Waiting {
    const before = this.#tails.get(router) ?? Promise.resolve()
    // a turn of the event loop: changes that are applied side by side arrive in it
    const turn = before.catch(() => undefined).then(() => new Promise<void>((resolve) => setImmediate(resolve)))
    const waiting: Waiting = { put: new Map(), remove: new Set(), done: Promise.resolve() }
    waiting.done = turn.then(async () => {
      this.#waiting.delete(router)
      await this.#write(router, { put: [...waiting.put.values()], remove: [...waiting.remove] })
    })
    this.#waiting.set(router, waiting)
    this.#tails.set(router, waiting.done)
    return waiting
  }

  async #write(router: string, edit: Edit): Promise<void> {
    const { files, dnsmasq } = this.#ports.host
    const dir = routerDir(this.#ports.stateDir, router)
    const paths = dnsmasqFiles(dir)
    const [hosts = '', names = ''] = await Promise.all([files.read(paths.hosts), files.read(paths.names)])
    const after = editHosts(parseHosts(hosts, names), edit)
    await files.makeDir(dir, 0o755)
    if (after.names !== names) await files.write(paths.names, after.names)
    if (after.hosts !== hosts) await files.write(paths.hosts, after.hosts)
    // one that doesn't run reads them when its router starts it
    if (await dnsmasq.running(dir)) await noting(this.#ports.host, dir, () => dnsmasq.reload(dir))
  }
}
