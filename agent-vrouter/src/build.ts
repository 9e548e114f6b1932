/** Agent-vrouter over a host: the same for the real machine and for fakes. */
import type { AgentParts, BuildContext } from '@skerry/agent'
import type { Host } from '@skerry/host'
import type { AnyModule } from '@skerry/reconcile'
import { certificateFrom } from './balancers/certificate.ts'
import { balancerModule } from './balancers/index.ts'
import type { BalancerPorts } from './balancers/observe.ts'
import { HealthWatch } from './balancers/watch.ts'
import { ipsecVerbs } from './commands/ipsec.ts'
import { Tunnels } from './commands/router.tunnel.ts'
import { inventory } from './inventory.ts'
import { ipsecModule } from './ipsec/index.ts'
import { TunnelKeeper } from './ipsec/keeper.ts'
import { keysFrom } from './ipsec/keys.ts'
import type { IpsecPorts } from './ipsec/observe.ts'
import type { LeasePorts } from './leases/apply.ts'
import { Folders } from './leases/folder.ts'
import { leaseModule } from './leases/index.ts'
import { LeaseWatch, type WatchPorts } from './leases/watch.ts'
import { metadataModule } from './metadata/index.ts'
import { routerModule } from './routers/index.ts'
import type { RouterPorts } from './routers/observe.ts'
import { routesModule } from './routes/index.ts'
import { vipModule } from './vips/index.ts'

export const HOST_TABLE = 'skerry_vrouter'

/** In the order of the contract's nouns. */
export function vrouterModules(
  ports: Omit<RouterPorts, 'folders'> &
    Pick<LeasePorts, 'pause'> &
    Pick<BalancerPorts, 'certificate'> & { ipsec: Omit<IpsecPorts, 'host' | 'stateDir'> },
  folders = new Folders(ports.host.files),
): AnyModule[] {
  const own = { ...ports, folders }
  // the loop hands each module only what that module observed and planned
  return [
    routerModule(own),
    leaseModule(own),
    metadataModule(own),
    vipModule(own),
    routesModule(own),
    balancerModule(own),
    ipsecModule({ ...own.ipsec, ...own }),
  ] as unknown as AnyModule[]
}

export interface VrouterPorts {
  watchFolder: WatchPorts['watchFolder']
  /** Name of the table in the host's own namespace; default `skerry_vrouter`. */
  hostTable?: string
}

export async function buildVrouter(
  host: Host,
  context: Pick<BuildContext, 'stateDir' | 'timers' | 'signal' | 'log' | 'bus' | 'identity' | 'unseal'>,
  ports: VrouterPorts,
): Promise<AgentParts> {
  const { stateDir, timers, log } = context
  // dnsmasq gives up root and still has to reach its folder: others may pass through, but not look.
  await host.files.makeDir(stateDir, 0o711)
  const folders = new Folders(host.files)
  const watch = new LeaseWatch({
    host,
    folders,
    stateDir,
    timers,
    watchFolder: ports.watchFolder,
    signal: (of) => context.signal(of),
    onFault: (error) => log.error({ err: error }, 'cannot look at leases'),
  })
  const keeper = new TunnelKeeper({
    ...{ host, stateDir, timers },
    signal: (of) => context.signal(of),
    onFault: (error) => log.error({ err: error }, 'cannot look at IPsec tunnels'),
  })
  const own = {
    ...{ host, stateDir, hostTable: ports.hostTable ?? HOST_TABLE },
    onServing: (router: string) => watch.attend(router),
    certificate: certificateFrom(context),
    ipsec: { keeper, ...keysFrom(context) },
    pause: (ms: number) => new Promise<void>((resolve) => void timers.set(resolve, ms)),
  }
  const health = new HealthWatch({
    ...{ host, stateDir, timers },
    signal: (of) => context.signal(of),
    onFault: (error) => log.error({ err: error }, 'cannot look at load balancers'),
  })
  const tunnels = new Tunnels({ host, bus: context.bus, timers, agentUuid: context.identity.uuid })
  return {
    modules: vrouterModules(own, folders),
    commands: [...tunnels.commands(), ...ipsecVerbs({ host, stateDir, keeper })],
    inventory: () => inventory(own),
    async stop() {
      tunnels.close()
      keeper.stop()
      watch.stop()
      health.stop()
    },
  }
}
