/** [format] Messages that every agent understands or sends: sync, digest, status, heartbeat, commands, progress. */
import { z } from 'zod'
import { document, tombstone } from '../desired/document.ts'
import { agentKind } from '../resources/agent.ts'
import { bytes, generation, time, uuid } from '../scalars.ts'

/** `do.agent.<agentUuid>.sync`: documents of one commit, taken together or not at all. */
export const syncRequest = z.object({
  documents: z.array(z.union([document, tombstone])).max(2000),
  epoch: z.number().int(),
  /** The ledger that it is meant for, as the agent told it last: one with another refuses it. Absent: whichever there is. */
  ledger: uuid.optional(),
})
export const syncReply = z.object({ digest: z.string() })

/** `do.agent.<agentUuid>.digest`: what the agent holds, to compare one by one. */
export const digestEntry = z.object({ noun: z.string(), uuid, generation, hash: z.string() })
export const digestReply = z.object({ digest: z.string(), entries: z.array(digestEntry) })

/** `do.agent.<agentUuid>.documents`: those of these that it holds; as many as fit into one message, so whoever misses some asks again. */
export const documentsRequest = z.object({ resources: z.array(z.object({ noun: z.string(), uuid })).max(2000) })
export const documentsReply = z.object({ documents: z.array(document) })

/**
 * `status.<noun>.<uuid>`: what came of a document. `Ready`: as desired. `Working`: on the way. `Failed`: a pass failed, the next one
 * tries again. `Refused`: will not be done without another document. `Gone`: a tombstone was carried out. `Orphaned`: carries our mark,
 * but nobody wants it.
 */
export const condition = z.enum(['Ready', 'Working', 'Failed', 'Refused', 'Gone', 'Orphaned'])
export const status = z.object({
  noun: z.string(),
  uuid,
  generation: generation.nullable(),
  condition,
  /** an ErrorBody when Failed or Refused */
  error: z.record(z.string(), z.unknown()).nullable(),
  /** noun's own facts: VM power, volume sizes, lease, … */
  observed: z.record(z.string(), z.unknown()),
  at: time,
  bootId: z.string(),
  /**
   * Rises with each status of one boot of the host, also over restarts of the agent: which of two is newer, whatever the wall clock
   * does. Agents before it leave it out.
   */
  seq: z.number().int().min(0).optional(),
})
export type Status = z.infer<typeof status>
/** `do.agent.<agentUuid>.statuses`: all of them, after a loss of contact. */
export const statusesReply = z.object({ statuses: z.array(status) })

/** `hb`, every 5 s and at once when something changes. Never recorded. */
export const heartbeat = z.object({
  agentUuid: uuid,
  kind: agentKind,
  version: z.string(),
  bootId: z.string(),
  machineId: z.string(),
  uptimeMs: z.number(),
  digest: z.string(),
  statusDigest: z.string(),
  /** noun → the highest schema of its documents that this agent reads; it reads all older ones. Agents before it read schema 1. */
  schemas: z.record(z.string(), z.number().int().min(1)).optional(),
  /** Nouns of which the agent can see nothing on its host now, and why (an ErrorBody): what it said of them before may be out of date. */
  blind: z
    .array(z.object({ noun: z.string(), error: z.record(z.string(), z.unknown()) }))
    .max(32)
    .optional(),
  /** Which ledger the agent has: another one when it was lost. Agents before it leave it out. */
  ledger: uuid.optional(),
  at: time,
})
export type Heartbeat = z.infer<typeof heartbeat>
export const HEARTBEAT_MS = 5_000
/** Silence after which an agent counts as Disconnected: three missed heartbeats. */
export const HEARTBEAT_LOST_MS = 16_000

/** Any verb: `do.<noun>.<resourceUuid>.<verb>`; a repeated id gets the first result (DESIGN §6). */
export const command = z.object({
  id: z.string().regex(/^[0-9a-zA-Z_-]{1,128}$/),
  /** time left, counted on the receiver's monotonic clock */
  deadlineMs: z.number().int().min(1),
  epoch: z.number().int(),
  mode: z.enum(['apply', 'plan']),
  /** as of a sync */
  ledger: uuid.optional(),
  input: z.record(z.string(), z.unknown()),
})
export type Command = z.infer<typeof command>
export const commandReply = z.object({ id: z.string(), output: z.record(z.string(), z.unknown()) })

/** `progress.<commandId>`: at least once a second while bytes move. */
export const progress = z.object({
  step: z.string(),
  doneBytes: bytes.optional(),
  totalBytes: bytes.optional(),
  remainingMs: z.number().optional(),
  percent: z.number().min(0).max(100).optional(),
  at: time,
})
export type Progress = z.infer<typeof progress>

/** `do.agent.<agentUuid>.inventory`: everything on the host that carries our mark, for `audit`. */
export const inventoryItem = z.object({
  kind: z.string(),
  id: z.string(),
  owner: z.string().nullable(),
  facts: z.record(z.string(), z.unknown()),
})
export const inventoryReply = z.object({ items: z.array(inventoryItem) })
export type InventoryItem = z.infer<typeof inventoryItem>

/** `do.agent.<agentUuid>.plan`: what a sync of these documents would change, without doing it. */
export const planReply = z.object({
  changes: z.array(z.object({ noun: z.string(), uuid, change: z.record(z.string(), z.unknown()) })),
})

/**
 * `do.agent.<agentUuid>.rekey`: the agent makes itself another NATS key (`next`), whose secret half never leaves it, and with
 * `grant` moves over to it: it connects with it, keeps it, and lets the old connection end. One rotation is one new key, however
 * often it is asked. `retiring`: the old connection still has work under way; its key is not to be revoked yet.
 */
export const rekeyRequest = z.object({
  rotation: uuid,
  grant: z
    .object({ publicKey: z.string(), jwt: z.string(), servers: z.array(z.string()).min(1), ca: z.string().nullable() })
    .nullable(),
})
export type RekeyRequest = z.infer<typeof rekeyRequest>
export const rekeyReply = z.object({ publicKey: z.string(), next: z.string().nullable(), retiring: z.boolean() })
export type RekeyReply = z.infer<typeof rekeyReply>
