/** Storage servers on a site in memory: added, used for images and VMs, lost in every way, and found again. */
import { FakeSftp, fakeKey } from '@skerry/agent-storage'
import type { Row } from '@skerry/contract'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { hurried } from '../harness/hurried.ts'
import { type SmallSite, startSmallSite } from '../harness/small-site.ts'
import { IMAGE_FILE, makeSmallWorld, type SmallWorld } from '../harness/small-world.ts'

const HOST = 'store.site.test'
const PASSWORD = 'a password of a storage server'
const sftp = new FakeSftp()
const server = sftp.server(HOST)
server.password = PASSWORD

let site: SmallSite
let world: SmallWorld
beforeAll(async () => {
  site = await startSmallSite({ sftp })
  world = await makeSmallWorld(site)
  // The same image as a file of the server.
  server.disk.makeDir('/home/user', 0o755)
  server.disk.put('/home/user/tiny.qcow2', site.machine.host.disk.files.get(IMAGE_FILE)!.data)
})
afterAll(async () => {
  await site?.stop()
  expect(site.errors).toEqual([])
})

const access = { hostname: HOST, username: 'user', password: PASSWORD, sshPort: 2222 }
const add = (more: Row = {}) =>
  site.client.call('AddSftpBackupStorage', { name: 'server', url: '/srv/images', ...access, ...more }) as Promise<{
    inventory: Row
  }>
const storage = (uuid: string) => site.controller.state.graph.get('backupStorage', uuid)
const refused = async (api: string, params: Row) => (await site.client.exchange(api, params)).last
const addImage = (uuid: string, more: Row = {}) =>
  site.client.uuid('AddImage', {
    name: 'there',
    url: 'file:///home/user/tiny.qcow2',
    format: 'qcow2',
    backupStorageUuids: [uuid],
    ...more,
  })
const on = (folder: string) => [...server.disk.files.keys()].filter((path) => path.startsWith(folder))
async function clean(): Promise<void> {
  await site.settled()
  expect(site.contradictions()).toEqual([])
  expect((await (await hurried(site.url, 30)).auditHosts()).differences).toEqual([])
}
async function gone(vm: string): Promise<void> {
  await site.client.call('DestroyVmInstance', { uuid: vm })
  await site.client.call('ExpungeVmInstance', { uuid: vm })
}

