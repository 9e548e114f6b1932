/** What a running guest's network cards do on every implementation of the port, as long as nobody in the guest answers. */
import { expect } from 'vitest'
import { type Libvirt, type NicSpec, nicXml, parseDomain } from '../src/index.ts'

const within = { timeoutMs: 30_000 }

/** `uuid`: a running domain without cards, and a port for one; its guest lets go of nothing. */
export async function plugsNics(libvirt: Libvirt, uuid: string, nic: NicSpec): Promise<void> {
  const taps = async (inactive: boolean) =>
    parseDomain(await libvirt.call('domainXml', { uuid, inactive }, within)).nics.map(({ tap }) => tap)
  const attach = (spec: NicSpec) => libvirt.call('domainAttachDevice', { uuid, xml: nicXml(spec), affect: 'live' }, within)
  const detach = (spec: NicSpec) => libvirt.call('domainDetachDevice', { uuid, xml: nicXml(spec), affect: 'live' }, within)
  expect(await taps(false)).toEqual([])
  await attach(nic)
  expect([await taps(false), await taps(true)]).toEqual([[nic.tap], []])
  const { nics } = parseDomain(await libvirt.call('domainXml', { uuid }, within))
  expect(nics).toMatchObject([{ mac: nic.mac, bridge: nic.bridge, tap: nic.tap, model: 'virtio' }])
  await expect(attach(nic)).rejects.toMatchObject({ code: 'hypervisor-failed' })
  await expect(detach({ ...nic, mac: 'fa:00:00:00:00:99' })).rejects.toMatchObject({
    code: 'hypervisor-failed',
    details: { libvirtCode: 99 },
  })
  await detach(nic)
  expect(await taps(false)).toEqual([nic.tap])
}
