/** Certificates and their keys are asked of the controller when they are needed: they stand in no document and in no ledger. */
import type { BuildContext } from '@skerry/agent'
import { certificateAsk, SkerryError, subjects } from '@skerry/contract'

const ASK_MS = 10_000

/** As PEM: the certificate, its chain, its key. */
export const certificateFrom =
  ({ identity, bus, unseal }: Pick<BuildContext, 'identity' | 'bus' | 'unseal'>) =>
  async (certificateUuid: string): Promise<string> => {
    const connection = bus()
    if (!connection)
      throw new SkerryError('agent-unreachable', 'this agent has no connection to its controller', { certificateUuid })
    const subject = subjects.ask(identity.kind, identity.uuid, certificateAsk.verb)
    const reply = await connection.request(subject, { certificateUuid }, { timeoutMs: ASK_MS })
    const { certificate, privateKey } = certificateAsk.reply.parse(reply.data)
    const key = unseal(privateKey, certificateAsk.context(certificateUuid)).toString('utf8')
    return [certificate, key].map((text) => `${text.trim()}\n`).join('')
  }
