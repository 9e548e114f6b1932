/** What this agent remembers of a resource beyond its document: the ledger's facts, as a port. */
import type { Facts } from '@skerry/reconcile'

export interface MemoryPort {
  facts(noun: string, uuid: string): Facts
  /** Merges; undefined forgets a fact. Durable when it resolves. */
  setFacts(noun: string, uuid: string, patch: Record<string, unknown>): Promise<void>
}

/** A patch as JSON (a change is shown by a dry run): null forgets. */
export type Patch = Readonly<Record<string, unknown>>

export const toFacts = (patch: Patch): Record<string, unknown> =>
  Object.fromEntries(Object.entries(patch).map(([key, value]) => [key, value === null ? undefined : value]))
