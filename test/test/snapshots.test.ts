/** Snapshots of volumes and growing volumes through the API, on a site in memory: chains of files, trees, room, refusals. */
import type { Row } from '@skerry/contract'
import { fakeBlocks } from '@skerry/host'
import { parseDomain } from '@skerry/libvirt'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { hurried } from '../harness/hurried.ts'
import { OwnClient } from '../harness/own-client.ts'
import { type SmallSite, startSmallSite } from '../harness/small-site.ts'
import { makeSmallWorld, type SmallWorld } from '../harness/small-world.ts'

const GIB = 1024 ** 3
let site: SmallSite
let world: SmallWorld
beforeAll(async () => {
  site = await startSmallSite()
  world = await makeSmallWorld(site)
})
afterAll(async () => {
  await site?.stop()
  expect(site.errors).toEqual([])
})

const graph = () => site.controller.state.graph
const makeVm = (more: Row = {}) =>
  site.client.uuid('CreateVmInstance', {
    ...{ name: 'vm', instanceOfferingUuid: world.offering, imageUuid: world.image, l3NetworkUuids: [world.l3] },
    ...more,
  })
const rootOf = (vm: string) => graph().get('vmInstance', vm)!['rootVolumeUuid'] as string
const volume = (uuid: string) => graph().get('volume', uuid)!
const snapshot = (uuid: string) => graph().get('volumeSnapshot', uuid)!
const room = () => graph().get('primaryStorage', world.primaryStorage)!['availableCapacity'] as number
const take = (volumeUuid: string, name = 'snap') => site.client.uuid('CreateVolumeSnapshot', { volumeUuid, name })
const remove = (uuid: string) => site.client.call('DeleteVolumeSnapshot', { uuid })
const revert = (uuid: string) => site.client.call('RevertVolumeFromSnapshot', { uuid })
const path = (uuid: string) => snapshot(uuid)['primaryStorageInstallPath'] as string
const present = (uuid: string) => volume(uuid)['installPath'] as string
const below = (file: string) => fakeBlocks(site.machine.host.disk).below(file)
const files = (uuid: string) =>
  [...site.machine.host.disk.files.keys()].filter((file) => file.includes(`/volumes/${uuid}`)).sort()
const domain = (vm: string) => site.machine.libvirt.inventory().find((d) => d.uuid === vm)!
const disks = (vm: string) => parseDomain(domain(vm).xml).disks.flatMap((d) => (d.readonly ? [] : [d.file]))
const pid = (vm: string) => graph().get('vmInstance', vm)!['state']
async function clean(): Promise<void> {
  await site.settled()
  await expect.poll(() => site.contradictions()).toEqual([])
  const audit = await hurried(site.url, 30)
  await expect.poll(async () => (await audit.auditHosts()).differences, { timeout: 10_000 }).toEqual([])
}
const refused = async (api: string, params: Row) => {
  const before = site.state()
  const { last } = await site.client.exchange(api, params)
  expect(site.state()).toBe(before)
  return (JSON.parse(last.text) as { error: { code: string; details: string; description: string } }).error
}
const stop = (uuid: string) => site.client.call('StopVmInstance', { uuid, type: 'cold' })
const trees = async (volumeUuid: string) =>
  ((await site.client.call('QueryVolumeSnapshotTree', { q: [`volumeUuid=${volumeUuid}`] })) as { inventories: Row[] }).inventories

