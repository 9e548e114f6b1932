/** The ground of every history: one of everything, some hosts, and a tenant with little. */
import type { QuotaName } from '@skerry/contract'
import { makeSmallWorld, type SmallWorld } from '../harness/small-world.ts'
import { sha512 } from '../harness/zstack-client.ts'
import type { Client } from './client.ts'
import type { SimHost } from './host.ts'
import type { SimSite } from './site.ts'

/** Fourteen addresses: they run out. */
const CIDR = '10.0.0.0/28'
const TENANT = { name: 'tenant', password: 'tenant-password' }
const MIB = 1024 ** 2
/** What the tenant may have. One VM that runs, and one more that is off. */
export const QUOTA = {
  ...{ 'vm.num': 1, 'vm.totalNum': 2, 'vm.memorySize': 512 * MIB, 'volume.data.num': 1, 'snapshot.volume.num': 2 },
} as const satisfies Partial<Record<QuotaName, number>>

export interface SimWorld extends SmallWorld {
  tenant: { uuid: string; client: Client }
}

/** @param hosts how many of the site's machines are hosts from the beginning */
export async function makeWorld(site: SimSite, hosts: number): Promise<SimWorld> {
  const { client: admin } = site
  const { machine } = site.hosts[0]!
  const client = {
    uuid: (name: string, params: object) => admin.uuid(name, { ...params }),
    call: (name: string, params: object) => admin.done(name, { ...params }),
  }
  const world = await makeSmallWorld({ client, machine } as unknown as Parameters<typeof makeSmallWorld>[0], { cidr: CIDR })
  await Promise.all(site.hosts.slice(1, hosts).map((host) => admin.done('AddKVMHost', hostToAdd(world, host))))
  const uuid = await admin.uuid('CreateAccount', { name: TENANT.name, password: sha512(TENANT.password) })
  await Promise.all(Object.entries(QUOTA).map(([name, value]) => admin.done('UpdateQuota', { identityUuid: uuid, name, value })))
  const resourceUuids = [world.image, world.l3, world.offering, world.diskOffering]
  await admin.done('ShareResource', { resourceUuids, accountUuids: [uuid] })
  const tenant = admin.other(TENANT.name, TENANT.password)
  await tenant.login()
  return { ...world, tenant: { uuid, client: tenant } }
}

/** Parameters of AddKVMHost. */
export const hostToAdd = ({ cluster }: Pick<SmallWorld, 'cluster'>, { name, managementIp }: SimHost) => ({
  ...{ name, clusterUuid: cluster, managementIp, username: 'root', password: 'unused' },
})
