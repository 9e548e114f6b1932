/**
 * One pass over the host. Deletions come first, in the reverse order of the nouns, then what is made, in their order; each
 * noun is looked at again when something was changed since it was looked at. A failure concerns one resource; nothing is
 * tried twice.
 */
import { type Generation, SkerryError, toErrorBody } from '@skerry/contract'
import type { Backoff } from './backoff.ts'
import { contextOf, type NounDesired } from './desired.ts'
import type { AnyModule, Change, Observed, Wanted } from './module.ts'
import { type StatusBook, versionOf } from './statuses.ts'

export interface PassPorts {
  modules: readonly AnyModule[]
  /** What is desired of each noun, in this pass. */
  desired: ReadonlyMap<string, NounDesired>
  /** Whole desired state of a noun, whatever this pass is limited to. */
  whole(noun: string): NounDesired | undefined
  /** By noun: the uuids that this pass is limited to. Absent: it looks at everything. */
  only?: ReadonlyMap<string, ReadonlySet<string>> | undefined
  backoff: Backoff
  book: StatusBook
  at: { bootId: string; nowMs: number }
  /** Monotonic. */
  nowMs(): number
  /** Runs `fn` after `ms` unless the returned function is called. */
  later(fn: () => void, ms: number): () => void
  /** Between two changes: whether to end here. */
  stopping(): boolean
  onFault(error: unknown, where: Record<string, unknown>): void
  /** Whether a noun could be observed at the end of the pass; `error`: why not. */
  sight?(noun: string, error: unknown): void
}

interface View {
  have: Observed[]
  changes: Change[]
  error: unknown
  /** How many rounds of changes had been applied when this was seen. */
  round: number
}

/** An apply that takes longer is told as Working meanwhile. */
const WORKING_AFTER_MS = 1_000

export class Pass {
  readonly #p: PassPorts
  readonly #views = new Map<string, View>()
  readonly #tried = new Set<string>()
  readonly #generations = new Map<string, Map<string, Generation>>()
  readonly #failed = new Set<string>()
  #round = 0

  constructor(ports: PassPorts) {
    this.#p = ports
  }

  /** True: something can be done at once that this pass didn't try, so another one is due. */
  async run(): Promise<boolean> {
    const { modules } = this.#p
    for (const module of [...modules].reverse()) await this.#carryOut(module, (uuid) => this.#of(module).buried.has(uuid))
    for (const module of modules) {
      const wanted = new Set(this.#of(module).want.map((w) => w.uuid))
      await this.#carryOut(module, (uuid) => wanted.has(uuid))
    }
    let more = false
    for (const module of modules) {
      const view = await this.#look(module)
      this.#p.sight?.(module.noun, view.error)
      if (view.error !== undefined) this.#reportBlind(module, view.error)
      else more = this.#conclude(module, view) || more
    }
    return more && !this.#p.stopping()
  }

  #of(module: AnyModule): NounDesired {
    return this.#p.desired.get(module.noun) ?? { want: [], buried: new Map(), unreadable: new Map() }
  }

