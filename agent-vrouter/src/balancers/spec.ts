/** A load balancer's document in haproxy's words, and where its files are. Pure. */
import type { balancerDesired } from '@skerry/contract'
import { type HaproxyHealth, type HaproxyListener, haproxyFiles } from '@skerry/host'

export type BalancerSpec = balancerDesired.BalancerSpec
type Listener = balancerDesired.BalancerListener

export const balancersDir = (stateDir: string) => `${stateDir}/balancers`
export const balancerDir = (stateDir: string, uuid: string) => `${balancersDir(stateDir)}/${uuid}`
/** Of which router and address it was made: `{"routerUuid": …, "ip": …}`. */
export const madePath = (dir: string) => `${dir}/made.json`

export const healthOf = ({ health }: Listener): HaproxyHealth | null =>
  health && {
    ...{ kind: health.kind, port: health.port, method: health.method, path: health.path, statuses: health.statuses },
    ...{ intervalSeconds: health.intervalSeconds, timeoutSeconds: health.timeoutSeconds },
    ...{ rise: health.healthyThreshold, fall: health.unhealthyThreshold },
  }

export const serverOf = ({ uuid, ...rest }: Listener['servers'][number]) => ({ name: uuid, ...rest })

export function listenersOf({ ip, listeners }: BalancerSpec): HaproxyListener[] {
  return listeners.map((l) => ({
    ...{ name: l.uuid, mode: l.protocol === 'tcp' ? 'tcp' : 'http', ip, port: l.port },
    tls: l.protocol === 'https' ? (l.tls ?? { min: 'TLSv1.2', max: 'TLSv1.3' }) : null,
    algorithm: l.persistence?.by === 'source' ? 'source' : l.algorithm,
    ...{ idleSeconds: l.idleSeconds, maxConnections: l.maxConnections, httpMode: l.httpMode },
    cookie:
      l.persistence?.by === 'cookie'
        ? { name: l.persistence.name, how: l.persistence.how, idleSeconds: l.persistence.idleSeconds }
        : null,
    health: healthOf(l),
    servers: l.servers.map(serverOf),
  }))
}

/** Every listener's lists of addresses, by file. */
export const listsOf = ({ listeners }: BalancerSpec): Map<string, string[]> =>
  new Map(
    listeners.flatMap((l): [string, string[]][] => [
      [haproxyFiles.allow(l.uuid), l.allow],
      [haproxyFiles.deny(l.uuid), l.deny],
    ]),
  )
export const listText = (entries: readonly string[]) => entries.map((entry) => `${entry}\n`).join('')
