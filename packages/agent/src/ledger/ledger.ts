/**
 * What an agent remembers: the last desired documents and tombstones, epochs, facts of its own, receipts. All of it is in
 * memory after `openLedger`; a change is on the disk before it is answered. It can be wiped: the next sync rebuilds it.
 */
import { compareGeneration, type Document, type Generation, SkerryError, type Tombstone } from '@skerry/contract'
import type { Clock, DesiredEntry, DesiredSource, Facts } from '@skerry/reconcile'
import { Low } from 'lowdb'
import { Batches } from './batches.ts'
import { CheckedFile, type Damage, documentNames, type LedgerFiles } from './checked-file.ts'
import { DigestLines } from './digest-lines.ts'
import { advance, generationOf, type LedgerEntry, ledgerEntry, staleEpoch } from './entry.ts'
import { Fences } from './fences.ts'
import { ledgerId } from './identity.ts'
import { Receipts } from './receipts.ts'

/** How long a tombstone that was carried out is kept, so that a late older document is still refused. */
const GONE_KEPT_MS = 7 * 24 * 3_600_000
/** Files read or written at once. */
const PARALLEL = 32

export interface DigestEntry {
  noun: string
  uuid: string
  generation: Generation
  hash: string
}

export interface LedgerPorts {
  dir: string
  files: LedgerFiles
  clock: Clock
  /** how long a tombstone is kept that was carried out; default a week */
  goneKeptMs?: number
  /** 32 hex digits. Without it nothing is noted where the ledger has no id: for those who only look. */
  newId?(): string
}

/** Reads the ledger, or begins an empty one. Damaged documents are named in `damaged` and count as unknown. */
export async function openLedger(ports: LedgerPorts): Promise<Ledger> {
  const ledger = new Ledger(ports)
  await ledger.load()
  return ledger
}

export class Ledger implements DesiredSource {
  readonly receipts: Receipts
  /** What could not be read when it was opened. */
  readonly damaged: Damage[] = []
  /** Another one after it was wiped. */
  id: string | undefined
  readonly #files: LedgerFiles
  readonly #dir: string
  readonly #clock: Clock
  readonly #goneKeptMs: number
  readonly #newId: LedgerPorts['newId']
  readonly #index = new Map<string, Map<string, LedgerEntry>>()
  readonly #batches: Batches
  readonly #fences: Fences
  readonly #lines = new DigestLines()
  /** Writes are one after another. */
  #tail: Promise<unknown> = Promise.resolve()

  constructor({ dir, files, clock, newId, goneKeptMs = GONE_KEPT_MS }: LedgerPorts) {
    this.#goneKeptMs = goneKeptMs
    this.#newId = newId
    this.#files = files
    this.#dir = dir
    this.#clock = clock
    this.receipts = new Receipts(files, `${dir}/receipts`)
    this.#batches = new Batches(files, `${dir}/batches`)
    this.#fences = new Fences(files, `${dir}/fences`)
  }

  async load(): Promise<void> {
    const desired = `${this.#dir}/desired`
    await this.#files.makeDir(desired, 0o700)
    if (this.#newId) this.id = await ledgerId(this.#files, this.#dir, this.#newId)
    for (const noun of (await this.#files.list(desired)) ?? []) {
      const names = await documentNames(this.#files, `${desired}/${noun}`)
      await inParallel(names, (uuid) => this.#loadOne(noun, uuid))
    }
    for (const entry of await this.#batches.load()) {
      const at = generationOf(entry)
      const have = this.entry(entry.noun, entry.uuid)
      const known = have && generationOf(have)
      // equal generations: the file was written after the batch and may know more (facts)
      if (!known || (at && compareGeneration(at, known) > 0)) this.#set(entry)
    }
    await this.#flushBatches()
    this.damaged.push(...this.#batches.damaged, ...(await this.#fences.load()), ...(await this.receipts.load(this.#clock.now())))
    await this.#forgetLongGone()
  }

  *entries(noun: string, only?: ReadonlySet<string>): Iterable<DesiredEntry> {
    const all = this.#index.get(noun)
    const asked = only ? [...only].flatMap((uuid) => all?.get(uuid) ?? []) : (all?.values() ?? [])
    for (const { uuid, document, tombstone, facts } of asked) {
      const generation = tombstone?.generation ?? document?.generation
      if (generation)
        yield { uuid, generation, tombstone: tombstone !== null, schema: document?.schema, spec: document?.spec, facts }
    }
  }

  entry(noun: string, uuid: string): LedgerEntry | undefined {
    return this.#index.get(noun)?.get(uuid)
  }

  /** Of the documents; tombstones don't count. */
  digestEntries(): DigestEntry[] {
    const all: DigestEntry[] = []
    for (const entries of this.#index.values()) {
      for (const { noun, uuid, document, tombstone } of entries.values()) {
        if (document && !tombstone) all.push({ noun, uuid, generation: document.generation, hash: document.hash })
      }
    }
    return all
  }

  digest(): string {
    return this.#lines.digest()
  }

  /**
   * Takes all documents or none: each is tested against what is known, then all are made durable. Throws `stale-epoch`,
   * `stale-generation`, `generation-conflict`, `invalid-document` (one resource twice), `disk-full`. Returns those that were
   * known already.
   */
  accept(documents: readonly (Document | Tombstone)[], epoch: number): Promise<LedgerEntry[]> {
    return this.#inTurn(async () => {
      const fresh = new Map<string, LedgerEntry>()
      const known: LedgerEntry[] = []
      for (const document of documents) {
        const { noun, uuid } = document
        if (fresh.has(`${noun}/${uuid}`))
          throw new SkerryError('invalid-document', 'one sync names a resource twice', { noun, uuid })
        const before = this.entry(noun, uuid)
        const fence = this.#fences.get(noun, uuid)
        if (epoch < fence) throw staleEpoch({ noun, uuid }, { epoch, known: fence })
        const after = advance(before, document, epoch)
        fresh.set(`${noun}/${uuid}`, after)
        const [old, now] = [before && generationOf(before), generationOf(after)]
        if (old && now && compareGeneration(old, now) === 0) known.push(after)
      }
      const changed = [...fresh.values()].filter((e) => e !== this.entry(e.noun, e.uuid))
      await this.#flushBatches()
      if (changed.length <= 1) for (const entry of changed) await this.#write(entry)
      else await this.#batches.add(changed) // durable at once, and all of them
      for (const entry of changed) this.#set(entry)
      await this.#flushBatches()
      return known
    })
  }

  /** A tombstone was carried out. */
  gone(noun: string, uuid: string): Promise<void> {
    return this.#change(noun, uuid, (entry) => {
      if (!entry.tombstone || entry.tombstone.goneAt !== null) return entry
      return { ...entry, tombstone: { ...entry.tombstone, goneAt: this.#clock.now() } }
    })
  }

  facts(noun: string, uuid: string): Facts {
    return this.entry(noun, uuid)?.facts ?? {}
  }

  /** Merges into what this agent itself knows of a resource; a fact set to undefined is forgotten. Without a document: nothing. */
  setFacts(noun: string, uuid: string, patch: Record<string, unknown>): Promise<void> {
    return this.#change(noun, uuid, (entry) => {
      const facts = { ...entry.facts, ...patch }
      const same = Object.entries(patch).every(([key, value]) => Object.is(entry.facts[key], value))
      return same ? entry : { ...entry, facts: JSON.parse(JSON.stringify(facts)) }
    })
  }

  /** Throws `stale-epoch` for an owner older than the newest that spoke about the resource, else remembers this one. */
  fence(noun: string, uuid: string, epoch: number): Promise<void> {
    return this.#inTurn(async () => {
      const entry = this.entry(noun, uuid)
      const known = Math.max(entry?.epoch ?? 0, this.#fences.get(noun, uuid))
      if (epoch < known) throw staleEpoch({ noun, uuid }, { epoch, known })
      if (epoch === known) return
      if (!entry) return this.#fences.raise(noun, uuid, epoch)
      await this.#write({ ...entry, epoch })
      this.#set({ ...entry, epoch })
    })
  }

