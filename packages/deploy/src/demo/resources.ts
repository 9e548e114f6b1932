/** What the demo is made of, in the order in which one needs the other; through the public API only. */
import type { Row } from '@skerry/contract'
import type { Client } from '@skerry/sdk'
import { demoAddresses } from './addresses.ts'
import { type Ensured, ensure, ensureAttached, type Say } from './ensure.ts'

export interface DemoInputs {
  client: Client
  managementIp: string
  primaryPath: string
  imagesPath: string
  guest: { path: string; sha256: string }
  cidr: string
  say?: Say
}

/** The host is enrolled by its agents: there is no password to log in with, but the API wants one (ZStack's shape). */
const UNUSED = { username: 'root', password: 'unused-with-enrolled' }
const SERVICES = ['DHCP', 'DNS', 'SNAT']
const MEMORY_BYTES = 256 * 1024 * 1024

export interface Ground {
  zone: string
  cluster: string
  backupStorage: string
}

const uuidOf = ({ row }: Ensured) => row['uuid'] as string

/** Zone, cluster, host, storage. */
export async function ensureGround(o: DemoInputs): Promise<Ground> {
  const { client, say, managementIp } = o
  const zone = uuidOf(await ensure(client, { resource: 'zone', name: 'site', api: 'CreateZone', params: {} }, say))
  const clusterParams = { zoneUuid: zone, hypervisorType: 'KVM' }
  const inZone = [`zoneUuid=${zone}`]
  const cluster = uuidOf(
    await ensure(
      client,
      { resource: 'cluster', name: 'cluster1', where: inZone, api: 'CreateCluster', params: clusterParams },
      say,
    ),
  )
  const hostParams = { managementIp, clusterUuid: cluster, ...UNUSED }
  await ensure(client, { resource: 'host', name: 'host1', where: inZone, api: 'AddKVMHost', params: hostParams }, say)
  const primaryParams = { zoneUuid: zone, url: o.primaryPath }
  const primary = await ensure(
    client,
    { resource: 'primaryStorage', name: 'local', where: inZone, api: 'AddLocalPrimaryStorage', params: primaryParams },
    say,
  )
  await ensureAttached(client, {
    row: primary.row,
    field: 'attachedClusterUuids',
    value: cluster,
    api: 'AttachPrimaryStorageToCluster',
    params: { clusterUuid: cluster, primaryStorageUuid: uuidOf(primary) },
  })
  const storeParams = { hostname: managementIp, url: o.imagesPath, ...UNUSED }
  const store = await ensure(
    client,
    { resource: 'backupStorage', name: 'images', api: 'AddImageStoreBackupStorage', params: storeParams },
    say,
  )
  await ensureAttached(client, {
    row: store.row,
    field: 'attachedZoneUuids',
    value: zone,
    api: 'AttachBackupStorageToZone',
    params: { zoneUuid: zone, backupStorageUuid: uuidOf(store) },
  })
  return { zone, cluster, backupStorage: uuidOf(store) }
}

/** L2, L3, range and services. Returns the L3 network's uuid. */
export async function ensureNetwork(o: DemoInputs, { zone, cluster }: Ground): Promise<string> {
  const { client, say } = o
  const l2Params = { zoneUuid: zone, physicalInterface: 'none' }
  const where = [`zoneUuid=${zone}`]
  const l2 = await ensure(
    client,
    { resource: 'l2Network', name: 'net1', where, api: 'CreateL2NoVlanNetwork', params: l2Params },
    say,
  )
  const params = { l2NetworkUuid: uuidOf(l2), clusterUuid: cluster }
  await ensureAttached(client, {
    row: l2.row,
    field: 'attachedClusterUuids',
    value: cluster,
    api: 'AttachL2NetworkToCluster',
    params,
  })
  const l3Params = { l2NetworkUuid: uuidOf(l2) }
  const l3 = await ensure(client, { resource: 'l3Network', name: 'net1', where, api: 'CreateL3Network', params: l3Params }, say)
  const l3NetworkUuid = uuidOf(l3)
  const range = { l3NetworkUuid, ...demoAddresses(o.cidr) }
  const inL3 = [`l3NetworkUuid=${l3NetworkUuid}`]
  await ensure(client, { resource: 'ipRange', name: 'net1', where: inL3, api: 'AddIpRange', params: range }, say)
  await ensureServices(client, l3.row)
  return l3NetworkUuid
}

async function ensureServices(client: Client, l3: Row): Promise<void> {
  const have = ((l3['networkServices'] as { networkServiceType: string }[] | undefined) ?? []).map((s) => s.networkServiceType)
  const missing = SERVICES.filter((service) => !have.includes(service))
  if (missing.length === 0) return
  const { inventories } = await client.query('networkServiceProvider')
  const provider = inventories.find((row) =>
    missing.every((service) => (row['networkServiceTypes'] as string[]).includes(service)),
  )
  if (!provider) throw new Error(`no network service provider offers ${missing.join(', ')}`)
  const params = { l3NetworkUuid: l3['uuid'], networkServices: { [provider['uuid'] as string]: missing } }
  await client.call('AttachNetworkServiceToL3Network', params, { wait: true })
}

/** Offering, image and the VM; its row as it is now. */
export async function ensureVm(o: DemoInputs, ground: Ground, l3NetworkUuid: string): Promise<Row> {
  const { client, say, guest } = o
  const offering = { cpuNum: 1, memorySize: MEMORY_BYTES }
  const small = await ensure(
    client,
    { resource: 'instanceOffering', name: 'small', api: 'CreateInstanceOffering', params: offering },
    say,
  )
  const imageParams = {
    url: `file://${guest.path}`,
    backupStorageUuids: [ground.backupStorage],
    format: 'qcow2',
    mediaType: 'RootVolumeTemplate',
    platform: 'Linux',
    checksum: `sha256:${guest.sha256}`,
  }
  const tiny = await ensure(client, { resource: 'image', name: 'tiny', api: 'AddImage', params: imageParams }, say)
  const vmParams = { instanceOfferingUuid: uuidOf(small), imageUuid: uuidOf(tiny), l3NetworkUuids: [l3NetworkUuid] }
  const where = ['state!=Destroyed']
  const vm = await ensure(
    client,
    { resource: 'vmInstance', name: 'hello', where, api: 'CreateVmInstance', params: vmParams },
    say,
  )
  return vm.row
}
