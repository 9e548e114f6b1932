/** How a running disk is held back on every implementation of the port. */
import { expect } from 'vitest'
import { type Iotune, type Libvirt, parseDomain } from '../src/index.ts'

const within = { timeoutMs: 30_000 }

/** `disk`: one of a running domain, with no limits; at the end it has none again, and what the definition says has never changed. */
export async function limitsDisks(libvirt: Libvirt, uuid: string, disk: string): Promise<void> {
  const limits = async (inactive = false) =>
    parseDomain(await libvirt.call('domainXml', { uuid, inactive }, within)).disks.find((d) => d.target === disk)!.iotune ?? {}
  const set = (iotune: Iotune, target = disk) => libvirt.call('domainSetBlockIoTune', { uuid, disk: target, iotune }, within)
  expect(await limits()).toEqual({})
  const large = { totalBytesPerSec: 5_000_000_000, readIops: 100, writeIops: 7 }
  await set(large)
  expect([await limits(), await limits(true)]).toEqual([large, {}])
  await set({ readBytesPerSec: 2048 })
  expect(await limits()).toEqual({ readBytesPerSec: 2048 })
  await set({})
  expect(await limits()).toEqual({})
  await expect(set({ totalIops: 5 }, 'vdzz')).rejects.toMatchObject({ code: 'hypervisor-failed', details: { libvirtCode: 8 } })
}
