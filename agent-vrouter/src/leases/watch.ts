/**
 * Wakes the reconciler when a guest got or lost its lease, or a dnsmasq died; a renewal is no news. Folders are watched;
 * a slow timer finds what a watch missed. Reads only.
 */
import { vrouterDesired } from '@skerry/contract'
import type { Host } from '@skerry/host'
import type { DocumentName, Timers } from '@skerry/reconcile'
import { routerDir, routersDir } from '../routers/service.ts'
import type { Folders } from './folder.ts'

export interface WatchPorts {
  host: Pick<Host, 'files' | 'dnsmasq' | 'lighttpd'>
  folders: Folders
  stateDir: string
  timers: Timers
  /** Calls `changed` with the name of what moved in a folder, until the returned function is called. A folder that goes ends it. */
  watchFolder(dir: string, changed: (name: string) => void): () => void
  /** `of`: it concerns these leases only. */
  signal(of?: readonly DocumentName[]): void
  onFault(error: unknown): void
}

interface Known {
  /** Which of its daemons run. */
  up: string
  /** MAC by address */
  leased: ReadonlyMap<string, string>
}

/** Addresses that others have now, or that came or went. */
function movedBetween(before: ReadonlyMap<string, string>, now: ReadonlyMap<string, string>): string[] {
  const gone = [...before.keys()].filter((ip) => !now.has(ip))
  return [...gone, ...[...now].flatMap(([ip, mac]) => (before.get(ip) === mac ? [] : [ip]))]
}

const TICK_MS = 5_000
/** dnsmasq writes its file in pieces. */
const SETTLE_MS = 30

export class LeaseWatch {
  readonly #p: WatchPorts
  readonly #watches = new Map<string, () => void>()
  /** By router: whether its daemons run, and who has which address. */
  readonly #known = new Map<string, Known>()
  readonly #settling = new Map<string, unknown>()
  #timer: unknown
  #stopped = false

  constructor(ports: WatchPorts) {
    this.#p = ports
    this.#tickLater()
  }

  /** From now on, this router's leases are news at once. */
  attend(router: string): void {
    if (this.#stopped || this.#watches.has(router)) return
    const { stateDir, watchFolder } = this.#p
    this.#watches.set(
      router,
      watchFolder(routerDir(stateDir, router), (name) => {
        if (name === 'leases' || name === 'pid') this.#lookSoon(router)
      }),
    )
  }

  stop(): void {
    this.#stopped = true
    const { timers } = this.#p
    for (const handle of [this.#timer, ...this.#settling.values()]) timers.clear(handle)
    for (const end of this.#watches.values()) end()
    this.#watches.clear()
  }

  #tickLater(): void {
    this.#timer = this.#p.timers.set(() => {
      this.#tick()
        .catch((error) => this.#p.onFault(error))
        .finally(() => {
          if (!this.#stopped) this.#tickLater()
        })
    }, TICK_MS)
  }

  async #tick(): Promise<void> {
    const routers = (await this.#p.host.files.list(routersDir(this.#p.stateDir))) ?? []
    for (const [router, end] of [...this.#watches]) {
      if (routers.includes(router)) continue
      end()
      this.#watches.delete(router)
      this.#known.delete(router)
    }
    for (const router of routers) {
      this.attend(router)
      await this.#look(router)
    }
  }

  #lookSoon(router: string): void {
    if (this.#settling.has(router) || this.#stopped) return
    const handle = this.#p.timers.set(() => {
      this.#settling.delete(router)
      this.#look(router).catch((error) => this.#p.onFault(error))
    }, SETTLE_MS)
    this.#settling.set(router, handle)
  }

  async #look(router: string): Promise<void> {
    const { host, stateDir, signal } = this.#p
    const dir = routerDir(stateDir, router)
    const daemons = await Promise.all([host.dnsmasq.running(dir), host.lighttpd.running(dir)])
    const { leases, stale, byIdentity } = await this.#p.folders.read(dir)
    if (this.#stopped) return
    const before = this.#known.get(router)
    const now: Known = { up: daemons.map(Boolean).join(' '), leased: new Map(leases.map(({ mac, ip }) => [ip, mac])) }
    this.#known.set(router, now)
    if (before?.up !== now.up) return signal()
    const moved = movedBetween(before.leased, now.leased)
    if (moved.length === 0) return
    const nics = moved.map((ip) => byIdentity.get(ip)?.uuid)
    // What is leased to nobody's line is the router's to forget.
    if (stale.length > 0 || nics.some((uuid) => !uuid)) return signal()
    signal(nics.map((uuid) => ({ noun: vrouterDesired.lease.noun, uuid: uuid! })))
  }
}
