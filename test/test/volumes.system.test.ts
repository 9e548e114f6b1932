/** A data volume on real guests: plugged in and out while they run, and its bytes go with it. */
import { realHost } from '@skerry/host'
import { expect, it } from 'vitest'
import { inGuest } from '../harness/console.ts'
import type { Demo } from '../harness/demo.ts'
import { onDemoSite } from '../harness/demo-site.ts'
import { answers } from '../harness/guest.ts'
import type { TestSite } from '../harness/site.ts'
import { clean, gone, makeVm, vmOf } from '../harness/vms.ts'

const MIB = 1024 ** 2
const { files, qemuImg } = realHost()

let site: TestSite
let demo: Demo
onDemoSite((on) => {
  site = on.site
  demo = on.demo
})

it('a volume that is plugged into a running guest is seen and written there, let go, and read in another guest', async () => {
  const [first, second] = [
    await makeVm(site, demo, 'first'),
    vmOf(await site.call('CreateVmInstance', { name: 'second', ...demo.vmParams, strategy: 'CreateStopped' })),
  ]
  const { uuid } = await site.call('CreateDataVolume', { name: 'data', diskSize: 64 * MIB })
  await answers(demo.l3, first.ip)
  const attached = await site.call('AttachDataVolumeToVm', { volumeUuid: uuid, vmInstanceUuid: first.uuid })
  expect(attached).toMatchObject({ status: 'Ready', deviceId: 1, vmInstanceUuid: first.uuid })
  const path = attached['installPath'] as string
  await inGuest(site, first.uuid, 'until [ "$(cat /sys/block/vdb/size)" = 131072 ]; do sleep 1; done', 'seen')
  await inGuest(site, first.uuid, 'printf "bytes-%s" kept | dd of=/dev/vdb && sync', 'written')
  await clean(site)

  const free = await site.call('DetachDataVolumeFromVm', { uuid })
  expect(free['vmInstanceUuid']).toBeUndefined()
  await inGuest(site, first.uuid, 'until [ ! -e /sys/block/vdb ]; do sleep 1; done', 'away')
  expect(await qemuImg.check({ path, format: 'qcow2' })).toEqual({ corruptions: 0, leaks: 0 })
  await clean(site)

  await site.call('AttachDataVolumeToVm', { volumeUuid: uuid, vmInstanceUuid: second.uuid })
  await site.call('StartVmInstance', { uuid: second.uuid })
  await answers(demo.l3, second.ip)
  await inGuest(site, second.uuid, '[ "$(head -c 10 /dev/vdb)" = bytes-kept ]', 'read')
  await clean(site)

  await gone(site, first)
  await gone(site, second)
  expect(await files.stat(path)).toBeDefined()
  await site.call('DeleteDataVolume', { uuid })
  await site.call('ExpungeDataVolume', { uuid })
  await clean(site)
  expect(await files.stat(path)).toBeUndefined()
})
