/** [format] What the ledger holds of one resource, in `<dir>/desired/<noun>/<uuid>.json`. */
import {
  compareGeneration,
  type Document,
  document,
  type Generation,
  generation,
  isTombstone,
  SkerryError,
  type Tombstone,
  uuid,
} from '@skerry/contract'
import { z } from 'zod'

export const ledgerEntry = z.object({
  v: z.literal(1),
  noun: z.string(),
  uuid,
  /** The highest epoch of an owner that spoke about this resource. */
  epoch: z.number().int(),
  /** The last one; under a tombstone, what it buried. Null: this agent never had one. */
  document: document.nullable(),
  tombstone: z.object({ generation, job: uuid.nullable(), goneAt: z.number().nullable() }).nullable(),
  facts: z.record(z.string(), z.unknown()),
})
export type LedgerEntry = z.infer<typeof ledgerEntry>

export const generationOf = (entry: LedgerEntry): Generation | undefined =>
  entry.tombstone?.generation ?? entry.document?.generation

/**
 * The entry after `incoming` of an owner with `epoch`; `before` itself when it says nothing new. Throws `stale-epoch`,
 * `stale-generation` or `generation-conflict`.
 */
export function advance(before: LedgerEntry | undefined, incoming: Document | Tombstone, epoch: number): LedgerEntry {
  const where = { noun: incoming.noun, uuid: incoming.uuid }
  if (before && epoch < before.epoch) throw staleEpoch(where, { epoch, known: before.epoch })
  const known = before && generationOf(before)
  const order = known ? compareGeneration(incoming.generation, known) : 1
  if (order < 0) {
    const details = { ...where, generation: incoming.generation, known }
    throw new SkerryError('stale-generation', `a newer ${where.noun} document is known here`, details)
  }
  // The same wish in the words of another version: this agent, or the controller, was upgraded since.
  const reworded = before?.document && !isTombstone(incoming) && !before.tombstone && before.document.schema !== incoming.schema
  if (before && order === 0 && !reworded) {
    if (!sameContent(before, incoming)) {
      const details = { ...where, generation: incoming.generation }
      throw new SkerryError('generation-conflict', `another ${where.noun} document of this generation is known here`, details)
    }
    return epoch > before.epoch ? { ...before, epoch } : before
  }
  const base = { v: 1 as const, ...where, epoch, facts: before?.facts ?? {} }
  if (!isTombstone(incoming)) return { ...base, document: incoming, tombstone: null }
  const { generation: at, job } = incoming
  return { ...base, document: before?.document ?? null, tombstone: { generation: at, job, goneAt: null } }
}

function sameContent(before: LedgerEntry, incoming: Document | Tombstone): boolean {
  if (isTombstone(incoming)) return before.tombstone !== null
  return before.tombstone === null && before.document?.hash === incoming.hash
}

export function staleEpoch(
  where: { noun: string; uuid: string },
  { epoch, known }: { epoch: number; known: number },
): SkerryError {
  return new SkerryError('stale-epoch', `epoch ${epoch} speaks about a ${where.noun}, but ${known} is known here`, {
    ...where,
    epoch,
    known,
  })
}
