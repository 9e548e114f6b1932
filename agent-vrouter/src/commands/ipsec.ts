/** `do.ipsec.<connectionUuid>.counters` and `.reconnect`. */
import { type AgentCommand, defineCommand } from '@skerry/agent'
import { ipsecCommands, SkerryError } from '@skerry/contract'
import type { Host } from '@skerry/host'
import type { TunnelKeeper } from '../ipsec/keeper.ts'
import { charonDir } from '../ipsec/records.ts'

export interface IpsecCommandPorts {
  host: Pick<Host, 'charon'>
  stateDir: string
  keeper: Pick<TunnelKeeper, 'placeOf' | 'restart'>
}

export function ipsecVerbs({ host, stateDir, keeper }: IpsecCommandPorts): AgentCommand[] {
  const placed = (uuid: string) => {
    const place = keeper.placeOf(uuid)
    if (place) return place
    throw new SkerryError('illegal-state', 'this connection is not on this host, or not loaded yet', {
      ipsecConnectionUuid: uuid,
    })
  }
  const counters = defineCommand({
    noun: 'ipsec',
    verb: 'counters',
    reads: true,
    ...ipsecCommands.counters,
    run: async ({ uuid }) => {
      const { router, name } = placed(uuid)
      const { tunnels } = await host.charon.at(charonDir(stateDir, router)).look()
      const own = tunnels.filter(({ connection }) => connection === name)
      const carried = own.flatMap((tunnel) => tunnel.carried)
      const sum = (field: 'bytesIn' | 'bytesOut' | 'packetsIn' | 'packetsOut') => carried.reduce((n, one) => n + one[field], 0)
      return {
        ...{ bytesIn: sum('bytesIn'), bytesOut: sum('bytesOut'), packetsIn: sum('packetsIn'), packetsOut: sum('packetsOut') },
        ikeVersion: own[0]?.version ?? null,
      }
    },
  })
  const reconnect = defineCommand({
    noun: 'ipsec',
    verb: 'reconnect',
    ...ipsecCommands.reconnect,
    run: async ({ uuid }) => {
      await keeper.restart(placed(uuid).router, uuid)
      return {}
    },
  })
  return [counters, reconnect]
}
