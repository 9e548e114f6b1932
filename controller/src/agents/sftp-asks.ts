/**
 * Agents ask where a storage server is and how they get in, each time they go there: so the password stands in no document, no command
 * and no ledger, and another one counts at once. It is sealed to who asks.
 */
import { seal } from '@skerry/agent/seal'
import type { Bus, Subscription } from '@skerry/bus'
import { parseAgentSubject, type Row, SFTP, SkerryError, sftpAsk, subjects } from '@skerry/contract'
import type { Graph } from '@skerry/graph'

export interface SftpAskPorts {
  bus: Bus
  graph: Graph
  secrets: { get(id: string): Promise<string> }
}

/** `stop` of what it gives ends it. */
export const answerSftpAsks = (p: SftpAskPorts): Subscription =>
  p.bus.serve(subjects.askOfAll, (m) => answer(p, m.subject, m.data), { queue: 'controllers' })

async function answer({ graph, secrets }: SftpAskPorts, subject: string, data: unknown): Promise<Row> {
  // The subject says who asks: rights on the bus let nobody else use it.
  const from = parseAgentSubject(subject)
  const agent = from?.kind === 'storage' ? graph.get('agent', from.agentUuid) : undefined
  if (!agent || agent['revokedDate'] || from?.rest[0] !== sftpAsk.verb)
    throw new SkerryError('permission-denied', 'only an enrolled agent-storage may ask this', { subject })
  const { backupStorageUuid } = sftpAsk.input.parse(data)
  const storage = graph.get('backupStorage', backupStorageUuid)
  if (storage?.['type'] !== SFTP)
    throw new SkerryError('not-found', `there is no storage server ${backupStorageUuid}`, {
      resource: 'backupStorage',
      uuid: backupStorageUuid,
    })
  const password = await secrets.get((storage['password'] as { $secret: string }).$secret)
  return {
    hostname: storage['hostname'],
    port: storage['sshPort'],
    username: storage['username'],
    password: seal(agent['sealKey'] as string, Buffer.from(password, 'utf8'), sftpAsk.context(backupStorageUuid)),
    hostKey: storage['hostKey'] ?? null,
  }
}
