/** Verbs of agent-vrouter. */
import { z } from 'zod'
import { ipv4, port } from '../scalars.ts'
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
