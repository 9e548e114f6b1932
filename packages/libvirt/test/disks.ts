/** What a running guest's disks do on every implementation of the port, as long as nobody in the guest answers. */
import { expect } from 'vitest'
import { type CdromSpec, cdromXml, type DiskSpec, diskXml, type Libvirt, parseDomain } from '../src/index.ts'

const within = { timeoutMs: 30_000 }

/**
 * `uuid`: a running domain with disk vda, and ports for as many more as `files` are there; its guest lets go of nothing. Gives back
 * the target of the one that it was asked for.
 */
export async function plugsDisks(libvirt: Libvirt, uuid: string, files: readonly string[]): Promise<string> {
  const targets = async (inactive: boolean) =>
    parseDomain(await libvirt.call('domainXml', { uuid, inactive }, within))
      .disks.filter((d) => d.device === 'disk')
      .map((d) => d.target)
  const specs = files.map(
    (file, n): DiskSpec => ({
      file,
      format: 'raw',
      target: `vd${String.fromCharCode(98 + n)}`,
      volumeUuid: n.toString(16).padStart(32, 'd'),
    }),
  )
  const attach = (disk: DiskSpec) => libvirt.call('domainAttachDevice', { uuid, xml: diskXml(disk), affect: 'live' }, within)
  const detach = (disk: DiskSpec) => libvirt.call('domainDetachDevice', { uuid, xml: diskXml(disk), affect: 'live' }, within)
  // Plugged in in any order, they stand in the order of their targets.
  for (const spec of [...specs].reverse()) await attach(spec)
  expect(await targets(false)).toEqual(['vda', ...specs.map((s) => s.target)])
  expect(await targets(true)).toEqual(['vda'])
  const [first] = specs as [DiskSpec]
  const { disks } = parseDomain(await libvirt.call('domainXml', { uuid }, within))
  expect(disks.find((d) => d.target === first.target)).toMatchObject({
    file: first.file,
    format: 'raw',
    serial: first.volumeUuid?.slice(0, 20),
  })
  await expect(attach(first)).rejects.toMatchObject({ code: 'hypervisor-failed', details: { libvirtCode: 27 } })
  await expect(detach({ ...first, target: 'vdz' })).rejects.toMatchObject({
    code: 'hypervisor-failed',
    details: { libvirtCode: 99 },
  })
  await detach(first)
  expect(await targets(false)).toContain(first.target)
  return first.target
}

/**
 * `uuid`: a running domain with an empty CD drive `drive`; `files`: two to put into it. At the end it is empty again, and what the
 * definition says has never changed.
 */
export async function changesMedia(
  libvirt: Libvirt,
  uuid: string,
  { drive, files }: { drive: CdromSpec; files: [string, string] },
) {
  const inside = async (inactive = false) =>
    parseDomain(await libvirt.call('domainXml', { uuid, inactive }, within)).disks.find((d) => d.target === drive.target)?.file
  const put = (spec: CdromSpec) => libvirt.call('domainChangeMedia', { uuid, xml: cdromXml(spec), affect: 'live' }, within)
  const defined = await inside(true)
  expect(await inside()).toBeNull()
  for (const file of [files[0], files[0], files[1]]) {
    await put({ ...drive, file })
    expect(await inside()).toBe(file)
  }
  await put(drive)
  await put(drive)
  expect([await inside(), await inside(true)]).toEqual([null, defined])
  await expect(put({ ...drive, target: 'sdz' })).rejects.toMatchObject({ code: 'hypervisor-failed' })
}
