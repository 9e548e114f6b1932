/** An agent-vrouter asks for the key of a connection that it holds the document of. */
import { ipsecAsk, SkerryError } from '@skerry/contract'
import { documentKey } from '../desired/project.ts'
import type { Ask } from './asks.ts'

export const ipsecKeys: Ask = {
  verb: ipsecAsk.verb,
  kind: 'vrouter',
  async answer({ graph, agentUuid, sealed }, data) {
    const { connectionUuid: uuid } = ipsecAsk.input.parse(data)
    const row = graph.get('ipsecConnection', uuid)
    const document = graph.get('desired', documentKey({ agentUuid, noun: 'ipsec', uuid }))
    if (!row || !document || document['tombstone'])
      throw new SkerryError('not-found', `this agent has no IPsec connection ${uuid}`, { resource: 'ipsecConnection', uuid })
    const authKey = row['authKey'] as { $secret: string }
    return { keyUuid: authKey.$secret, key: await sealed(authKey, ipsecAsk.context(uuid)) }
  },
}
