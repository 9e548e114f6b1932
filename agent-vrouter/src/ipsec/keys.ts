/** Keys of connections are asked of the controller when one is loaded that is not on this disk yet: they stand in no document. */
import type { BuildContext } from '@skerry/agent'
import { ipsecAsk, SkerryError, subjects } from '@skerry/contract'
import type { IpsecPorts } from './observe.ts'

const ASK_MS = 10_000

export const keysFrom = ({
  identity,
  bus,
  unseal,
}: Pick<BuildContext, 'identity' | 'bus' | 'unseal'>): Pick<IpsecPorts, 'askKey' | 'unseal'> => ({
  unseal,
  async askKey(connectionUuid) {
    const connection = bus()
    if (!connection)
      throw new SkerryError('agent-unreachable', 'this agent has no connection to its controller', { connectionUuid })
    const subject = subjects.ask(identity.kind, identity.uuid, ipsecAsk.verb)
    const reply = await connection.request(subject, { connectionUuid }, { timeoutMs: ASK_MS })
    return ipsecAsk.reply.parse(reply.data)
  },
})
