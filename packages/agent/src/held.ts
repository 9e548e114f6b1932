/** `do.agent.<agentUuid>.documents`: documents that this agent holds. Only it has them once its controller has forgotten them. */
import { type Document, documentsRequest, SkerryError } from '@skerry/contract'
import type { Ledger } from './ledger/ledger.ts'

/** Below the bus's own limit of 1 MiB, with room for the envelope; one document is at most 256 KiB. */
const MAX_REPLY_BYTES = 600_000

/** Those of the asked documents that are held, in the order asked, until a message is full. What is under a tombstone is not held. */
export function heldDocuments(data: unknown, ledger: Ledger): { documents: Document[] } {
  const request = documentsRequest.safeParse(data)
  if (!request.success) throw new SkerryError('invalid-argument', 'a request for documents does not fit its schema')
  const documents: Document[] = []
  let size = 0
  for (const { noun, uuid } of request.data.resources) {
    const entry = ledger.entry(noun, uuid)
    if (!entry?.document || entry.tombstone) continue
    size += Buffer.byteLength(JSON.stringify(entry.document))
    if (size > MAX_REPLY_BYTES && documents.length > 0) break
    documents.push(entry.document)
  }
  return { documents }
}