  async #look(module: AnyModule): Promise<View> {
    const seen = this.#views.get(module.noun)
    if (seen && seen.round === this.#round) return seen
    const view: View = { have: [], changes: [], error: undefined, round: this.#round }
    try {
      const only = this.#p.only?.get(module.noun)
      const context = contextOf(this.#of(module), this.#p.whole, { ...this.#p.at, only })
      view.have = await module.observe(context)
      view.changes = this.#lawful(module, module.plan(this.#of(module).want, view.have, context))
      this.#p.backoff.succeeded(`${module.noun}/`)
    } catch (error) {
      view.error = error ?? new Error('nothing was thrown')
      if (seen?.error === undefined) this.#p.onFault(error, { noun: module.noun, doing: 'observe' })
      // only so that the loop wakes: a noun is observed in every pass
      this.#p.backoff.failed(`${module.noun}/`, 'observe', { nowMs: this.#p.nowMs(), error: toErrorBody(error) })
    }
    this.#views.set(module.noun, view)
    return view
  }

  /** What nobody wants and nobody buried is not ours to change, whatever a module's plan says. */
  #lawful(module: AnyModule, changes: Change[]): Change[] {
    const { want, buried } = this.#of(module)
    const known = new Set([...want.map((w) => w.uuid), ...buried.keys()])
    const foreign = changes.filter((c) => !known.has(c.uuid))
    if (foreign.length > 0) {
      const error = new SkerryError('internal', `a plan for ${module.noun} touches what no document names`, { changes: foreign })
      this.#p.onFault(error, { noun: module.noun, doing: 'plan' })
    }
    return changes.filter((c) => known.has(c.uuid))
  }

  async #carryOut(module: AnyModule, concerns: (uuid: string) => boolean): Promise<void> {
    const view = await this.#look(module)
    const ops = opsOf(view.changes)
    const groups = new Map<string, Change[]>()
    for (const change of view.changes) {
      const key = `${module.noun}/${change.uuid}`
      if (!concerns(change.uuid) || this.#failed.has(key)) continue
      const waiting = { nowMs: this.#p.nowMs(), ops: ops.get(change.uuid) ?? '' }
      if (this.#p.backoff.waits(key, this.#version(module, change.uuid), waiting)) continue
      groups.set(change.uuid, [...(groups.get(change.uuid) ?? []), change])
    }
    if (groups.size === 0) return
    this.#round += 1
    const queue = [...groups]
    const worker = async () => {
      for (let next = queue.shift(); next && !this.#p.stopping(); next = queue.shift()) await this.#applyAll(module, ...next)
    }
    await Promise.all(Array.from({ length: Math.min(queue.length, module.concurrency ?? 1) }, worker))
  }

  async #applyAll(module: AnyModule, uuid: string, changes: Change[]): Promise<void> {
    const key = `${module.noun}/${uuid}`
    this.#tried.add(key)
    const cancel = this.#p.later(() => this.#tellWorking(module, uuid), WORKING_AFTER_MS)
    try {
      for (const change of changes) await module.apply(change)
    } catch (error) {
      this.#failed.add(key)
      const body = toErrorBody(error)
      this.#p.backoff.failed(key, this.#version(module, uuid), { nowMs: this.#p.nowMs(), error: body })
      if (body.retry === 'bug') this.#p.onFault(error, { noun: module.noun, uuid, doing: 'apply' })
    } finally {
      cancel()
    }
  }

  #tellWorking(module: AnyModule, uuid: string): void {
    const before = this.#p.book.get(module.noun, uuid)
    const generation = this.#generation(module, uuid)
    this.#p.book.put({ noun: module.noun, uuid, generation, condition: 'Working', error: null, observed: before?.observed ?? {} })
  }

  #generation(module: AnyModule, uuid: string): Generation | null {
    let known = this.#generations.get(module.noun)
    if (!known) {
      const { want, buried } = this.#of(module)
      known = new Map([...buried.values(), ...want].map((one) => [one.uuid, one.generation]))
      this.#generations.set(module.noun, known)
    }
    return known.get(uuid) ?? null
  }

  #version(module: AnyModule, uuid: string): string {
    const generation = this.#generation(module, uuid)
    return generation ? versionOf(generation) : ''
  }

