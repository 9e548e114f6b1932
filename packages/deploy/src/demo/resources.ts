/** What the demo is made of, in the order in which one needs the other; through the public API only. */
import type { Client } from '@skerry/sdk'
import { ensure, type Say } from '@skerry/sdk/ensure'
import {
  ensureNetwork as ensureSiteNetwork,
  ensureStorage,
  ensureGround as ensureZoneAndCluster,
  type Ground as ZoneAndCluster,
} from '@skerry/sdk/ensure-site'
import { demoAddresses } from './addresses.ts'

export interface DemoInputs {
  client: Client
  managementIp: string
  primaryPath: string
  imagesPath: string
  cidr: string
  say?: Say
}

/** The host is enrolled by its agents: there is no password to log in with, but the API wants one (ZStack's shape). */
const UNUSED = { username: 'root', password: 'unused-with-enrolled' }

export interface Ground extends ZoneAndCluster {
  backupStorage: string
}

/** Zone, cluster, host, storage. */
export async function ensureGround(o: DemoInputs): Promise<Ground> {
  const { client, say, managementIp } = o
  const { zone, cluster } = await ensureZoneAndCluster(o)
  const hostParams = { managementIp, clusterUuid: cluster, ...UNUSED }
  const inZone = [`zoneUuid=${zone}`]
  await ensure(client, { resource: 'host', name: 'host1', where: inZone, api: 'AddKVMHost', params: hostParams }, say)
  const images = { hostname: managementIp, url: o.imagesPath, ...UNUSED }
  return { zone, cluster, backupStorage: await ensureStorage(o, { zone, cluster, primaryPath: o.primaryPath, images }) }
}

/** L2, L3, range and services. Returns the L3 network's uuid. */
export function ensureNetwork(o: DemoInputs, ground: Ground): Promise<string> {
  const range = { api: 'AddIpRange', params: { ...demoAddresses(o.cidr) } } as const
  return ensureSiteNetwork(o, { ...ground, physicalInterface: 'none', range })
}
