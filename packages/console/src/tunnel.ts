/** A connection to a port of a guest, over the agent of its network's router. Whoever has a bus and a token can open one; nothing of it is kept. */
import type { Bus, Timers } from '@skerry/bus'
import { SkerryError, subjects } from '@skerry/contract'
import { Channel, type ChannelEnd } from './channel.ts'
import { parseConsoleToken } from './token.ts'

/** Trades a one-time token for a connection. Throws `session-invalid` when the token is unknown, used or expired. */
export type OpenTunnel = (token: string, end: ChannelEnd) => Promise<Pick<Channel, 'send' | 'close'>>

export interface TunnelPorts {
  bus: Bus
  timers: Timers
  /** 32 hex */
  newId(): string
}

const OPEN_MS = 15_000
/** The request's own answer must be on its way before the requester gives up. */
const ANSWER_MS = 1_000

export function tunnelBridge({ bus, timers, newId }: TunnelPorts): OpenTunnel {
  return async (text, end) => {
    const { agentUuid, resourceUuid, epoch, secret } = parseConsoleToken(text)
    const session = newId()
    const io = (way: 'in' | 'out') => subjects.io('vrouter', agentUuid, session, way)
    const opening: { failed?: unknown } = {}
    const heard: ChannelEnd = {
      onBytes: (bytes, taken) => end.onBytes(bytes, taken),
      onRoom: () => end.onRoom(),
      onEnd: (reason) => {
        if (opening.failed === undefined) end.onEnd(reason)
      },
    }
    const channel = new Channel({ bus, timers, hear: io('out'), say: io('in') }, heard)
    try {
      const command = {
        id: `tunnel_${session}`,
        ...{ deadlineMs: OPEN_MS - ANSWER_MS, epoch, mode: 'apply' },
        input: { session, token: secret },
      }
      await bus.request(subjects.do('vrouter', agentUuid, 'router', resourceUuid, 'tunnel'), command, { timeoutMs: OPEN_MS })
      return channel
    } catch (error) {
      opening.failed = error
      channel.close('it could not be opened')
      // Before a controller began anew: as good as expired.
      if (error instanceof SkerryError && error.code === 'stale-epoch')
        throw new SkerryError('session-invalid', 'this token is of before: ask for another', {}, { cause: error })
      throw error
    }
  }
}
