/** What the sessions have in common that a one-time token opens at an agent: consoles, tunnels. */
import { z } from 'zod'

/** Names the subjects `io.<session>.{in,out}`. */
export const sessionId = z.string().regex(/^[0-9a-f]{32}$/)
/** 192 bits, base64url; the agent keeps its SHA-256 only. */
export const sessionSecret = z.string().regex(/^[A-Za-z0-9_-]{32}$/)
export const oneTimeAllowance = {
  tokenHash: z.string().regex(/^[0-9a-f]{64}$/),
  ttlMs: z.number().int().min(1).max(3_600_000),
}

/** [format] A message on `io.<session>.in` and `.out` of a console. */
export const consoleMessage = z.union([
  z.object({ d: z.base64() }),
  z.object({ end: z.literal(true), reason: z.string().optional() }),
])

/** [format] The same of a tunnel or an upload. `n` counts messages with bytes, `ack` bytes that were taken. */
export const channelMessage = z.union([
  z.object({ n: z.number().int().min(0), d: z.base64() }),
  z.object({ ack: z.number().int().min(0) }),
  z.object({ end: z.literal(true), reason: z.string().max(500).optional() }),
])
