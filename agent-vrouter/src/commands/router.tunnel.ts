/**
 * `do.router.<l3NetworkUuid>.allow-tunnel` and `.tunnel`: who shows a token that the controller has announced gets one TCP connection
 * from the router to the guest and port that the token was announced for. Guests' networks are reached from nowhere else.
 */
import { type AgentCommand, defineCommand } from '@skerry/agent'
import type { Bus } from '@skerry/bus'
import { Channel } from '@skerry/console/channel'
import { OneTimeTokens } from '@skerry/console/one-time'
import { routerNetns, SkerryError, subjects, vrouterCommands } from '@skerry/contract'
import type { Host, TcpConnection } from '@skerry/host'
import type { Timers } from '@skerry/reconcile'

export interface TunnelPorts {
  host: Pick<Host, 'tcp' | 'ip'>
  bus(): Bus | undefined
  timers: Timers
  agentUuid: string
}

type Target = { address: string; port: number }

/** Open at once; a site's administrators don't need more, and each is a process. */
const MAX_TUNNELS = 200

export class Tunnels {
  readonly #p: TunnelPorts
  readonly #tokens: OneTimeTokens<Target>
  /** By session. */
  readonly #open = new Map<string, { target: Target; close(reason: string): void }>()

  constructor(ports: TunnelPorts) {
    this.#p = ports
    this.#tokens = new OneTimeTokens(() => ports.timers.nowMs())
  }

  commands(): AgentCommand[] {
    const allow = defineCommand({
      noun: 'router',
      verb: 'allow-tunnel',
      // What it leaves is in memory only: after a restart a repeat has to be carried out.
      reads: true,
      ...vrouterCommands.allowTunnel,
      run: async ({ uuid, input: { address, port, ...token } }) => {
        this.#tokens.allow(uuid, token, { address, port })
        return {}
      },
    })
    const open = defineCommand({
      noun: 'router',
      verb: 'tunnel',
      // No receipt: it would keep the token.
      reads: true,
      ...vrouterCommands.tunnel,
      run: async ({ uuid, input: { session, token } }) => {
        // A repeat of the request that opened it.
        const before = this.#open.get(session)
        if (before) return before.target
        const target = this.#tokens.redeem(uuid, token)
        await this.#connect(uuid, session, target)
        return target
      },
    })
    return [allow, open]
  }

  close(): void {
    for (const { close } of [...this.#open.values()]) close('the agent is ending')
  }

  async #connect(router: string, session: string, target: Target): Promise<void> {
    const { host, timers, agentUuid } = this.#p
    const bus = this.#p.bus()
    if (!bus) throw new SkerryError('agent-unreachable', 'this agent has no bus to carry a tunnel over')
    if (this.#open.size >= MAX_TUNNELS)
      throw new SkerryError('too-many-requests', `${MAX_TUNNELS} tunnels are open on this host`, { limit: MAX_TUNNELS })
    const netns = routerNetns(router)
    if (!(await host.ip.netns.list()).includes(netns))
      throw new SkerryError('illegal-state', 'the router of this network is not there yet', { router })
    const connection = await host.tcp.connect({ ...target, netns })
    const io = (way: 'in' | 'out') => subjects.io('vrouter', agentUuid, session, way)
    const channel = joined(connection, { bus, timers, hear: io('in'), say: io('out') }, () => this.#open.delete(session))
    this.#open.set(session, { target, close: (reason) => channel.close(reason) })
    await channel.ready()
  }
}

/** A connection and a channel as one; whichever ends takes the other along. */
function joined(
  { stream, ended, close }: TcpConnection,
  ports: ConstructorParameters<typeof Channel>[0],
  gone: () => void,
): Channel {
  const channel: Channel = new Channel(ports, {
    onBytes: (bytes, taken) => void stream.write(bytes, (error) => error || taken()),
    onRoom: () => void stream.resume(),
    onEnd() {
      close()
      gone()
    },
  })
  stream.on('data', (bytes: Buffer) => {
    if (!channel.send(bytes)) stream.pause()
  })
  void ended.then((reason) => channel.close(reason))
  return channel
}
