/** How often the files of a large network are written. */
import { fakeHost } from '@skerry/host'
import { expect, test } from 'vitest'
import { HostsWriter } from '../src/leases/apply.ts'
import { Folders } from '../src/leases/folder.ts'
import { routerDir } from '../src/routers/service.ts'
import { newUuid } from './world.ts'

const STATE = '/var/lib/skerry/agent-vrouter'

/** A writer whose pauses end when the test says so. */
async function world() {
  const host = fakeHost()
  const router = newUuid()
  const folders = new Folders(host.files)
  await host.files.makeDir(STATE)
  const pauses: { ms: number; end: () => void }[] = []
  const pause = (ms: number) => new Promise<void>((end) => void pauses.push({ ms, end }))
  const writer = new HostsWriter({ host, folders, stateDir: STATE, pause })
  const put = (n: number) => {
    const [mac, ip] = [
      `fa:00:00:00:${(n >> 8).toString(16).padStart(2, '0')}:${(n & 255).toString(16).padStart(2, '0')}`,
      `10.1.${n >> 8}.${n & 255}`,
    ]
    return writer.apply({ op: 'host.put', router, uuid: newUuid(), mac, ip, hostname: null })
  }
  const lines = async () => (await folders.read(routerDir(STATE, router))).lines.length
  return { put, lines, pauses }
}

test('a change of a long file waits until the file has rested, and the next ones come with it; a lone change never waits', async () => {
  const { put, lines, pauses } = await world()
  await Promise.all(Array.from({ length: 1_000 }, (_, n) => put(n)))
  expect(await lines()).toBe(1_000)
  await put(1_000) // what was there before was an empty file
  const [first] = pauses
  expect(pauses).toMatchObject([{ ms: 10 }])
  const later = Promise.all([put(1_001), put(1_002)])
  await new Promise((resolve) => setImmediate(resolve))
  expect(await lines()).toBe(1_001)
  first!.end()
  await later
  expect(await lines()).toBe(1_003)
  expect(pauses).toHaveLength(2)
})

test('short files are written at once', async () => {
  const { put, lines, pauses } = await world()
  for (let n = 0; n < 20; n++) await put(n)
  expect([await lines(), pauses.length]).toEqual([20, 0])
})
