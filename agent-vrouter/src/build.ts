/** Agent-vrouter over a host: the same for the real machine and for fakes. */
import type { AgentParts, BuildContext } from '@skerry/agent'
import type { Host } from '@skerry/host'
import type { AnyModule } from '@skerry/reconcile'
import { Tunnels } from './commands/router.tunnel.ts'
import { inventory } from './inventory.ts'
import type { LeasePorts } from './leases/apply.ts'
import { Folders } from './leases/folder.ts'
import { leaseModule } from './leases/index.ts'
import { LeaseWatch, type WatchPorts } from './leases/watch.ts'
import { routerModule } from './routers/index.ts'
import type { RouterPorts } from './routers/observe.ts'
import { vipModule } from './vips/index.ts'

export const HOST_TABLE = 'skerry_vrouter'

/** In the order of the contract's nouns. */
export function vrouterModules(
  ports: Omit<RouterPorts, 'folders'> & Pick<LeasePorts, 'pause'>,
  folders = new Folders(ports.host.files),
): AnyModule[] {
  const own = { ...ports, folders }
  // the loop hands each module only what that module observed and planned
  return [routerModule(own), leaseModule(own), vipModule(own)] as unknown as AnyModule[]
}

export interface VrouterPorts {
  watchFolder: WatchPorts['watchFolder']
  /** Name of the table in the host's own namespace; default `skerry_vrouter`. */
  hostTable?: string
}

export async function buildVrouter(
  host: Host,
  context: Pick<BuildContext, 'stateDir' | 'timers' | 'signal' | 'log' | 'bus' | 'identity'>,
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
  const own = {
    ...{ host, stateDir, hostTable: ports.hostTable ?? HOST_TABLE },
    onServing: (router: string) => watch.attend(router),
    pause: (ms: number) => new Promise<void>((resolve) => void timers.set(resolve, ms)),
  }
  const tunnels = new Tunnels({ host, bus: context.bus, timers, agentUuid: context.identity.uuid })
  return {
    modules: vrouterModules(own, folders),
    commands: tunnels.commands(),
    inventory: () => inventory(own),
    async stop() {
      tunnels.close()
      watch.stop()
    },
  }
}