describe('a storage server', () => {
  let uuid: string

  it('is added with what it holds, pins who answered, and tells nobody the password', async () => {
    const { inventory } = await add()
    uuid = inventory['uuid'] as string
    expect(inventory).toMatchObject({
      ...{ type: 'SftpBackupStorage', status: 'Connected', state: 'Enabled', hostname: HOST, username: 'user', sshPort: 2222 },
      ...{ url: '/srv/images', totalCapacity: server.disk.totalBytes, attachedZoneUuids: [] },
    })
    expect(storage(uuid)?.['hostKey']).toBe(fakeKey(HOST))
    expect(on('/srv/images')).toEqual(['/srv/images/.skerry-pool.json'])
    const listed = (await site.client.call('QuerySftpBackupStorage', {})) as { inventories: Row[] }
    expect(listed.inventories.map((row) => row['uuid'])).toEqual([uuid])
    const stores = (await site.client.call('QueryImageStoreBackupStorage', {})) as { inventories: Row[] }
    expect(stores.inventories.map((row) => row['uuid'])).toEqual([world.backupStorage])
    expect(JSON.stringify([listed, site.state(), site.asked])).not.toContain(PASSWORD)
    expect((await refused('AddSftpBackupStorage', { name: 'again', url: '/srv/images', ...access })).text).toContain(
      'has this folder already',
    )
  })

  it('holds an image that comes over a connection that breaks, and gives it to a host once, however many VMs are made of it', async () => {
    await site.client.call('AttachBackupStorageToZone', { zoneUuid: world.zone, backupStorageUuid: uuid })
    server.hangsUpAfter = 14
    const image = await addImage(uuid)
    expect(server.hangsUpAfter).toBeUndefined()
    const row = site.controller.state.graph.get('image', image)!
    expect(row).toMatchObject({ status: 'Ready', size: 64 * 1024 ** 2 })
    const path = (row['backupStorageRefs'] as Row[])[0]!['installPath'] as string
    expect(server.disk.files.get(path)?.data).toEqual(site.machine.host.disk.files.get(IMAGE_FILE)?.data)
    expect(on('/srv/images').filter((file) => file.includes('.part'))).toEqual([])

    server.hangsUpAfter = 1
    const params = { instanceOfferingUuid: world.offering, imageUuid: image, l3NetworkUuids: [world.l3] }
    const vms = await Promise.all(['a', 'b'].map((name) => site.client.uuid('CreateVmInstance', { name, ...params })))
    expect(server.hangsUpAfter).toBeUndefined()
    const cached = [...site.machine.host.disk.files.keys()].filter((file) => file.startsWith('/data/primary/cache/'))
    expect(cached).toHaveLength(1)
    await clean()
    const asked = server.requests
    await gone(await site.client.uuid('CreateVmInstance', { name: 'c', ...params }))
    expect(server.requests).toBe(asked)
    for (const vm of vms) await gone(vm)
    await clean()
    await site.client.call('DeleteImage', { uuid: image })
    await site.client.call('ExpungeImage', { imageUuid: image })
    expect(on('/srv/images')).toEqual(['/srv/images/.skerry-pool.json'])
  })

  it('that refuses leaves nothing: a wrong password, another host key, nobody there, a full disk, a file that is none', async () => {
    const before = site.state()
    const other = { name: 'other', url: '/srv/other', ...access }
    expect((await refused('AddSftpBackupStorage', { ...other, password: 'wrong' })).text).toContain('does not let user in')
    expect((await refused('AddSftpBackupStorage', { ...other, url: '/home/user' })).text).toContain('files that are not ours')
    server.disk.totalBytes = server.disk.usedBytes() + 4_096
    expect(
      (await refused('AddImage', { name: 'x', url: 'file:///home/user/tiny.qcow2', format: 'qcow2', backupStorageUuids: [uuid] }))
        .text,
    ).toContain('cannot write')
    server.disk.totalBytes = 100 * 1024 ** 3
    server.disk.put('/home/user/none.qcow2', new Uint8Array(70_000))
    const none = { name: 'x', url: 'file:///home/user/none.qcow2', format: 'qcow2', backupStorageUuids: [uuid] }
    expect((await refused('AddImage', none)).text).toContain('the image is refused')
    expect((await refused('AddImage', { ...none, url: 'file:///etc/shadow' })).text).toContain('protected folder')
    server.hostKey = fakeKey('somebody else')
    expect((await refused('ReconnectSftpBackupStorage', { uuid })).text).toContain('another server answers')
    await site.settled()
    expect(on('/srv/other')).toEqual([])
    expect(on('/srv/images')).toEqual(['/srv/images/.skerry-pool.json'])
    expect(site.state() === before).toBe(true)
    // Naming the server anew says that it is right.
    await site.client.call('UpdateSftpBackupStorage', { uuid, hostname: HOST })
    await site.client.call('ReconnectSftpBackupStorage', { uuid })
    expect(storage(uuid)?.['hostKey']).toBe(fakeKey('somebody else'))
  })

  it('lets in by the password that was set last', async () => {
    server.password = 'another password'
    expect((await refused('ReconnectSftpBackupStorage', { uuid })).text).toContain('does not let user in')
    await site.client.call('UpdateSftpBackupStorage', { uuid, password: 'another password' })
    const { inventory } = (await site.client.call('ReconnectSftpBackupStorage', { uuid })) as { inventory: Row }
    expect(inventory['status']).toBe('Connected')
  })

  it('takes its images along when it is deleted, but not those that are elsewhere too', async () => {
    const only = await addImage(uuid)
    const both = await addImage(uuid, { url: `file://${IMAGE_FILE}`, backupStorageUuids: [world.backupStorage] })
    const { graph } = site.controller.state
    const ref = { imageUuid: both, backupStorageUuid: uuid, installPath: '/x', status: 'Ready' }
    const refs = [...(graph.get('image', both)!['backupStorageRefs'] as Row[]), ref]
    await site.controller.state.commit(
      { ops: [{ o: 'set', t: 'image', k: both, v: { backupStorageRefs: refs } }] },
      { actor: 'test' },
    )
    await site.client.call('DeleteBackupStorage', { uuid })
    expect([storage(uuid), graph.get('image', only)]).toEqual([undefined, undefined])
    expect((graph.get('image', both)!['backupStorageRefs'] as Row[]).map((r) => r['backupStorageUuid'])).toEqual([
      world.backupStorage,
    ])
    await clean()
  })

  it('an image store that is deleted takes its images and their bytes along', async () => {
    const before = [...site.machine.host.disk.files.keys()].filter((path) => path.startsWith('/data/images/images/'))
    expect(before.length).toBeGreaterThan(0)
    await site.client.call('DeleteBackupStorage', { uuid: world.backupStorage })
    await clean()
    expect(site.controller.state.graph.count('image')).toBe(0)
    expect([...site.machine.host.disk.files.keys()].filter((path) => path.startsWith('/data/images'))).toEqual([])
  })
})
