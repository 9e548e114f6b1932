/** Tables of the graph: the contract's resources, and what only the engine knows. */
import { isOwned, OWNER, type Resource, type Row, resources, tableOf } from '@skerry/contract'
import type { TableSpec } from '@skerry/graph'
import { dhcpIndexes } from '../desired/flat.ts'
import { labelIndexes } from '../desired/host-names.ts'
import { pageIndexes } from '../desired/security-members.ts'

/** Rows of the first administrator name no owner, and are in no index by owner. */
const owner = (row: Readonly<Row>) => (row[OWNER] as string | null | undefined) ?? undefined

/** Agent that a tombstone waits for; documents are in no such index. */
const tombstonesOf = (row: Readonly<Row>) => (row['tombstone'] ? (row['agentUuid'] as string) : undefined)

/** Not resources: nobody queries them. */
const own: Record<string, TableSpec> = {
  /** Desired documents: which, on which agent, with which hash; key `<agentUuid>/<noun>/<uuid>`. */
  desired: { indexes: ['agentUuid', 'of'], derived: { tombstonesOf } },
  /** A client's key (Idempotency-Key) → its job; key `<accountUuid>:<key>`. */
  callKey: { indexes: ['job'] },
  /** Webhooks still to be called; key = job. */
  hook: { indexes: [] },
  /** One-time enrolment tokens; key = SHA-256 of the token. */
  agentToken: { indexes: [] },
  /** Agents' NATS keys that are never accepted again; key = public key. `signer` signed its credentials. */
  revokedKey: { indexes: ['agentUuid'] },
  /** Agents that have not yet said, since the restore, what they hold; key = agent. Nothing is sent to them before. */
  reunion: { indexes: [] },
}

export const tables: Record<string, TableSpec> = {
  ...Object.fromEntries(
    Object.values(resources as Record<string, Resource>)
      .filter((r) => tableOf(r) === r.name)
      .map((r) => [
        r.name,
        {
          indexes: r.indexes,
          derived: {
            ...(labelIndexes as Record<string, TableSpec['derived']>)[r.name],
            ...(dhcpIndexes as Record<string, TableSpec['derived']>)[r.name],
            ...(pageIndexes as Record<string, TableSpec['derived']>)[r.name],
            ...(isOwned(r) ? { [OWNER]: owner } : {}),
          },
        },
      ]),
  ),
  ...own,
}
