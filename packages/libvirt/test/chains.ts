/** What may be done to the files of a running domain's disk, on every implementation of the port. */
import { expect } from 'vitest'
import { diskXml, type Libvirt, parseDomain, snapshotXml } from '../src/index.ts'

const within = { timeoutMs: 30_000 }

export interface Chain {
  /** Makes an image that lies on another, or on none. */
  make(file: string, below: string | null): Promise<void>
  /** What an image lies on, as its own header says. */
  below(file: string): Promise<string | null>
  sizeOf(file: string): Promise<number>
  /** A folder for them. */
  dir: string
}

/** `uuid`: a running domain with disk vda, a free port, and no disk at `target`. At the end it has one there. */
export async function chainsDisks(libvirt: Libvirt, { uuid, target }: { uuid: string; target: string }, chain: Chain) {
  const { make, below, sizeOf, dir } = chain
  const [a, b, c, d] = ['a', 'b', 'c', 'd'].map((name) => `${dir}/${name}.qcow2`) as [string, string, string, string]
  const disks = async () => parseDomain(await libvirt.call('domainXml', { uuid }, within)).disks
  const file = async () => (await disks()).find((disk) => disk.target === target)?.file
  const moveTo = async (to: string) => {
    const xml = snapshotXml(
      (await disks()).map((disk) => (disk.target === target ? { target, file: to } : { target: disk.target })),
    )
    await libvirt.call('domainSnapshotDisks', { uuid, xml }, within)
  }
  const ended = async () => expect.poll(() => libvirt.call('domainBlockJob', { uuid, disk: target }, within), soon).toBeNull()
  await make(a, null)
  const volumeUuid = '9'.repeat(32)
  const xml = diskXml({ file: a, format: 'qcow2', target, volumeUuid })
  await libvirt.call('domainAttachDevice', { uuid, xml, affect: 'live' }, within)
  expect(await libvirt.call('domainBlockJob', { uuid, disk: target }, within)).toBeNull()

  // Another file only when it is there; the rest of the domain stays where it is.
  await expect(moveTo(b)).rejects.toMatchObject({ code: 'hypervisor-failed' })
  const others = (await disks()).filter((disk) => disk.target !== target)
  for (const [to, from] of [
    [b, a],
    [c, b],
  ] as const) {
    await make(to, from)
    await moveTo(to)
    expect([await file(), await below(to)]).toEqual([to, from])
  }
  expect((await disks()).filter((disk) => disk.target !== target)).toEqual(others)

  // What lies in the middle goes out of the chain.
  await libvirt.call('domainBlockPull', { uuid, disk: target, base: a }, within)
  await ended()
  expect([await file(), await below(c)]).toEqual([c, a])
  await libvirt.call('domainBlockPull', { uuid, disk: target, base: null }, within)
  await ended()
  expect([await file(), await below(c)]).toEqual([c, null])
  await expect(libvirt.call('domainBlockPull', { uuid, disk: target, base: a }, within)).rejects.toMatchObject({
    code: 'hypervisor-failed',
  })

  // And back into the file below.
  await make(d, c)
  await moveTo(d)
  await libvirt.call('domainBlockCommit', { uuid, disk: target, top: d, base: c }, within)
  await expect.poll(() => pivots(libvirt, uuid, target), soon).toBe(true)
  expect(await file()).toBe(c)
  expect(await libvirt.call('domainBlockJob', { uuid, disk: target }, within)).toBeNull()
  await expect(libvirt.call('domainBlockJobEnd', { uuid, disk: target, how: 'pivot' }, within)).rejects.toMatchObject({
    code: 'hypervisor-failed',
  })

  const sizeBytes = 2 * (await sizeOf(c))
  await libvirt.call('domainBlockResize', { uuid, disk: target, sizeBytes }, within)
  expect(await sizeOf(c)).toBe(sizeBytes)
  await expect(libvirt.call('domainBlockResize', { uuid, disk: 'nosuch', sizeBytes }, within)).rejects.toMatchObject({
    code: 'hypervisor-failed',
  })
}

const soon = { timeout: 20_000, interval: 20 }

/** A commit that has nothing left to write can be ended. */
async function pivots(libvirt: Libvirt, uuid: string, disk: string): Promise<boolean> {
  await libvirt.call('domainBlockJob', { uuid, disk }, within)
  return libvirt.call('domainBlockJobEnd', { uuid, disk, how: 'pivot' }, within).then(
    () => true,
    () => false,
  )
}
