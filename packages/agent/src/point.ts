/** After the controller has moved to another machine: the same agent, with the same credentials, connects to other servers. */
import { type AgentKind, SkerryError } from '@skerry/contract'
import { fileOf } from './enrol.ts'
import type { LedgerFiles } from './ledger/checked-file.ts'

export interface Pointed {
  kind: AgentKind
  uuid: string
  before: string[]
}

/**
 * Writes where the agent of this folder finds NATS; it counts from its next start. `ca`: PEM, when the site has another one now.
 * Throws `not-found` where no agent is enrolled, `invalid-argument` for an address that is none.
 */
export async function pointAgent(
  files: LedgerFiles,
  stateDir: string,
  to: { servers: readonly string[]; ca?: string | undefined },
): Promise<Pointed> {
  const wrong = to.servers.find((server) => !/^(tls|nats):\/\/(\[[0-9a-fA-F:]+\]|[a-zA-Z0-9.-]+)(:\d{1,5})?$/.test(server))
  if (wrong !== undefined || to.servers.length === 0)
    throw new SkerryError(
      'invalid-argument',
      `${wrong ?? 'nothing'} is no address of a NATS server: they look like tls://192.0.2.7:4222`,
    )
  const file = fileOf(files, stateDir)
  const found = await file.read()
  if (!found?.granted) throw new SkerryError('not-found', `no agent is enrolled in ${stateDir}`, { path: stateDir })
  const before = found.granted.servers
  const ca = to.ca ?? found.granted.ca
  await file.write({ ...found, granted: { ...found.granted, servers: [...to.servers], ca } })
  return { kind: found.kind, uuid: found.granted.uuid, before }
}
