/** A volume that stands alone, with the content of a snapshot: whole or not there, once or twice, never in place of another. */
import { afterEach, beforeEach, expect, test } from 'vitest'
import { doc, id, POOL, tomb, volumeSpec } from './bench.ts'
import { fakeBench } from './fake-bench.ts'

type Bench = Awaited<ReturnType<typeof fakeBench>>
let host: Bench['host']
let b: Bench['b']
let exists: Bench['exists']
const [V, COPY] = [id(7), id(8)]
const snapshot = `${V}.${id(10)}.qcow2`
const path = (name: string) => `${b.pool}/volumes/${name}`
const own = `${COPY}.qcow2`
const copy = (over = {}) => b.run('volume', 'copy', COPY, { poolUuid: POOL, poolPath: b.pool, from: snapshot, as: own, ...over })
const describe = async (name: string) => (await host.qemuImg.info({ path: path(name), format: 'qcow2' }))[0]!

beforeEach(async () => {
  ;({ host, b, exists } = await fakeBench())
  await b.pools()
  await b.want(doc('volume', V, volumeSpec(b.pool, V)))
  await host.qemuImg.create({
    ...{ path: path(snapshot), format: 'qcow2', backing: { path: path(`${V}.qcow2`), format: 'qcow2' } },
  })
})
afterEach(async () => {
  await b.stop()
  expect(b.faults).toEqual([])
})

test('is as large as the snapshot, lies on nothing, and its document finds it there', async () => {
  const { virtualSizeBytes } = await describe(snapshot)
  const { output, progress } = await copy()
  expect(output).toMatchObject({ sizeBytes: virtualSizeBytes })
  expect(progress.at(-1)).toMatchObject({ step: 'copy', percent: 100 })
  expect((await describe(own)).backingPath).toBeUndefined()
  const spec = volumeSpec(b.pool, COPY, { birth: 'exists', sizeBytes: virtualSizeBytes, backing: null })
  expect(await b.want(doc('volume', COPY, spec))).toMatchObject({ [COPY]: 'Ready' })
  expect(await b.plan()).toEqual([])
})

test('what is there is not copied again', async () => {
  await copy()
  const { progress } = await copy()
  expect(progress).toEqual([])
})

test('a copy that fails leaves nothing, and can be made again', async () => {
  host.faults.failNext('qemuImg.convert')
  await expect(copy()).rejects.toMatchObject({ code: expect.any(String) })
  expect([exists(path(own)), exists(path(`${own}.tmp`))]).toEqual([false, false])
  await copy()
  expect(exists(path(own))).toBe(true)
})

test('nothing is made of a file that is gone, for another volume, or in another storage', async () => {
  for (const [over, code] of [
    [{ from: `${V}.${id(11)}.qcow2` }, 'volume-lost'],
    [{ as: `${V}.qcow2` }, 'invalid-argument'],
    [{ poolUuid: id(9) }, 'host-command-failed'],
  ] as const)
    await expect(copy(over), code).rejects.toMatchObject({ code })
  expect(exists(path(own))).toBe(false)
})

test('a tombstone removes a copy that nobody wanted in the end, also a half one', async () => {
  await copy()
  host.disk.put(path(`${own}.tmp`), new Uint8Array(8))
  expect(await b.want(tomb('volume', COPY))).toMatchObject({ [COPY]: 'Gone' })
  expect((await host.files.list(`${b.pool}/volumes`)) ?? []).toEqual([`${V}.qcow2`, snapshot].sort())
})
