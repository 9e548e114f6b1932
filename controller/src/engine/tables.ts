/** Tables of the graph: the contract's resources, and what only the engine knows. */
import { type Resource, resources } from '@skerry/contract'
import type { TableSpec } from '@skerry/graph'

/** Not resources: nobody queries them. */
const own: Record<string, TableSpec> = {
  /** Desired documents: which, on which agent, with which hash; key `<agentUuid>/<noun>/<uuid>`. */
  desired: { indexes: ['agentUuid', 'of'] },
  /** A client's key (Idempotency-Key) → its job; key `<accountUuid>:<key>`. */
  callKey: { indexes: ['job'] },
  /** Webhooks still to be called; key = job. */
  hook: { indexes: [] },
  /** One-time enrolment tokens; key = SHA-256 of the token. */
  agentToken: { indexes: [] },
  /** Tags given at creation; key = tag uuid. */
  tag: { indexes: ['resourceUuid', 'resourceType', 'tag'] },
}

export const tables: Record<string, TableSpec> = {
  ...Object.fromEntries(Object.values(resources as Record<string, Resource>).map((r) => [r.name, { indexes: r.indexes }])),
  ...own,
}
