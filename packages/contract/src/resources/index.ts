/** Every resource, in the order in which documents and menus show them. */
import type { Api, Resource } from '../resource.ts'
import { account, session } from './account.ts'
import { agent } from './agent.ts'
import { backupStorage } from './backup-storage.ts'
import { cluster } from './cluster.ts'
import { console } from './console.ts'
import { diskOffering } from './disk-offering.ts'
import { host } from './host.ts'
import { image, imageCache } from './image.ts'
import { instanceOffering } from './instance-offering.ts'
import { ipRange } from './ip-range.ts'
import { job, jobStep } from './job.ts'
import { l2Network } from './l2-network.ts'
import { l3Network, routerUplink } from './l3-network.ts'
import { localStorageHost } from './local-storage-host.ts'
import { managementNode } from './management-node.ts'
import { networkServiceProvider } from './network-service-provider.ts'
import { primaryStorage } from './primary-storage.ts'
import { usedIp } from './used-ip.ts'
import { vmInstance } from './vm-instance.ts'
import { usedMac, vmNic } from './vm-nic.ts'
import { volume } from './volume.ts'
import { zone } from './zone.ts'

export const resources = {
  zone,
  cluster,
  host,
  agent,
  primaryStorage,
  localStorageHost,
  backupStorage,
  l2Network,
  l3Network,
  routerUplink,
  ipRange,
  usedIp,
  networkServiceProvider,
  instanceOffering,
  diskOffering,
  image,
  imageCache,
  vmInstance,
  vmNic,
  usedMac,
  volume,
  account,
  session,
  job,
  jobStep,
  managementNode,
  console,
} as const satisfies Record<string, Resource>

export type ResourceName = keyof typeof resources

/** Lookup by table name for data that comes from the graph. */
export const resourceOf = (name: string): Resource | undefined => (resources as Record<string, Resource>)[name]

/** Every API with the resource that declares it. */
export const apis: readonly { resource: Resource; api: Api }[] = Object.values(resources as Record<string, Resource>).flatMap(
  (resource) => resource.apis.map((api) => ({ resource, api })),
)

export * from './account.ts'
export * from './agent.ts'
export { networkServiceType } from './l3-network.ts'
export { vmStates } from './vm-instance.ts'
