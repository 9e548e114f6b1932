/** How fast the disks of guests may be, on the whole agent: held back from their start, and changed while they run. */
import type { kvmDesired } from '@skerry/contract'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { type Bench, bench, endWell, until } from './bench.ts'
import { doc, gen, id, vmSpec } from './documents.ts'

const vm = id('1')
type Disk = kvmDesired.VmSpec['disks'][number]
const path = (n: string) => `/var/lib/pool/${id(n)}.raw`
const disk = (n: string, qos?: Disk['qos']): Disk => ({
  ...{ volumeUuid: id(n), path: path(n), format: 'raw', target: n === 'c' ? 'vda' : 'vdb', boot: n === 'c' },
  ...(qos ? { qos } : {}),
})

let b: Bench
let seq: number
beforeEach(async () => {
  b = await bench()
  seq = 0
  for (const n of ['c', 'd']) b.host.disk.put(path(n), new Uint8Array(512))
  await b.start()
})
afterEach(() => endWell(b))

const want = (disks: Disk[]) => b.sync(doc('vm', vm, ++seq, vmSpec('1', { nics: [], disks })))
const tells = (condition: string) => until(() => expect(b.last(vm)).toMatchObject({ condition, generation: gen(seq) }))
const limits = () =>
  b.libvirt
    .domain(vm)
    .disks.filter((d) => d.device === 'disk')
    .map((d) => d.iotune)
const count = (op: string) => b.libvirt.calls.filter((c) => c.op === op).length

test('a disk is held back from the start, otherwise while it runs, and no longer, without waiting for a next start', async () => {
  await want([disk('c', { totalIops: 100 })])
  await tells('Ready')
  expect([limits(), count('domainSetBlockIoTune')]).toEqual([[{ totalIops: 100 }], 0])
  await want([disk('c', { readIops: 7, totalBytesPerSec: 4096 })])
  await tells('Ready')
  expect(limits()).toEqual([{ readIops: 7, totalBytesPerSec: 4096 }])
  await want([disk('c')])
  await tells('Ready')
  expect(limits()).toEqual([undefined])
  expect(b.last(vm)?.observed).not.toHaveProperty('pendingChange')
  expect([count('domainCreate'), count('domainSetBlockIoTune')]).toEqual([1, 2])
})

test('a disk that is plugged in comes with its limits, and only the disk that changes is told', async () => {
  await want([disk('c')])
  await tells('Ready')
  await want([disk('c'), disk('d', { writeBytesPerSec: 2048 })])
  await tells('Ready')
  expect([limits(), count('domainSetBlockIoTune')]).toEqual([[undefined, { writeBytesPerSec: 2048 }], 0])
  await want([disk('c'), disk('d', { writeBytesPerSec: 1024 })])
  await tells('Ready')
  expect(limits()).toEqual([undefined, { writeBytesPerSec: 1024 }])
  expect(b.libvirt.calls.filter((c) => c.op === 'domainSetBlockIoTune')).toHaveLength(1)
})

test('what the hypervisor refuses is told, and done when it no longer refuses', async () => {
  await want([disk('c')])
  await tells('Ready')
  const release = b.libvirt.failOn('domainSetBlockIoTune')
  await want([disk('c', { totalIops: 5 })])
  await tells('Failed')
  release()
  await tells('Ready')
  expect(limits()).toEqual([{ totalIops: 5 }])
})
