/** Verbs of agent-vrouter. */
import { z } from 'zod'
import { ipv4, port, uuid } from '../scalars.ts'
import { oneTimeAllowance, sessionId, sessionSecret } from './session.ts'

export const vrouterCommands = {
  /**
   * `do.router.<l3NetworkUuid>.allow-tunnel`: one connection from that router to this address and port may be opened within
   * `ttlMs` by whoever knows the token with this SHA-256
   */
  allowTunnel: { input: z.object({ ...oneTimeAllowance, address: ipv4, port }), output: z.object({}) },
  /** `do.router.<l3NetworkUuid>.tunnel`: opens a session on `io.<session>.{in,out}`; a token is good once */
  tunnel: {
    input: z.object({ session: sessionId, token: sessionSecret }),
    output: z.object({ address: ipv4, port }),
  },
} as const

/**
 * `ask.certificate`: a certificate with its chain, and its key sealed to who asks. Only an agent that has a document of a load balancer
 * that uses it is told.
 */
export const certificateAsk = {
  verb: 'certificate',
  context: (certificateUuid: string) => `certificate/${certificateUuid}`,
  input: z.object({ certificateUuid: uuid }),
  reply: z.object({ certificate: z.string(), privateKey: z.string() }),
} as const
