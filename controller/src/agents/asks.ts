/**
 * What agents ask by themselves: secrets that they need now, so that these stand in no document, no command and no ledger, and another
 * one counts at once. Each is sealed to who asks.
 */
import { seal } from '@skerry/agent/seal'
import type { Bus, Subscription } from '@skerry/bus'
import { type AgentKind, parseAgentSubject, type Row, SkerryError, subjects } from '@skerry/contract'
import type { Graph } from '@skerry/graph'

export interface AskPorts {
  bus: Bus
  graph: Graph
  secrets: { get(id: string): Promise<string> }
}

export interface Asking extends Omit<AskPorts, 'bus'> {
  agentUuid: string
  /** Opens the secret of a reference, and seals it to who asks. */
  sealed(reference: unknown, context: string): Promise<string>
}

export interface Ask {
  verb: string
  /** Agents of this kind may ask. */
  kind: AgentKind
  /** Throws `not-found` for what isn't there, or not the asker's. */
  answer(asking: Asking, data: unknown): Promise<Row>
}

/** `stop` of what it gives ends it. */
export const answerAsks = (p: AskPorts, asks: readonly Ask[]): Subscription =>
  p.bus.serve(subjects.askOfAll, (m) => answer(p, asks, m), { queue: 'controllers' })

async function answer({ graph, secrets }: AskPorts, asks: readonly Ask[], m: { subject: string; data: unknown }): Promise<Row> {
  // The subject says who asks: rights on the bus let nobody else use it.
  const from = parseAgentSubject(m.subject)
  const ask = asks.find(({ verb }) => verb === from?.rest[0])
  const agent = from && from.kind === ask?.kind ? graph.get('agent', from.agentUuid) : undefined
  if (!ask || !from || !agent || agent['revokedDate'])
    throw new SkerryError('permission-denied', `only an enrolled agent-${ask?.kind ?? 'of another kind'} may ask this`, {
      subject: m.subject,
    })
  const sealed = async (reference: unknown, context: string) => {
    const value = await secrets.get((reference as { $secret: string }).$secret)
    return seal(agent['sealKey'] as string, Buffer.from(value, 'utf8'), context)
  }
  return ask.answer({ graph, secrets, agentUuid: from.agentUuid, sealed }, m.data)
}
