/** What a simulated site is made of, so that a VM can be created at once; through the public API only. A second run changes nothing. */
import type { Row } from '@skerry/contract'
import type { Client } from '@skerry/sdk'
import { ensure } from '@skerry/sdk/ensure'
import { ensureGround, ensureNetwork, ensureStorage } from '@skerry/sdk/ensure-site'
import { inParallel } from '../parallel.ts'
import { addressOfHost } from './settings.ts'

/** Any will do: nobody logs in. */
const UNUSED = { username: 'root', password: 'unused' }
const CIDR = '10.137.0.0/16'
const MIB = 1024 ** 2
const HOSTS_AT_ONCE = 48
const PAGE = 1_000

export interface SimulatedDemo {
  client: Client
  hosts: number
  say(text: string): void
}

export async function makeSimulatedDemo({ client, hosts, say }: SimulatedDemo): Promise<void> {
  const ground = await ensureGround({ client })
  await addHosts({ client, hosts, say }, ground.cluster)
  // Hosts first: what is attached to a cluster is made on all of them at once, not on all of them again with each new one.
  const images = { hostname: addressOfHost(1), url: '/data/images', ...UNUSED }
  await addImage(client, await ensureStorage({ client }, { ...ground, primaryPath: '/data/primary', images }))
  const range = { api: 'AddIpRangeByNetworkCidr', params: { networkCidr: CIDR } } as const
  await ensureNetwork({ client }, { ...ground, physicalInterface: 'eth1', range })
  const offering = { cpuNum: 1, memorySize: 256 * MIB }
  await ensure(client, { resource: 'instanceOffering', name: 'small', api: 'CreateInstanceOffering', params: offering })
}

async function addHosts({ client, hosts, say }: SimulatedDemo, clusterUuid: string): Promise<void> {
  const taken = new Set<unknown>()
  for (let start = 0; ; start += PAGE) {
    const { inventories } = await client.query('host', { fields: ['managementIp'], sort: '+uuid', start, limit: PAGE })
    for (const { managementIp } of inventories as Row[]) taken.add(managementIp)
    if (inventories.length < PAGE) break
  }
  const wanted = Array.from({ length: hosts }, (_, i) => ({ name: `h${i + 1}`, managementIp: addressOfHost(i + 1) }))
  const missing = wanted.filter(({ managementIp }) => !taken.has(managementIp))
  let added = 0
  await inParallel(missing, HOSTS_AT_ONCE, async (host) => {
    await client.call('AddKVMHost', { ...host, clusterUuid, ...UNUSED }, { wait: true })
    added += 1
    if (added % 100 === 0) say(`${added} of ${missing.length} hosts`)
  })
}

async function addImage(client: Client, backupStorageUuid: string): Promise<void> {
  const url = 'http://images.invalid/tiny.qcow2'
  const params = {
    url,
    backupStorageUuids: [backupStorageUuid],
    format: 'qcow2',
    mediaType: 'RootVolumeTemplate',
    platform: 'Linux',
  }
  await ensure(client, { resource: 'image', name: 'tiny', api: 'AddImage', params })
}
