/** Verbs about IPsec: what an agent-vrouter is told, and what it asks. */
import { z } from 'zod'
import { uuid } from '../scalars.ts'

/**
 * `ask.ipsec`: an agent-vrouter asks for the key of a connection whose document it holds. `key` is sealed to the agent, with the context,
 * and stays so on its disk: a host that boots without its controller has its tunnels again.
 */
export const ipsecAsk = {
  verb: 'ipsec',
  context: (connectionUuid: string) => `ipsec/${connectionUuid}`,
  input: z.object({ connectionUuid: uuid }),
  reply: z.object({ keyUuid: uuid, key: z.string() }),
} as const

const count = z.number().int().min(0)

export const ipsecCommands = {
  /** `do.ipsec.<connectionUuid>.counters`: what its tunnels have carried since they were made or last rekeyed */
  counters: {
    input: z.object({}),
    output: z.object({
      bytesIn: count,
      bytesOut: count,
      packetsIn: count,
      packetsOut: count,
      ikeVersion: z.literal([1, 2]).nullable(),
    }),
  },
  /** `do.ipsec.<connectionUuid>.reconnect`: its tunnels end and begin anew; does not wait for the peer */
  reconnect: { input: z.object({}), output: z.object({}) },
} as const
