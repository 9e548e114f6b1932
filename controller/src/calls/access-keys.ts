/** Requests that are signed with an access key instead of carrying a session (zstack-wire). */
import { createHmac, timingSafeEqual } from 'node:crypto'
import { type Row, resourceOf } from '@skerry/contract'
import type { Graph } from '@skerry/graph'
import type { Caller, Signed } from '../engine/port.ts'
import { callerOf } from '../identity/caller.ts'
import { render } from '../inventory/index.ts'

export interface AccessKeyPorts {
  graph: Graph
  secrets: { get(id: string): Promise<string> }
}

const secretOf = (row: Readonly<Row>) => (row['AccessKeySecret'] as { $secret: string }).$secret

/** Whether the base64 text is the HMAC-SHA1 of one of the texts. Takes the same time wherever they differ. */
export function isSigned(secret: string, texts: readonly string[], signature: string): boolean {
  const given = Buffer.from(signature, 'base64')
  let good = false
  for (const text of texts) {
    const want = createHmac('sha1', secret).update(text).digest()
    if (given.length === want.length && timingSafeEqual(given, want)) good = true
  }
  return good
}

/** The caller behind a signature; undefined for an unknown or disabled key and for a wrong signature. */
export async function signedCaller({ graph, secrets }: AccessKeyPorts, signed: Signed): Promise<Caller | undefined> {
  const [key] = graph.by('accessKey', 'AccessKeyID', signed.keyId)
  const row = key === undefined ? undefined : graph.get('accessKey', key)
  if (row?.['state'] !== 'Enabled') return undefined
  if (!isSigned(await secrets.get(secretOf(row)), signed.texts, signed.signature)) return undefined
  return callerOf(graph, { accountUuid: row['accountUuid'], userUuid: row['userUuid'], sessionUuid: row['uuid'] as string })
}

/** The inventory of a new key with its secret, which nothing else shows. */
export async function disclosedKey({ graph, secrets }: AccessKeyPorts, uuid: string): Promise<Row | undefined> {
  const row = graph.get('accessKey', uuid)
  if (!row) return undefined
  const AccessKeySecret = await secrets.get(secretOf(row))
  return { inventory: { ...render(graph, resourceOf('accessKey')!, row), AccessKeySecret } }
}
