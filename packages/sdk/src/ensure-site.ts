/** The parts that every small site has, found by their names or made, in the order in which one needs the other. */
import type { Row } from '@skerry/contract'
import type { Client } from './client.ts'
import { type Ensured, ensure, ensureAttached, type Say } from './ensure.ts'

export interface SiteMaking {
  client: Client
  say?: Say
}

export interface Ground {
  zone: string
  cluster: string
}

export const uuidOf = ({ row }: Ensured) => row['uuid'] as string

/** Zone `site` with the KVM cluster `cluster1`. */
export async function ensureGround({ client, say }: SiteMaking): Promise<Ground> {
  const zone = uuidOf(await ensure(client, { resource: 'zone', name: 'site', api: 'CreateZone', params: {} }, say))
  const params = { zoneUuid: zone, hypervisorType: 'KVM' }
  const where = [`zoneUuid=${zone}`]
  const cluster = await ensure(client, { resource: 'cluster', name: 'cluster1', where, api: 'CreateCluster', params }, say)
  return { zone, cluster: uuidOf(cluster) }
}

export interface StorageMaking extends Ground {
  /** Folder of the local primary storage. */
  primaryPath: string
  /** Of the image store; the login is what the API wants, agents that have enrolled need none. */
  images: { hostname: string; url: string; username: string; password: string }
}

/** Local primary storage `local` and image store `images`, attached. Returns the image store's uuid. */
export async function ensureStorage({ client, say }: SiteMaking, o: StorageMaking): Promise<string> {
  const params = { zoneUuid: o.zone, url: o.primaryPath }
  const where = [`zoneUuid=${o.zone}`]
  const local = { resource: 'primaryStorage', name: 'local', where, api: 'AddLocalPrimaryStorage', params }
  const primary = await ensure(client, local, say)
  await ensureAttached(client, {
    row: primary.row,
    field: 'attachedClusterUuids',
    value: o.cluster,
    api: 'AttachPrimaryStorageToCluster',
    params: { clusterUuid: o.cluster, primaryStorageUuid: uuidOf(primary) },
  })
  const images = { resource: 'backupStorage', name: 'images', api: 'AddImageStoreBackupStorage', params: o.images }
  const store = await ensure(client, images, say)
  await ensureAttached(client, {
    row: store.row,
    field: 'attachedZoneUuids',
    value: o.zone,
    api: 'AttachBackupStorageToZone',
    params: { zoneUuid: o.zone, backupStorageUuid: uuidOf(store) },
  })
  return uuidOf(store)
}

export interface NetworkMaking extends Ground {
  physicalInterface: string
  range: { api: 'AddIpRange' | 'AddIpRangeByNetworkCidr'; params: Record<string, unknown> }
}

/** L2 and L3 `net1` with one range, DHCP, DNS and SNAT. Returns the L3 network's uuid. */
export async function ensureNetwork(
  making: SiteMaking,
  { zone, cluster, physicalInterface, range }: NetworkMaking,
): Promise<string> {
  const { client, say } = making
  const where = [`zoneUuid=${zone}`]
  const l2Params = { zoneUuid: zone, physicalInterface }
  const l2Making = { resource: 'l2Network', name: 'net1', where, api: 'CreateL2NoVlanNetwork', params: l2Params }
  const l2 = await ensure(client, l2Making, say)
  await ensureAttached(client, {
    row: l2.row,
    field: 'attachedClusterUuids',
    value: cluster,
    api: 'AttachL2NetworkToCluster',
    params: { l2NetworkUuid: uuidOf(l2), clusterUuid: cluster },
  })
  const l3Params = { l2NetworkUuid: uuidOf(l2) }
  const l3 = await ensure(client, { resource: 'l3Network', name: 'net1', where, api: 'CreateL3Network', params: l3Params }, say)
  const l3NetworkUuid = uuidOf(l3)
  const params = { l3NetworkUuid, ...range.params }
  const inL3 = [`l3NetworkUuid=${l3NetworkUuid}`]
  await ensure(client, { resource: 'ipRange', name: 'net1', where: inL3, api: range.api, params }, say)
  await ensureServices(client, l3.row)
  return l3NetworkUuid
}

const SERVICES: ('DHCP' | 'DNS' | 'SNAT')[] = ['DHCP', 'DNS', 'SNAT']

async function ensureServices(client: Client, l3: Row): Promise<void> {
  const have = ((l3['networkServices'] as Row[] | undefined) ?? []).map((service) => service['networkServiceType'])
  const missing = SERVICES.filter((service) => !have.includes(service))
  if (missing.length === 0) return
  const { inventories } = await client.query('networkServiceProvider')
  const provider = inventories.find((row) =>
    missing.every((service) => (row['networkServiceTypes'] as string[]).includes(service)),
  )
  if (!provider) throw new Error(`no network service provider offers ${missing.join(', ')}`)
  const params = { l3NetworkUuid: l3['uuid'] as string, networkServices: { [provider['uuid'] as string]: missing } }
  await client.call('AttachNetworkServiceToL3Network', params, { wait: true })
}