describe('snapshots of a running VM', () => {
  it('go together, each by itself: what one can not costs the others nothing', async () => {
    const vm = await makeVm()
    const root = rootOf(vm)
    const free = room()
    const all = [await take(root, 'a'), await take(root, 'b'), await take(root, 'c')]
    const [a, b, c] = all as [string, string, string]
    const batch = (uuids: string[]) => site.client.call('BatchDeleteVolumeSnapshot', { uuids })
    expect((await refused('BatchDeleteVolumeSnapshot', { uuids: [a, a] })).details).toContain('twice')
    expect((await refused('BatchDeleteVolumeSnapshot', { uuids: [a, 'f'.repeat(32)] })).details).toContain('there is no')
    const release = site.machine.libvirt.failOn('domainBlockPull')
    const { results } = (await batch([c, b])) as { results: Row[] }
    expect(results).toEqual([
      { snapshotUuid: c, success: false, error: expect.objectContaining({ code: expect.stringMatching(/^\w+\.\d+$/) }) },
      { snapshotUuid: b, success: false, error: expect.objectContaining({ details: expect.any(String) }) },
    ])
    release()
    const size = (uuid: string) => snapshot(uuid)['size'] as number
    const sizes = [size(b), size(a), size(c)]
    expect(((await batch([b, a, c])) as { results: Row[] }).results).toEqual(
      [b, a, c].map((snapshotUuid, n) => ({ snapshotUuid, success: true, size: sizes[n] })),
    )
    expect([await trees(root), files(root), room()]).toEqual([[], [present(root)], free])
    await clean()
  })

  it('move the guest along without a restart, go one by one, and give all room back', async () => {
    const vm = await makeVm()
    const root = rootOf(vm)
    const free = room()
    const started = site.machine.libvirt.calls.filter((c) => c.op === 'domainCreate').length
    const first = present(root)
    const [a, b, c] = [await take(root, 'a'), await take(root, 'b'), await take(root, 'c')] as [string, string, string]
    expect([path(a), below(path(b)), below(path(c)), below(present(root))]).toEqual([first, path(a), path(b), path(c)])
    expect(disks(vm)).toEqual([present(root)])
    expect(snapshot(c)).toMatchObject({
      latest: true,
      parentUuid: b,
      distance: 3,
      status: 'Ready',
      type: 'Hypervisor',
      volumeType: 'Root',
    })
    expect(snapshot(a)).toMatchObject({ latest: false, parentUuid: null, distance: 1 })
    expect(room()).toBe(free - [a, b, c].reduce((sum, uuid) => sum + (snapshot(uuid)['size'] as number), 0))
    await clean()

    // From the middle of what the guest has open.
    await remove(b)
    expect(below(present(root))).toBe(path(a))
    expect(below(path(c))).toBe(path(a))
    expect(snapshot(c)).toMatchObject({ parentUuid: a, distance: 2 })
    await clean()
    await remove(c)
    await remove(a)
    await clean()
    expect(files(root)).toEqual([present(root)])
    expect(room()).toBe(free)
    expect(disks(vm)).toEqual([present(root)])
    expect(site.machine.libvirt.calls.filter((one) => one.op === 'domainCreate').length).toBe(started)
    expect(pid(vm)).toBe('Running')
    expect(graph().get('vmInstance', vm)).not.toHaveProperty('pendingChange', true)
  })

  it('are not gone back to while it runs, and are when it is stopped: what was written since goes', async () => {
    const vm = await makeVm()
    const root = rootOf(vm)
    const [a, b] = [await take(root, 'a'), await take(root, 'b')] as [string, string]
    expect(await refused('RevertVolumeFromSnapshot', { uuid: a })).toMatchObject({ code: 'VM.1010' })
    const old = present(root)
    await stop(vm)
    await revert(a)
    expect(below(present(root))).toBe(path(a))
    expect([snapshot(a)['latest'], snapshot(b)['latest']]).toEqual([true, false])
    await clean()
    expect(files(root)).not.toContain(old)
    await site.client.call('StartVmInstance', { uuid: vm })
    expect(disks(vm)).toEqual([present(root)])
    const branch = await take(root, 'branch')
    expect(snapshot(branch)).toMatchObject({ parentUuid: a, distance: 2 })
    const [tree] = await trees(root)
    expect(tree).toMatchObject({
      current: true,
      tree: { inventory: { uuid: a }, children: [{ inventory: { uuid: b } }, { inventory: { uuid: branch }, parentUuid: a }] },
    })
    const dateOf = (t: Row) => ((t['tree'] as Row)['inventory'] as Row)['createDate']
    expect(dateOf(tree!)).toMatch(/^[A-Z][a-z]{2} \d+, \d{4} .* [AP]M$/)
    const own = await new OwnClient(site.url, site.client.session).call('QueryVolumeSnapshotTree', { q: [`volumeUuid=${root}`] })
    expect(dateOf((own.body!['inventories'] as Row[])[0]!)).toMatch(/^\d{4}-\d\d-\d\dT.*Z$/)
    // A root with branches: each has a tree then.
    await remove(a)
    await clean()
    const both = await trees(root)
    expect(both.map((t) => [(t['tree'] as { inventory: Row }).inventory['uuid'], t['current']]).sort()).toEqual(
      [
        [b, false],
        [branch, true],
      ].sort(),
    )
    await site.client.call('DestroyVmInstance', { uuid: vm })
    await site.client.call('ExpungeVmInstance', { uuid: vm })
    await clean()
    expect(files(root)).toEqual([])
    expect(graph().get('volumeSnapshot', b)).toBeUndefined()
  })
})

