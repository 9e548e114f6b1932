/**
 * [format] A commit: the only way in which the graph changes. The fold that applies it has no domain logic: it tests the
 * guards against the graph as it stands, then applies the operations in order, or changes nothing at all.
 */
import { z } from 'zod'
import { uuid } from './scalars.ts'

/** Bumped when the meaning of any recorded row changes; older records are upcast at replay by `migrations/`. */
export const CONTRACT_VERSION = 1

/** Row key inside a table: mostly a uuid, else a natural key such as `usedIp` → `<l3Uuid>:<ip>`. No control characters. */
const key = z.string().min(1).max(256)
const table = z.string().regex(/^[a-z][A-Za-z0-9]{0,63}$/)
export const row = z.record(z.string(), z.unknown())
export type Row = Record<string, unknown>

export const guard = z.discriminatedUnion('g', [
  /** The row exists and was last written by commit `seq`. */
  z.object({ g: z.literal('version'), t: table, k: key, seq: z.number().int() }),
  /** No such row: how natural keys (addresses, MACs, names) stay unique. */
  z.object({ g: z.literal('absent'), t: table, k: key }),
  z.object({ g: z.literal('exists'), t: table, k: key }),
  /** The row exists and its field equals (or is one of) the value: state transitions. */
  z.object({
    g: z.literal('field'),
    t: table,
    k: key,
    field: z.string(),
    in: z.array(z.union([z.string(), z.number(), z.boolean(), z.null()])),
  }),
  /** Counter `field` of the row plus `delta` stays within [min, max]: capacity. The sum of all guards on one counter in a commit counts. */
  z.object({
    g: z.literal('counter'),
    t: table,
    k: key,
    field: z.string(),
    delta: z.number(),
    min: z.number().optional(),
    max: z.number().optional(),
  }),
  /** The committing owner's epoch is not older than the graph's. */
  z.object({ g: z.literal('epoch'), e: z.number().int() }),
])
export type Guard = z.infer<typeof guard>

export const op = z.discriminatedUnion('o', [
  z.object({ o: z.literal('put'), t: table, k: key, v: row }),
  /** Shallow merge into an existing row; a `null` value stays null, an absent field stays as it was. */
  z.object({ o: z.literal('set'), t: table, k: key, v: row }),
  z.object({ o: z.literal('del'), t: table, k: key }),
  /** Add to a counter of an existing row. Counters are kept beside the row: they never change its version or lastOpDate. */
  z.object({ o: z.literal('add'), t: table, k: key, field: z.string(), delta: z.number() }),
])
export type Op = z.infer<typeof op>

/** A fact for the world, caused by this commit. Its id is `<seq>.<n>`, so it is derived from the log. `account`: whose resource it is about; absent: the first administrator's, or nobody's. */
export const fact = z.object({
  noun: z.string(),
  uuid: z.string(),
  event: z.string(),
  data: row.optional(),
  account: z.string().optional(),
})
export type Fact = z.infer<typeof fact>

/** What a caller hands in. */
export interface Change {
  guards?: Guard[]
  ops: Op[]
  facts?: Fact[]
}

export const commit = z.object({
  id: uuid,
  at: z.number().int(),
  /** Account uuid, or `system` / `agent:<uuid>`. */
  actor: z.string(),
  job: z.string().optional(),
  guards: z.array(guard),
  ops: z.array(op),
  facts: z.array(fact),
})
export type Commit = z.infer<typeof commit>

/** Header of a record in the log; the hash chain makes two histories comparable. */
export interface RecordHeader {
  contract: number
  incarnation: number
  seq: number
  epoch: number
  /** SHA-256 (hex, first 32 characters) of the previous record's bytes; 32 zeros for the first. */
  prev: string
  /** Last seq known durable when this record's batch was written: damage at or below it is corruption, above it a torn tail. */
  durable: number
}
