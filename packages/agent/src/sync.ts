/**
 * [format] `do.agent.<agentUuid>.sync`: documents of one commit, taken together or not at all. Everything is checked before
 * anything is written; it is acknowledged when it is durable; then the reconciler is woken.
 */
import { hash } from 'node:crypto'
import {
  canonicalJson,
  type Document,
  isTombstone,
  MAX_DOCUMENT_BYTES,
  SkerryError,
  syncRequest,
  type Tombstone,
} from '@skerry/contract'
import { type AnyModule, liftedSpec } from '@skerry/reconcile'
import type { z } from 'zod'
import type { Ledger } from './ledger/ledger.ts'

export interface SyncPorts {
  ledger: Ledger
  modules: readonly AnyModule[]
  /** Wakes the reconciler: it has these documents to look at. */
  signal(of: readonly { noun: string; uuid: string }[]): void
  /** Documents that were known already: whoever sends them again missed what was told of them. */
  known(resources: readonly { noun: string; uuid: string }[]): void
}

/** `hash` of a document: SHA-256 of the canonical JSON of its spec. */
export const specHash = (spec: unknown): string => hash('sha256', canonicalJson(spec))

export async function sync(data: unknown, { ledger, modules, signal, known }: SyncPorts): Promise<{ digest: string }> {
  const { documents, epoch } = parseSync(data, modules)
  known(await ledger.accept(documents, epoch))
  signal(documents)
  return { digest: ledger.digest() }
}

/** The request with every document checked against its noun. Throws `invalid-document`, which names the first misfit. */
export function parseSync(data: unknown, modules: readonly AnyModule[]): { documents: (Document | Tombstone)[]; epoch: number } {
  const request = syncRequest.safeParse(data)
  if (!request.success)
    throw new SkerryError('invalid-document', 'a sync request does not fit its schema', { problems: problemsOf(request.error) })
  for (const document of request.data.documents) checkDocument(document, modules)
  return request.data
}

function checkDocument(document: Document | Tombstone, modules: readonly AnyModule[]): void {
  const where = { noun: document.noun, uuid: document.uuid }
  const module = modules.find((m) => m.noun === document.noun)
  if (!module)
    throw new SkerryError('invalid-document', `this agent has no noun ${document.noun}`, {
      ...where,
      nouns: modules.map((m) => m.noun),
    })
  if (isTombstone(document)) return
  const sizeBytes = Buffer.byteLength(JSON.stringify(document))
  if (sizeBytes > MAX_DOCUMENT_BYTES) {
    throw new SkerryError('invalid-document', `a ${where.noun} document is too large`, {
      ...where,
      sizeBytes,
      limitBytes: MAX_DOCUMENT_BYTES,
    })
  }
  if (document.schema > module.schema) {
    const details = { ...where, schema: document.schema, known: module.schema }
    throw new SkerryError('agent-too-old', `a ${where.noun} document is of a newer schema than this agent reads`, details)
  }
  const spec = module.spec.safeParse(liftedSpec(module, document))
  if (!spec.success)
    throw new SkerryError('invalid-document', `a ${where.noun} document does not fit its schema`, {
      ...where,
      problems: problemsOf(spec.error),
    })
  if (specHash(document.spec) !== document.hash)
    throw new SkerryError('invalid-document', `a ${where.noun} document has another hash than it says`, where)
}

export function problemsOf(error: z.ZodError): string[] {
  return error.issues.slice(0, 5).map((issue) => `${issue.path.join('.')}: ${issue.message}`)
}