describe('a snapshot that fails', () => {
  it('leaves the guest where it was, and nothing of it', async () => {
    const vm = await makeVm()
    const root = rootOf(vm)
    const before = [room(), files(root), disks(vm), volume(root)]
    site.machine.libvirt.failOn('domainSnapshotDisks', domain(vm).name, { times: 1 })
    const { last } = await site.client.exchange('CreateVolumeSnapshot', { volumeUuid: root, name: 'none' })
    expect(last.body?.['error']).toMatchObject({ code: 'VM.1001' })
    await clean()
    expect([room(), files(root), disks(vm), volume(root)]).toEqual(before)
    expect([...graph().by('volumeSnapshot', 'volumeUuid', root)]).toEqual([])
  })

  it('after the guest was moved: it is taken back, with what it wrote', async () => {
    const vm = await makeVm()
    const root = rootOf(vm)
    const before = [room(), files(root), disks(vm), volume(root)]
    const { libvirt, host } = site.machine
    // What is asked after the move is how large the file is now.
    const first = present(root)
    const ordinary = host.faults.before
    host.faults.before = (op, args) => {
      if (op === 'files.list' && String(args[0]).endsWith('/volumes') && disks(vm)[0] !== first) {
        host.faults.before = ordinary
        host.faults.failNext('files.list')
      }
      return ordinary(op, args)
    }
    const { last } = await site.client.exchange('CreateVolumeSnapshot', { volumeUuid: root, name: 'none' })
    expect(last.body?.['error']).toBeTruthy()
    expect(libvirt.calls.some((call) => call.op === 'domainBlockCommit')).toBe(true)
    await clean()
    expect([room(), files(root), disks(vm), volume(root)]).toEqual(before)
  })
})

describe('a data volume', () => {
  const make = () =>
    site.client.uuid('CreateDataVolume', { name: 'data', diskSize: GIB, primaryStorageUuid: world.primaryStorage })

  it('without a VM is snapshotted, reverted, grown and deleted with all that it has', async () => {
    const free = room()
    const data = await make()
    const [a, b] = [await take(data, 'a'), await take(data, 'b')] as [string, string]
    const size = (await site.client.call('GetVolumeSnapshotSize', { uuid: a })) as Row
    expect(size).toMatchObject({ size: GIB, actualSize: expect.any(Number) })
    await site.client.call('ResizeDataVolume', { uuid: data, size: 2 * GIB })
    expect(volume(data)).toMatchObject({ size: 2 * GIB })
    await revert(a)
    await remove(b)
    await clean()
    await site.client.call('DeleteDataVolume', { uuid: data })
    expect(await refused('CreateVolumeSnapshot', { volumeUuid: data, name: 'late' })).toMatchObject({ code: 'SYS.1005' })
    await site.client.call('ExpungeDataVolume', { uuid: data })
    await clean()
    expect([files(data), room()]).toEqual([[], free])
  })

  it('grows in a running guest, and never shrinks', async () => {
    const vm = await makeVm()
    const root = rootOf(vm)
    const size = volume(root)['size'] as number
    await take(root)
    await site.client.call('ResizeRootVolume', { uuid: root, size: size + GIB })
    expect(site.machine.libvirt.calls.some((c) => c.op === 'domainBlockResize')).toBe(true)
    expect(volume(root)['size']).toBe(size + GIB)
    expect(await refused('ResizeRootVolume', { uuid: root, size })).toMatchObject({ code: 'SYS.1007' })
    expect(await refused('ResizeDataVolume', { uuid: root, size: size * 4 })).toMatchObject({ code: 'SYS.1007' })
    expect(await refused('ResizeRootVolume', { uuid: root, size: 2 ** 50 })).toMatchObject({ code: 'PS.1000' })
    await clean()
  })

  it('that was never made, or whose storage is full, has no snapshots', async () => {
    const data = await site.client.uuid('CreateDataVolume', { name: 'data', diskSize: GIB })
    expect(await refused('CreateVolumeSnapshot', { volumeUuid: data, name: 'none' })).toMatchObject({ code: 'SYS.1005' })
    const placed = await make()
    const { host } = site.machine
    host.faults.failNext('qemuImg.create')
    const before = [room(), files(placed)]
    const { last } = await site.client.exchange('CreateVolumeSnapshot', { volumeUuid: placed, name: 'no room' })
    expect(last.text).toContain('error')
    await clean()
    expect([room(), files(placed)]).toEqual(before)
    expect([...graph().by('volumeSnapshot', 'volumeUuid', placed)]).toEqual([])
    expect(volume(placed)).toMatchObject({ filesJob: null, next: null, drop: [] })
  })

  it('tells when a file of its snapshots is gone', async () => {
    const data = await make()
    const a = await take(data, 'a')
    await take(data, 'b')
    const { disk } = site.machine.host
    const lost = disk.files.get(path(a))!
    disk.remove(path(a))
    site.machine.signal()
    const codes = () => site.controller.conditions.list().flatMap((c) => (c.uuid === data ? [c.code] : []))
    await expect.poll(codes, { timeout: 10_000 }).toEqual(['volume-lost'])
    disk.put(path(a), lost.data, { sizeBytes: lost.sizeBytes })
    site.machine.signal()
    await expect.poll(codes, { timeout: 10_000 }).toEqual([])
  })
})
