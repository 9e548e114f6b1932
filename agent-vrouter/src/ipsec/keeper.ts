/**
 * Keeps tunnels up: each needs two sides, so it is no state of this host that a pass could make. Listens to the charons, begins what
 * is down again, later each time, and remembers why. Which connections there are, the passes say.
 */
import { SkerryError } from '@skerry/contract'
import type { CharonEvent, CharonTunnel, Host } from '@skerry/host'
import type { DocumentName, Timers } from '@skerry/reconcile'
import { charonDir } from './records.ts'
import { childrenOf, connectionName, type Spec, uuidOf } from './rules.ts'
import { causeIn, stateOf } from './state.ts'

export interface KeeperPorts {
  host: Pick<Host, 'charon'>
  stateDir: string
  timers: Timers
  /** The state of these may have changed. */
  signal(of: readonly DocumentName[]): void
  onFault(error: unknown): void
}

interface Tended {
  specs: ReadonlyMap<string, Spec>
  watch?: { close(): void }
  timer?: unknown
  tries: number
}

const FIRST_MS = 1_000
const LAST_MS = 30_000

export class TunnelKeeper {
  readonly #p: KeeperPorts
  readonly #routers = new Map<string, Tended>()
  /** By connection. */
  readonly #causes = new Map<string, string>()
  #stopped = false

  constructor(ports: KeeperPorts) {
    this.#p = ports
  }

  /** Why it is down; undefined: nobody has said. */
  causeOf = (uuid: string): string | undefined => this.#causes.get(uuid)

  /** These are loaded into this router's charon, and no others of ours. */
  async tend(router: string, specs: ReadonlyMap<string, Spec>): Promise<void> {
    if (this.#stopped) return
    const known = this.#routers.get(router) ?? { specs, tries: 0 }
    const names = (of: ReadonlyMap<string, Spec>) => new Map([...of].map(([uuid, spec]) => [connectionName(uuid, spec), uuid]))
    const [before, now] = [names(known.specs), names(specs)]
    const isNew = [...now.keys()].some((name) => !before.has(name))
    // what was said of another content says nothing of this one
    for (const [name, uuid] of before) if (!now.has(name)) this.#causes.delete(uuid)
    if (isNew) known.tries = 0
    this.#routers.set(router, known)
    known.specs = specs
    if (specs.size === 0) return this.#leave(router)
    if (!known.watch) await this.#listen(router, known)
    else if (isNew) this.#soon(router, 0)
  }

  /** As if it had just been loaded. */
  async restart(router: string, uuid: string): Promise<void> {
    const tended = this.#routers.get(router)
    const spec = tended?.specs.get(uuid)
    if (!tended || !spec)
      throw new SkerryError('illegal-state', 'this connection is not on this host, or not loaded yet', { connectionUuid: uuid })
    this.#causes.delete(uuid)
    await this.#talk(router).terminate(connectionName(uuid, spec))
    tended.tries = 0
    this.#soon(router, 0)
  }

  /** Where a connection is loaded; undefined: nowhere. */
  placeOf(uuid: string): { router: string; name: string } | undefined {
    for (const [router, { specs }] of this.#routers) {
      const spec = specs.get(uuid)
      if (spec) return { router, name: connectionName(uuid, spec) }
    }
    return undefined
  }

  stop(): void {
    this.#stopped = true
    for (const router of [...this.#routers.keys()]) this.#leave(router)
  }

  #talk = (router: string) => this.#p.host.charon.at(charonDir(this.#p.stateDir, router))

  #leave(router: string): void {
    const tended = this.#routers.get(router)
    this.#routers.delete(router)
    if (tended?.timer !== undefined) this.#p.timers.clear(tended.timer)
    tended?.watch?.close()
  }

  async #listen(router: string, tended: Tended): Promise<void> {
    try {
      const watch = await this.#talk(router).watch((event) => this.#heard(router, event))
      tended.watch = watch
      void watch.ended.then(() => {
        if (tended.watch === watch) delete tended.watch
        // it has ended: a pass starts it again
        if (this.#routers.get(router) !== tended) return
        this.#signal(tended)
        tended.specs = new Map()
      })
      this.#soon(router, 0)
    } catch (error) {
      this.#p.onFault(error)
    }
  }

  #signal({ specs }: Tended): void {
    if (!this.#stopped) this.#p.signal([...specs.keys()].map((uuid) => ({ noun: 'ipsec', uuid })))
  }

  #heard(router: string, event: CharonEvent): void {
    const tended = this.#routers.get(router)
    const uuid = event.connection === null ? undefined : uuidOf(event.connection)
    const spec = uuid === undefined ? undefined : tended?.specs.get(uuid)
    // of another content, which is on its way out
    if (!tended || uuid === undefined || !spec || event.connection !== connectionName(uuid, spec)) return
    if (event.is === 'log') {
      const cause = causeIn(event.line)
      if (cause === undefined || cause === this.#causes.get(uuid)) return
      this.#causes.set(uuid, cause)
    }
    if (event.is === 'up') {
      this.#causes.delete(uuid)
      tended.tries = 0
    }
    if (event.is !== 'up') this.#soon(router, Math.min(FIRST_MS * 2 ** tended.tries, LAST_MS))
    this.#p.signal([{ noun: 'ipsec', uuid }])
  }

  /** An earlier one that is due stays. */
  #soon(router: string, ms: number): void {
    const tended = this.#routers.get(router)
    if (!tended || this.#stopped) return
    if (tended.timer !== undefined && ms > 0) return
    if (tended.timer !== undefined) this.#p.timers.clear(tended.timer)
    tended.timer = this.#p.timers.set(() => {
      delete tended.timer
      void this.#begin(router, tended)
    }, ms)
  }

  /** Whatever is down and not on its way. Looked at again later, until all is up. */
  async #begin(router: string, tended: Tended): Promise<void> {
    try {
      const talk = this.#talk(router)
      const charon = await talk.look()
      let down = false
      for (const [uuid, spec] of tended.specs) {
        const name = connectionName(uuid, spec)
        if (!charon.connections.includes(name)) continue
        if (stateOf(uuid, spec, { charon, cause: undefined }).status === 'Connected') continue
        down = true
        for (const child of missing(
          spec,
          charon.tunnels.filter((tunnel) => tunnel.connection === name),
        ))
          await talk.initiate(name, child).catch(async (error) => {
            // a pass may have put another content in its place meanwhile
            if ((await talk.look()).connections.includes(name)) throw error
          })
      }
      if (down) this.#soon(router, Math.min(FIRST_MS * 2 ** tended.tries++, LAST_MS))
      this.#signal(tended)
    } catch (error) {
      // charon may have ended meanwhile: who watches it says so
      if (this.#routers.get(router) === tended && tended.watch) this.#p.onFault(error)
    }
  }
}

/** Children that nothing carries; none while their IKE_SA is still on its way. */
function missing(spec: Spec, tunnels: readonly CharonTunnel[]): string[] {
  if (tunnels.some(({ established }) => !established)) return []
  const there = new Set(tunnels.flatMap(({ carried }) => carried.map(({ child }) => child)))
  return childrenOf(spec).flatMap(({ name }) => (there.has(name) ? [] : [name]))
}
