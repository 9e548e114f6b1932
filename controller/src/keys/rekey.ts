/** One agent moves over to a new key. Every step may be repeated; the old key lives until nothing needs it. */
import type { Bus } from '@skerry/bus'
import { type AgentKind, type RekeyReply, type RekeyRequest, type Row, rekeyReply, SkerryError, subjects } from '@skerry/contract'
import type { Graph } from '@skerry/graph'
import type { KeyAuthority } from './authority.ts'

export interface RekeyPorts {
  bus: Bus
  graph: Graph
  authority: KeyAuthority
  servers: string[]
  ca: string | null
}

const TIMEOUT_MS = 20_000

/** The key that the agent now uses alone; undefined: its old connection still has work under way. */
export async function rekey(p: RekeyPorts, agentUuid: string, rotation: string): Promise<string | undefined> {
  const kind = p.graph.get('agent', agentUuid)?.['kind'] as AgentKind
  const subject = subjects.do(kind, agentUuid, 'agent', agentUuid, 'rekey')
  const ask = async (grant: RekeyRequest['grant']): Promise<RekeyReply> => {
    const request: RekeyRequest = { rotation, grant }
    return rekeyReply.parse((await p.bus.request(subject, request, { timeoutMs: TIMEOUT_MS })).data)
  }
  let reply = await ask(null)
  if (reply.next !== null) {
    const publicKey = unused(p, agentUuid, reply.next)
    const { jwt } = await p.authority.issue({ kind: 'agent', agent: { kind, uuid: agentUuid }, userPublicKey: publicKey })
    reply = await ask({ publicKey, jwt, servers: p.servers, ca: p.ca })
    if (reply.publicKey !== publicKey)
      throw new SkerryError('internal', 'an agent did not take the key that it asked for', { agentUuid })
  }
  return reply.retiring ? undefined : unused(p, agentUuid, reply.publicKey)
}

/** An agent that names another's key would have it revoked at its next rotation. */
function unused({ graph, authority }: RekeyPorts, agentUuid: string, publicKey: string): string {
  const taken =
    authority.isRevoked(publicKey) || [...graph.rows('agent')].some(([, a]: [string, Row]) => a['publicKey'] === publicKey)
  if (taken) throw new SkerryError('permission-denied', 'an agent offers a key that is not a new one of its own', { agentUuid })
  return publicKey
}