  /** Forgets tombstones that were carried out long ago. An agent that runs for years does so too, not only at its start. */
  prune(): Promise<void> {
    return this.#inTurn(() => this.#forgetLongGone())
  }

  /** Resolves when everything asked for before is on the disk. */
  idle(): Promise<void> {
    return this.#inTurn(async () => undefined)
  }

  #change(noun: string, uuid: string, next: (entry: LedgerEntry) => LedgerEntry): Promise<void> {
    return this.#inTurn(async () => {
      const before = this.entry(noun, uuid)
      const after = before && next(before)
      if (!after || after === before) return
      await this.#write(after)
      this.#set(after)
    })
  }

  #inTurn<T>(act: () => Promise<T>): Promise<T> {
    const turn = this.#tail.then(act)
    this.#tail = turn.catch(() => undefined) // the caller is told; the next one has its own turn
    return turn
  }

  #set(entry: LedgerEntry): void {
    const entries = this.#index.get(entry.noun) ?? new Map<string, LedgerEntry>()
    this.#lines.replace(entries.get(entry.uuid), entry)
    entries.set(entry.uuid, entry)
    this.#index.set(entry.noun, entries)
  }

  #file(noun: string, uuid: string): CheckedFile<LedgerEntry> {
    return new CheckedFile(this.#files, `${this.#dir}/desired/${noun}/${uuid}.json`, ledgerEntry)
  }

  async #write(entry: LedgerEntry): Promise<void> {
    await this.#files.makeDir(`${this.#dir}/desired/${entry.noun}`, 0o700)
    const low = new Low(this.#file(entry.noun, entry.uuid), entry)
    await low.write()
  }

  async #loadOne(noun: string, uuid: string): Promise<void> {
    const file = this.#file(noun, uuid)
    const entry = await file.read()
    if (file.damage) this.damaged.push(file.damage)
    if (entry) this.#set(entry)
  }

  /** Puts what batches hold into the files; a full disk only keeps the batch, which is as good. */
  async #flushBatches(): Promise<void> {
    for (const batch of this.#batches.open()) {
      try {
        await inParallel(batch.entries, ({ noun, uuid }) => {
          const entry = this.entry(noun, uuid)
          return entry ? this.#write(entry) : Promise.resolve()
        })
      } catch (error) {
        if (error instanceof SkerryError && error.code === 'disk-full') return
        throw error
      }
      await this.#batches.done(batch)
    }
  }

  async #forgetLongGone(): Promise<void> {
    const before = this.#clock.now() - this.#goneKeptMs
    for (const entries of this.#index.values()) {
      for (const { noun, uuid, tombstone } of [...entries.values()]) {
        if (tombstone?.goneAt == null || tombstone.goneAt > before) continue
        await this.#file(noun, uuid).remove()
        entries.delete(uuid)
      }
    }
  }
}

async function inParallel<T>(items: readonly T[], act: (item: T) => Promise<void>): Promise<void> {
  const queue = [...items]
  const worker = async () => {
    for (let next = queue.shift(); next !== undefined; next = queue.shift()) await act(next)
  }
  await Promise.all(Array.from({ length: Math.min(PARALLEL, queue.length) }, worker))
}
