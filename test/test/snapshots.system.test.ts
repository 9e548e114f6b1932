/** Snapshots on real guests: bytes that were written before, between and after, live and stopped, back again and with one taken out. */
import { realHost } from '@skerry/host'
import { expect, it } from 'vitest'
import { inGuest } from '../harness/console.ts'
import type { Demo } from '../harness/demo.ts'
import { onDemoSite } from '../harness/demo-site.ts'
import { answers } from '../harness/guest.ts'
import type { TestSite } from '../harness/site.ts'
import { clean, gone, makeVm } from '../harness/vms.ts'

const MIB = 1024 ** 2
const { files, qemuImg } = realHost()

let site: TestSite
let demo: Demo
onDemoSite((on) => {
  site = on.site
  demo = on.demo
})

const BLOCKS = { one: 0, two: 64, three: 128 }
type Block = keyof typeof BLOCKS
/** A word at the beginning of a MiB of its own, which nothing else overwrites. */
const writes = (word: Block) => `printf "word-%s" ${word} | dd of=/dev/vdb bs=4096 seek=${BLOCKS[word]} conv=notrunc && sync`
const holds = (word: Block) =>
  `[ "$(dd if=/dev/vdb bs=4096 skip=${BLOCKS[word]} count=1 2>/dev/null | head -c ${5 + word.length})" = word-${word} ]`
const lacks = (word: Block) => `! ${holds(word)}`

/** What a guest would read from a file of a volume. */
async function content(path: string): Promise<string> {
  const flat = `${path}.flat`
  await files.remove(flat)
  await qemuImg.convert({ from: { path, format: 'qcow2' }, to: { path: flat, format: 'raw' }, timeoutMs: 30_000 })
  const sum = (await files.sha256(flat))!
  await files.remove(flat)
  return sum
}

it('what a volume held comes back, and the rest keeps what it holds when a snapshot in the middle goes, live and stopped', async () => {
  const vm = await makeVm(site, demo, 'guest')
  const { uuid } = await site.call('CreateDataVolume', { name: 'data', diskSize: 64 * MIB })
  await answers(demo.l3, vm.ip)
  await site.call('AttachDataVolumeToVm', { volumeUuid: uuid, vmInstanceUuid: vm.uuid })
  const take = async (name: string) => site.call('CreateVolumeSnapshot', { volumeUuid: uuid, name })
  const volume = () => site.client.get('volume', uuid as string)

  const pids = await pidOf(vm.uuid)
  const snapshots: Record<string, unknown>[] = []
  for (const word of ['one', 'two', 'three'] as const) {
    await inGuest(site, vm.uuid, `until [ -e /sys/block/vdb ]; do sleep 1; done; ${writes(word)}`, word)
    snapshots.push(await take(word))
  }
  const [one, two, three] = snapshots as [Record<string, unknown>, Record<string, unknown>, Record<string, unknown>]
  const pathOf = (s: Record<string, unknown>) => s['primaryStorageInstallPath'] as string
  const before = { one: await content(pathOf(one)), three: await content(pathOf(three)) }

  // Live, out of the middle of what the guest has open.
  await site.call('ResizeDataVolume', { uuid, size: 96 * MIB })
  await site.call('DeleteVolumeSnapshot', { uuid: two['uuid'] as string })
  expect({ one: await content(pathOf(one)), three: await content(pathOf(three)) }).toEqual(before)
  const grown = '[ "$(cat /sys/block/vdb/size)" = 196608 ]'
  await inGuest(site, vm.uuid, `${grown} && ${holds('one')} && ${holds('two')} && ${holds('three')}`, 'kept')
  // A volume of its own, while the guest has open what lies over it.
  const copied = { name: 'copy', volumeSnapshotUuid: one['uuid'] as string }
  const copy = await site.call('CreateDataVolumeFromVolumeSnapshot', copied)
  expect(await content(copy['installPath'] as string)).toBe(before.one)
  expect(await qemuImg.info({ path: copy['installPath'] as string, format: 'qcow2' })).toHaveLength(1)
  await clean(site)
  expect(await pidOf(vm.uuid)).toBe(pids)

  // Stopped.
  await site.call('StopVmInstance', { uuid: vm.uuid, type: 'cold' })
  const end = (await volume())['installPath'] as string
  const present = await content(end)
  const last = await take('last')
  await site.call('DeleteVolumeSnapshot', { uuid: three['uuid'] as string })
  await site.call('DeleteVolumeSnapshot', { uuid: last['uuid'] as string })
  const now = (await volume())['installPath'] as string
  expect([await content(now), await content(pathOf(one))]).toEqual([present, before.one])
  expect(await qemuImg.check({ path: now, format: 'qcow2' })).toEqual({ corruptions: 0, leaks: 0 })
  await clean(site)

  await site.call('RevertVolumeFromSnapshot', { uuid: one['uuid'] as string })
  await site.call('StartVmInstance', { uuid: vm.uuid })
  await answers(demo.l3, vm.ip)
  await inGuest(site, vm.uuid, `${holds('one')} && ${lacks('two')} && ${lacks('three')}`, 'back')
  await gone(site, vm)
  await site.call('DeleteDataVolume', { uuid })
  await site.call('ExpungeDataVolume', { uuid })
  await clean(site)
  expect(await files.stat(pathOf(one))).toBeUndefined()
})

/** Of the guest's qemu: another one means that it was restarted. */
async function pidOf(vmUuid: string): Promise<number | undefined> {
  const found = (await realHost().process.list()).find((p) => p.cmdline.some((arg) => arg.startsWith(`guest=skerry-${vmUuid}`)))
  return found?.pid
}