  /** The host can't be seen: what was told of the same documents stays told, what is new has failed. */
  #reportBlind(module: AnyModule, error: unknown): void {
    const { want, buried, unreadable } = this.#of(module)
    const body = toErrorBody(error)
    for (const { uuid, generation } of [...want, ...buried.values()]) {
      const before = this.#p.book.get(module.noun, uuid)
      const known = before?.generation && versionOf(before.generation) === versionOf(generation) && before.condition !== 'Working'
      if (!known) this.#p.book.put({ noun: module.noun, uuid, generation, condition: 'Failed', error: { ...body }, observed: {} })
    }
    this.#reportUnreadable(module, unreadable)
  }

  /** Statuses of all resources of a noun; true when a change is planned that may be tried at once. */
  #conclude(module: AnyModule, view: View): boolean {
    const { want, buried, unreadable } = this.#of(module)
    const have = new Map<string, Observed>()
    const only = this.#p.only?.get(module.noun)
    for (const h of view.have) if (!have.has(h.uuid) && (!only || only.has(h.uuid))) have.set(h.uuid, h)
    const pending = opsOf(view.changes)
    let more = false
    for (const { uuid, generation } of [...want, ...buried.values()])
      more = this.#settle(module, { uuid, generation }, pending) || more
    for (const w of want) this.#reportWanted(module, w, { have: have.get(w.uuid), pending: pending.has(w.uuid) })
    for (const { uuid } of buried.values()) this.#reportBuried(module, uuid, { have: have.get(uuid), pending: pending.has(uuid) })
    this.#reportUnreadable(module, unreadable)
    const wanted = new Set(want.map((w) => w.uuid))
    for (const [uuid, h] of have) {
      if (wanted.has(uuid) || buried.has(uuid) || unreadable.has(uuid)) continue
      const { observed } = this.#report(module, undefined, h)
      this.#tell(module, { uuid, generation: null, condition: 'Orphaned', error: null, observed })
    }
    const known = (uuid: string) => wanted.has(uuid) || buried.has(uuid) || unreadable.has(uuid) || have.has(uuid)
    this.#p.book.retain(module.noun, known, only)
    return more
  }

  #settle(module: AnyModule, of: { uuid: string; generation: Generation }, pending: ReadonlyMap<string, string>): boolean {
    const key = `${module.noun}/${of.uuid}`
    const now = { nowMs: this.#p.nowMs(), ops: pending.get(of.uuid) ?? '' }
    if (!pending.has(of.uuid)) this.#p.backoff.succeeded(key)
    else if (this.#failed.has(key) || this.#p.backoff.waits(key, versionOf(of.generation), now)) return false
    else if (this.#tried.has(key)) this.#p.backoff.failed(key, versionOf(of.generation), now)
    else return true
    return false
  }

  #reportWanted(module: AnyModule, want: Wanted<unknown>, seen: { have: Observed | undefined; pending: boolean }): void {
    const { uuid, generation } = want
    const failure = this.#p.backoff.error(`${module.noun}/${uuid}`, versionOf(generation))
    const { condition, observed, error } = this.#report(module, want, seen.have)
    if (failure) {
      this.#tell(module, {
        uuid,
        generation,
        condition: failure.retry === 'never' ? 'Refused' : 'Failed',
        error: { ...failure },
        observed,
      })
    } else {
      const working = seen.pending && condition === 'Ready'
      this.#tell(module, {
        uuid,
        generation,
        condition: working ? 'Working' : condition,
        error: error ? { ...error } : null,
        observed,
      })
    }
  }

  #reportBuried(module: AnyModule, uuid: string, seen: { have: Observed | undefined; pending: boolean }): void {
    const generation = this.#generation(module, uuid)
    const failure = this.#p.backoff.error(`${module.noun}/${uuid}`, this.#version(module, uuid))
    const observed = seen.have ? this.#report(module, undefined, seen.have).observed : {}
    if (failure) this.#tell(module, { uuid, generation, condition: 'Failed', error: { ...failure }, observed })
    else
      this.#tell(module, { uuid, generation, condition: seen.have || seen.pending ? 'Working' : 'Gone', error: null, observed })
  }

  #reportUnreadable(module: AnyModule, unreadable: NounDesired['unreadable']): void {
    for (const [uuid, { generation, error }] of unreadable) {
      this.#tell(module, { uuid, generation, condition: 'Refused', error: { ...error }, observed: {} })
    }
  }

  #report(module: AnyModule, want: Wanted<unknown> | undefined, have: Observed | undefined) {
    try {
      return module.report(want, have)
    } catch (error) {
      this.#p.onFault(error, { noun: module.noun, uuid: want?.uuid ?? have?.uuid, doing: 'report' })
      return { condition: 'Failed' as const, observed: {}, error: toErrorBody(error) }
    }
  }

  #tell(module: AnyModule, told: Omit<Parameters<StatusBook['put']>[0], 'noun'>): void {
    const { uuid, generation, condition, error, observed } = told
    this.#p.book.put({ noun: module.noun, uuid, generation, condition, error, observed }, module.steady?.bind(module))
  }
}

/** The names of the operations that are planned for each resource, in order. */
function opsOf(changes: readonly Change[]): Map<string, string> {
  const ops = new Map<string, string>()
  for (const { uuid, op } of changes) ops.set(uuid, ops.has(uuid) ? `${ops.get(uuid)},${op}` : op)
  return ops
}
