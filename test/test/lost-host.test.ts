/** A host that never comes back: what was only there is given up, another machine takes its place, and a late return changes nothing. */
import type { Row } from '@skerry/contract'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { AGENT_KINDS } from '../harness/fake-machine.ts'
import { type MovableSite, startMovableSite } from '../harness/movable-site.ts'
import { MANAGEMENT_IP } from '../harness/small-site.ts'
import { makeSmallWorld, putUserImage, type SmallWorld } from '../harness/small-world.ts'
import { ZStackClient } from '../harness/zstack-client.ts'

const OTHER_IP = '192.0.2.11'
const SILENCE_MS = 20_000
const access = { username: 'root', password: 'unused' }
let site: MovableSite
let world: SmallWorld

beforeEach(async () => {
  site = await startMovableSite()
  const machine = await site.addMachine(MANAGEMENT_IP)
  const client = new ZStackClient(site.now().url)
  await client.login()
  world = await makeSmallWorld({ client, machine })
})
afterEach(() => site.stop())

const create = (name: string, image: string) =>
  site.call('CreateVmInstance', { name, instanceOfferingUuid: world.offering, imageUuid: image, l3NetworkUuids: [world.l3] })
const die = async () => {
  for (const kind of AGENT_KINDS) await site.machines[0]!.end(kind)
  site.pass(SILENCE_MS)
  await site.until('a silent host', () => site.rows('host').find((h) => h['uuid'] === world.host)?.['status'] === 'Disconnected')
}

describe('a host that is lost', () => {
  it('is given up only when it is silent, and never with images that nobody named', async () => {
    await expect(site.call('LoseHost', { uuid: world.host })).rejects.toMatchObject({ code: 'illegal-state' })
    await create('web', world.image)
    await die()
    await expect(site.call('LoseHost', { uuid: world.host })).rejects.toMatchObject({ code: 'in-use' })
    expect([site.rows('host').length, site.rows('vmInstance').length]).toEqual([1, 1])
  })

  it('goes with its guests after a list of them; another machine takes its place; its return changes nothing', async () => {
    const { uuid } = await create('web', world.image)
    const [nic] = site.rows('vmNic')
    await die()
    await site.call('DeleteBackupStorage', { uuid: world.backupStorage })
    const { client } = site.now()
    const { plan } = (await client.call('LoseHost', { uuid: 'host' }, { dryRun: true })) as { plan: Row }
    const listed = (plan['cascade'] as Row[]).map((line) => `${line['resource']} ${line['name']}`)
    expect(listed).toEqual(expect.arrayContaining(['volume ROOT-for-web', 'vmInstance web', 'host host']))
    expect(site.rows('vmInstance')).toHaveLength(1)

    const keys = site.rows('agent').map((agent) => agent['publicKey'])
    await site.call('LoseHost', { uuid: world.host })
    const left = ['host', 'agent', 'vmInstance', 'vmNic', 'usedIp', 'usedMac', 'volume', 'localStorageHost', 'routerUplink']
    expect(left.map((table) => site.rows(table).length)).toEqual(left.map(() => 0))
    expect(site.contradictions()).toEqual([])
    // shut out: not even with the tokens of tomorrow
    expect([...site.now().controller.state.graph.rows('revokedKey')].map(([k]) => k).sort()).toEqual(keys.sort())

    const machine = await site.addMachine(OTHER_IP)
    await site.call('AddKVMHost', { name: 'h2', clusterUuid: world.cluster, managementIp: OTHER_IP, ...access })
    const store = await site.call('AddImageStoreBackupStorage', {
      name: 'images',
      hostname: OTHER_IP,
      url: '/data/images',
      ...access,
    })
    await site.call('AttachBackupStorageToZone', { backupStorageUuid: store['uuid'], zoneUuid: world.zone })
    await putUserImage({ machine })
    const url = 'file:///data/home/tiny.qcow2'
    const image = await site.call('AddImage', { name: 'tiny', url, backupStorageUuids: [store['uuid']], format: 'qcow2' })
    const again = await create('web', image['uuid'] as string)
    expect(again).toMatchObject({ state: 'Running' })

    for (const kind of AGENT_KINDS) await site.machines[0]!.begin(kind)
    const old = site.machines[0]!.libvirt.inventory().map((d) => `${d.uuid} ${d.state}`)
    site.pass(SILENCE_MS)
    await site.until('the new host is heard', () => site.rows('host').every((h) => h['status'] === 'Connected'))
    expect(old).toHaveLength(1)
    expect(site.machines[0]!.libvirt.inventory().map((d) => `${d.uuid} ${d.state}`)).toEqual(old)
    expect(site.rows('agent').map((a) => a['managementIp'])).toEqual([OTHER_IP, OTHER_IP, OTHER_IP])
    expect([site.rows('vmInstance').map((vm) => vm['uuid']), site.contradictions()]).toEqual([[again['uuid']], []])
    expect([again['uuid'] === uuid, nic === undefined]).toEqual([false, false])
    expect((await site.now().client.auditHosts()).differences).toEqual([])
  })
})
