/** What is seen of a load balancer, and what is done to it. */

import type { ErrorBody } from '@skerry/contract'
import type { HaproxyHealth, HaproxyServer, HaproxyView } from '@skerry/host'
import type { Change, Observed } from '@skerry/reconcile'
import type { Service } from './services.ts'
import type { BalancerSpec } from './spec.ts'

/** A router with load balancers; the same for all of them in a pass. */
export interface RouterView {
  uuid: string
  netns: boolean
  /** It is there, but could not be read. */
  unseen: ErrorBody | null
  /** Processes in its namespace. */
  pids: number[]
  /** Ports of its own addresses that are open. Null: its table is not there. */
  services: Service[] | null
}

export interface BalancerHave extends Observed {
  /** Its folder is there. */
  folder: boolean
  /** Of which router and address it was made. */
  made: Made | null
  pid: number | null
  /** The whole configuration file. */
  conf: string | null
  /** Null: nobody answers. */
  live: HaproxyView | null
  /** Lists of addresses as their files say, by name. */
  lists: Record<string, string>
  /** SHA-256 of the certificates in its folder, by listener. */
  certificates: Record<string, string>
  /** Those that it concerns. */
  routers: RouterView[]
}
export type Made = Pick<BalancerSpec, 'routerUuid' | 'ip'>

export type BalancerStep =
  | { op: 'folder.make'; made: Made }
  | { op: 'folder.remove' }
  | { op: 'services.move'; router: string; add: Service[]; remove: Service[] }
  /** `live`: in the running process too. */
  | { op: 'list.set'; file: string; entries: string[]; live: boolean }
  | { op: 'certificate.put'; listener: string; certificate: { uuid: string; fingerprint: string }; live: boolean }
  | { op: 'file.remove'; file: string }
  | { op: 'conf.write'; conf: string }
  | { op: 'process.start'; router: string }
  | { op: 'process.reload'; digest: string }
  | { op: 'process.stop' }
  | { op: 'server.add'; listener: string; server: HaproxyServer; health: HaproxyHealth | null }
  | { op: 'server.weigh'; listener: string; server: string; weight: number }
  | { op: 'server.remove'; listener: string; server: string }

export type BalancerChange = Change & BalancerStep
